// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Questions of Check: the names of pages.
const (
	CheckAlive = "healthz"
	CheckReady = "readyz"
)

// CheckSocket is the default socket on which an agent answers Check.
const CheckSocket = "/run/runc-trace/health.sock"

// ServeChecks answers Check at a socket until the context ends. Only this user and root can connect to it: others
// can neither use up the connections of a probe nor answer it. If the socket cannot be made, ServeChecks logs the
// reason and tries again.
func (a *Agent) ServeChecks(ctx context.Context, socket string) {
	for said := false; ctx.Err() == nil; sleep(ctx, pace.absent) {
		listener, err := listenPrivately(socket)
		if err == nil {
			err = serve(ctx, a.server(a.healthHandler()), listener)
		}
		if err != nil && !said {
			a.config.Log.WithError(err).Warn("cannot serve tracectl agent --check")
			said = true
		}
	}
}

// listenPrivately makes a socket for this user only. It replaces a socket without a listener, and makes a missing
// directory for this user.
func listenPrivately(socket string) (net.Listener, error) {
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("making the directory of %s: %w", socket, err)
	}
	removeStale(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("restricting access to %s: %w", socket, err)
	}
	return &privateListener{listener.(*net.UnixListener)}, nil
}

// privateListener accepts only connections of this user and of root: before the mode of a new socket is restricted,
// others may have connected.
type privateListener struct{ *net.UnixListener }

func (l *privateListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if isTrusted(connection) {
			return connection, nil
		}
		connection.Close()
	}
}

// isTrusted reports whether the peer is this user or root.
func isTrusted(connection *net.UnixConn) bool {
	raw, err := connection.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	failed := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return failed == nil && err == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}

// Check asks the agent at a socket one of the two questions. The error is the agent's answer, or the reason why
// there is none.
func Check(ctx context.Context, socket, question string) error {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
			if err == nil && !isTrusted(connection.(*net.UnixConn)) {
				connection.Close()
				err = errors.New("a process of another user listens there")
			}
			return connection, err
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/"+question, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("asking the agent at %s: it did not answer in time", socket)
	}
	if err != nil {
		return fmt.Errorf("asking the agent at %s: %w", socket, errors.Unwrap(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("asking the agent at %s: %w", socket, err)
	}
	return errors.New(strings.TrimSpace(string(text)))
}
