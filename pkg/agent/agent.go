// SPDX-License-Identifier: Apache-2.0

// Package agent fills in what the shim cannot know of a container: the labels of its pod, which the API server and the
// engine have, and what Docker calls it. It also registers containers that ran before, and shows figures to Prometheus.
//
// Nobody waits for it. What it learns lies in the pinned map of labels, so that it may end at any moment, and be
// started again at any other: all that is lost is the time between.
package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// Config says what an agent does.
type Config struct {
	Dir          string   // where the programs and maps are pinned
	Node         string   // whose pods are watched
	Kubeconfig   string   // how the API server is reached; empty: as pods do, or, outside of one, not at all
	CRIEndpoints []string // sockets of CRI; empty: those that are found
	DockerSocket string   // empty: the one that is found
	KeepLabels   []string // labels that are kept first if not all find room: see identity.KeepFirst

	// Adopt registers the containers that run and are not registered, and returns how many. It is called once for what is
	// loaded, and again when other programs are. Nil: they are left alone.
	Adopt func(ctx context.Context, dir string) (int, error)

	Version string // of the program
	Log     *logrus.Logger
}

// Agent is an agent. Its figures and its health can be asked for while it runs.
type Agent struct {
	config  Config
	health  *health
	metrics *metrics
	open    func(dir string) (*loaded, error)
	started time.Time
	beat    atomic.Int64 // when the loop was last seen, in ns since it was started

	mu     sync.RWMutex // of what follows: who reads it keeps it open
	loaded *loaded      // nil while nothing is
}

// pace is how often things are looked at. Tests make it faster.
var pace = struct {
	poll      time.Duration // containers that appeared; whether it is still loaded
	heartbeat time.Duration
	sweep     time.Duration // labels of who is not known any more
	list      time.Duration // all of an engine's sandboxes; whether Docker answers
	absent    time.Duration // a socket that is not there
	request   time.Duration // until a request is given up
	grace     time.Duration // how long labels are kept whose container nobody has seen yet
}{
	poll: time.Second, heartbeat: 5 * time.Second, sweep: time.Minute, list: 30 * time.Second, absent: 5 * time.Second,
	request: 5 * time.Second, grace: 2 * time.Minute,
}

// New makes an agent.
func New(c Config) *Agent {
	a := &Agent{config: c, health: newHealth(c.Log), open: open, started: time.Now()}
	a.metrics = newMetrics(a)
	a.tick()
	return a
}

// Run works until the context ends. It waits for programs to be loaded, and for those that come after them.
func (a *Agent) Run(ctx context.Context) {
	for ctx.Err() == nil {
		a.tick()
		l, err := a.open(a.config.Dir)
		if err != nil {
			a.health.tracer(reason(err), false)
			sleep(ctx, pace.poll)
			continue
		}
		a.lend(l)
		a.work(ctx, l)
		a.lend(nil)
		if err := l.close(); err != nil {
			a.config.Log.WithError(err).Warn("could not close what was loaded")
		}
	}
}

// lend is what borrow returns from now on.
func (a *Agent) lend(l *loaded) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loaded = l
}

// borrow returns what is loaded, or nil. It stays open until done is called.
func (a *Agent) borrow() (l *loaded, done func()) {
	a.mu.RLock()
	return a.loaded, a.mu.RUnlock
}

// work is done for what is loaded until it is not, or not the same, any more. Of two agents one waits for the other.
func (a *Agent) work(ctx context.Context, l *loaded) {
	for ctx.Err() == nil && !l.stale() {
		a.tick()
		held, err := l.lock()
		if held {
			a.health.tracer("", true)
			newSession(a, l).run(ctx)
			return
		}
		if err != nil {
			a.health.tracer(reason(err), false)
		} else {
			a.health.tracer("", false)
		}
		sleep(ctx, pace.poll)
	}
}

// reason is an error as it is shown where nothing can be done for now.
func reason(err error) string {
	if errors.Is(err, bpf.ErrNotLoaded) {
		return "nothing is loaded"
	}
	return err.Error()
}

// tick says that the loop is alive.
func (a *Agent) tick() { a.beat.Store(int64(time.Since(a.started))) }

// Alive returns an error where the agent's loop has not been seen for a while.
func (a *Agent) Alive() error {
	const patience = 30 * time.Second
	if since := time.Since(a.started) - time.Duration(a.beat.Load()); since > patience {
		return fmt.Errorf("the agent's loop was last seen %v ago", since.Round(time.Second))
	}
	return nil
}

// Ready returns an error unless programs are loaded and, where this agent is the one that works for them, at least
// one source of labels answers.
func (a *Agent) Ready() error { return a.health.ready() }

// sleep waits, or returns at once when the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
