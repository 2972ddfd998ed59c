// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Lane is a part of a recording that fills up by itself: see enum lane in bpf/contract.h.
type Lane uint8

// The lanes of a recording.
const (
	Recent   Lane = abi.LaneRecent
	First    Lane = abi.LaneFirst
	Distinct Lane = abi.LaneDistinct
	Said     Lane = abi.LaneSaid
	Runtime  Lane = abi.LaneRuntime
)

func (l Lane) String() string {
	return [abi.Lanes]string{"recent", "first", "distinct", "said", "runtime"}[l]
}

// Record is a recorded call.
type Record struct {
	Bytes []byte
	Lane  Lane
	// Count is how often such a call came in all, and Last when it came last, in ns of CLOCK_BOOTTIME. Count is 0 if
	// that is not known.
	Count uint64
	Last  uint64
}

// Reach tells what a lane holds.
type Reach struct {
	Calls  int
	Lapped bool // earlier calls were overwritten
	// Since is the end of the first call, in ns of CLOCK_BOOTTIME: the lane has all of its calls that ended since.
	Since uint64
	// Oldest and Newest are the start of the first and the end of the last call, in ns of CLOCK_BOOTTIME, or 0 if the
	// lane is empty.
	Oldest, Newest uint64
}

// Calls are the records of a recording at one moment.
type Calls struct {
	// Records are in the order in which the calls ended.
	Records []Record
	// Lanes tells what each lane holds.
	Lanes [abi.Lanes]Reach
	// Missing counts the calls of the container that are not among Records: such calls came before, and later calls
	// have overwritten them. It does not count those of the runtime.
	Missing uint64
	// RuntimeMissing counts the calls of the runtime that are not among Records.
	RuntimeMissing uint64
	Lost           uint64 // calls that could not be recorded, and stretches of memory without a whole record
	// Oldest and Newest are the start of the first and the end of the last recorded call, in ns of CLOCK_BOOTTIME, or 0
	// if there are no calls.
	Oldest, Newest uint64
}

// Complete returns a time, in ns of CLOCK_BOOTTIME: all calls of the container that ended since are kept. It is 0 if no
// call is missing.
func (c *Calls) Complete() uint64 {
	if c.Missing == 0 {
		return 0
	}
	var since uint64
	for _, lane := range []Lane{Recent, Distinct, Said} {
		if c.Lanes[lane].Lapped {
			since = max(since, c.Lanes[lane].Since)
		}
	}
	return since
}

// Read reads the recording. Errors match ErrReused and ring.ErrUnsettled.
func (r *Recording) Read() (*Calls, error) {
	from, err := r.memory.Recording(r.Index)
	if err != nil {
		return nil, fmt.Errorf("opening recording %d: %w", r.Index, err)
	}
	c := &Calls{}
	var lanes [abi.Lanes]*ring.Snapshot
	for lane := range lanes {
		s, err := from.Lanes[lane].Read(0, false)
		if err != nil {
			return nil, fmt.Errorf("reading lane %s of recording %d: %w", Lane(lane), r.Index, err)
		}
		if s.Generation != r.Generation {
			return nil, ErrReused
		}
		lanes[lane] = s
		c.Lost += s.Lost + s.Gaps + s.Torn
		c.Lanes[lane] = reach(s)
	}
	repeats := from.Repeats()
	calls, runtime := from.Totals()
	for lane, s := range lanes {
		for i, record := range s.Records {
			again := repeats[ring.Place{Lane: lane, Position: s.Positions[i]}]
			c.Records = append(c.Records, Record{record, Lane(lane), again.Count, again.Last})
		}
		if at := c.Lanes[lane]; at.Calls > 0 {
			if c.Oldest == 0 || at.Oldest < c.Oldest {
				c.Oldest = at.Oldest
			}
			c.Newest = max(c.Newest, at.Newest)
		}
	}
	// Each lane is in this order already, except for calls of two CPUs at the same moment.
	slices.SortStableFunc(c.Records, func(a, b Record) int { return compareEnds(a.Bytes, b.Bytes) })
	var made uint64
	for _, total := range calls {
		made += total.Count
	}
	// The totals were read last, so they may count calls that have ended meanwhile, but only if others are missing.
	if here := uint64(len(c.Records)-c.Lanes[Runtime].Calls) + c.Lost; c.overwritten() && made > here {
		c.Missing = made - here
	}
	c.RuntimeMissing = max(runtime.Count, uint64(c.Lanes[Runtime].Calls)) - uint64(c.Lanes[Runtime].Calls)
	return c, nil
}

// overwritten reports whether any call of the container itself was overwritten.
func (c *Calls) overwritten() bool {
	return c.Lanes[Recent].Lapped || c.Lanes[Said].Lapped || c.Lanes[Distinct].Lapped
}

func reach(s *ring.Snapshot) Reach {
	r := Reach{Calls: len(s.Records), Lapped: s.Lapped}
	for _, record := range s.Records {
		if len(record) < abi.SizeofCall {
			continue
		}
		begin, end := syscalls.Span(record)
		if r.Since == 0 {
			r.Since = end
		}
		if r.Oldest == 0 || begin < r.Oldest {
			r.Oldest = begin
		}
		r.Newest = max(r.Newest, end)
	}
	return r
}

func compareEnds(a, b []byte) int { return cmp.Compare(end(a), end(b)) }

func end(record []byte) uint64 {
	if len(record) < abi.SizeofCall {
		return 0
	}
	_, end := syscalls.Span(record)
	return end
}
