// SPDX-License-Identifier: Apache-2.0

// Package cluster runs tracectl on many nodes at a time, and merges their output.
//
// It trusts no output of a node: lines have a limit, and text is escaped before it is printed to a terminal. A
// slow, dead or hostile node neither delays nor falsifies the output of the others. Missing output is always
// reported by name.
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

// parallel is the number of nodes that are being connected to, or that answer, at a time.
const parallel = 32

// Cluster runs tracectl on nodes.
type Cluster struct {
	Runner Runner
	Nodes  []Node
	// Timeout is the longest time without output after which a node has failed.
	Timeout time.Duration
	// Nothing is the exit code with which a node's tracectl reports that it has nothing to print, if that is not a
	// failure; 0 if there is none. Without counts these nodes.
	Nothing int
	Without atomic.Int64
	// Note receives a message for the user: a line of a node's standard error, or a change of its state. It is safe
	// for a terminal. Calls do not overlap.
	Note func(text string)
	// Progress receives the number of nodes that have answered, or, when following, that are connected.
	Progress func(done, total int)

	notes sync.Mutex
}

func (c *Cluster) note(text string) {
	c.notes.Lock()
	defer c.notes.Unlock()
	c.Note(text)
}

// noteOf passes on a message about a node; the text must be safe for a terminal.
func (c *Cluster) noteOf(node, text string) { c.note(terminal.String(node) + ": " + text) }

// Lines runs tracectl on all nodes, and passes every line to handle when it arrives. Calls of handle do not
// overlap, and lines of different nodes come in any order. If an error of handle matches ErrLine, the line is left
// out; any other error ends all runs and is returned. If nodes did not answer in full, the error is a *Failures.
func (c *Cluster) Lines(ctx context.Context, args []string, handle func(node string, line []byte) error) error {
	var mu sync.Mutex
	return c.each(ctx, func(ctx context.Context, node Node) error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.patience(), fmt.Errorf("it did not finish within %v", c.patience()))
		defer cancel()
		size, lines := 0, 0
		return c.ask(ctx, node, args, longestLine, func(line []byte) error {
			if size += len(line) + 1; size > largestAnswer {
				return Enough(fmt.Sprintf("it sent more than %d bytes; the rest was left out", largestAnswer))
			}
			if lines++; lines > longestAnswer {
				return Enough(fmt.Sprintf("it sent more than %d lines; the rest was left out", longestAnswer))
			}
			mu.Lock()
			defer mu.Unlock()
			return handle(node.Name, line)
		})
	})
}

// Limits on the complete answer of a node. It has a line for each container whose name the node knows: 4,096 by
// default. A line takes about a kilobyte, or ten if the container has as many labels as are kept.
const (
	longestAnswer = 64 << 10 // lines
	largestAnswer = 64 << 20 // bytes
)

// patience is the time limit of a complete answer, regardless of the output in between.
func (c *Cluster) patience() time.Duration { return 8 * c.Timeout }

// fatal is an error that ends all runs, since it is not a node's.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// each calls do for each node, for several at a time. An error of do is a failure of the node, unless it is fatal.
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

// ask runs tracectl on a node until it ends, and passes on its lines of up to longest bytes. The error is the reason
// why there is no answer, or, if it is a *partial, why the answer is incomplete.
func (c *Cluster) ask(ctx context.Context, node Node, args []string, longest int,
	handle func(line []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	malformed := 0
	lines := splitter{longest: longest, handle: func(line []byte) error {
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

// One is Lines for one node, without a limit on its output but for the length of a line, which may be as long as
// another node's whole answer. The error is the node's own.
func (c *Cluster) One(ctx context.Context, node Node, args []string,
	handle func(node string, line []byte) error) error {
	err := c.ask(ctx, node, args, largestAnswer, func(line []byte) error { return handle(node.Name, line) })
	var stop fatal
	if errors.As(err, &stop) {
		return stop.error
	}
	return err
}

// Copy runs tracectl on one node, and copies its output. The node controls that output entirely.
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

// run runs tracectl on a node until it ends, or ctx is done, or there was no output for too long, in which case run
// calls cancel. Lines on standard error become notes; the last one is the reason of a failure.
func (c *Cluster) run(ctx context.Context, cancel context.CancelCauseFunc, node Node, args []string,
	stdout io.Writer) error {
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

// failed returns an error with the last message of a node's tracectl.
func failed(exit *ExitError, reason string) error {
	const usage = 2
	switch {
	case reason == "":
		return exit
	case exit.Code == usage:
		return &ExitError{exit.Code, "tracectl on the node rejected the command (version mismatch?): " + reason}
	}
	return &ExitError{exit.Code, reason}
}

// Enough returns an error with which a handler ends a node's output: the node's answer is incomplete, for a reason.
func Enough(reason string) error { return &partial{reason: reason} }

// partial reports that parts of a node's answer were left out. See Enough.
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
	}{{p.tooLong, fmt.Sprintf("longer than %d bytes", longestLine)}, {p.malformed, "not tracectl's output"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("left out %s: %s", terminal.Count(n.count, "line"), n.what))
		}
	}
	return strings.Join(parts, "; ")
}

// silentError is the failure of a node that sent no output for too long.
type silentError struct {
	after time.Duration
	heard bool
}

func (e silentError) Error() string {
	if e.heard {
		return fmt.Sprintf("it stopped answering: no output for %v", e.after)
	}
	return fmt.Sprintf("no answer within %v", e.after)
}

// silence ends a run without output for too long. The time in which output is being handled does not count.
type silence struct {
	after time.Duration

	mu    sync.Mutex
	timer *time.Timer
	busy  int // number of writes in progress
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

// watch returns a writer to w whose writes count as output.
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
