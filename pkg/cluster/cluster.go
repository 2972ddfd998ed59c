// SPDX-License-Identifier: Apache-2.0

// Package cluster asks the tracectl of many nodes at a time, and makes one answer of theirs.
//
// Nothing that a node says is trusted: lines are bounded, text is escaped before a terminal may see it, and a node that is
// slow, dead or hostile neither holds up nor falsifies what others say. What is missing is always named.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// parallel is how many nodes are connected to, or answer, at a time.
const parallel = 32

// Cluster asks nodes.
type Cluster struct {
	Runner Runner
	Nodes  []Node
	// Timeout is how long a node may keep silent before it has failed.
	Timeout time.Duration
	// Nothing is the exit code of a node's tracectl that has nothing of what it is asked for, if that is no failure; 0: none.
	// Without counts the nodes that had nothing.
	Nothing int
	Without atomic.Int64
	// Note takes a line for people: something that a node says on its standard error, or what has become of it. It is safe for
	// a terminal. Notes come one at a time.
	Note func(text string)
	// Progress is told how many of the nodes have answered, or, while they are followed, are connected.
	Progress func(done, total int)

	notes sync.Mutex
}

func (c *Cluster) note(text string) {
	c.notes.Lock()
	defer c.notes.Unlock()
	c.Note(text)
}

// noteOf is a note of what a node says; the text is safe for a terminal.
func (c *Cluster) noteOf(node, text string) { c.note(terminal.String(node) + ": " + text) }

// Lines runs tracectl on all nodes, and hands over every line of each as it comes, one at a time, in no order among
// the nodes. Where the handler's error matches ErrLine, the line is left out; any other ends everything, and is
// returned. The error is a *Failures where nodes did not answer in full.
func (c *Cluster) Lines(ctx context.Context, args []string, handle func(node string, line []byte) error) error {
	var mu sync.Mutex
	return c.each(ctx, func(ctx context.Context, node Node) error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.patience(), fmt.Errorf("it had not ended after %v", c.patience()))
		defer cancel()
		size, lines := 0, 0
		return c.ask(ctx, node, args, func(line []byte) error {
			if size += len(line) + 1; size > largestAnswer {
				return Enough(fmt.Sprintf("it sent more than %d bytes: the rest was left out", largestAnswer))
			}
			if lines++; lines > longestAnswer {
				return Enough(fmt.Sprintf("it sent more than %d lines: the rest was left out", longestAnswer))
			}
			mu.Lock()
			defer mu.Unlock()
			return handle(node.Name, line)
		})
	})
}

// What a node may answer in all. It has a line for each container whose name it knows: 4,096 unless it is loaded with more,
// of which one has a kilobyte, or ten with as many labels as are kept.
const (
	longestAnswer = 64 << 10 // lines
	largestAnswer = 64 << 20 // bytes
)

// patience is how long a node may take for an answer that is no stream, however busily it talks.
func (c *Cluster) patience() time.Duration { return 8 * c.Timeout }

// fatal is an error that ends everything, since it is not the node's.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// each does something with each node, with several at a time. What it returns is the node's failure, or fatal.
func (c *Cluster) each(ctx context.Context, do func(context.Context, Node) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	failures := NewFailures(len(c.Nodes))
	done := 0
	finish := func(node Node, err error) {
		mu.Lock()
		defer mu.Unlock()
		var stop fatal
		if errors.As(err, &stop) {
			cancel(stop)
		} else if err != nil {
			failures.Add(node.Name, err)
		}
		done++
		c.Progress(done, len(c.Nodes))
	}
	c.Progress(0, len(c.Nodes))
	var running sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, node := range c.Nodes {
		if node.Problem != "" {
			finish(node, errors.New(node.Problem))
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			finish(node, errInterrupted)
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			finish(node, do(ctx, node))
		})
	}
	running.Wait()
	var stop fatal
	if errors.As(context.Cause(ctx), &stop) {
		return stop.error
	}
	return failures.Err()
}

var errInterrupted = errors.New("interrupted")

