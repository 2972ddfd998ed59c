// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// Format determines how calls are shown.
type Format struct {
	Container string    // ID, for JSON
	Start     uint64    // ns of CLOCK_BOOTTIME that times are relative to
	Boot      time.Time // when CLOCK_BOOTTIME began, by the wall clock
	Times     timestamp.Style
	Durations bool // after each call that ended: "<0.000123>", in seconds
	// ContainerPIDs adds to the IDs of process and thread those that the container sees: "pid 23855 (7)".
	ContainerPIDs bool
	NoAddresses   bool // leave out the address of memory that is shown
	Color         bool // for a terminal
	// Strace prints lines as strace -f -tt -T does. Then Times and Durations do not matter.
	Strace bool
	// Verbose shows all members of structs that were recorded.
	Verbose bool
	// Missing and Complete are those of the Calls. Those that ended before Complete are marked with how often they came.
	Missing  uint64
	Complete uint64
	// Now is the moment to which the marks are relative, in ns of CLOCK_BOOTTIME: the container's end if Ended is true.
	Now   uint64
	Ended bool

	last   uint64 // time of the line before, in ns of CLOCK_BOOTTIME
	text   syscalls.Text
	strace syscalls.Strace
}

// AppendLine appends an event of a timeline as one line:
//
//	00:00.063359811 cpu#1 pid 23855 [ls] newfstatat(dfd=AT_FDCWD, ...) = 0
//
// If the thread's ID differs from the process's, it follows ("pid 10 tid 12"). The time is the start of the call, or
// the end for an End event. If such a call came again and not all of these are shown, "<×36,012, last 100ms ago>"
// follows, or "before the end" instead of "ago": it came 36,012 times in all.
func (f *Format) AppendLine(dst []byte, event *Event) []byte {
	f.text.Verbose, f.strace.Verbose = f.Verbose, f.Verbose
	if f.Strace {
		return f.appendStrace(dst, event)
	}
	call, part := &event.Call, event.Part
	dst = f.appendOrigin(f.paint(dst, faint), event)
	dst = f.paint(dst, plain)
	if call.Failed() && part != Begin {
		dst = f.paint(dst, red)
	} else if call.Event() {
		dst = f.paint(dst, yellow)
	}
	f.text.NoAddresses = f.NoAddresses
	dst = event.AppendPart(dst, &f.text)
	dst = f.paint(dst, plain)
	if f.Durations && (part == Whole || part == End) && !call.NoEnter && !call.Event() {
		dst = append(dst, " <"...)
		dst = strconv.AppendUint(dst, call.Duration/1e9, 10)
		dst = timestamp.AppendDigits(append(dst, '.'), call.Duration%1e9/1e3, 6)
		dst = append(dst, '>')
	}
	if event.Count > 1 && f.sparse(event) && (part == Whole || part == End) {
		since := time.Duration(f.Now - min(f.Now, max(event.Last, call.Time)))
		dst = append(dst, " <×"...)
		dst = append(dst, terminal.Number(event.Count)...)
		dst = append(dst, ", last "...)
		dst = append(dst, timestamp.Brief(since)...)
		if f.Ended {
			dst = append(dst, " before the end>"...)
		} else {
			dst = append(dst, " ago>"...)
		}
	}
	return append(dst, '\n')
}

// Printer prints a call, or a part of one, in some form: a syscalls.Text or a syscalls.Strace.
type Printer interface {
	Append(dst []byte, c *syscalls.Call) []byte
	AppendEnter(dst []byte, c *syscalls.Call) []byte
	AppendExit(dst []byte, c *syscalls.Call) []byte
	AppendInFlight(dst []byte, c *syscalls.Call) []byte
}

// AppendPart appends the part of a call that the event is.
func (e *Event) AppendPart(dst []byte, p Printer) []byte {
	switch e.Part {
	case Begin:
		return p.AppendEnter(dst, &e.Call)
	case End:
		return p.AppendExit(dst, &e.Call)
	case InFlight:
		return p.AppendInFlight(dst, &e.Call)
	}
	return p.Append(dst, &e.Call)
}

// appendOrigin appends where and when an event happened.
func (f *Format) appendOrigin(dst []byte, event *Event) []byte {
	call, at := &event.Call, event.At()
	if f.Times != timestamp.None {
		from := f.Start
		if f.Times == timestamp.Delta {
			from = cmp.Or(f.last, at)
			f.last = at
		}
		dst = append(f.Times.Append(dst, f.Boot.Add(time.Duration(at)), time.Duration(at-from)), ' ')
	}
	dst = append(dst, "cpu#"...)
	dst = strconv.AppendUint(dst, uint64(call.CPU), 10)
	dst = f.appendID(append(dst, " pid "...), call.PID, call.Inner.PID)
	if call.TID != call.PID {
		dst = f.appendID(append(dst, " tid "...), call.TID, call.Inner.TID)
	}
	dst = append(dst, " ["...)
	dst = appendComm(dst, call.Comm)
	return append(dst, "] "...)
}

