// SPDX-License-Identifier: Apache-2.0

// Package scap writes recordings in the capture format that sysdig, Stratoshark and Falco read.
//
// A file is a list of blocks: the machine, the processes and their descriptors as they were at the beginning, and then
// events. Each call is an event at its start and one at its end. The parameters of both are in a table, by call:
// readers find out themselves what a descriptor or a process is, from earlier events.
package scap

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

const bufferSize = 256 << 10 // bytes

// Unnamed counts the calls for which the format has neither an event nor a name, by name. They are in the file as calls
// that are not known.
type Unnamed map[string]uint64

// Write writes the calls of a past's timeline. Processes are those of the past, which may know more calls. It returns
// the calls for which the format has no name.
func Write(to io.Writer, past *answers.Past) (Unnamed, error) {
	x := exporter{
		out: bufio.NewWriterSize(to, bufferSize), past: past, processes: processesOf(past), known: map[uint32]bool{},
		boot: uint64(past.Boot.UnixNano()), native: cmp.Or(past.Calls.Native, syscalls.NativeABI()), unnamed: Unnamed{},
	}
	if past.Container != nil {
		x.cgroups = "cpu=" + group(past.Container) + "\x00"
	}
	if err := x.begin(); err != nil {
		return nil, err
	}
	for e := range past.Timeline.Events {
		if x.add(e); x.err != nil {
			return nil, fmt.Errorf("writing events: %w", x.err)
		}
	}
	if err := x.out.Flush(); err != nil {
		return nil, fmt.Errorf("writing events: %w", err)
	}
	return x.unnamed, nil
}

// exporter writes a file.
type exporter struct {
	out       *bufio.Writer
	past      *answers.Past
	processes processes
	known     map[uint32]bool // the threads that readers know
	cgroups   string
	boot      uint64 // ns since 1970
	native    syscalls.ABI
	unnamed   Unnamed
	err       error

	event  event
	block  []byte
	values []syscalls.Value
}

func (x *exporter) write(block []byte) {
	if x.err == nil {
		_, x.err = x.out.Write(block)
	}
}

// taskOf returns what the thread of a call is, before the call.
func (x *exporter) taskOf(c *syscalls.Call) task {
	t := task{tid: c.TID, pid: c.PID, inner: c.Inner, command: string(c.Comm), cgroups: x.cgroups}
	if p := x.processes.at(c.PID, c.Time); p != nil {
		t.program = programOf(p, c.Time-1)
		if p.Parent != nil {
			t.parent = p.Parent.PID
		}
	}
	if f, ok := c.Beginning(syscalls.CWD); ok {
		t.directory = f.Path
	} else if c.Describe != nil {
		if d := c.Describe(syscalls.CWD, false); d != nil {
			t.directory = d.Path
		}
	}
	return t
}

// add writes the events of a call, or of a part of it.
func (x *exporter) add(e *straceback.Event) {
	c := call{Call: &e.Call, result: e.Call.Result, task: x.taskOf(&e.Call)}
	x.introduce(&c)
	if d, ok := c.Delivery(); ok {
		sender := uint64(0)
		if d.Sender != nil {
			sender = uint64(d.Sender.PID)
		}
		x.emit(eventSignal, c.Time, &c, p{constant(8, sender), threadID, constant(1, c.Args[abi.SignalNumber])})
		return
	}
	if !c.Event() {
		x.call(e, &c)
	}
	if c.Unfinished && e.Part != straceback.Begin && e.Part != straceback.InFlight {
		status := uint64(c.Result)
		signal := status & 0x7f
		x.emit(eventExit, c.Time+c.Duration, &c, p{result, constant(8, status>>8&0xff), constant(1, signal),
			constant(1, status>>7&1)})
		delete(x.known, c.TID)
	}
}

// call writes the events of a call's start and end.
func (x *exporter) call(e *straceback.Event, c *call) {
	r := rowOf(c.Syscall())
	if r != nil {
		x.values = c.Values(x.values[:0], e.Part == straceback.InFlight || e.Part == straceback.Begin && c.Unfinished)
		c.values = x.values
	} else {
		code := constant(2, uint64(x.codeOf(c, e.Part != straceback.End)))
		number, _ := c.Number()
		if c.ABI != x.native {
			number = 0xffff // readers take it for one of the machine's own ABI
		}
		r = &row{event: eventGeneric, enter: p{code, constant(2, uint64(number))}, exit: p{code}}
	}
	if makes(r) {
		c.flags = c.cloneFlags()
	}
	if e.Part != straceback.End {
		begun := *c
		if e.From != 0 {
			begun.task.tid = e.From
			x.introduce(&begun)
		}
		x.emit(r.event, c.Time, &begun, r.enter)
		if makes(r) && c.result > 0 && !c.Unfinished {
			x.birth(c)
		}
	}
	if executes(r) && !c.Failed() {
		c.task.program = programOf(x.processes.at(c.PID, c.Time), c.Time)
	}
	if e.Part != straceback.Begin && e.Part != straceback.InFlight && !c.Unfinished {
		x.emit(r.event+1, c.Time+c.Duration, c, r.exit)
	}
}

// codeOf returns the number of a call that has no event of its own.
func (x *exporter) codeOf(c *call, count bool) uint16 {
	plain := *c.Call
	plain.Native = c.ABI // without the name of the ABI
	name := string(plain.AppendName(nil))
	code, ok := codes[name]
	if !ok && count {
		x.unnamed[name]++
	}
	return code
}

// introduce writes the event by which readers learn of a thread that was made after the beginning: the return of clone
// in the new thread.
func (x *exporter) introduce(c *call) {
	if x.known[c.task.tid] {
		return
	}
	x.known[c.task.tid] = true
	born := *c
	born.result, born.flags = 0, c.flags|cloneNamespace
	if c.task.tid != c.task.pid {
		first := c.task.first()
		x.introduce(&call{Call: c.Call, task: first})
		born.flags |= cloneThread
	}
	x.emit(eventClone+1, c.Time, &born, byName["clone"].exit)
}

// birth introduces the thread that a call makes, if it is known. It has its descriptors from the call's start on, and
// may make calls before the call returns.
func (x *exporter) birth(c *call) {
	child, ok := c.Child()
	if !ok {
		return
	}
	delete(x.known, child)
	born := *c
	born.task.tid, born.task.inner.TID = child, uint32(c.result)
	if c.flags&cloneThread == 0 {
		born.task.parent, born.task.pid, born.task.inner.PID = c.task.pid, child, uint32(c.result)
	}
	x.introduce(&born)
}

// emit writes an event.
func (x *exporter) emit(typ uint16, time uint64, c *call, parameters []parameter) {
	x.event.reset()
	for i := range parameters {
		parameters[i].add(&x.event, c)
	}
	h := header{typ: typ, cpu: c.CPU, tid: int64(c.task.tid), time: x.boot + time}
	x.block = x.event.append(x.block[:0], h, false)
	x.write(x.block)
}

// Names returns the names of the calls, the most frequent one first.
func (u Unnamed) Names() []string {
	return slices.SortedFunc(maps.Keys(u), func(a, b string) int {
		return cmp.Or(cmp.Compare(u[b], u[a]), cmp.Compare(a, b))
	})
}
