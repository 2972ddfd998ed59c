// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// connectionLimit limits the connections of a server that anyone may connect to. Idle connections cannot keep others
// out.
type connectionLimit struct {
	most int

	mu      sync.Mutex
	arrived []net.Conn // in order of arrival
	served  map[net.Conn]bool
}

func newConnectionLimit(most int) *connectionLimit {
	return &connectionLimit{most: most, served: map[net.Conn]bool{}}
}

type connectionKey struct{}

// joined is the server's ConnContext.
func (c *connectionLimit) joined(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connection)
}

// changed is the server's ConnState. A connection beyond the limit replaces the oldest one without a request in
// progress; if there is none, the new connection is closed.
func (c *connectionLimit) changed(connection net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.arrived = append(c.arrived, connection)
		if len(c.arrived) <= c.most {
			return
		}
		for _, oldest := range c.arrived {
			if !c.served[oldest] {
				c.leave(oldest)
				oldest.Close()
				return
			}
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(connection)
	}
}

func (c *connectionLimit) leave(connection net.Conn) {
	delete(c.served, connection)
	for n, other := range c.arrived {
		if other == connection {
			c.arrived = append(c.arrived[:n:n], c.arrived[n+1:]...)
			return
		}
	}
}

// count records which connections have a request in progress.
func (c *connectionLimit) count(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection, _ := r.Context().Value(connectionKey{}).(net.Conn)
		c.mu.Lock()
		c.served[connection] = true
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			delete(c.served, connection)
			c.mu.Unlock()
		}()
		handler.ServeHTTP(w, r)
	})
}
