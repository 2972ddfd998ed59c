// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Following describes a stream of events that does not end by itself.
type Following struct {
	// Args returns tracectl's arguments for events since some time ago (0: from now on), with a heartbeat interval.
	Args func(since, heartbeat time.Duration) []string
	// Since is how far to go back, 0: only new events.
	Since time.Duration
	// Text formats an event. Several calls run at a time, for different nodes. If the error matches ErrLine, the
	// event is left out.
	Text func(node string, event Object) ([]byte, error)
	// Write prints events. Its error ends everything, and is returned.
	Write func(text []byte) error
	// Find lists the nodes again: meanwhile agents may be replaced, and nodes may join and leave.
	Find func(context.Context) ([]Node, error)
}

// Intervals of following.
const (
	delay      = 500 * time.Millisecond // by which an event may arrive later than an event after it
	heartbeat  = 5 * time.Second        // longest interval; three are less than the timeout
	settle     = 2 * time.Second        // for which changes of nodes are collected into one message
	lookAgain  = time.Minute            // interval of listing nodes
	lookSoon   = 5 * time.Second        // the same after a node was lost
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	forget     = 10 * time.Minute // nodes that have had no agent for so long are dropped
)

// Follow prints the events of all nodes until ctx is done, in the order of time if they arrive within half a second
// of each other. Broken connections are made again, and events logged meanwhile are fetched without repeating
// others. If nodes cannot be reached at the end, the error is a *Failures.
func (c *Cluster) Follow(ctx context.Context, f Following) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{
		Cluster: c, Following: f, window: newWindow(0, room(len(c.Nodes))), slots: make(chan struct{}, parallel),
		followers: map[string]*follower{}, lost: make(chan struct{}, 1), began: time.Now(),
	}
	s.update(ctx, c.Nodes, f.Since)
	written := make(chan error, 1)
	ending, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	go func() {
		err := s.window.run(ending, f.Write)
		if err != nil {
			cancel(fatal{err})
		}
		written <- err
	}()
	s.manage(ctx)
	failures := s.failures()
	s.running.Wait()
	end()
	if err := <-written; err != nil {
		return err
	}
	return failures.Err()
}

// room returns the number of bytes that may wait to be printed for each node.
func room(nodes int) int {
	const all, least, most = 256 << 20, 128 << 10, 8 << 20
	return min(max(all/max(nodes, 1), least), most)
}

// session is the state of a running Follow.
type session struct {
	*Cluster
	Following
	window  *window
	slots   chan struct{} // taken by each node that is being connected to
	running sync.WaitGroup
	lost    chan struct{} // asks for another listing of nodes
	began   time.Time

	mu        sync.Mutex
	followers map[string]*follower
}

// manage reports changes of nodes, and looks for new ones, until ctx is done.
func (s *session) manage(ctx context.Context) {
	news := time.NewTicker(settle)
	defer news.Stop()
	looked := time.Now()
	look := time.NewTimer(lookAgain)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news.C:
			s.announce()
		case <-s.lost:
			look.Reset(max(0, lookSoon-time.Since(looked)))
		case <-look.C:
			now := time.Now()
			// If the API server does not answer, connections fail, too, and report it.
			if nodes, err := s.Find(ctx); err == nil {
				since := now.Sub(looked) + slack
				if s.Since > 0 {
					since = max(since, s.Since+now.Sub(s.began))
				}
				s.update(ctx, nodes, since)
				looked = now
			}
			look.Reset(lookAgain)
		}
	}
}

// update takes a new list of nodes, and follows new nodes from since ago on.
func (s *session) update(ctx context.Context, nodes []Node, since time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := map[string]bool{}
	for _, node := range nodes {
		listed[node.Name] = true
		if r := s.followers[node.Name]; r != nil {
			r.node, r.absent = node, time.Time{}
			continue
		}
		r := &follower{session: s, name: node.Name, node: node, since: since, began: time.Now(),
			source: newSource(), err: errUnconnected}
		s.followers[node.Name] = r
		s.running.Go(func() { r.run(ctx) })
	}
	for name, r := range s.followers {
		if !listed[name] && r.absent.IsZero() {
			r.node.Problem, r.absent = "its agent is gone", time.Now()
		}
	}
	if len(s.followers) > 1 {
		s.window.setDelay(delay)
	}
	s.progress()
}

// progress reports the number of connected nodes. The caller holds the lock.
func (s *session) progress() {
	connected := 0
	for _, r := range s.followers {
		if r.err == nil {
			connected++
		}
	}
	s.Progress(connected, len(s.followers))
}

// announce reports the nodes that were lost, and those that are back.
func (s *session) announce() {
	s.mu.Lock()
	lost := NewFailures(len(s.followers))
	var back []string
	for name, r := range s.followers {
		switch {
		case r.err == nil && r.told:
			r.told = false
			back = append(back, name)
		case r.err != nil && r.failed && !r.told:
			r.told = true
			lost.Add(name, r.err)
		}
	}
	s.mu.Unlock()
	if lost.Count() > 0 {
		s.note(lost.text("cannot be followed; trying again"))
	}
	if len(back) > 0 {
		s.note("followed again: " + names(back))
	}
}

// failures returns the nodes that cannot be followed now, or that left something out.
func (s *session) failures() *Failures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := NewFailures(len(s.followers))
	for name, r := range s.followers {
		switch {
		case r.err != nil:
			f.Add(name, r.err)
		case r.left != partial{}:
			f.Add(name, &r.left)
		}
	}
	return f
}

var errUnconnected = errors.New("not connected yet")

// run follows a node until ctx is done or the node is gone.
func (r *follower) run(ctx context.Context) {
	wait := firstRetry
	for {
		r.mu.Lock()
		node, absent := r.node, r.absent
		if !absent.IsZero() && time.Since(absent) > forget {
			delete(r.followers, r.name)
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		var err error
		connected := false
		if node.Problem != "" {
			err = errors.New(node.Problem)
		} else {
			connected, err = r.listen(ctx, node)
		}
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		r.err = err
		if connected {
			wait = firstRetry
		} else {
			r.failed = true
		}
		r.mu.Unlock()
		select {
		case r.lost <- struct{}{}:
		default:
		}
		select {
		case <-time.After(wait + rand.N(wait/2)):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// connected records that the node is connected.
func (r *follower) connected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.failed = nil, false
	r.progress()
}
