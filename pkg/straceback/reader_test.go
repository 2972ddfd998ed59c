// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// newReader returns a node with one recording, and a reader of it.
func newReader(t *testing.T) (*node, *Reader) {
	t.Helper()
	n := newNode(1)
	n.record(0, "default", "web", "nginx", "id", 100)
	return n, n.reader(t)
}

func (n *node) reader(t *testing.T) *Reader {
	t.Helper()
	r, err := n.list(t)[0].NewReader()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// poll returns the records that are new, as "lane begin".
func poll(t *testing.T, r *Reader, final bool) (*Calls, string) {
	t.Helper()
	c, err := r.Poll(final)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, record := range c.Records {
		begin, _ := syscalls.Span(record.Bytes)
		all = append(all, fmt.Sprint(record.Lane, " ", begin))
	}
	return c, strings.Join(all, ", ")
}

// TestPoll reads a recording that grows, by two readers.
func TestPoll(t *testing.T) {
	n, first := newReader(t)
	second := n.reader(t)
	n.write(0, 2)
	for _, c := range []struct {
		reader *Reader
		want   string
	}{
		{first, "recent 1000000, recent 1001000"}, {first, ""},
		{second, "recent 1000000, recent 1001000, recent 1002000"}, {first, "recent 1002000"}, {second, ""},
	} {
		if _, got := poll(t, c.reader, false); got != c.want {
			t.Errorf("new are %q, want %q", got, c.want)
		}
		if c.reader == first && c.want == "" {
			n.write(0, 1)
		}
	}
	n.record(0, "default", "next", "nginx", "id2", 200)
	if _, err := first.Poll(false); !errors.Is(err, ErrReused) {
		t.Errorf("following a recording whose memory was used again: %v", err)
	}
}

// TestPollLanes reads calls that are in several lanes, between whose records a reader comes.
func TestPollLanes(t *testing.T) {
	n, r := newReader(t)
	twice := call(1, "openat", 10, 20)
	n.put(0, Distinct, twice)
	n.put(0, Runtime, call(9, "getpid", 11, 12))
	expect := func(what, want string, final bool) {
		t.Helper()
		if _, got := poll(t, r, final); got != want {
			t.Errorf("%s: new are %q, want %q", what, got, want)
		}
	}
	expect("in one lane", "runtime 11", false)
	expect("still in one lane", "", false)
	n.put(0, Recent, twice)
	expect("in both lanes", "distinct 10", false)
	n.put(0, Said, call(1, "write", 30, 40))
	n.put(0, Recent, call(1, "read", 50, 60))
	expect("one that is in the other lane only", "recent 50", false)
	n.put(0, Recent, call(1, "read", 70, 200_000_000))
	expect("long after it", "said 30, recent 70", false)
	n.put(0, First, call(1, "close", 200_000_001, 200_000_002))
	expect("new", "", false)
	expect("at the end", "first 200000001", true)
	expect("after the end", "", true)
}

// TestPollLate checks that what was overwritten before it could be read is counted, once.
func TestPollLate(t *testing.T) {
	kept := int(laneSize / 48)
	n, r := newReader(t)
	n.write(0, 10)
	if c, _ := poll(t, r, false); c.Missing != 0 || len(c.Records) != 10 {
		t.Errorf("%d calls are missing, %d are there", c.Missing, len(c.Records))
	}
	for _, written := range []int{1000, 2000} {
		n.write(0, written)
		c, _ := poll(t, r, false)
		if int(c.Missing) != written-kept || len(c.Records) != kept || c.Complete() != c.Lanes[Recent].Since {
			t.Errorf("of %d calls, %d are missing before %d, %d are there", written, c.Missing, c.Complete(), len(c.Records))
		}
	}
	n.write(0, 5)
	n.shared(0).Lanes[Recent].Lost = 3
	if c, _ := poll(t, r, false); c.Missing != 0 || c.Lost != 3 || len(c.Records) != 5 {
		t.Errorf("later, %d are missing, %d lost, %d are there", c.Missing, c.Lost, len(c.Records))
	}
	if c, _ := poll(t, r, true); c.Missing+c.Lost != 0 {
		t.Errorf("again, %d are missing, %d lost", c.Missing, c.Lost)
	}
}

// TestFollow prints a recording that grows while it is followed, until its container ends or the reader is interrupted.
func TestFollow(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		n, r := newReader(t)
		n.write(0, 2)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		f := &Format{Times: timestamp.None}
		s := Selection{Syscalls: set(t, "!getpid")}
		timeline := NewTimeline(nil, nil)
		var out bytes.Buffer
		steps := 0
		ended := func() (bool, error) {
			switch steps++; steps {
			case 2:
				n.write(0, 1)
				n.put(0, Recent, call(1, "getpid", 2_000_000, 2_000_001))
			case 3:
				n.write(0, 1000)
			case 4:
				n.put(0, First, call(1, "close", 9_000_000, 9_000_001))
				if interrupted {
					stop()
				}
			case 6:
				if !interrupted {
					return true, nil
				}
			}
			return false, nil
		}
		err := r.Follow(ctx, ended, func(c *Calls) error {
			timeline = timeline.Next(c.Records)
			s.Select(timeline, f)
			f.Missing, f.Complete = c.Missing, c.Complete()
			return f.WriteText(&out, timeline)
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, text, ok := strings.Cut(strings.TrimSpace(line), "] ")
			if !ok {
				text = strings.TrimSpace(line)
			}
			if n := len(got); n == 0 || got[n-1] != text {
				got = append(got, text)
			}
		}
		want := []string{"getppid() = 0", "... from here on every call; before, only what was new: 915 calls not shown",
			"getppid() = 0", "close() = 0"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("interrupted: %v (-want +got):\n%s", interrupted, diff)
		}
	}
	n, r := newReader(t)
	n.write(0, 1)
	broken := errors.New("broken")
	never := func() (bool, error) { return false, nil }
	if err := r.Follow(t.Context(), never, func(*Calls) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("writing fails with %v", err)
	}
	if err := r.Follow(t.Context(), func() (bool, error) { return false, broken }, nil); !errors.Is(err, broken) {
		t.Errorf("asking whether the container has ended fails with %v", err)
	}
}

// TestNext checks that a timeline knows what earlier ones have learned, of records that are gone.
func TestNext(t *testing.T) {
	task := func(begin uint64, inner uint32) syscalls.Call {
		c := call(100, "getppid", begin, begin+1)
		c.Inner = syscalls.IDs{TID: inner, PID: inner}
		return c
	}
	before := records(task(10, 7))
	timeline := NewTimeline(before, nil)
	clear(before[0].Bytes)
	for e := range timeline.Next(records(task(20, 0))).Calls {
		if e.Call.Inner.PID != 7 {
			t.Errorf("the process in the container is %d", e.Call.Inner.PID)
		}
	}
}
