// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// CRI is an engine with sandboxes.
type CRI struct {
	cri.UnimplementedRuntimeServiceServer
	t    testing.TB
	path string

	mu        sync.Mutex
	server    *grpc.Server
	sandboxes map[string]*cri.PodSandbox // by ID
	hidden    map[string]bool            // left out of lists
	asked     map[string]int             // number of requests by ID
}

// NewCRI starts an engine at a socket.
func NewCRI(t testing.TB, path string) *CRI {
	c := &CRI{t: t, path: path, sandboxes: map[string]*cri.PodSandbox{}, hidden: map[string]bool{},
		asked: map[string]int{}}
	c.Start()
	t.Cleanup(c.Stop)
	return c
}

// Start listens.
func (c *CRI) Start() {
	c.t.Helper()
	listener, err := net.Listen("unix", c.path)
	if err != nil {
		c.t.Fatal(err)
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, c)
	c.mu.Lock()
	c.server = server
	c.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
}

// Stop closes all connections, and removes the socket.
func (c *CRI) Stop() {
	c.mu.Lock()
	server := c.server
	c.mu.Unlock()
	server.Stop()
}

// Put adds a sandbox. A hidden one is left out of lists.
func (c *CRI) Put(id, uid string, created int64, hidden bool, labels map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sandboxes[id] = &cri.PodSandbox{
		Id:        id,
		Metadata:  &cri.PodSandboxMetadata{Name: "pod", Namespace: "default", Uid: uid},
		CreatedAt: created,
		Labels:    labels,
	}
	c.hidden[id] = hidden
}

// Asked returns how often a sandbox was requested.
func (c *CRI) Asked(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[id]
}

// ListPodSandbox implements CRI.
func (c *CRI) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := &cri.ListPodSandboxResponse{}
	for id, sandbox := range c.sandboxes {
		if !c.hidden[id] {
			answer.Items = append(answer.Items, sandbox)
		}
	}
	return answer, nil
}

// PodSandboxStatus implements CRI.
func (c *CRI) PodSandboxStatus(_ context.Context,
	r *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[r.PodSandboxId]++
	sandbox := c.sandboxes[r.PodSandboxId]
	if sandbox == nil {
		return nil, status.Errorf(codes.NotFound, "sandbox %q is not there", r.PodSandboxId)
	}
	return &cri.PodSandboxStatusResponse{Status: &cri.PodSandboxStatus{
		Id: sandbox.Id, Metadata: sandbox.Metadata, CreatedAt: sandbox.CreatedAt, Labels: sandbox.Labels,
	}}, nil
}

// Docker is a Docker daemon with configurable answers and events.
type Docker struct {
	t      testing.TB
	path   string
	server *http.Server

	mu        sync.Mutex
	answers   map[string]string // bodies by container
	events    []string
	said      chan struct{} // closed at the next event
	followers int
	refuses   bool // refuses to send events
}

// NewDocker starts a daemon at a socket.
func NewDocker(t testing.TB, path string) *Docker {
	d := &Docker{t: t, path: path, answers: map[string]string{}, said: make(chan struct{})}
	d.Start()
	t.Cleanup(d.Stop)
	return d
}

// Start listens. Earlier events are sent to clients that ask for them.
func (d *Docker) Start() {
	d.t.Helper()
	listener, err := net.Listen("unix", d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	server := &http.Server{Handler: d}
	d.server = server
	go func() { _ = server.Serve(listener) }()
}

// Stop closes all connections, and removes the socket.
func (d *Docker) Stop() {
	d.server.Close()
	if err := os.Remove(d.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Error(err)
	}
}

// Put sets the answer for a container.
func (d *Docker) Put(id, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[id] = body
}

// Say sends an event, as a line of JSON.
func (d *Docker) Say(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, line+"\n")
	close(d.said)
	d.said = make(chan struct{})
}

// Refuse makes Docker refuse to send events from now on.
func (d *Docker) Refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuses = true
}

// Followers returns the number of clients that follow events.
func (d *Docker) Followers() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.followers
}

// ServeHTTP answers a request.
func (d *Docker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/events" {
		d.tell(w, r)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id, isInspect := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/containers/"), "/json")
	body, ok := d.answers[id]
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/_ping":
		body = "OK"
	case r.Method != http.MethodGet || !isInspect:
		d.t.Errorf("Docker was asked for %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusBadRequest)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		body = `{"message": "No such container"}`
	}
	_, _ = w.Write([]byte(body))
}

// tell sends events, past ones first, as Docker does. Clients skip those that they have received before.
func (d *Docker) tell(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	refuses := d.refuses
	d.followers++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.followers--
		d.mu.Unlock()
	}()
	if refuses {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	for told := 0; ; {
		d.mu.Lock()
		events, said := d.events[told:], d.said
		d.mu.Unlock()
		for _, line := range events {
			_, _ = w.Write([]byte(line))
		}
		told += len(events)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-said:
		}
	}
}
