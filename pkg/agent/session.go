// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// session serves loaded programs, from their detection until they are unloaded.
type session struct {
	*Agent
	loaded    *loaded
	writer    *labelWriter
	discovery *discovery
	pods      *podSource
	cri       *criSource
	docker    *dockerSource
	failed    map[string]bool // actions whose last attempt failed, which was logged
}

func newSession(a *Agent, l *loaded) *session {
	s := &session{Agent: a, loaded: l, writer: newLabelWriter(l.store, a.config.KeepLabels, a.metrics, a.config.Log),
		discovery: newDiscovery(l.reader), failed: map[string]bool{}}
	s.pods = newPodSource(a.config, s.writer, a.health)
	s.cri = newCRISource(a.config.CRIEndpoints, s.writer, a.health)
	s.docker = newDockerSource(a.config.DockerSocket, s.writer, a.health)
	return s
}

func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer func() {
		cancel()
		group.Wait()
		s.health.forget()
	}()
	s.heartbeat()
	s.deliver(s.discovery.scan())
	group.Go(func() { s.pods.run(ctx) })
	group.Go(func() { s.cri.run(ctx) })
	group.Go(func() { s.docker.run(ctx) })
	if s.config.Archive != nil && s.loaded.instance != nil {
		group.Go(func() { s.archive(ctx) })
	}
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
			s.config.Log.Info("the programs were unloaded or replaced")
			return
		}
		s.tick()
		appeared, err := s.discovery.poll()
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

// heartbeat tells readers that an agent is running. They judge by its age. A stopped agent leaves it: most often
// another agent follows, and readers hold execs back for its labels.
func (s *session) heartbeat() {
	err := s.loaded.store.Put(bpf.SourceAgent, "", bpf.Labels{})
	if errors.Is(err, bpf.ErrFull) {
		err = errors.Join(err, s.sweep())
	}
	s.note("write the heartbeat", err)
}

// deliver passes new containers to the sources that look up single containers.
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

// archive saves recordings until the context ends. If the archive cannot be opened, it tries again.
func (s *session) archive(ctx context.Context) {
	var wait backoff
	for ctx.Err() == nil {
		a, err := newArchiver(*s.config.Archive, s.loaded.instance, &s.counts, s.config.Log, s.config.Version)
		s.counts.opened(err, s.config.Log)
		if err == nil {
			a.run(ctx)
			return
		}
		wait.wait(ctx)
	}
}

func (s *session) adopt(ctx context.Context) {
	adopted, err := s.config.Adopt(ctx, s.config.Dir)
	s.metrics.adopted.Add(float64(adopted))
	entry := s.config.Log.WithField("containers", adopted)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		entry.WithError(err).Warn("could not adopt all running containers")
	case adopted > 0:
		entry.Info("adopted running containers")
	}
}

// note logs an error unless the same action failed before.
func (s *session) note(what string, err error) {
	if err != nil && !s.failed[what] {
		s.config.Log.WithError(err).Warn("could not " + what)
	}
	s.failed[what] = err != nil
}
