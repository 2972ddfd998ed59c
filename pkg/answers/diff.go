// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Deeds are what a run of a container did, in words that are the same for every run that does the same. They keep no
// reference to the recording.
type Deeds struct {
	Run  Past // without what was read: only for its container, and for what is kept
	all  []*Deed
	by   map[string]*Deed
	more bool // further deeds did not fit
}

// Kind is a kind of deeds.
type Kind string

// The kinds of deeds, in the order in which they are printed.
const (
	Program Kind = "program" // executed
	File    Kind = "file"    // looked up, read, written, made, renamed or deleted
	Address Kind = "address" // connected, or listened on
	Failure Kind = "failure" // a call that failed
	End     Kind = "end"     // of a process
)

// Kinds are all kinds of deeds.
var Kinds = []Kind{Program, File, Address, Failure, End}

// Deed is something that a run did, once or several times.
type Deed struct {
	Kind    Kind
	What    string // normalised and escaped
	Example string // the same as it was in the run for the first time; escaped
	At      uint64 // then, in ns of CLOCK_BOOTTIME
	Process string // that did it first: its name, escaped, and its ID
	Times   uint64 // how often, as far as it was recorded
}

// deedsMax bounds the deeds of a run.
const deedsMax = 1 << 17

// NewDeeds reads what a run did. Calls of the container runtime are left out.
func NewDeeds(s Source) *Deeds {
	d := &Deeds{by: map[string]*Deed{}}
	n := newNormal(s.Container)
	var values []syscalls.Value
	for e := range s.Timeline.Calls {
		if e.Lane == straceback.Runtime || e.Part == straceback.InFlight {
			continue
		}
		c := &e.Call
		if c.Unfinished {
			if c.TID == c.PID {
				end := ended(&Process{Wait: c.Result})
				if c.OutOfMemory {
					end += ", out of memory"
				}
				d.add(e, End, terminal.Cell(string(c.Comm))+" "+end, "")
			}
			continue
		}
		if s := c.Syscall(); s != nil && !c.Event() {
			values = c.Values(values[:0], false)
			d.call(e, s, values, n)
		}
	}
	calls := *s.Calls
	calls.Records = make([]straceback.Record, len(calls.Records)) // only their number matters
	s.Calls, s.Timeline = &calls, nil
	d.Run.Source = s
	return d
}

// call adds what a call did.
func (d *Deeds) call(e *straceback.Event, s *syscalls.Syscall, values []syscalls.Value, n *normal) {
	c := &e.Call
	subject := subjectOf(e, values, nil)
	errno := cmp.Or(c.Errno(), c.SocketError())
	shown := n.text(subject)
	if !strings.HasPrefix(subject, "/") {
		shown = n.address(subject)
	}
	if errno != 0 {
		row := rowOf(&Fact{Event: *e, Errno: errno})
		if row == nil || row.weight > 0 {
			failure := func(subject string) string {
				text := s.Name + "()"
				if subject != "" {
					text = s.Name + "(" + terminal.Cell(subject) + ")"
				}
				return text + " = " + syscalls.ErrnoName(errno)
			}
			d.add(e, Failure, failure(shown), failure(subject))
		}
		if s.Name != "connect" || syscalls.ErrnoName(errno) != "EINPROGRESS" {
			return
		}
	}
	if subject == "" {
		return
	}
	switch s.Name {
	case "execve", "execveat":
		args := texts(partsOf(values, "argv"))
		program := func(path string, change func(string) string) string {
			words := []string{terminal.Cell(path)}
			for i, arg := range args {
				if i > 0 {
					words = append(words, terminal.Cell(change(arg)))
				}
			}
			return strings.Join(words, " ")
		}
		d.add(e, Program, program(shown, n.text), program(subject, func(arg string) string { return arg }))
	case "connect", "bind":
		verb := map[string]string{"connect": "connect to ", "bind": "bind to "}[s.Name]
		d.add(e, Address, verb+terminal.Cell(shown), verb+terminal.Cell(subject))
	case "sendto", "sendmsg", "sendmmsg":
		if !strings.HasPrefix(subject, "/") {
			d.add(e, Address, "send to "+terminal.Cell(shown), "send to "+terminal.Cell(subject))
		}
	default:
		verb := verbOf(c, s.Name, values)
		if verb != "" && strings.HasPrefix(subject, "/") {
			d.add(e, File, verb+" "+terminal.Cell(shown), verb+" "+terminal.Cell(subject))
		}
	}
}

