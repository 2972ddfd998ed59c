// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// window sorts events from many sources by time, if they arrive within a delay: an item leaves the window when it
// has been there for the delay, after all earlier items in the window. So no item waits longer, regardless of other
// sources. A source with too many bytes in the window has to wait, and so has its node.
type window struct {
	delay time.Duration
	room  int // limit of bytes in the window per source

	mu      sync.Mutex
	earlier items   // a heap by time
	arrived []*item // in order of arrival, from first on
	first   int
	wake    chan struct{} // an item has arrived
}

// item is an event to be printed.
type item struct {
	key     int64 // ns: time of the event, but at most that of its arrival
	arrival int64 // sequence number, which orders equal keys
	due     time.Time
	text    []byte
	source  *source
	index   int // in the heap; -1: it has left
}

// source is one node's share of the window.
type source struct {
	bytes int           // in the window
	left  chan struct{} // an item has left
}

// overhead is the memory of an item besides its text, in bytes.
const overhead = 128

func newWindow(delay time.Duration, room int) *window {
	return &window{delay: delay, room: room, wake: make(chan struct{}, 1)}
}

// setDelay sets the delay for items that arrive from now on.
func (w *window) setDelay(delay time.Duration) {
	w.mu.Lock()
	w.delay = delay
	w.mu.Unlock()
}

func newSource() *source { return &source{left: make(chan struct{}, 1)} }

// put adds an event once there is room, or ctx is done. Events of a node whose clock is ahead do not fall behind
// those of others.
func (w *window) put(ctx context.Context, s *source, at time.Time, text []byte) error {
	size := len(text) + overhead
	for {
		w.mu.Lock()
		if s.bytes == 0 || s.bytes+size <= w.room {
			break
		}
		w.mu.Unlock()
		select {
		case <-s.left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer w.mu.Unlock()
	now := time.Now()
	i := &item{key: min(at.UnixNano(), now.UnixNano()), due: now.Add(w.delay), text: text, source: s}
	if n := len(w.arrived); n > w.first {
		i.arrival = w.arrived[n-1].arrival + 1
	}
	s.bytes += size
	w.arrived = append(w.arrived, i)
	heap.Push(&w.earlier, i)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// take appends the items that have to leave by now to dst, up to about most bytes. It returns when the next one has
// to leave; the zero time if the window is empty.
func (w *window) take(dst []byte, now time.Time, most int) ([]byte, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.first < len(w.arrived) {
		switch oldest := w.arrived[w.first]; {
		case oldest.index < 0: // it has left
			w.arrived[w.first] = nil
			w.first++
		case len(dst) >= most:
			return dst, now
		case oldest.due.After(now):
			w.compact()
			return dst, oldest.due
		default:
			dst = w.pop(dst)
		}
	}
	w.compact()
	return dst, time.Time{}
}

// compact frees the memory before first once that is half of all.
func (w *window) compact() {
	if w.first > len(w.arrived)/2 {
		n := copy(w.arrived, w.arrived[w.first:])
		clear(w.arrived[n:])
		w.arrived, w.first = w.arrived[:n], 0
	}
}

// pop removes the earliest item, and appends it to dst.
func (w *window) pop(dst []byte) []byte {
	i := heap.Pop(&w.earlier).(*item)
	i.source.bytes -= len(i.text) + overhead
	select {
	case i.source.left <- struct{}{}:
	default:
	}
	dst = append(dst, i.text...)
	i.text = nil
	return dst
}

// run writes the items that leave the window until ctx is done, and then all others.
func (w *window) run(ctx context.Context, write func([]byte) error) error {
	const most = 256 << 10
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var out []byte
	for {
		now := time.Now()
		ended := ctx.Err() != nil
		if ended {
			now = now.Add(time.Hour) // everything
		}
		var next time.Time
		out, next = w.take(out[:0], now, most)
		if len(out) > 0 {
			if err := write(out); err != nil {
				return err
			}
		}
		if next.Equal(now) {
			continue
		}
		if ended {
			return nil
		}
		wake := w.wake
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			wake = nil // later arrivals leave later
		}
		select {
		case <-timer.C:
		case <-wake:
		case <-ctx.Done():
		}
	}
}

type items []*item

func (h items) Len() int { return len(h) }
func (h items) Less(i, j int) bool {
	if h[i].key != h[j].key {
		return h[i].key < h[j].key
	}
	return h[i].arrival < h[j].arrival
}

func (h items) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *items) Push(x any) {
	i := x.(*item)
	i.index = len(*h)
	*h = append(*h, i)
}

func (h *items) Pop() any {
	last := len(*h) - 1
	i := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	i.index = -1
	return i
}
