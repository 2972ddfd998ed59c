// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sys/unix"
)

// Address is the address of metrics and health: HOST:PORT, or unix:///PATH.
type Address struct{ network, address string }

// ParseAddress parses an address, and refuses ones that cannot be listened on.
func ParseAddress(text string) (Address, error) {
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !strings.HasPrefix(path, "/") {
			return Address{}, fmt.Errorf("address %q: a socket needs an absolute path such as unix:///run/agent.sock", text)
		}
		return Address{"unix", path}, nil
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", text, err)
	}
	return Address{"tcp", text}, nil
}

// Serve serves metrics and health until the context ends. If the address is in use, it waits until it is free, as
// that of a previous agent soon will be.
func (a *Agent) Serve(ctx context.Context, at Address) error {
	listener, err := a.listen(ctx, at)
	if listener == nil {
		return err
	}
	// Every process on the node can connect. If there are too many connections, the oldest idle one is closed.
	connections := newConnectionLimit(16)
	server := a.server(connections.count(a.Handler()))
	server.ConnContext = connections.joined
	server.ConnState = connections.changed
	if err := serve(ctx, server, listener); err != nil {
		return fmt.Errorf("serving metrics: %w", err)
	}
	return nil
}

func (a *Agent) server(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	server.SetKeepAlivesEnabled(false)
	return server
}

func serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (a *Agent) listen(ctx context.Context, at Address) (net.Listener, error) {
	for said := false; ctx.Err() == nil; sleep(ctx, pace.poll) {
		if at.network == "unix" {
			removeStale(at.address)
		}
		listener, err := net.Listen(at.network, at.address)
		if err == nil {
			return listener, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("listening for metrics: %w", err)
		}
		if !said {
			a.config.Log.WithError(err).Warn("cannot serve metrics: waiting until the address is free")
			said = true
		}
	}
	return nil, nil
}

// removeStale removes a socket without a listener.
func removeStale(path string) {
	connection, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		connection.Close()
		return
	}
	if info, statErr := os.Lstat(path); errors.Is(err, unix.ECONNREFUSED) && statErr == nil &&
		info.Mode().Type() == os.ModeSocket {
		os.Remove(path)
	}
}

// Handler serves /metrics, /healthz and /readyz.
func (a *Agent) Handler() http.Handler {
	mux := a.healthHandler()
	mux.Handle("GET /metrics",
		promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, DisableCompression: true}))
	return mux
}

func (a *Agent) healthHandler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+CheckAlive, func(w http.ResponseWriter, _ *http.Request) { answer(w, a.Alive()) })
	mux.HandleFunc("GET /"+CheckReady, func(w http.ResponseWriter, _ *http.Request) { answer(w, a.Ready()) })
	return mux
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}
