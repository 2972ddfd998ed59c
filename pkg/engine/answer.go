// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
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
	if e.Kind == Docker {
		err = ping(ctx, socket)
	} else {
		err = askCRI(ctx, socket)
	}
	if err != nil {
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

func ping(ctx context.Context, socket string) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("its answer is %s", answer.Status)
	}
	return nil
}

// Socket is where the engine's API listens, by its configuration: the CRI's, or Docker's. It is "" where there is none.
func (e Engine) Socket(h Host) (string, error) {
	u, _, err := h.unit(e.Unit)
	if err != nil {
		return "", err
	}
	args := u.args()
	switch e.Kind {
	case Containerd:
		return e.containerdSocket(h, args)
	case CRIO:
		files, _, err := e.crioFiles(h)
		if err != nil {
			return "", err
		}
		config, err := h.overlay(files, crioSection)
		if err != nil {
			return "", err
		}
		return first(lastOption(args, "--listen"), config.text("crio", "api", "listen"), "/var/run/crio/crio.sock"), nil
	case Docker:
		_, config, err := e.docker(h)
		if err != nil {
			return "", err
		}
		return dockerSocket(append(options(args, "-H", "--host"), config.Hosts...)), nil
	}
	return "", nil
}

func (e Engine) containerdSocket(h Host, args []string) (string, error) {
	socket := "/run/containerd/containerd.sock"
	if e.Variant == "k3s" || e.Variant == "rke2" {
		return "/run/k3s/containerd/containerd.sock", nil
	}
	if config, err := e.configInUse(h); err == nil {
		e.Config = config
	}
	c, err := e.containerd(h)
	if errors.Is(err, ErrNoCRI) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, l := range c.layers {
		for _, k := range []key{{"grpc", "address"}, {"plugins", "io.containerd.server.v1.grpc", "address"}} {
			if address, _ := l.doc.get(k).(string); address != "" {
				socket = address
			}
		}
	}
	return first(lastOption(args, "--address"), lastOption(args, "-a"), socket), nil
}

// dockerSocket is the first socket among dockerd's hosts. Those of systemd's are where they are by default.
func dockerSocket(hosts []string) string {
	const usual = "/var/run/docker.sock"
	for _, host := range hosts {
		if path, ok := strings.CutPrefix(host, "unix://"); ok {
			return first(path, usual)
		}
		if strings.HasPrefix(host, "fd://") {
			return usual
		}
	}
	if len(hosts) > 0 {
		return "" // it listens on the network alone
	}
	return usual
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return strings.TrimPrefix(text, "unix://")
		}
	}
	return ""
}
