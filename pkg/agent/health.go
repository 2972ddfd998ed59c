// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"cmp"
	"errors"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// condition is the condition of a source.
type condition int

const (
	off    condition = iota // not requested, or nothing to ask
	down                    // does not answer
	up                      // answers
	unsure                  // was not asked yet
)

// health is the health of the agent. It logs each change once.
type health struct {
	log *logrus.Logger

	mu      sync.Mutex
	problem string // why no loaded programs can be served; empty: they can
	active  bool   // this agent is the one that serves them
	known   bool   // problem and active were set
	sources []*endpoint
}

// endpoint is one place of a source of labels, such as a socket.
type endpoint struct {
	health    *health
	source    bpf.LabelSource
	where     string // tells several endpoints of one source apart
	condition condition
	problem   string
}

func newHealth(log *logrus.Logger) *health { return &health{log: log, problem: "not checked yet"} }

// tracer records the state of the loaded programs. Without a problem, and not active, another agent serves them.
func (h *health) tracer(problem string, active bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known && h.problem == problem && h.active == active {
		return
	}
	h.problem, h.active, h.known = problem, active, true
	if !active {
		h.sources = nil
	}
	switch {
	case problem != "":
		h.log.WithField("reason", problem).Warn("waiting for programs to be loaded")
	case active:
		h.log.Info("serving the loaded programs")
	default:
		h.log.Info("another agent is active: waiting until it ends")
	}
}

// forget drops all endpoints: they end with the programs that they served.
func (h *health) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sources = nil
}

// endpoint adds an endpoint.
func (h *health) endpoint(source bpf.LabelSource, where string) *endpoint {
	f := &endpoint{health: h, source: source, where: where, condition: unsure}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sources = append(h.sources, f)
	return f
}

func (f *endpoint) up()            { f.set(up, "") }
func (f *endpoint) down(err error) { f.set(down, err.Error()) }
func (f *endpoint) off(why string) { f.set(off, why) }

func (f *endpoint) set(c condition, problem string) {
	f.health.mu.Lock()
	defer f.health.mu.Unlock()
	same := f.condition == c
	f.condition, f.problem = c, problem
	if same {
		return
	}
	entry := f.health.log.WithField("source", f.name())
	if problem != "" {
		entry = entry.WithField("reason", problem)
	}
	switch c {
	case up:
		entry.Info("the source answers")
	case down:
		entry.Warn("the source does not answer")
	case off:
		entry.Info("the source is not used")
	}
}

// conditions returns the conditions of all sources in use: of each, that of its best endpoint.
func (h *health) conditions() map[bpf.LabelSource]condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[bpf.LabelSource]condition{}
	for _, f := range h.sources {
		if best, ok := found[f.source]; !ok || f.condition == up || best == off {
			found[f.source] = f.condition
		}
	}
	return found
}

// works reports whether programs are loaded, and whether this agent serves them.
func (h *health) works() (loaded, active bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problem == "", h.active
}

func (h *health) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problem != "" {
		return errors.New("waiting for programs to be loaded: " + h.problem)
	}
	var why []string
	for _, f := range h.sources {
		if f.condition == up {
			return nil
		}
		why = append(why, f.name()+": "+cmp.Or(f.problem, "not asked yet"))
	}
	if !h.active {
		return nil
	}
	return errors.New("no source of labels answers: " + strings.Join(why, "; "))
}

func (f *endpoint) name() string {
	if f.where == "" {
		return f.source.String()
	}
	return f.source.String() + " at " + f.where
}
