// SPDX-License-Identifier: Apache-2.0

// Package agent adds data about containers that the shim cannot know: the labels of their pods, from the API server
// and the engine, and the names of Docker's containers. It also registers containers that were already running, and
// serves metrics to Prometheus.
//
// Nothing waits for the agent. It stores data in the pinned map of labels, so it may stop and be restarted at any
// time: only the data of the time between is missing.
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

// Config configures an agent.
type Config struct {
	Dir          string   // directory of the pinned programs and maps
	Node         string   // node whose pods are watched
	Kubeconfig   string   // access to the API server; empty: as in a pod, or, outside of one, none
	CRIEndpoints []string // sockets of CRI; empty: the usual ones that exist
	DockerSocket string   // empty: the usual one that exists
	KeepLabels   []string // labels to keep first if there is no room for all: see identity.KeepFirst

	// Adopt registers the running containers that are not registered, and returns their number. It is called once
	// for the loaded programs, and again after they were replaced. Nil: no container is adopted.
	Adopt func(ctx context.Context, dir string) (int, error)

	Archive *Archive // nil: no recordings are saved

	Version string // of the program
	Log     *logrus.Logger
}

// Agent is an agent. Its metrics and its health are available while it runs.
type Agent struct {
	config  Config
	health  *health
	metrics *metrics
	open    func(dir string) (*loaded, error)
	started time.Time
	counts  counts
	beat    atomic.Int64 // last turn of the loop, in ns since the agent was started

	mu     sync.RWMutex // guards loaded: readers keep it open
	loaded *loaded      // nil: nothing is loaded
}

// pace holds intervals. Tests shorten them.
var pace = struct {
	poll      time.Duration // new containers; whether the programs are still loaded
	heartbeat time.Duration
	sweep     time.Duration // labels of containers that are no longer known
	list      time.Duration // list of an engine's sandboxes; whether Docker answers
	absent    time.Duration // a socket that does not exist
	request   time.Duration // timeout of a request
	grace     time.Duration // how long labels are kept before their container appears
	archive   time.Duration // recordings that are due to be saved
}{
	poll: time.Second, heartbeat: 5 * time.Second, sweep: time.Minute, list: 30 * time.Second, absent: 5 * time.Second,
	request: 5 * time.Second, grace: 2 * time.Minute, archive: 500 * time.Millisecond,
}

// New returns an agent.
func New(c Config) *Agent {
	a := &Agent{config: c, health: newHealth(c.Log), open: open, started: time.Now()}
	a.metrics = newMetrics(a)
	a.tick()
	return a
}

// Run works until the context ends. It waits until programs are loaded, and again after they were unloaded or
// replaced.
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
			a.config.Log.WithError(err).Warn("could not close maps")
		}
	}
}

// lend sets the result of borrow.
func (a *Agent) lend(l *loaded) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loaded = l
}

// borrow returns the loaded programs, or nil. They stay open until done is called.
func (a *Agent) borrow() (l *loaded, done func()) {
	a.mu.RLock()
	return a.loaded, a.mu.RUnlock
}

// work serves the loaded programs until they are unloaded or replaced. If there are two agents, one waits for the
// other.
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

// reason returns the text of an error that is expected to go away.
func reason(err error) string {
	if errors.Is(err, bpf.ErrNotLoaded) {
		return "nothing is loaded"
	}
	return err.Error()
}

// tick records that the loop is alive.
func (a *Agent) tick() { a.beat.Store(int64(time.Since(a.started))) }

// Alive returns an error if the agent's loop has not run for a while.
func (a *Agent) Alive() error {
	const patience = 30 * time.Second
	if since := time.Since(a.started) - time.Duration(a.beat.Load()); since > patience {
		return fmt.Errorf("the agent's loop last ran %v ago", since.Round(time.Second))
	}
	return nil
}

// Ready returns an error unless programs are loaded. If this agent is the active one, at least one source of labels
// must also answer.
func (a *Agent) Ready() error { return a.health.ready() }

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
