// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// tryTime limits one query of an engine.
const tryTime = 5 * time.Second

// Answers checks once that a running engine responds within tryTime. It asks containerd and CRI-O for the version of
// their CRI, which a kubelet needs, and Docker for /_ping. It returns nil for Podman and for a containerd without CRI,
// which have no API to ask.
func (e Engine) Answers(ctx context.Context, h Host) error {
	socket, err := e.Socket(h)
	if err != nil {
		return fmt.Errorf("finding the socket of %s: %w", e, err)
	}
	if socket == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	if err := e.driver().ask(ctx, socket); err != nil {
		return fmt.Errorf("asking %s at %s: %w", e, socket, err)
	}
	return nil
}

// Socket returns the socket of the engine's API by its configuration: the CRI's, or Docker's. It returns "" if there
// is none.
func (e Engine) Socket(h Host) (string, error) { return e.driver().socket(h, e) }

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return strings.TrimPrefix(text, "unix://")
		}
	}
	return ""
}
