// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"cmp"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Part tells which part of a call an event of the timeline is.
type Part uint8

// The parts of a call.
const (
	Whole    Part = iota // no other event is between its start and its end
	Begin                // its start; another event is before its end
	End                  // its end
	InFlight             // its start; it has not ended yet
)

// Event is a call of a timeline, or a part of one.
type Event struct {
	Call syscalls.Call
	Part Part
	Lane Lane
	// Count and Last are those of the call's Record.
	Count uint64
	Last  uint64
	// From is the thread that executed a program in the place of the first one of its process, whose ID it got: of the
	// exec, and of the end of the first one; or 0.
	From uint32
}

// At returns when the event happened, in ns of CLOCK_BOOTTIME: the end of the call for an End, or else its start.
func (e *Event) At() uint64 {
	if e.Part == End {
		return e.Call.Time + e.Call.Duration
	}
	return e.Call.Time
}

// until returns the end of the event: that of the call if it is Whole, or else the same as At.
func (e *Event) until() uint64 {
	if e.Part == Whole {
		return e.Call.Time + e.Call.Duration
	}
	return e.At()
}

// Timeline is the calls of a recording, ordered by time.
type Timeline struct {
	// Malformed counts the records that could not be decoded; they are left out.
	Malformed int
	// Descriptors, if not nil, say what the descriptors of the calls are that are yielded.
	Descriptors *Descriptors

	native   syscalls.ABI // as in Calls
	withheld bool         // not all of what calls point to was to be recorded
	calls    []moment
	begins   []uint32 // indexes of calls, by begin
	ends     []uint32 // indexes of calls whose end differs from their start, by end
	inner    innerIDs
	made     children
	files    files
}

type moment struct {
	begin, end uint64
	record     Record
	abandoned  bool // see syscalls.Call
	part       Part // Whole: all of it in one event, despite events in between; InFlight; or else Begin
	ids        syscalls.IDs
	waited     uint32 // as in syscalls.Call
	from       uint32 // as in Event
}

// NewTimeline orders the calls of records, from Recording.Read, and of inFlight: records of calls that had not returned
// when they were read, which must happen before the recording is read. Calls that are in both have returned meanwhile
// and are taken from the recording. The records are not copied.
func NewTimeline(records, inFlight []Record) *Timeline {
	return newTimeline(0, records, inFlight)
}

// newTimeline is NewTimeline for records of a machine with a native ABI.
func newTimeline(native syscalls.ABI, records, inFlight []Record) *Timeline {
	t := &Timeline{native: native, inner: innerIDs{}, made: children{}, files: files{}}
	return t.order(records, inFlight)
}

// Next returns a timeline of records that came later, which knows what this one has learned.
func (t *Timeline) Next(records []Record) *Timeline {
	const most = 1 << 16
	if len(t.files) > most {
		clear(t.files)
	}
	if len(t.inner) > most {
		clear(t.inner)
	}
	if len(t.made) > most {
		clear(t.made)
	}
	if t.Descriptors != nil {
		t.Descriptors.next(records)
	}
	next := &Timeline{native: t.native, withheld: t.withheld, inner: t.inner, made: t.made, files: t.files,
		Descriptors: t.Descriptors}
	return next.order(records, nil)
}

// order takes the calls of records over.
func (t *Timeline) order(records, inFlight []Record) *Timeline {
	t.calls = make([]moment, 0, len(records)+len(inFlight))
	type key struct {
		tid  uint32
		time uint64
	}
	pending := make(map[key]Record, len(inFlight))
	call := syscalls.Call{Native: t.native}
	for _, record := range inFlight {
		if len(record.Bytes) < abi.SizeofCall {
			continue
		}
		if call.Decode(record.Bytes) != nil {
			t.Malformed++
			continue
		}
		pending[key{call.TID, call.Time}] = record
	}
	last := uint64(0)               // end of the preceding record
	interrupted := map[uint32]int{} // by thread, the index of its last call, if a signal interrupted it
	over := takeovers{ended: map[uint32]int{}, work: takeoverWork}
	add := func(record Record, part Part) {
		if err := call.Decode(record.Bytes); err != nil {
			t.Malformed++
			return
		}
		if len(pending) > 0 && part != InFlight {
			delete(pending, key{call.TID, call.Time})
		}
		end := sum(call.Time, call.Duration)
		if part != InFlight {
			end = max(end, min(last, sum(end, syscalls.DurationUnit(call.Duration)-1)))
			last = end
		}
		if i, ok := interrupted[call.TID]; ok {
			t.calls[i].abandoned = call.Nr == syscalls.NumberNone
			delete(interrupted, call.TID)
		}
		call.Waited = 0
		t.inner.learn(&call)
		t.made.learn(&call)
		t.files.learn(&call)
		if part == Begin && (end == call.Time || call.Event()) {
			part = Whole
		}
		ids := t.inner.of(&call)
		t.calls = append(t.calls, moment{call.Time, end, record, false, part, ids, t.made.waited(&call, ids.PID == 1), 0})
		if call.TID == call.PID && part != InFlight {
			over.learn(t, &call, len(t.calls)-1)
		}
		if call.Interrupted() {
			interrupted[call.TID] = len(t.calls) - 1
		}
	}
	for _, record := range records {
		add(record, Begin)
	}
	for _, record := range pending {
		add(record, InFlight)
	}
	t.sort()
	return t
}