// appendID appends the ID of a process or a thread, and the one that the container sees, or "?".
func (f *Format) appendID(dst []byte, id, inner uint32) []byte {
	dst = strconv.AppendUint(dst, uint64(id), 10)
	switch {
	case !f.ContainerPIDs:
		return dst
	case inner == 0:
		return append(dst, " (?)"...)
	}
	return append(strconv.AppendUint(append(dst, " ("...), uint64(inner), 10), ')')
}

// Colors of a terminal.
const (
	plain  = "\x1b[m"
	faint  = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
)

// paint changes the color of what follows.
func (f *Format) paint(dst []byte, color string) []byte {
	if !f.Color {
		return dst
	}
	return append(dst, color...)
}

// sparse reports whether calls after this one are not kept.
func (f *Format) sparse(event *Event) bool {
	return event.Lane == Runtime || event.Part != InFlight && event.Call.Time+event.Call.Duration < f.Complete
}

// marks begin what is not text of a container in a line, and "] " ends the thread's name.
var marks = [][]byte{
	[]byte("] "), []byte("<"), []byte(">"), []byte(`"`), []byte("..."), []byte("+++"), []byte(" = "), []byte("(enter "),
}

// appendComm appends the name of a thread. It escapes the first byte of each mark in it, so that a thread's name cannot
// be mistaken for one.
func appendComm(dst, comm []byte) []byte {
	plain := 0
	for i := range comm {
		if slices.ContainsFunc(marks, func(mark []byte) bool { return bytes.HasPrefix(comm[i:], mark) }) {
			dst = terminal.AppendByte(terminal.Append(dst, comm[plain:i]), comm[i])
			plain = i + 1
		}
	}
	return terminal.Append(dst, comm[plain:])
}

// callJSON is a call's line of JSON. Names of fields are stable. Container, thread and begin identify a call, because a
// thread is in one call at a time.
type callJSON struct {
	Version   int       `json:"version"` // of CallSchema
	Container string    `json:"containerID"`
	Time      time.Time `json:"time"`     // of its start; RFC 3339 with nanoseconds
	Elapsed   int64     `json:"elapsed"`  // ns from the container's creation to its start
	Duration  *uint64   `json:"duration"` // ns; null if it has not ended
	PID       uint32    `json:"pid"`
	TID       uint32    `json:"tid"`
	InnerPID  uint32    `json:"innerPID,omitempty"` // as the container sees them
	InnerTID  uint32    `json:"innerTID,omitempty"`
	CPU       uint16    `json:"cpu"`
	Comm      string    `json:"comm"`
	Lane      string    `json:"lane"`
	// Sparse is true if calls between this one and the next are not kept.
	Sparse bool `json:"sparse,omitempty"`
	// Count is how often such a call came in all; LastTime is when it came last.
	Count    uint64     `json:"count,omitempty"`
	LastTime *time.Time `json:"lastTime,omitempty"`
	syscalls.JSON
}

// AppendJSON appends a call, Whole or InFlight, as one line of JSON.
func (f *Format) AppendJSON(dst []byte, event *Event) ([]byte, error) {
	call, part, duration := &event.Call, event.Part, event.Call.Duration
	j := callJSON{
		Version:   callVersion,
		Container: f.Container,
		Time:      f.Boot.Add(time.Duration(call.Time)),
		Elapsed:   int64(call.Time - f.Start),
		Duration:  &duration,
		PID:       call.PID,
		TID:       call.TID,
		InnerPID:  call.Inner.PID,
		InnerTID:  call.Inner.TID,
		CPU:       call.CPU,
		Comm:      string(call.Comm),
		Lane:      event.Lane.String(),
		Sparse:    f.sparse(event),
		Count:     event.Count,
		JSON:      call.JSON(part == InFlight),
	}
	if part == InFlight {
		j.Duration = nil
	}
	if event.Count > 0 {
		last := f.Boot.Add(time.Duration(max(event.Last, call.Time)))
		j.LastTime = &last
	}
	encoded, err := json.Marshal(&j)
	if err != nil {
		return dst, fmt.Errorf("encoding a call: %w", err)
	}
	return append(terminal.AppendJSON(dst, encoded), '\n'), nil
}
