// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Reader reads a recording from where it has read before, independently of other readers. It is not safe for concurrent
// use.
type Reader struct {
	recording *Recording
	memory    *ring.Recording
	merged    merged
	next      [abi.Lanes]uint64 // position of the next record
	lost      [abi.Lanes]uint64 // as the lane counted them at the last Poll
	held      [abi.Lanes]held   // records whose call is not in the lane recent yet
	newest    uint64            // end of the last call in the lane recent, in ns of CLOCK_BOOTTIME

	here, missing        uint64 // calls of the container: returned so far, or lost; and reported as missing
	runtime, runtimeGone uint64 // the same of the runtime
}

// held are records of a lane, with their positions.
type held struct {
	records   [][]byte
	positions []uint64
}

// NewReader returns a Reader that begins with the oldest records.
func (r *Recording) NewReader() (*Reader, error) {
	memory, err := r.memory.Recording(r.Index)
	if err != nil {
		return nil, fmt.Errorf("opening recording %d: %w", r.Index, err)
	}
	return &Reader{recording: r, memory: memory}, nil
}

// reuse lets the reader use the memory of another one, whose records are no longer needed.
func (r *Reader) reuse(other *Reader) {
	if other != nil {
		r.memory.Reuse(other.memory)
		r.merged = other.merged
	}
}

// Read reads the recording. Errors match ErrReused and ring.ErrUnsettled.
func (r *Recording) Read() (*Calls, error) {
	reader, err := r.NewReader()
	if err != nil {
		return nil, err
	}
	return reader.Poll(true)
}

// Poll returns the records that came since the last Poll. The records of a call are in several lanes, and a Poll that
// is not final leaves for the next one what not all lanes have yet. Errors match ErrReused and ring.ErrUnsettled; after
// ErrUnsettled, Poll can be called again. The records live until the next Poll.
func (r *Reader) Poll(final bool) (*Calls, error) { return r.poll(final, r.memory.Repeats) }

// poll is Poll. repeats, if not nil, tells how often calls came; it is called after the records were read.
func (r *Reader) poll(final bool, repeats func() map[ring.Place]ring.Repeats) (*Calls, error) {
	c := &Calls{}
	var lanes [abi.Lanes]*ring.Snapshot
	for lane := range lanes { // recent first: the kernel writes the other records of a call before that one
		s, err := r.memory.Lanes[lane].Read(r.next[lane], !final)
		if err != nil {
			return nil, fmt.Errorf("reading lane %s of recording %d: %w", Lane(lane), r.recording.Index, err)
		}
		if s.Generation != r.recording.Generation {
			return nil, ErrReused
		}
		lanes[lane] = s
	}
	for lane, s := range lanes {
		r.next[lane] = s.Next
		c.Lost += s.Gaps + s.Torn
		if lane == abi.LaneRecent || lane == abi.LaneRuntime { // the other lanes have copies of the first one's calls
			c.Lost += s.Lost - min(s.Lost, r.lost[lane])
		}
		r.lost[lane] = s.Lost
		at := reach(s)
		c.Lanes[lane] = at
		if at.Calls > 0 {
			if c.Oldest == 0 || at.Oldest < c.Oldest {
				c.Oldest = at.Oldest
			}
			c.Newest = max(c.Newest, at.Newest)
		}
	}
	r.hold(&lanes, final)
	var again map[ring.Place]ring.Repeats
	if repeats != nil {
		again = repeats()
	}
	calls, runtime := r.memory.Totals()
	r.merged = merge(&lanes, again, r.merged)
	c.Records = r.merged.records
	var made uint64
	for index, total := range calls {
		if made += total.Count; total.Count > 0 {
			c.Totals = append(c.Totals, Total{syscalls.NameAt(index), total})
		}
	}
	// The totals were read last, so they may count calls that have ended meanwhile, but only if others are missing.
	r.here += c.Lost
	for _, record := range c.Records {
		if record.Lane != Runtime && (len(record.Bytes) < abi.SizeofCall || !syscalls.IsEvent(record.Bytes)) {
			r.here++
		}
	}
	if known := r.here + r.missing; c.Lanes[Recent].Lapped && made > known {
		c.Missing = made - known
		r.missing += c.Missing
	}
	r.runtime += uint64(c.Lanes[Runtime].Calls)
	if known := r.runtime + r.runtimeGone; runtime.Count > known {
		c.RuntimeMissing = runtime.Count - known
		r.runtimeGone += c.RuntimeMissing
	}
	return c, nil
}

// hold adds the records of earlier Polls to the lanes, and takes out those whose call is not in the lane recent yet,
// unless calls that ended much later are there: then it was overwritten.
func (r *Reader) hold(lanes *[abi.Lanes]*ring.Snapshot, final bool) {
	const late = uint64(100 * time.Millisecond)
	if final && !slices.ContainsFunc(r.held[:], func(h held) bool { return len(h.records) > 0 }) {
		return
	}
	recent := map[identity]bool{}
	for _, record := range lanes[Recent].Records {
		recent[callOf(record)] = true
		r.newest = max(r.newest, end(record))
	}
	for lane, s := range lanes {
		if Lane(lane) == Recent || Lane(lane) == Runtime || final && len(r.held[lane].records) == 0 {
			continue
		}
		var ready, later held
		take := func(records [][]byte, positions []uint64, held bool) {
			for i, record := range records {
				to := &ready
				if !final && !recent[callOf(record)] && end(record)+late > r.newest {
					to = &later
					if !held {
						record = bytes.Clone(record)
					}
				}
				to.records, to.positions = append(to.records, record), append(to.positions, positions[i])
			}
		}
		take(r.held[lane].records, r.held[lane].positions, true)
		take(s.Records, s.Positions, false)
		r.held[lane] = later
		whole := *s
		whole.Records, whole.Positions = ready.records, ready.positions
		lanes[lane] = &whole
	}
}

// How long Follow sleeps between Polls: briefly while there is something to read, then longer and longer. There is no
// wakeup, since the traced program would pay for it.
const (
	shortest = 5 * time.Millisecond
	longest  = 100 * time.Millisecond
)

// Follow passes the records that come to show, until ctx is done or the container has ended, neither of which is an
// error, or show or ended return an error. Then it passes what has come until that moment.
func (r *Reader) Follow(ctx context.Context, ended func() (bool, error), show func(*Calls) error) error {
	wait := shortest
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		final := false
		select {
		case <-ctx.Done():
			final = true
		case <-timer.C:
			var err error
			if final, err = ended(); err != nil {
				return err
			}
		}
		c, err := r.Poll(final)
		switch {
		case errors.Is(err, ring.ErrUnsettled) && !final:
			timer.Reset(longest)
			continue
		case err != nil:
			return err
		}
		if len(c.Records) > 0 || c.Missing+c.RuntimeMissing+c.Lost > 0 {
			wait = shortest
			if err := show(c); err != nil {
				return err
			}
		}
		if final {
			return nil
		}
		timer.Reset(wait)
		wait = min(2*wait, longest)
	}
}