// sum adds two numbers and saturates, so that no end is before its start.
func sum(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}

// sort sorts begins and ends. Records are already in the order of their ends, except for those of two CPUs at the same
// moment, and nearly in the order of their begins, so sorting is cheap.
func (t *Timeline) sort() {
	t.begins = make([]uint32, len(t.calls))
	t.ends = make([]uint32, 0, len(t.calls))
	for i := range t.calls {
		t.begins[i] = uint32(i)
		if t.calls[i].part == Begin {
			t.ends = append(t.ends, uint32(i))
		}
	}
	sort(t.begins, func(i uint32) uint64 { return t.calls[i].begin })
	sort(t.ends, func(i uint32) uint64 { return t.calls[i].end })
}

// Select keeps only the calls of which keep approves. It reuses the same Event, Whole or InFlight, for each of them.
func (t *Timeline) Select(keep func(*Event) bool) {
	event := t.newEvent()
	kept := make([]bool, len(t.calls))
	for i := range t.calls {
		t.yield(event, uint32(i), t.part(uint32(i)), func(e *Event) bool {
			kept[i] = keep(e)
			return true
		})
	}
	out := func(i uint32) bool { return !kept[i] }
	t.begins, t.ends = slices.DeleteFunc(t.begins, out), slices.DeleteFunc(t.ends, out)
}

// Tail keeps only the last n calls, by their start.
func (t *Timeline) Tail(n int) {
	cut := t.begins[:max(0, len(t.begins)-n)]
	t.begins = t.begins[len(cut):]
	out := make(map[uint32]bool, len(cut))
	for _, i := range cut {
		out[i] = true
	}
	t.ends = slices.DeleteFunc(t.ends, func(i uint32) bool { return out[i] })
}

// part returns InFlight for a call in flight, and Whole for all others.
func (t *Timeline) part(i uint32) Part {
	if t.calls[i].part == InFlight {
		return InFlight
	}
	return Whole
}

// sort is stable: calls of the same time stay in the order of their records.
func sort(indexes []uint32, time func(uint32) uint64) {
	slices.SortFunc(indexes, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(time(a), time(b)), cmp.Compare(a, b))
	})
}

// Len returns the number of calls.
func (t *Timeline) Len() int { return len(t.begins) }

// Calls yields every call once, by its start: a call in flight as InFlight, all others as Whole. It reuses the same
// Event each time.
func (t *Timeline) Calls(yield func(*Event) bool) {
	event := t.newEvent()
	for _, i := range t.begins {
		if !t.yield(event, i, t.part(i), yield) {
			return
		}
	}
}

// Events yields the start and the end of every call in the order of time. If no other event is between them, they are
// one event. If a begin and an end have the same time, the end comes first. Events reuses the same Event each time.
func (t *Timeline) Events(yield func(*Event) bool) {
	event := t.newEvent()
	begins, ends := t.begins, t.ends
	for len(begins) > 0 || len(ends) > 0 {
		if len(begins) == 0 || len(ends) > 0 && t.calls[ends[0]].end <= t.calls[begins[0]].begin {
			if !t.yield(event, ends[0], End, yield) {
				return
			}
			ends = ends[1:]
			continue
		}
		i := begins[0]
		begins = begins[1:]
		m := &t.calls[i]
		part := m.part
		if part == Begin && ends[0] == i && (len(begins) == 0 || m.end <= t.calls[begins[0]].begin) {
			part = Whole
			ends = ends[1:]
		}
		if !t.yield(event, i, part, yield) {
			return
		}
	}
}

// newEvent returns an event that knows what the descriptors of its call are.
func (t *Timeline) newEvent() *Event {
	e := &Event{Call: syscalls.Call{Native: t.native}}
	t.describe(e)
	return e
}

// describe has an event know what the descriptors of its call are.
func (t *Timeline) describe(e *Event) {
	if t.Descriptors != nil {
		e.Call.Describe = func(fd int32, after bool) *syscalls.Descriptor {
			return t.Descriptors.Of(&e.Call, e.Lane, fd, after)
		}
	}
}

// Keep returns a copy of an event that is yielded, which stays as it is when the next one is.
func (t *Timeline) Keep(e *Event) Event {
	kept := *e
	kept.Call.Captures, kept.Call.Comm = slices.Clone(e.Call.Captures), slices.Clone(e.Call.Comm)
	t.describe(&kept)
	return kept
}

func (t *Timeline) yield(event *Event, i uint32, part Part, yield func(*Event) bool) bool {
	m := &t.calls[i]
	if event.Call.Decode(m.record.Bytes) != nil {
		return true // cannot fail: it was decoded before
	}
	event.Call.Duration, event.Call.Abandoned = m.end-m.begin, m.abandoned
	if event.Call.Inner = m.ids; m.ids.TID == 0 {
		event.Call.Inner = t.inner.of(&event.Call) // known only from a later call
	}
	event.Call.Path, event.Call.Waited = t.files.of(&event.Call), m.waited
	event.Part, event.Lane, event.Count, event.Last = part, m.record.Lane, m.record.Count, m.record.Last
	event.From = m.from
	event.Call.Withheld = t.withheld || event.Lane == Runtime
	return yield(event)
}
