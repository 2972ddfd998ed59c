// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"maps"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Usage sums up what calls did with one file or address.
type Usage struct {
	Use         // of all processes
	Did         map[Action]uint64
	Errors      []ErrorTally // most frequent first
	By          []*User      // those that moved most bytes first, then those with most calls
	First, Last uint64       // start of its first and of its last call that is kept, in ns of CLOCK_BOOTTIME

	did map[kindOfAction]*actionCount
	by  map[*Process]*User
}

// Use sums up calls. Bytes and times are those of calls that are kept.
type Use struct {
	Calls, Failed uint64 // at least
	Read, Written uint64 // bytes
	Time          uint64 // ns in the calls
}

// User is what one process did.
type User struct {
	Process *Process
	Use
}

// kindOfAction is a kind of calls that did something.
type kindOfAction struct {
	outcome
	action Action
}

// actionCount counts calls of a kind: those that are kept, and those that are only counted, if they are of this kind
// for certain.
type actionCount struct {
	n    uint64
	name string // of the call
	also bool   // the calls did something else before all, so that they are counted already
}

// visit is the call that is looked at.
type visit struct {
	*straceback.Event
	errno int // with which it failed, or 0

	process *Process // see by
	of      func(pid uint32, at uint64) *Process
	same    *sameCalls
	all     map[sameCall]*sameCalls // nil: calls that are only counted do not matter
}

// sameCall tells apart calls that name other files or addresses, or that failed in another way.
type sameCall struct {
	outcome
	given string // the names; hostile
}

// sameCalls counts calls. The counts are those to which the last one was added that tells how often such calls came.
type sameCalls struct {
	repeats
	counts []*actionCount
}

// newVisit returns a visit of the calls that are selected.
func (p *Past) newVisit(selected Selected) visit {
	v := visit{of: p.finder()}
	if selected == nil && p.Calls.Missing > 0 {
		v.all = map[sameCall]*sameCalls{}
	}
	return v
}

// look goes on to another call. It returns false if it is to be ignored: it would have had to wait.
func (v *visit) look(e *straceback.Event, name string) bool {
	v.Event, v.process, v.same, v.errno = e, nil, nil, e.Call.Errno()
	if has("EAGAIN EINTR", syscalls.ErrnoName(v.errno)) {
		return false
	}
	if v.all != nil && (name == "connect" || name == "bind" || takesPath(e.Call.Syscall())) {
		v.repeated()
	}
	return true
}

// repeated notes how often such a call came.
func (v *visit) repeated() {
	c := &v.Call
	key := sameCall{outcome: outcome{c.ABI, c.Nr, v.errno}}
	for i := range c.Captures {
		if p := &c.Captures[i]; p.Part == abi.PartWhole && !p.Output && !p.Kernel {
			key.given += string(p.Data) + "\x00"
		}
	}
	if key.given == "" {
		return // the call takes a descriptor
	}
	if v.same = v.all[key]; v.same == nil {
		v.same = &sameCalls{}
		v.all[key] = v.same
	}
	if v.same.add(v.Event); v.Count > 0 {
		v.same.counts = nil
	}
}

// end counts the calls that are only counted.
func (v *visit) end() {
	for _, same := range v.all {
		for _, count := range same.counts {
			count.n += max(same.counted, same.kept) - same.kept
		}
	}
}

// by returns the process that made the call.
func (v *visit) by() *Process {
	if v.process == nil {
		v.process = v.of(v.Call.PID, v.Call.Time)
	}
	return v.process
}

// newUsage returns a Usage that begins with a call.
func newUsage(v *visit) Usage {
	return Usage{Did: map[Action]uint64{}, First: v.Call.Time, did: map[kindOfAction]*actionCount{},
		by: map[*Process]*User{}}
}

// add counts a call as one that did something, or failed to.
func (u *Usage) add(v *visit, action Action) {
	user := u.user(v)
	user.Calls++
	if v.errno != 0 {
		user.Failed++
	}
	user.Time += v.Call.Duration
	u.Time += v.Call.Duration
	u.Last = v.Call.Time
	u.count(v, v.errno, action, false)
}

