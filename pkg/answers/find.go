// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Find looks for calls in many recordings, one after the other, and in the log of execs. It keeps what it prints of a
// match, not the recordings.
type Find struct {
	Selection *straceback.Selection
	Limit     int // how many matches are kept: the newest ones
	Boot      time.Time

	Older      int    // matches that were left out because of Limit
	Recordings int    // that were searched
	Partial    int    // recordings of which calls are overwritten
	Lost       uint64 // calls that could not be recorded

	matches []*Match
	execs   map[uint32][]span // execs that matched, of recordings, by process
	values  []syscalls.Value
}

// Match is a kind of call of a process that matched: the same call for the same file or address, with the same error.
type Match struct {
	// At is when the newest of these calls began, in ns of CLOCK_BOOTTIME; of an earlier boot, it is negative as an int64.
	At        uint64
	Container *labels.Container // nil if it is no longer known
	Process   string            // its name and its ID in the container, or on the host if that is not known; escaped
	Call      string            // the newest one, in short; escaped
	Whole     string            // the same in strace's form: printable ASCII
	// Times is how many such calls were kept, or came in all, if that is known.
	Times uint64

	call json.RawMessage // of a recording
	exec *execlog.Event  // of the log of execs
}

// span is from the start to the end of a call, in ns of CLOCK_BOOTTIME.
type span struct{ begin, end uint64 }

// kind identifies the calls of a Match in a recording.
type kind struct {
	pid     uint32
	abi     syscalls.ABI
	nr      syscalls.Nr
	errno   int
	subject string
}

// group is the calls of a kind.
type group struct {
	begin  uint64 // of the newest one
	newest int    // its index among the selected calls
	kept   uint64
	inAll  uint64
}

// Recording looks for calls in a recording, whose container may be unknown.
func (f *Find) Recording(s Source) error {
	f.Recordings++
	f.Lost += s.Calls.Lost
	if s.Calls.Missing > 0 {
		f.Partial++
	}
	format := s.Format()
	f.Selection.Select(s.Timeline, format)
	chosen := f.choose(s.Timeline)
	index := 0
	for e := range s.Timeline.Calls {
		if g := chosen[index]; g != nil {
			line, err := format.AppendJSON(nil, e)
			if err != nil {
				return err
			}
			at := e.Call.Time + uint64(s.Boot.Sub(f.Boot))
			f.add(&Match{At: at, Container: s.Container, Process: thread(&e.Call), Call: f.short(e),
				Whole: whole(e), Times: max(g.kept, g.inAll), call: line})
		}
		index++
	}
	return nil
}

// choose groups the calls of a timeline, and returns the newest groups by the index of their newest call.
func (f *Find) choose(t *straceback.Timeline) map[int]*group {
	groups := map[kind]*group{}
	index := 0
	for e := range t.Calls {
		c := &e.Call
		f.values = c.Values(f.values[:0], e.Part == straceback.InFlight)
		k := kind{pid: c.PID, abi: c.ABI, nr: c.Nr, subject: subjectOf(e, f.values, nil)}
		if e.Part != straceback.InFlight && !c.Unfinished {
			k.errno = cmp.Or(c.Errno(), c.SocketError())
		}
		if d, ok := c.Delivery(); ok {
			k.subject = d.Signal
		}
		g := groups[k]
		if g == nil {
			g = &group{}
			groups[k] = g
		}
		g.begin, g.newest = c.Time, index
		g.kept++
		g.inAll = max(g.inAll, e.Count)
		if s := c.Syscall(); s != nil && (s.Name == "execve" || s.Name == "execveat") {
			if f.execs == nil {
				f.execs = map[uint32][]span{}
			}
			f.execs[c.PID] = append(f.execs[c.PID], span{c.Time, c.Time + c.Duration})
		}
		index++
	}
	all := make([]*group, 0, len(groups))
	for _, g := range groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.begin, a.begin), cmp.Compare(b.newest, a.newest))
	})
	if len(all) > f.Limit {
		f.Older += len(all) - f.Limit
		all = all[:f.Limit]
	}
	chosen := make(map[int]*group, len(all))
	for _, g := range all {
		chosen[g.newest] = g
	}
	return chosen
}

// Exec looks at an exec of the log of execs. Recordings come first: execs that are in them are left out.
func (f *Find) Exec(r *execlog.Record, c *labels.Container) {
	at := r.Entry.Time
	if slices.ContainsFunc(f.execs[r.PID], func(s span) bool { return s.begin <= at && at <= s.end }) {
		return
	}
	event := execlog.NewEvent(r, c, f.Boot)
	e := straceback.Event{Call: syscalls.Call{
		ABI: syscalls.NativeABI(), Nr: execve(), NArgs: 2, Args: [6]uint64{1, 1}, Result: int64(r.Result), Time: at,
		TID: r.TID, PID: r.PID, CPU: r.Entry.CPU, Comm: []byte(event.Comm), Captures: []syscalls.Capture{
			{Arg: 0, Data: r.Path, Truncated: r.PathTruncated()}, {Arg: 1, Data: r.Arguments, Truncated: r.ArgsTruncated()},
		},
	}}
	if r.Runtime() {
		e.Lane = straceback.Runtime
	}
	format := straceback.Format{Boot: f.Boot, Now: at}
	if c != nil {
		format.Start = c.Created
	}
	if f.Selection.Has(&e, &format) {
		f.add(&Match{At: at, Container: c, Process: thread(&e.Call), Call: f.short(&e), Whole: whole(&e), Times: 1,
			exec: &event})
	}
}

