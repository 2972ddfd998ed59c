// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// begin writes what comes before the calls.
func (x *exporter) begin() error {
	b := beginning{exporter: x, processes: map[*answers.Process]bool{}, born: map[uint32]bool{},
		opened: map[descriptor]bool{}, files: map[uint32][]openFile{}}
	for e := range x.past.Timeline.Calls {
		b.add(e)
	}
	x.write(appendSection(nil, uint32(b.cpus), x.boot))
	for i := range b.tasks {
		x.write(b.tasks[i].appendProcess(nil))
	}
	for i := range b.tasks {
		if t := &b.tasks[i]; t.tid == t.pid && len(b.files[t.pid]) > 0 {
			x.write(appendFiles(nil, t.pid, b.files[t.pid]))
		}
	}
	c := x.past.Container
	if c == nil {
		return x.err
	}
	text, err := describe(c, x.boot+c.Created)
	if err != nil {
		return err
	}
	x.event.reset()
	x.event.bytes(append(text, 0))
	x.write(x.event.append(nil, header{typ: eventContainer, tid: -1, time: x.boot + b.first}, true))
	return x.err
}

// beginning collects what was there before the first call.
type beginning struct {
	*exporter
	cpus      int
	first     uint64 // ns of CLOCK_BOOTTIME
	tasks     []task
	processes map[*answers.Process]bool // that have a task
	born      map[uint32]bool           // threads, by ID, that a call makes
	opened    map[descriptor]bool
	files     map[uint32][]openFile // by the ID of the process
}

// descriptor is a number that a process had for a file, or may have had.
type descriptor struct {
	process *answers.Process
	number  int32
}

// add learns from a call: threads and descriptors that no earlier one made were there at the beginning.
func (b *beginning) add(e *straceback.Event) {
	c := &e.Call
	b.cpus = max(b.cpus, int(c.CPU)+1)
	if b.first == 0 {
		b.first = c.Time
	}
	p := b.exporter.processes.at(c.PID, c.Time)
	if p == nil {
		return
	}
	if !p.Made && !b.born[c.TID] {
		t := b.taskOf(c)
		b.found(t.first())
		b.found(t)
	}
	if !b.processes[p] {
		b.processes[p] = true
		b.ancestors(p)
	}
	for fd := range int32(3) {
		if f, ok := c.Beginning(fd); ok && !f.Detached && f.Path != "" {
			b.uses(p, fd, &syscalls.Descriptor{Path: f.Path})
		}
	}
	if c.Event() || c.Syscall() == nil {
		return
	}
	if r := rowOf(c.Syscall()); r != nil && makes(r) {
		if child, ok := c.Child(); ok {
			b.born[child] = true
		}
	}
	b.values = c.Values(b.values[:0], e.Part == straceback.InFlight)
	for i := range b.values {
		v := &b.values[i]
		switch {
		case v.Kind != syscalls.KindFD:
		case v.Name == "": // of an array that the call filled
			b.opened[descriptor{p, int32(v.Number)}] = true
		case v.File != nil:
			b.uses(p, int32(v.Number), v.File)
		}
	}
	if c.ReturnsDescriptor() {
		b.opened[descriptor{p, int32(c.Result)}] = true
	}
}

// found adds a thread that was there.
func (b *beginning) found(t task) {
	if !b.known[t.tid] {
		b.known[t.tid] = true
		b.tasks = append(b.tasks, t)
	}
}

// uses notes that a process uses a descriptor. If no process between it and one of the beginning opened it, that one
// had it.
func (b *beginning) uses(p *answers.Process, number int32, is *syscalls.Descriptor) {
	for !b.opened[descriptor{p, number}] {
		b.opened[descriptor{p, number}] = true
		if !p.Made || p.Parent == nil {
			b.files[p.PID] = append(b.files[p.PID], openFile{number, *is})
			return
		}
		p = p.Parent
	}
}

// ancestors adds those of a process that were there at the beginning and make no call before it.
func (b *beginning) ancestors(p *answers.Process) {
	const generations = 64
	for n := 0; p.Parent != nil && n < generations; n++ {
		if p = p.Parent; b.processes[p] || b.known[p.PID] {
			return
		}
		if b.processes[p] = true; p.Made {
			continue
		}
		t := task{tid: p.PID, pid: p.PID, program: programOf(p, p.Began), command: p.Comm, cgroups: b.cgroups}
		if t.inner.TID, t.inner.PID = p.Inner, p.Inner; p.Parent != nil {
			t.parent = p.Parent.PID
		}
		b.found(t)
	}
}