// ask runs tracectl on a node until it ends, and hands over its lines. Errors say why there is no answer, or, where they are
// *partial, why not all of it.
func (c *Cluster) ask(ctx context.Context, node Node, args []string, handle func(line []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	malformed := 0
	lines := splitter{longest: longestLine, handle: func(line []byte) error {
		err := handle(line)
		var enough *partial
		switch {
		case err == nil:
		case errors.Is(err, ErrLine):
			malformed++
			return nil
		case errors.As(err, &enough):
			cancel(enough)
		default:
			cancel(fatal{err})
		}
		return err
	}}
	err := c.run(ctx, cancel, node, args, &lines)
	if err == nil {
		err = lines.end()
	}
	if err == nil && lines.tooLong+malformed > 0 {
		return &partial{tooLong: lines.tooLong, malformed: malformed}
	}
	return err
}

// One is Lines of one node, however much it says. The error is the node's own.
func (c *Cluster) One(ctx context.Context, node Node, args []string, handle func(node string, line []byte) error) error {
	err := c.ask(ctx, node, args, func(line []byte) error { return handle(node.Name, line) })
	var stop fatal
	if errors.As(err, &stop) {
		return stop.error
	}
	return err
}

// Copy runs tracectl on one node, and copies what it prints, which is whatever the node makes it.
func (c *Cluster) Copy(ctx context.Context, node Node, args []string, stdout io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := c.run(ctx, cancel, node, args, writerFunc(func(text []byte) (int, error) {
		n, err := stdout.Write(text)
		if err != nil {
			cancel(fatal{err})
		}
		return n, err
	}))
	var stop fatal
	if errors.As(err, &stop) {
		return stop.error
	}
	return err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

// run runs tracectl on a node until it ends, or ctx is done, which cancel does, or nothing comes for too long. What it says on
// standard error is noted; the last of it is why it failed.
func (c *Cluster) run(ctx context.Context, cancel context.CancelCauseFunc, node Node, args []string, stdout io.Writer) error {
	var said remarks
	silence := newSilence(c.Timeout, cancel)
	err := c.Runner.Run(ctx, node, args, silence.watch(stdout), silence.watch(&said))
	silence.stop()
	said.close()
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
		if errors.Is(err, context.Canceled) {
			err = errInterrupted
		}
	}
	var exit *ExitError
	if errors.As(err, &exit) {
		if err = failed(exit, said.reason()); exit.Code == c.Nothing {
			c.Without.Add(1)
			err = nil
		}
	}
	for _, text := range said.lines {
		c.noteOf(node.Name, text)
	}
	if said.more > 0 {
		c.noteOf(node.Name, fmt.Sprintf("... and %d more lines", said.more))
	}
	return err
}

// failed makes what a node's tracectl said before it ended the error's text.
func failed(exit *ExitError, reason string) error {
	const usage = 2
	switch {
	case reason == "":
		return exit
	case exit.Code == usage:
		return &ExitError{exit.Code, "its tracectl, which may be of another version, does not take this: " + reason}
	}
	return &ExitError{exit.Code, reason}
}

// Enough is an error for a handler that wants no more of what a node says: the node's answer is not complete, for a reason.
func Enough(reason string) error { return &partial{reason: reason} }

// partial says that some of what a node answered was left out. See Enough.
type partial struct {
	tooLong, malformed int
	reason             string
}

func (p *partial) add(other *partial) {
	p.tooLong += other.tooLong
	p.malformed += other.malformed
	p.reason = cmp.Or(p.reason, other.reason)
}

func (p *partial) Error() string {
	if p.reason != "" {
		return p.reason
	}
	var parts []string
	for _, n := range []struct {
		count int
		what  string
	}{{p.tooLong, fmt.Sprintf("longer than %d bytes", longestLine)}, {p.malformed, "no output of tracectl's"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d lines were left out: %s", n.count, n.what))
		}
	}
	return strings.Join(parts, "; ")
}

// silentError is why a node failed that kept silent.
type silentError struct {
	after time.Duration
	heard bool
}

func (e silentError) Error() string {
	if e.heard {
		return fmt.Sprintf("it stopped answering: nothing came for %v", e.after)
	}
	return fmt.Sprintf("no answer within %v", e.after)
}

// silence ends a run in which nothing has come for too long. While what came is being handled, time stands still.
type silence struct {
	after time.Duration

	mu    sync.Mutex
	timer *time.Timer
	busy  int // writes going on
	heard bool
}

func newSilence(after time.Duration, end context.CancelCauseFunc) *silence {
	s := &silence{after: after}
	s.timer = time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.busy == 0 {
			end(silentError{after, s.heard})
		}
	})
	return s
}

func (s *silence) stop() { s.timer.Stop() }

// watch returns a writer to w that is listened to.
func (s *silence) watch(w io.Writer) io.Writer { return &watched{s, w} }

type watched struct {
	*silence
	to io.Writer
}

func (w *watched) Write(text []byte) (int, error) {
	w.mu.Lock()
	w.busy++
	w.heard = true
	w.timer.Stop()
	w.mu.Unlock()
	n, err := w.to.Write(text)
	w.mu.Lock()
	if w.busy--; w.busy == 0 {
		w.timer.Reset(w.after)
	}
	w.mu.Unlock()
	return n, err
}
