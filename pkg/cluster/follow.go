// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Following is what is followed on all nodes: a stream of events that does not end by itself.
type Following struct {
	// Args are tracectl's arguments for events from so long ago on, 0: from now on, with a heartbeat that often.
	Args func(since, heartbeat time.Duration) []string
	// Since is how long ago to begin, 0: now.
	Since time.Duration
	// Text makes an event what is to be printed, for several nodes at a time. Where the error matches ErrLine, the event is left out.
	Text func(node string, event Object) ([]byte, error)
	// Write prints events. Its error ends everything, and is returned.
	Write func(text []byte) error
	// Find lists the nodes again: while they are followed, agents are replaced, and nodes come and go.
	Find func(context.Context) ([]Node, error)
}

// Times of following.
const (
	delay      = 500 * time.Millisecond // that an event may come later than one that happened after it
	heartbeat  = 5 * time.Second        // at most; three of them are less than the time-out
	settle     = 2 * time.Second        // in which news of nodes are put together
	lookAgain  = time.Minute            // for nodes
	lookSoon   = 5 * time.Second        // where one was lost
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	forget     = 10 * time.Minute // a node that has no agent any more
)

// Follow prints the events of all nodes, in the order of time as far as they come within half a second of each other, until ctx is
// done. Connections that break are made again, and what was logged meanwhile is fetched; what came before is not printed again. The
// error is a *Failures where nodes cannot be reached in the end.
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

// room is how many bytes of each of so many nodes may wait to be printed.
func room(nodes int) int {
	const all, least, most = 256 << 20, 128 << 10, 8 << 20
	return min(max(all/max(nodes, 1), least), most)
}

// session is following that goes on.
type session struct {
	*Cluster
	Following
	window  *window
	slots   chan struct{} // one for each node that is being connected to
	running sync.WaitGroup
	lost    chan struct{} // somebody has to look for nodes
	began   time.Time

	mu        sync.Mutex
	followers map[string]*follower
}

// manage tells what becomes of nodes, and looks for new ones, until ctx is done.
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
			// Where the API server cannot be asked, connections fail, too, and say so.
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

// update takes a new list of nodes. Those that are new are followed from so long ago on.
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
		r := &follower{session: s, name: node.Name, node: node, since: since, began: time.Now(), source: newSource(), err: errUnconnected}
		s.followers[node.Name] = r
		s.running.Go(func() { r.run(ctx) })
	}
	for name, r := range s.followers {
		if !listed[name] && r.absent.IsZero() {
			r.node.Problem, r.absent = "it has no agent any more", time.Now()
		}
	}
	if len(s.followers) > 1 {
		s.window.setDelay(delay)
	}
	s.progress()
}

// progress tells how many nodes are connected; under the lock.
func (s *session) progress() {
	connected := 0
	for _, r := range s.followers {
		if r.err == nil {
			connected++
		}
	}
	s.Progress(connected, len(s.followers))
}

// announce tells which nodes were lost, and which are back.
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

// failures are the nodes that cannot be followed now, or that left something out.
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

// run follows a node until ctx is done, or there is no such node any more.
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

// connected notes that a node is.
func (r *follower) connected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.failed = nil, false
	r.progress()
}
