// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// traceEvent is an event of Chrome's trace-event format, which Perfetto, Chromium's DevTools and speedscope read. Its
// times are in microseconds.
type traceEvent struct {
	Phase    string       `json:"ph"` // X: a slice; i: an instant; M: a name
	Name     string       `json:"name"`
	Category string       `json:"cat,omitempty"`
	Time     json.Number  `json:"ts"`
	Duration *json.Number `json:"dur,omitempty"`
	PID      uint32       `json:"pid"`
	TID      uint32       `json:"tid"`
	Scope    string       `json:"s,omitempty"`     // of an instant: p: its process; t: its thread; g: all
	Color    string       `json:"cname,omitempty"` // one of the names that Chromium's trace viewer knows
	Args     any          `json:"args,omitempty"`
}

// traceArgs are details of a call or an event.
type traceArgs struct {
	Call     string `json:"call"` // in strace's form
	Ret      *int64 `json:"ret,omitempty"`
	Errno    string `json:"errno,omitempty"`
	Lane     string `json:"lane"`
	Count    uint64 `json:"count,omitempty"`
	InnerPID uint32 `json:"innerPID,omitempty"`
	InnerTID uint32 `json:"innerTID,omitempty"`
}

// traceName is the name of a process or a thread.
type traceName struct {
	Name string `json:"name"`
}

// traceData says what a trace is of.
type traceData struct {
	ContainerID string    `json:"containerID"`
	Boot        time.Time `json:"boot"` // the moment 0 of the times of the trace
	Overwritten uint64    `json:"overwritten"`
	// Complete is the time in the trace, in microseconds, since when all calls are there; absent if none is missing.
	Complete json.Number `json:"complete,omitempty"`
}

// WritePerfetto writes a timeline in Chrome's trace-event format: calls as slices on their threads, signals and ends of
// threads as instants. Calls that failed are in the category "failed". Times are those of CLOCK_BOOTTIME.
func (f *Format) WritePerfetto(to io.Writer, t *Timeline) error {
	out := bufio.NewWriterSize(to, bufferSize)
	data := traceData{ContainerID: f.Container, Boot: f.Boot, Overwritten: f.Missing}
	if f.Missing > 0 {
		data.Complete = microseconds(f.Complete)
	}
	head, err := json.Marshal(&data)
	if err != nil {
		return fmt.Errorf("encoding a trace: %w", err)
	}
	out.Write(terminal.AppendJSON([]byte(`{"displayTimeUnit":"ns","otherData":`), head))
	out.WriteString(`,"traceEvents":[`)
	separator := "\n"
	var text []byte
	write := func(e *traceEvent) bool {
		var encoded []byte
		if encoded, err = json.Marshal(e); err != nil {
			err = fmt.Errorf("encoding a trace: %w", err)
			return false
		}
		text = terminal.AppendJSON(append(text[:0], separator...), encoded)
		separator = ",\n"
		_, err = out.Write(text)
		return err == nil
	}
	if f.traceNames(t, write); err != nil {
		return err
	}
	if f.Missing > 0 && !write(&traceEvent{Phase: "i", Name: "from here on every call", Category: "kept",
		Time: data.Complete, Scope: "g"}) {
		return err
	}
	for e := range t.Calls {
		if !f.traceCall(e, write) {
			return err
		}
	}
	out.WriteString("\n]}\n")
	return out.Flush()
}

// traceNames writes the names of processes and threads: those of their last calls.
func (f *Format) traceNames(t *Timeline, write func(*traceEvent) bool) {
	type thread struct{ pid, tid uint32 }
	name := func(kind string, of thread, name string) bool {
		return write(&traceEvent{Phase: "M", Name: kind, Time: "0", PID: of.pid, TID: of.tid, Args: traceName{name}})
	}
	names := map[thread]string{}
	inner := map[uint32]uint32{}
	var threads []thread
	for e := range t.Calls {
		c := &e.Call
		of := thread{c.PID, c.TID}
		if _, known := names[of]; !known {
			threads = append(threads, of)
		}
		names[of] = string(c.Comm)
		if c.Inner.PID != 0 {
			inner[c.PID] = c.Inner.PID
		}
	}
	named := map[uint32]bool{}
	for _, of := range threads {
		if !named[of.pid] {
			named[of.pid] = true
			first := thread{of.pid, of.pid}
			process, known := names[first]
			if !known {
				process = names[of]
			}
			if inner := inner[of.pid]; inner != 0 {
				process += " [" + strconv.FormatUint(uint64(inner), 10) + "]"
			}
			if !name("process_name", first, process) {
				return
			}
		}
		if !name("thread_name", of, names[of]) {
			return
		}
	}
}

// traceCall writes a call, and the end of its thread.
func (f *Format) traceCall(e *Event, write func(*traceEvent) bool) bool {
	c := &e.Call
	args := traceArgs{Call: string(e.AppendPart(nil, &f.strace)), Lane: e.Lane.String(), Count: e.Count,
		InnerPID: c.Inner.PID, InnerTID: c.Inner.TID}
	event := traceEvent{Time: microseconds(c.Time), PID: c.PID, TID: c.TID, Args: &args}
	if d, ok := c.Delivery(); ok {
		event.Phase, event.Name, event.Category, event.Scope = "i", d.Signal, "signal", "t"
		return write(&event)
	}
	if s := c.Syscall(); s != nil && !c.Event() {
		event.Phase, event.Name, event.Category = "X", s.Name, "syscall"
		duration := c.Duration
		switch {
		case e.Part == InFlight:
			event.Category, duration = "syscall,unfinished", max(f.Now, c.Time)-c.Time
		case c.Failed():
			event.Category, event.Color = "syscall,failed", "terrible"
		}
		if e.Part != InFlight && !c.Unfinished {
			args.Ret = &c.Result
			if errno := c.Errno(); errno != 0 {
				args.Errno = syscalls.ErrnoName(errno)
			}
		}
		d := microseconds(duration)
		event.Duration = &d
		if !write(&event) {
			return false
		}
	}
	if !c.Unfinished {
		return true
	}
	status := syscalls.StatusOf(c.Result)
	end := traceEvent{Phase: "i", Name: "exited with " + strconv.Itoa(status.Code), Category: "end",
		Time: microseconds(c.Time + c.Duration), PID: c.PID, TID: c.TID, Scope: "t"}
	if status.Signal != "" {
		end.Name, end.Color = "killed by "+status.Signal, "terrible"
	}
	return write(&end)
}

// microseconds returns a time in ns as a number of microseconds.
func microseconds(ns uint64) json.Number {
	text := strconv.AppendUint(nil, ns/1000, 10)
	if rest := ns % 1000; rest != 0 {
		text = append(text, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	}
	return json.Number(text)
}
