// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// task is what a thread is at a time. Its texts are hostile.
type task struct {
	tid, pid, parent uint32 // in the initial PID namespace
	inner            syscalls.IDs
	program          answers.Exec
	command          string
	directory        string // "" if it is not known
	cgroups          string
}

// first returns the first thread of the process.
func (t task) first() task {
	t.tid, t.inner.TID = t.pid, t.inner.PID
	return t
}

// executable returns the first argument of the program, or what is known instead.
func (t *task) executable() string {
	switch {
	case len(t.program.Args) > 0:
		return t.program.Args[0]
	case t.program.Path != "":
		return t.program.Path
	}
	return t.command
}

// arguments returns those behind the first one, each with a NUL.
func (t *task) arguments() string {
	var all strings.Builder
	for i, arg := range t.program.Args {
		if i > 0 {
			all.WriteString(arg)
			all.WriteByte(0)
		}
	}
	text := all.String()
	if len(text) > argumentsMax {
		text = text[:argumentsMax-1] + "\x00"
	}
	return text
}

// innerIDs returns the IDs of the thread and its process in their PID namespace, or those of the host.
func (t *task) innerIDs() (tid, pid uint64) {
	if t.inner.TID == 0 || t.inner.PID == 0 {
		return uint64(t.tid), uint64(t.pid)
	}
	return uint64(t.inner.TID), uint64(t.inner.PID)
}

// The parameters that say what a thread is.
var (
	executable = own(func(e *event, c *call) { e.text(c.task.executable()) })
	arguments  = own(func(e *event, c *call) { e.bytes([]byte(c.task.arguments())) })
	threadID   = own(func(e *event, c *call) { e.u64(uint64(c.task.tid)) })
	processID  = own(func(e *event, c *call) { e.u64(uint64(c.task.pid)) })
	parentID   = own(func(e *event, c *call) { e.u64(uint64(c.task.parent)) })
	directory  = own(func(e *event, c *call) { e.text(c.task.directory) })
	command    = own(func(e *event, c *call) { e.text(c.task.command) })
	cgroups    = own(func(e *event, c *call) { e.bytes([]byte(c.task.cgroups)) })
	clone      = own(func(e *event, c *call) { e.u32(uint32(c.flags)) })

	innerThread = own(func(e *event, c *call) {
		tid, _ := c.task.innerIDs()
		e.u64(tid)
	})
	innerProcess = own(func(e *event, c *call) {
		_, pid := c.task.innerIDs()
		e.u64(pid)
	})
)

// program is the path that execveat takes, made absolute, or unknown: with another one sysdig 0.29.3 crashes at the end
// of a successful call, when it looks for the directory from which the path begins.
var program = parameter{"filename", func(e *event, c *call) {
	given := c.given("filename")
	if given == nil {
		e.text(unknown)
		return
	}
	paths := []string{string(given.Bytes)}
	if f, ok := c.File(); ok && !f.Truncated {
		paths = append(paths, f.Path)
	}
	if given.File != nil {
		paths = append(paths, given.File.Path)
	}
	if d := c.file("fd", false); len(given.Bytes) == 0 && !d.Truncated { // AT_EMPTY_PATH
		paths = append(paths, d.Path)
	}
	for _, path := range paths {
		if strings.HasPrefix(path, "/") {
			e.text(path)
			return
		}
	}
	e.text(unknown)
}}

// Flags of clone that the format has.
const (
	cloneThread    = 1 << 13
	cloneNamespace = 1 << 29 // the task is not in the initial PID namespace: readers take it from its own event
)

// cloneFlags returns the flags of a call that makes a process or a thread.
func (c *call) cloneFlags() uint64 {
	flags := uint64(cloneNamespace)
	if v, parts := c.arg("uargs"); v != nil {
		if v = inside(parts, "flags"); v != nil {
			flags |= cloneFlags.of(v)
		}
	}
	return flags | c.named("clone_flags", cloneFlags)
}

// appendProcess appends a list of one thread as it was at the beginning.
func (t *task) appendProcess(dst []byte) []byte {
	start := len(dst)
	dst = beginBlock(dst, blockProcesses)
	entry := len(dst)
	dst = append(dst, 0, 0, 0, 0) // its length, this number included
	for _, n := range []uint32{t.tid, t.pid, t.parent} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, make([]byte, 2*8)...) // session, process group
	dst = appendText(dst, t.command, pathMax)
	dst = appendText(dst, t.executable(), pathMax)
	dst = appendText(dst, t.program.Path, pathMax)
	dst = appendText(dst, t.arguments(), argumentsMax)
	dst = appendText(dst, t.directory, pathMax)
	dst = append(dst, make([]byte, 8+4)...) // limit of descriptors, flags
	for range 2 {                           // user, group
		dst = binary.LittleEndian.AppendUint32(dst, ^uint32(0))
	}
	dst = append(dst, make([]byte, 3*4+2*8)...) // memory, page faults
	dst = appendText(dst, "", 0)                // environment
	tid, pid := t.innerIDs()
	dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, tid), pid)
	dst = appendText(dst, t.cgroups, argumentsMax)
	dst = appendText(dst, "/", pathMax)                  // root directory
	dst = binary.LittleEndian.AppendUint32(dst, 1<<32-1) // login's user
	dst = append(dst, 0)                                 // it can write its program's file
	binary.LittleEndian.PutUint32(dst[entry:], uint32(len(dst)-entry))
	return endBlock(dst, start)
}

// processes are those of a recording, by ID and then by their beginning.
type processes map[uint32][]*answers.Process

func processesOf(past *answers.Past) processes {
	all := processes{}
	for _, p := range past.Processes {
		all[p.PID] = append(all[p.PID], p)
	}
	return all
}

// at returns the process that had an ID at a time, or nil.
func (all processes) at(pid uint32, time uint64) *answers.Process {
	list := all[pid]
	for _, p := range slices.Backward(list) {
		if p.Began <= time {
			return p
		}
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// programOf returns the program that a process executed last, or the one that its parent had when it made the process.
func programOf(p *answers.Process, time uint64) answers.Exec {
	const generations = 64
	for n := 0; p != nil && n < generations; n++ {
		after, _ := slices.BinarySearchFunc(p.Execs, time, func(x answers.Exec, time uint64) int {
			if x.At <= time {
				return -1
			}
			return 1
		})
		if after > 0 {
			return p.Execs[after-1]
		}
		p, time = p.Parent, p.Began
	}
	return answers.Exec{}
}