// also counts what a call did that was added, or is added elsewhere.
func (u *Usage) also(v *visit, action Action) {
	u.user(v)
	u.Last = v.Call.Time
	u.count(v, v.errno, action, true)
}

func (u *Usage) count(v *visit, errno int, action Action, also bool) {
	kind := kindOfAction{outcome{v.Call.ABI, v.Call.Nr, errno}, action}
	count := u.did[kind]
	if count == nil {
		count = &actionCount{name: string(v.Call.AppendName(nil)), also: also}
		u.did[kind] = count
	}
	count.n++
	if v.same != nil && v.Count > 0 {
		v.same.counts = append(v.same.counts, count)
	}
}

// user returns what the process of a call did.
func (u *Usage) user(v *visit) *User {
	user := u.by[v.by()]
	if user == nil {
		user = &User{Process: v.by()}
		u.by[user.Process] = user
	}
	return user
}

// move adds a call that moved bytes, or failed to.
func (u *Usage) move(v *visit, t *transfer) {
	if t.writes {
		u.add(v, Written)
	} else {
		u.add(v, Read)
	}
	u.moved(t)
	u.user(v).moved(t)
}

// failed returns the processes of which a call failed that is kept.
func (u *Usage) failed() []*User {
	return slices.DeleteFunc(slices.Clone(u.By), func(user *User) bool { return user.Failed == 0 })
}

// moved adds the bytes that a call moved.
func (u *Use) moved(t *transfer) {
	if t.writes {
		u.Written += t.size
	} else {
		u.Read += t.size
	}
}

func (u *Use) bytes() uint64 { return u.Read + u.Written }

// sum adds up what was done.
func (u *Usage) sum() {
	errors := map[int]*ErrorTally{}
	for kind, count := range u.did {
		n := count.n
		if !count.also {
			u.Calls += n
		}
		if kind.errno == 0 {
			u.Did[kind.action] += n
			continue
		}
		u.Failed += n
		t := errors[kind.errno]
		if t == nil {
			t = &ErrorTally{Errno: kind.errno}
			errors[kind.errno] = t
		}
		t.Count += n
		t.Calls = append(t.Calls, Tally{Name: count.name, Count: n})
	}
	u.Errors = sortedErrors(errors)
	u.By = slices.SortedFunc(maps.Values(u.by), func(a, b *User) int {
		return cmp.Or(cmp.Compare(b.bytes(), a.bytes()), cmp.Compare(b.Calls, a.Calls),
			cmp.Compare(a.Process.Began, b.Process.Began), cmp.Compare(a.Process.PID, b.Process.PID))
	})
}

// UsageOrder is what usages are sorted by.
type UsageOrder string

// The orders of usages. All but ByWhat begin with the largest; equal ones are sorted by their paths or addresses.
const (
	ByBytes UsageOrder = "bytes"
	ByLong  UsageOrder = "time"
	ByCalls UsageOrder = "calls"
	ByFails UsageOrder = "errors"
	ByLast  UsageOrder = "last"
	ByWhat  UsageOrder = "name"
)

func (o UsageOrder) compare(a, b *Usage) int {
	switch o {
	case ByBytes:
		return cmp.Or(cmp.Compare(b.bytes(), a.bytes()), cmp.Compare(b.Calls-b.Failed, a.Calls-a.Failed))
	case ByLong:
		return cmp.Compare(b.Time, a.Time)
	case ByCalls:
		return cmp.Compare(b.Calls, a.Calls)
	case ByFails:
		return cmp.Compare(b.Failed, a.Failed)
	case ByLast:
		return cmp.Compare(b.Last, a.Last)
	}
	return 0
}

// actions returns what was done, in the order of allActions.
func (u *Usage) actions() []Action {
	return slices.DeleteFunc(slices.Clone(allActions), func(a Action) bool { return u.Did[a] == 0 })
}
