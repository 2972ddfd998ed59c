// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// API queries running engines through their sockets.
type API interface {
	// Get returns the body of an HTTP response. If the status is not 200, the error wraps ErrNoAnswer.
	Get(ctx context.Context, socket, path string) ([]byte, error)
	// Status returns the verbose response to the CRI's Status.
	Status(ctx context.Context, socket string) (map[string]string, error)
}

// Sockets implements API with the sockets of this machine.
type Sockets struct{}

// answerLimit is the maximum size of a response in bytes, far above that of any engine.
const answerLimit = 16 << 20

var errLate = errors.New("it did not answer in time")

// Get implements API.
func (Sockets) Get(ctx context.Context, socket, path string) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // the made-up address says nothing
		}
		if ctx.Err() != nil {
			err = errLate
		}
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: it answered %s", ErrNoAnswer, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, answerLimit))
}

// Status implements API.
func (Sockets) Status(ctx context.Context, socket string) (map[string]string, error) {
	var info map[string]string
	err := callCRI(socket, func(c runtime.RuntimeServiceClient) error {
		answer, err := c.Status(ctx, &runtime.StatusRequest{Verbose: true})
		info = answer.GetInfo()
		return err
	})
	return info, err
}

// askCRI does the same as `crictl version`.
func askCRI(ctx context.Context, socket string) error {
	return callCRI(socket, func(c runtime.RuntimeServiceClient) error {
		_, err := c.Version(ctx, &runtime.VersionRequest{})
		return err
	})
}

func callCRI(socket string, call func(runtime.RuntimeServiceClient) error) error {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := call(runtime.NewRuntimeServiceClient(connection)); err != nil {
		if status.Code(err) == codes.DeadlineExceeded {
			return errLate
		}
		return errors.New(status.Convert(err).Message())
	}
	return nil
}
