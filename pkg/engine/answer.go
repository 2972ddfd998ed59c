// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// tryTime is how long one question to an engine may take.
const tryTime = 5 * time.Second

// Answers asks a running engine for a sign of life: containerd and CRI-O for the version of their CRI, which a kubelet needs, and
// Docker by its /_ping. There is nothing to ask of Podman, nor of a containerd without CRI. It asks once, for some seconds at most.
func (e Engine) Answers(ctx context.Context, h Host) error {
	socket, err := e.Socket(h)
	if err != nil {
		return fmt.Errorf("looking for the socket of %s: %w", e, err)
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

// Socket is where the engine's API listens, by its configuration: the CRI's, or Docker's. It is "" where there is none.
func (e Engine) Socket(h Host) (string, error) { return e.driver().socket(h, e) }

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return strings.TrimPrefix(text, "unix://")
		}
	}
	return ""
}
