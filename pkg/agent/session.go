// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// session is the work for what is loaded, from when it was found until it is not loaded any more.
type session struct {
	*Agent
	loaded *loaded
	ledger *ledger
	roster *roster
	pods   *podSource
	cri    *criSource
	docker *dockerSource
	failed map[string]bool // what failed when it was last done, which was said
}

func newSession(a *Agent, l *loaded) *session {
	s := &session{Agent: a, loaded: l, ledger: newLedger(l.store, a.config.KeepLabels, a.metrics, a.config.Log), roster: newRoster(l.census), failed: map[string]bool{}}
	s.pods = newPodSource(a.config, s.ledger, a.health)
	s.cri = newCRISource(a.config.CRIEndpoints, s.ledger, a.health)
	s.docker = newDockerSource(a.config.DockerSocket, s.ledger, a.health)
	return s
}

func (s *session) run(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	var group sync.WaitGroup
	defer func() {
		cancel()
		group.Wait()
		s.health.forget()
		if parent.Err() == nil {
			return // what comes is this agent's again, or another's that has left word already
		}
		// Whoever reads need not wait until the last heartbeat is old.
		if err := s.loaded.store.Delete(bpf.SourceAgent, ""); err != nil {
			s.config.Log.WithError(err).Debug("could not take the heartbeat back")
		}
	}()
	s.heartbeat()
	s.deliver(s.roster.scan())
	group.Go(func() { s.pods.run(ctx) })
	group.Go(func() { s.cri.run(ctx) })
	group.Go(func() { s.docker.run(ctx) })
	if s.config.Adopt != nil {
		group.Go(func() { s.adopt(ctx) })
	}

	ticker := time.NewTicker(pace.poll)
	defer ticker.Stop()
	lastBeat, lastSweep := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.loaded.stale() {
			s.config.Log.Info("what was loaded is not there any more, or its programs were replaced")
			return
		}
		s.tick()
		appeared, err := s.roster.poll()
		s.note("look for containers", err)
		s.deliver(appeared)
		if time.Since(lastBeat) >= pace.heartbeat {
			lastBeat = time.Now()
			s.heartbeat()
		}
		if time.Since(lastSweep) >= pace.sweep {
			lastSweep = time.Now()
			s.note("sweep labels", s.sweep())
		}
	}
}

// heartbeat tells readers that an agent is there.
func (s *session) heartbeat() {
	err := s.loaded.store.Put(bpf.SourceAgent, "", bpf.Labels{})
	if errors.Is(err, bpf.ErrFull) {
		err = errors.Join(err, s.sweep())
	}
	s.note("leave word of being alive", err)
}

// deliver hands containers that appeared to the sources that are asked for one container at a time.
func (s *session) deliver(appeared []container) {
	for _, c := range appeared {
		if c.sandbox != "" {
			s.cri.look(c.sandbox)
		}
		if c.engine == "docker" {
			s.docker.look(c.id)
		}
	}
}

func (s *session) adopt(ctx context.Context) {
	adopted, err := s.config.Adopt(ctx, s.config.Dir)
	s.metrics.adopted.Add(float64(adopted))
	entry := s.config.Log.WithField("containers", adopted)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		entry.WithError(err).Warn("could not register all containers that ran before")
	case adopted > 0:
		entry.Info("registered containers that ran before")
	}
}

// note logs an error unless the same thing failed the last time.
func (s *session) note(what string, err error) {
	if err != nil && !s.failed[what] {
		s.config.Log.WithError(err).Warn("could not " + what)
	}
	s.failed[what] = err != nil
}
