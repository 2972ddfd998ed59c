// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fake is a fake of a node's tracectl.
type fake func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// fakes holds nodes by name.
type fakes map[string]fake

func (f fakes) Run(ctx context.Context, node Node, args []string, stdout, stderr io.Writer) error {
	return f[node.Name](ctx, args, stdout, stderr)
}

// says returns a node that prints something, and ends.
func says(stdout, stderr string, err error) fake {
	return func(_ context.Context, _ []string, out, problems io.Writer) error {
		if _, err := io.WriteString(out, stdout); err != nil {
			return err
		}
		io.WriteString(problems, stderr)
		return err
	}
}

// dead is a node that does not answer.
func dead(ctx context.Context, _ []string, _, _ io.Writer) error {
	<-ctx.Done()
	return ctx.Err()
}

// recorder keeps the messages of a Cluster.
type recorder struct {
	mu       sync.Mutex
	notes    []string
	progress []string
}

func (r *recorder) cluster(nodes fakes, more ...Node) *Cluster {
	c := &Cluster{Runner: nodes, Nodes: more, Timeout: 15 * time.Second}
	for name := range nodes {
		c.Nodes = append(c.Nodes, Node{Name: name, Pod: "agent-" + name})
	}
	slices.SortFunc(c.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	c.Note = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notes = append(r.notes, text)
	}
	c.Progress = func(done, total int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.progress = append(r.progress, fmt.Sprintf("%d/%d", done, total))
	}
	return c
}

func (r *recorder) sorted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.notes)
	return r.notes
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people recorder
		long := strings.Repeat("x", longestLine+1)
		c := people.cluster(fakes{
			"good":    says("1\n2\n", "", nil),
			"warning": says("3\n", "tracectl: left out 2 records\nsecond \x1b[2Jline", nil),
			"dead":    dead,
			"stuck": func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
				io.WriteString(stdout, "4\n")
				return dead(ctx, args, stdout, stderr)
			},
			"old":      says("", "tracectl: unknown command \"status\" (see tracectl --help)\n", &ExitError{Code: 2}),
			"unloaded": says("", "tracectl: a warning\ntracectl: not loaded:\n  run tracectl load\n", &ExitError{Code: 3}),
			"broken":   says("5\n", "", errors.New("connection reset")),
			"killed":   says("6\n", "", &ExitError{Code: 137}),
			"hostile": says("7\n\x1b]0;owned\a\n8\n"+long+"\n"+long+"\n9",
				strings.Repeat("tracectl: \u202enoise\n", 1000), nil),
		}, Node{Name: "gone", Problem: "its agent agent-gone is being deleted"})
		var got []string
		start := time.Now()
		err := c.Lines(t.Context(), []string{"status"}, func(node string, line []byte) error {
			if len(line) != 1 {
				return ErrLine
			}
			got = append(got, node+" "+string(line))
			return nil
		})
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("it took %v, with a time-out of 15s", took)
		}
		slices.Sort(got)
		want := []string{"broken 5", "good 1", "good 2", "hostile 7", "hostile 8", "hostile 9", "killed 6",
			"stuck 4", "warning 3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		wantLines := []string{
			"7 of 10 nodes did not answer:",
			"  broken: connection reset",
			"  dead: no answer within 15s",
			"  gone: its agent agent-gone is being deleted",
			"  killed: tracectl ended with exit code 137",
			`  old: tracectl on the node rejected the command (version mismatch?): unknown command "status" (see tracectl --help)`,
			"  stuck: it stopped answering: no output for 15s",
			"  unloaded: not loaded:; run tracectl load",
			"1 of 10 nodes did not answer in full: hostile: left out 2 lines: longer than 1048576 bytes; left out 1 line: not tracectl's output",
		}
		gotLines := strings.Split(text(err), "\n")
		if len(gotLines) > 8 {
			slices.Sort(gotLines[1:8])
		}
		if diff := cmp.Diff(wantLines, gotLines); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		wantNotes := []string{"hostile: ... and 936 more lines"}
		for range mostRemarks {
			wantNotes = append(wantNotes, `hostile: \xe2\x80\xaenoise`)
		}
		wantNotes = append(wantNotes, "unloaded: a warning", "warning: left out 2 records", `warning: second \x1b[2Jline`)
		if diff := cmp.Diff(wantNotes, people.sorted()); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		if last := people.progress[len(people.progress)-1]; last != "10/10" || people.progress[0] != "0/10" {
			t.Errorf("progress: %v", people.progress)
		}
	})
}

func TestLinesAsksSomeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most, asked := 0, 0, 0
		nodes := fakes{}
		for i := range 3 * parallel {
			nodes[fmt.Sprint("n", i)] = func(context.Context, []string, io.Writer, io.Writer) error {
				mu.Lock()
				now++
				most, asked = max(most, now), asked+1
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			}
		}
		var people recorder
		if err := people.cluster(nodes).Lines(t.Context(), nil, nil); err != nil {
			t.Error(err)
		}
		if most != parallel || asked != len(nodes) {
			t.Errorf("%d nodes were asked, %d at a time", asked, most)
		}
	})
}

func TestLinesEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people recorder
		closed := errors.New("the reader has closed")
		err := people.cluster(fakes{"a": says("1\n", "", nil), "b": dead}).Lines(t.Context(), nil,
			func(string, []byte) error { return closed })
		if !errors.Is(err, closed) {
			t.Errorf("the error is %v", err)
		}
	})
}

// TestEndlessNode has a node that keeps printing and never ends.
func TestEndlessNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people recorder
		err := people.cluster(fakes{"a": func(ctx context.Context, _ []string, stdout, _ io.Writer) error {
			for ctx.Err() == nil {
				io.WriteString(stdout, "1\n")
				time.Sleep(10 * time.Second)
			}
			return ctx.Err()
		}}).Lines(t.Context(), nil, func(string, []byte) error { return nil })
		if want := "1 of 1 node did not answer: a: it did not finish within 2m0s"; text(err) != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	})
}

// TestFlood has a node that sends as much as it can.
func TestFlood(t *testing.T) {
	var people recorder
	line := strings.Repeat("x", longestLine-1) + "\n"
	lines := 0
	err := people.cluster(fakes{"a": func(ctx context.Context, _ []string, stdout, _ io.Writer) error {
		for {
			if _, err := io.WriteString(stdout, line); err != nil {
				return err
			}
		}
	}}).Lines(t.Context(), nil, func(string, []byte) error { lines++; return nil })
	if want := "1 of 1 node did not answer in full: a: it sent more than 67108864 bytes; the rest was left out"; text(err) != want || lines != 64 {
		t.Errorf("%d lines, and the error is %v, want %s", lines, err, want)
	}
}

// TestSlowReader has a reader that is slower than the timeout: the node has not failed.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people recorder
		lines := 0
		err := people.cluster(fakes{"a": says("1\n2\n3\n", "", nil)}).Lines(t.Context(), nil, func(string, []byte) error {
			time.Sleep(time.Minute)
			lines++
			return nil
		})
		if err != nil || lines != 3 {
			t.Errorf("%d lines, %v", lines, err)
		}
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var people recorder
		err := people.cluster(fakes{"a": says("1\n", "", nil), "b": dead}).Lines(ctx, nil, func(string, []byte) error {
			return nil
		})
		if want := "1 of 2 nodes did not answer: b: interrupted"; text(err) != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	})
}

func TestFailuresAreGrouped(t *testing.T) {
	f := NewFailures(5000)
	for i := range 600 {
		f.Add(fmt.Sprintf("n%03d", i), errors.New("no answer within 15s"))
	}
	f.Add("x\x1b[2J", errors.New("refused"))
	want := "601 of 5,000 nodes did not answer:\n" +
		"  n000, n001, n002, n003, n004, n005, n006, n007, n008, n009 and 590 more: no answer within 15s\n" +
		`  x\x1b[2J: refused`
	if diff := cmp.Diff(want, f.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
