// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// printed is the output of a window, with the times at which it was written.
type printed struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func (p *printed) write(text []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		p.lines = append(p.lines, fmt.Sprintf("%s at %v", strings.TrimSpace(line), time.Since(p.start)))
	}
	return nil
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(500*time.Millisecond, 1<<20)
		out := printed{start: time.Now()}
		start := out.start
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.run(ctx, out.write) }()
		a, b := newSource(), newSource()
		ms := func(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
		put := func(at int, s *source, happened time.Time, text string) {
			time.Sleep(time.Until(ms(at)))
			if err := w.put(ctx, s, happened, []byte(text+"\n")); err != nil {
				t.Error(err)
			}
		}
		put(100, a, ms(100), "a100")
		put(200, b, ms(50), "b50")          // came later, was earlier
		put(300, a, ms(300), "a300")        //
		put(300, b, ms(3600e3), "future")   // a wrong clock does not put it behind others
		put(400, b, ms(-3600e3), "past")    // and does not delay others
		put(400, a, time.Time{}, "no time") //
		put(700, b, ms(700), "b700")
		put(900, a, ms(450), "late") // too late to be sorted
		put(5000, a, ms(5000), "after a pause")
		put(5100, b, ms(5050), "last")
		time.Sleep(10 * time.Millisecond)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			"no time at 600ms", "past at 600ms", "b50 at 600ms", "a100 at 600ms",
			"a300 at 800ms", "future at 800ms", "late at 1.2s", "b700 at 1.2s", "after a pause at 5.11s", "last at 5.11s",
		}
		if diff := cmp.Diff(want, out.lines); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestWindowIsBounded has one node print without end while there is no reader: the node has to wait, and others get
// through once there is a reader.
func TestWindowIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 10000
		w := newWindow(500*time.Millisecond, room)
		ctx, cancel := context.WithCancel(t.Context())
		reading := make(chan struct{})
		total := 0
		done := make(chan error, 1)
		go func() {
			done <- w.run(ctx, func(text []byte) error {
				<-reading
				total += strings.Count(string(text), "flood")
				return nil
			})
		}()
		var flooding sync.WaitGroup
		flood, quiet := newSource(), newSource()
		n := 0
		flooding.Go(func() {
			for ctx.Err() == nil {
				if w.put(ctx, flood, time.Now(), []byte("flood\n")) == nil {
					n++
				}
			}
		})
		time.Sleep(time.Hour)
		w.mu.Lock()
		held, items := flood.bytes, len(w.earlier)
		w.mu.Unlock()
		if held > room || items > room/overhead {
			t.Errorf("%d bytes are held of a node that may have %d, in %d items", held, room, items)
		}
		if err := w.put(ctx, quiet, time.Now(), make([]byte, 2*room)); err != nil { // a single item always has room
			t.Error(err)
		}
		close(reading)
		time.Sleep(time.Minute)
		cancel()
		flooding.Wait()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if total < n-1 || total > n || n < 1000 {
			t.Errorf("%d were put, %d printed", n, total)
		}
	})
}

// TestWindowGivesMemoryBack passes many more items than may be remembered through a window that is never empty.
func TestWindowGivesMemoryBack(t *testing.T) {
	w, s := newWindow(2*time.Millisecond, 1<<20), newSource()
	now := time.Now()
	var out []byte
	items := 1_000_000
	if testing.Short() {
		items = 100_000
	}
	for i := range items {
		w.put(t.Context(), s, now, []byte("x"))
		if i%10 == 9 {
			out, _ = w.take(out[:0], w.arrived[len(w.arrived)-1].due.Add(-1), 1<<20)
		}
		if cap(w.arrived) > 1<<16 {
			t.Fatalf("%d items are remembered of %d that are there", cap(w.arrived), len(w.earlier))
		}
	}
}

func TestWindowEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(0, 1<<20)
		closed := errors.New("closed")
		w.put(t.Context(), newSource(), time.Now(), []byte("x"))
		if err := w.run(t.Context(), func([]byte) error { return closed }); !errors.Is(err, closed) {
			t.Errorf("run returns %v", err)
		}
	})
}

func TestSeen(t *testing.T) {
	var s seen
	for _, c := range []struct {
		what        string
		log, number uint64
		want        bool
	}{
		{"the first one", 1, 100, true},
		{"the same again", 1, 100, false},
		{"the next one", 1, 101, true},
		{"one that others overtook", 1, 99, true},
		{"it again", 1, 99, false},
		{"one far on", 1, 101 + 1000, true},
		{"one in between", 1, 600, true},
		{"it again", 1, 600, false},
		{"another one in between", 1, 601, true},
		{"one a round on", 1, 600 + seenBits, true},
		{"its neighbour, whose bit was another's", 1, 601 + seenBits, true},
		{"one too low to be told", 1, 500, false},
		{"one that was skipped by more than a round", 1, 10 * seenBits, true},
		{"one below it", 1, 10*seenBits - 1, true},
		{"the first one of another log", 2, 0, true},
		{"it again", 2, 0, false},
		{"a number that the other log had", 2, 10 * seenBits, true},
	} {
		if got := s.add(c.log, c.number); got != c.want {
			t.Errorf("%s, %d of log %d: new %v", c.what, c.number, c.log, got)
		}
	}
}
