// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Summary sums up the calls of a container.
type Summary struct {
	past   *Past
	ending Ending
	// Calls are all calls of the container's life, kept or not, without those of the runtime.
	Calls []Tally
	// Processes sums up only the calls that are kept.
	Processes []ProcessTally
	Errors    []ErrorTally // most frequent first
	Slowest   []Timed      // the slowest first; calls that are kept, and those that have not returned
}

// Tally sums up calls of one kind.
type Tally struct {
	Name          string // as in a line of text; of a 32-bit ABI with its name: "ia32:openat"
	Count, Failed uint64
	Time          uint64 // ns in the calls, of all threads together
}

// Mean returns how long a call took on average, in ns.
func (t *Tally) Mean() uint64 { return t.Time / max(t.Count, 1) }

// ProcessTally sums up the calls of a process. The Name is that of the process, escaped.
type ProcessTally struct {
	Tally
	Process *Process
	Calls   []Tally // those that took longest first
}

// ErrorTally counts calls that failed with an error.
type ErrorTally struct {
	Errno int
	// Count is how often at least: calls that are kept, and those that are only counted because such a call is.
	Count uint64
	Calls []Tally // most frequent first; only Name and Count are set
}

// Timed is a call and how long it took, or has taken until now.
type Timed struct {
	Fact
	Took time.Duration
}

// Order is what tallies are sorted by.
type Order string

// The orders of tallies. All but ByName begin with the largest.
const (
	ByTime   Order = "time"
	ByCount  Order = "calls"
	ByErrors Order = "errors"
	ByName   Order = "name"
)

// compare orders tallies. Those that are equal are ordered by name.
func (o Order) compare(a, b *Tally) int {
	by := 0
	switch o {
	case ByTime:
		by = cmp.Compare(b.Time, a.Time)
	case ByCount:
		by = cmp.Compare(b.Count, a.Count)
	case ByErrors:
		by = cmp.Compare(b.Failed, a.Failed)
	}
	return cmp.Or(by, cmp.Compare(a.Name, b.Name))
}

// sort orders tallies.
func (o Order) sort(tallies []Tally) {
	slices.SortFunc(tallies, func(a, b Tally) int { return o.compare(&a, &b) })
}

// outcome is a kind of calls: what they are, and the error with which they failed, or 0.
type outcome struct {
	abi   syscalls.ABI
	nr    syscalls.Nr
	errno int
}

// slowestMax bounds how many of the slowest calls are kept.
const slowestMax = 1000

// Summary sums up the calls, sorted by an order, with the slowest ones.
func (p *Past) Summary(order Order, slowest int) *Summary {
	s := &Summary{past: p, ending: p.ending()}
	for _, t := range p.Calls.Totals {
		s.Calls = append(s.Calls, Tally{t.Syscall, t.Count, t.Failed, t.Time})
	}
	order.sort(s.Calls)
	s.walk(min(slowest, slowestMax))
	slices.SortStableFunc(s.Processes, func(a, b ProcessTally) int { return order.compare(&a.Tally, &b.Tally) })
	return s
}

// walk sums up the calls that are kept.
func (s *Summary) walk(slowest int) {
	processes := map[*Process]map[outcome]*Tally{}
	errors := map[outcome]*repeats{}
	names := map[outcome]string{}
	of := s.past.finder()
	for e := range s.past.Timeline.Calls {
		c := &e.Call
		if e.Lane == straceback.Runtime || c.Event() || c.Syscall() == nil && c.Nr == syscalls.NumberNone {
			continue
		}
		what := outcome{c.ABI, c.Nr, 0}
		if _, ok := names[what]; !ok {
			names[what] = string(c.AppendName(nil))
		}
		took := c.Duration
		if e.Part == straceback.InFlight {
			took = s.ending.At - min(c.Time, s.ending.At)
		}
		process := of(c.PID, c.Time)
		s.slow(e, process, took, slowest)
		if e.Part == straceback.InFlight {
			continue
		}
		calls := processes[process]
		if calls == nil {
			calls = map[outcome]*Tally{}
			processes[process] = calls
		}
		t := calls[what]
		if t == nil {
			t = &Tally{Name: names[what]}
			calls[what] = t
		}
		t.Count++
		t.Time += took
		if c.Result < 0 && !c.Unfinished {
			t.Failed++
		}
		if errno := c.Errno(); errno != 0 && !c.Unfinished {
			what.errno = errno
			if errors[what] == nil {
				errors[what] = &repeats{}
			}
			errors[what].add(e)
		}
	}
	for _, process := range s.past.Processes {
		if calls := processes[process]; calls != nil {
			s.Processes = append(s.Processes, newProcessTally(process, calls))
		}
	}
	s.errors(errors, names)
}

// repeats counts the calls of a kind that failed. A call that is counted may be kept as a record of its own, too.
type repeats struct{ kept, counted uint64 }

func (r *repeats) add(e *straceback.Event) {
	r.kept++
	r.counted += e.Count
}

func newProcessTally(process *Process, calls map[outcome]*Tally) ProcessTally {
	t := ProcessTally{Tally: Tally{Name: name(process)}, Process: process}
	for _, call := range calls {
		t.Count += call.Count
		t.Failed += call.Failed
		t.Time += call.Time
		t.Calls = append(t.Calls, *call)
	}
	ByTime.sort(t.Calls)
	return t
}

// errors sums up by error.
func (s *Summary) errors(counts map[outcome]*repeats, names map[outcome]string) {
	byErrno := map[int]*ErrorTally{}
	for what, r := range counts {
		t := byErrno[what.errno]
		if t == nil {
			t = &ErrorTally{Errno: what.errno}
			byErrno[what.errno] = t
		}
		count := max(r.kept, r.counted)
		t.Count += count
		t.Calls = append(t.Calls, Tally{Name: names[outcome{what.abi, what.nr, 0}], Count: count})
	}
	s.Errors = sortedErrors(byErrno)
}

// sortedErrors returns errors, and the calls of each, the most frequent first.
func sortedErrors(byErrno map[int]*ErrorTally) (all []ErrorTally) {
	for _, t := range byErrno {
		ByCount.sort(t.Calls)
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b ErrorTally) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Errno, b.Errno))
	})
	return all
}

// slow remembers a call if it is one of the slowest.
func (s *Summary) slow(e *straceback.Event, process *Process, took uint64, most int) {
	const longest = 1<<63 - 1
	d := time.Duration(min(took, longest))
	at, _ := slices.BinarySearchFunc(s.Slowest, d, func(t Timed, d time.Duration) int { return cmp.Compare(d, t.Took) })
	for at < len(s.Slowest) && s.Slowest[at].Took == d {
		at++ // the first ones stay
	}
	if at >= most || d == 0 {
		return
	}
	f := Fact{Event: s.past.Timeline.Keep(e), Process: process}
	s.Slowest = slices.Insert(s.Slowest[:min(len(s.Slowest), most-1)], at, Timed{f, d})
}

// finder returns a function that finds the process of an ID at a time, in ns of CLOCK_BOOTTIME.
func (p *Past) finder() func(pid uint32, at uint64) *Process {
	byPID := map[uint32][]*Process{}
	for _, process := range p.Processes {
		byPID[process.PID] = append(byPID[process.PID], process)
	}
	return func(pid uint32, at uint64) *Process {
		all := byPID[pid]
		i, _ := slices.BinarySearchFunc(all, at, func(q *Process, at uint64) int {
			if q.Began <= at {
				return -1
			}
			return 1
		})
		return all[max(i, 1)-1]
	}
}