// execve returns the number of that call.
func execve() syscalls.Nr {
	nr, _ := syscalls.Find(syscalls.NativeABI(), "execve")
	return nr
}

// add keeps a match as long as it is one of the newest.
func (f *Find) add(m *Match) {
	f.matches = append(f.matches, m)
	if len(f.matches) >= 2*f.Limit {
		f.cut()
	}
}

// cut keeps the newest matches.
func (f *Find) cut() {
	slices.SortStableFunc(f.matches, func(a, b *Match) int { return cmp.Compare(int64(b.At), int64(a.At)) })
	if n := len(f.matches); n > f.Limit {
		f.Older += n - f.Limit
		clear(f.matches[f.Limit:])
		f.matches = f.matches[:f.Limit]
	}
}

// Matches returns what was found, the newest first.
func (f *Find) Matches() []*Match {
	f.cut()
	return f.matches
}

// thread names the process of a call, escaped, with its ID in the container if that is known.
func thread(c *syscalls.Call) string {
	return fmt.Sprintf("%s[%d]", terminal.Cell(string(c.Comm)), cmp.Or(c.Inner.PID, c.PID))
}

// whole returns a call in strace's form.
func whole(e *straceback.Event) string {
	return string(e.AppendPart(nil, &syscalls.Strace{}))
}

// short returns a call with only the paths or the address that it is about, the text by which it was found, and its
// result:
//
//	rename("/srv/a", "/srv/b") = ENOSPC
//
// Other calls, and ends of processes, are in strace's form.
func (f *Find) short(e *straceback.Event) string {
	c := &e.Call
	s := c.Syscall()
	f.values = c.Values(f.values[:0], e.Part == straceback.InFlight)
	about := f.about(e)
	executed := f.Selection.Text == "" && s != nil && (s.Name == "execve" || s.Name == "execveat")
	if len(about) == 0 || executed || c.Unfinished || c.NoEnter {
		return whole(e)
	}
	text := []byte(s.Name)
	for i, name := range about {
		text = terminal.AppendQuoted(append(text, []string{"(", ", "}[min(i, 1)]...), name)
	}
	text = append(text, ')')
	switch errno := cmp.Or(c.Errno(), c.SocketError()); {
	case e.Part == straceback.InFlight:
		return string(append(text, " <unfinished ...>"...))
	case errno != 0:
		return string(append(append(text, " = "...), syscalls.ErrnoName(errno)...))
	}
	return string(strconv.AppendInt(append(text, " = "...), c.Result, 10))
}

// about returns the paths or the address that a call is about, and the text by which it was found. They are hostile.
func (f *Find) about(e *straceback.Event) (all []string) {
	if e.Call.Event() {
		return nil
	}
	for _, v := range f.values {
		if path, ok := pathOf(&v); ok {
			all = append(all, path)
		}
	}
	if len(all) == 0 {
		if subject := subjectOf(e, f.values, nil); subject != "" {
			all = append(all, subject)
		}
	}
	if found := around(&e.Call, f.Selection.Text); found != "" {
		all = append(all, found)
	}
	return all
}

// around returns the first text in the memory of a call with what is around it. NULs, which end arguments, are blanks.
func around(c *syscalls.Call, text string) string {
	if text == "" {
		return ""
	}
	const before, after = 16, 48 // bytes
	for _, p := range c.Captures {
		at := bytes.Index(p.Data, []byte(text))
		if at < 0 || p.Arg == abi.CaptureResult {
			continue
		}
		from, to := max(0, at-before), min(len(p.Data), at+len(text)+after)
		found := strings.ReplaceAll(strings.Trim(string(p.Data[from:to]), "\x00"), "\x00", " ")
		if from > 0 {
			found = "…" + found
		}
		if to < len(p.Data) || p.Truncated {
			found += "…"
		}
		return found
	}
	return ""
}

// matchVersion is that of MatchJSON: it grows if a field changes its meaning or goes.
const matchVersion = 1

// MatchJSON is a Match in machine-readable form. Names are stable.
type MatchJSON struct {
	Version     int       `json:"version"`
	Time        time.Time `json:"time"` // when the newest call began
	Name        string    `json:"name"` // accepted by commands; empty if the container is no longer known
	Namespace   string    `json:"namespace,omitempty"`
	Pod         string    `json:"pod,omitempty"`
	Container   string    `json:"container,omitempty"`
	ContainerID string    `json:"containerID,omitempty"`
	Image       string    `json:"image,omitempty"`
	Evicted     bool      `json:"evicted,omitempty"` // the container is no longer known
	Times       uint64    `json:"times"`
	Process     string    `json:"process"` // its name and its ID in the container, or on the host; escaped
	Summary     string    `json:"summary"` // the newest call in short; escaped
	Text        string    `json:"text"`    // the same in strace's form
	// Call is the newest call, as `show -o json` prints it; or Exec is the exec, as `exec -o json` prints it.
	Call json.RawMessage `json:"call,omitempty"`
	Exec *execlog.Event  `json:"exec,omitempty"`
}

// JSON returns the match in machine-readable form.
func (m *Match) JSON(boot time.Time) MatchJSON {
	j := MatchJSON{Version: matchVersion, Time: boot.Add(time.Duration(m.At)), Evicted: m.Container == nil,
		Times: m.Times, Process: m.Process, Summary: m.Call, Text: m.Whole, Call: m.call, Exec: m.exec}
	if c := m.Container; c != nil {
		j.Name, j.Namespace, j.Pod, j.Container = c.FullName(), c.Namespace, c.Pod, c.Name
		j.ContainerID, j.Image = c.ID, c.Image
	}
	return j
}