// verbOf says what a call does to the file that it names, or "" if it names none.
func verbOf(c *syscalls.Call, name string, values []syscalls.Value) string {
	switch actionOf[name] {
	case Deleted:
		return "delete"
	case Renamed:
		return "rename"
	case Created, Linked:
		return "make"
	case Changed, Resized:
		return "change"
	}
	if !slices.ContainsFunc(values, func(v syscalls.Value) bool { return v.Kind == syscalls.KindPath }) {
		return ""
	}
	if actionOf[name] == Opened {
		const oAccmode, oCreat = 3, 0o100 // O_ACCMODE and O_CREAT of all ABIs
		if openFlags(c, name)&(oAccmode|oCreat) != 0 {
			return "write"
		}
		return "read"
	}
	return "look up"
}

// partsOf returns the parts of the value with a name.
func partsOf(values []syscalls.Value, name string) (found []syscalls.Value) {
	syscalls.Each(values, func(v *syscalls.Value, parts []syscalls.Value) {
		if v.Name == name {
			found = parts
		}
	})
	return found
}

// add adds a deed. An empty example is the same as the text.
func (d *Deeds) add(e *straceback.Event, kind Kind, what, example string) {
	if example == "" {
		example = what
	}
	key := string(kind) + " " + what
	deed := d.by[key]
	switch {
	case deed != nil:
	case len(d.all) == deedsMax:
		d.more = true
		return
	default:
		deed = &Deed{Kind: kind, What: what, Example: example, At: e.Call.Time, Process: thread(&e.Call)}
		d.by[key] = deed
		d.all = append(d.all, deed)
	}
	deed.Times += max(e.Count, 1)
}

// Without returns what this run did and another one did not, in the order of time.
func (d *Deeds) Without(other *Deeds) (only []*Deed) {
	for _, deed := range d.all {
		if other.by[string(deed.Kind)+" "+deed.What] == nil {
			only = append(only, deed)
		}
	}
	return only
}

// Diff is what two runs did that the other one did not.
type Diff struct {
	A, B         *Deeds
	OnlyA, OnlyB []*Deed // in the order of time
}

// NewDiff compares two runs.
func NewDiff(a, b *Deeds) *Diff { return &Diff{A: a, B: b, OnlyA: a.Without(b), OnlyB: b.Without(a)} }

// Empty reports whether both did the same.
func (d *Diff) Empty() bool { return len(d.OnlyA)+len(d.OnlyB) == 0 }

// diffVersion is that of DiffJSON: it grows if a field changes its meaning or goes.
const diffVersion = 1

// DiffJSON is a Diff in machine-readable form. Names are stable.
type DiffJSON struct {
	Version int        `json:"version"`
	A       RunJSON    `json:"a"`
	B       RunJSON    `json:"b"`
	Changes []DeedJSON `json:"changes"` // by kind, then those of a, then by time
}

// RunJSON is one of two runs.
type RunJSON struct {
	Name        string    `json:"name"`
	ContainerID string    `json:"containerID"`
	Created     time.Time `json:"created"`
	Overwritten uint64    `json:"overwritten"` // calls
	Lost        uint64    `json:"lost"`
	Incomplete  bool      `json:"incomplete,omitempty"` // it did more than could be compared
}

// DeedJSON is a Deed.
type DeedJSON struct {
	Kind    Kind      `json:"kind"`
	Only    string    `json:"only"`    // a or b
	What    string    `json:"what"`    // normalised
	Example string    `json:"example"` // the same as it was in the run
	Time    time.Time `json:"time"`    // when it came first
	Process string    `json:"process"`
	Times   uint64    `json:"times"`
}

// JSON returns the difference in machine-readable form.
func (d *Diff) JSON() *DiffJSON {
	run := func(d *Deeds) RunJSON {
		s := &d.Run
		return RunJSON{s.Name, s.Container.ID, s.at(s.Container.Created), s.Calls.Missing, s.Calls.Lost, d.more}
	}
	j := &DiffJSON{Version: diffVersion, A: run(d.A), B: run(d.B), Changes: []DeedJSON{}}
	for _, kind := range Kinds {
		for _, side := range d.sides() {
			for _, deed := range side.only {
				if deed.Kind == kind {
					j.Changes = append(j.Changes, DeedJSON{kind, side.name, deed.What, deed.Example,
						side.run.Run.at(deed.At), deed.Process, deed.Times})
				}
			}
		}
	}
	return j
}

// side is one of the two runs of a Diff.
type side struct {
	name, sign string
	run        *Deeds
	only       []*Deed
}

func (d *Diff) sides() []side { return []side{{"a", "-", d.A, d.OnlyA}, {"b", "+", d.B, d.OnlyB}} }
