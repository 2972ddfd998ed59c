// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// tryTime is how long one question to an engine may take.
const tryTime = 5 * time.Second

// errNoAnswer is of engines that cannot be asked.
var errNoAnswer = errors.New("it cannot be asked")

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

// askCRI is `crictl version`.
func askCRI(ctx context.Context, socket string) error {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = runtime.NewRuntimeServiceClient(connection).Version(ctx, &runtime.VersionRequest{})
	if err != nil {
		return errors.New(status.Convert(err).Message())
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
