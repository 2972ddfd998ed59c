// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// slack is added when asking for events again: an event has the time at which its call began, but is logged later.
// Heartbeats of earlier versions also pass events that are held back for the labels of their container.
const slack = 10 * time.Second

// follower follows one node.
type follower struct {
	*session
	name   string
	since  time.Duration // how far to go back, relative to began
	began  time.Time
	source *source

	// Guarded by the session's lock.
	node   Node
	absent time.Time // when its agent was last gone; zero: it has one
	err    error     // nil: connected
	failed bool      // connecting failed
	told   bool      // the user was told
	left   partial   // parts of its output that were left out

	seen  seen
	heard bool          // received a heartbeat
	beat  time.Time     // all events logged before it have arrived, by the node's clock
	ahead time.Duration // lead of this clock over the node's; an upper bound, since it includes the latency
	first time.Time     // time to start from by the node's clock, or slightly earlier
	beats int           // on this connection
	fresh bool          // new connection: events may be older than the last heartbeat
	chat  chat
}

// listen connects to the node and handles its output. It reports whether there was a connection, and why it has
// ended.
func (r *follower) listen(ctx context.Context, node Node) (bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	answered := false
	free := sync.OnceFunc(func() { <-r.slots })
	defer free()
	events := splitter{longest: longestLine}
	events.handle = func(line []byte) error {
		if !answered {
			answered = true
			free()
			r.connected()
		}
		r.chat.release(r)
		if events.tooLong > 0 {
			r.leave(partial{tooLong: events.tooLong})
			events.tooLong = 0
		}
		err := r.take(ctx, line)
		if errors.Is(err, ErrLine) {
			r.leave(partial{malformed: 1})
			return nil
		}
		return err
	}
	remarks := splitter{longest: longestLine, handle: func(line []byte) error {
		text, _ := remark(line)
		r.chat.hold(r, text)
		return nil
	}}
	r.fresh, r.beats = true, 0
	silence := newSilence(r.Timeout, cancel)
	err := r.Runner.Run(ctx, node, r.Args(r.from(time.Now()), min(heartbeat, r.Timeout/3)), silence.watch(&events),
		silence.watch(&remarks))
	silence.stop()
	if events.tooLong > 0 {
		r.leave(partial{tooLong: events.tooLong})
	}
	var silent silentError
	var exit *ExitError
	switch {
	case errors.As(context.Cause(ctx), &silent):
		err = silent
	case err == nil:
		err = errors.New("tracectl on the node exited")
	case errors.As(err, &exit):
		return answered, failed(exit, r.chat.reason())
	}
	r.chat.release(r)
	return answered, err
}

// from returns how far to go back to get all missing events. The node counts from the moment of the connection.
func (r *follower) from(now time.Time) time.Duration {
	if r.heard {
		return max(0, now.Add(-r.ahead).Sub(r.beat)) + slack + r.Timeout
	}
	return r.since + now.Sub(r.began) + r.Timeout
}

// take handles a line: a heartbeat, or an event.
func (r *follower) take(ctx context.Context, line []byte) error {
	event, err := ParseObject(line)
	if err != nil {
		return err
	}
	h := event.head()
	if h.Heartbeat != nil {
		now := time.Now()
		ahead := now.Sub(*h.Heartbeat)
		if !r.heard {
			r.heard, r.first, r.ahead = true, h.Heartbeat.Add(-r.since-now.Sub(r.began)), ahead
			r.beat = r.first
		}
		r.ahead = min(r.ahead, ahead)
		if r.beats++; r.beats > 1 { // the first one of a connection says only when it began
			r.beat, r.fresh = *h.Heartbeat, false
		}
		return nil
	}
	if h.Sequence != nil {
		if !r.seen.add(h.Log, *h.Sequence) || r.fresh && h.Time.Before(r.first) {
			return nil
		}
		// All further events are later, even if the node's clock changes.
		r.fresh = false
	}
	text, err := r.Text(r.name, event)
	if err != nil {
		return err
	}
	return r.window.put(ctx, r.source, h.Time, text)
}

// leave records parts that were left out, and reports them.
func (r *follower) leave(p partial) {
	r.mu.Lock()
	r.left.add(&p)
	r.mu.Unlock()
	r.chat.hold(r, p.Error())
}

// chat passes on the messages of a node, a few lines a minute. It holds the last line back until the next one,
// since it may be the reason why the node's tracectl ends.
type chat struct {
	mu     sync.Mutex
	held   string
	minute time.Time
	said   int
	more   int
}

const mostChat = 10

// hold takes a line.
func (t *chat) hold(r *follower, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say(r)
	t.held = text
}

// release passes on the line held back.
func (t *chat) release(r *follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say(r)
}

// reason returns the line held back instead of passing it on.
func (t *chat) reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.held
	t.held = ""
	return text
}

func (t *chat) say(r *follower) {
	if t.held == "" {
		return
	}
	now := time.Now()
	if now.Sub(t.minute) > time.Minute {
		if t.more > 0 {
			r.noteOf(r.name, fmt.Sprintf("... and %d more lines within a minute", t.more))
		}
		t.minute, t.said, t.more = now, 0, 0
	}
	if t.said < mostChat {
		t.said++
		r.noteOf(r.name, t.held)
	} else {
		t.more++
	}
	t.held = ""
}
