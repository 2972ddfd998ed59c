// SPDX-License-Identifier: Apache-2.0

package answers

import (
	endian "encoding/binary"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Process is a process of the container.
type Process struct {
	PID, Inner uint32 // in the initial PID namespace, and in its own; Inner is 0 if it is not known
	Parent     *Process
	Children   []*Process
	Comm       string // of its last call; hostile
	// Began is when it was made, or its first call that is kept, Ended its end, in ns of CLOCK_BOOTTIME. Ended is 0 if it
	// is not known.
	Began, Ended uint64
	Made         bool  // the call that made it is kept
	Wait         int64 // how it ended, in the format of wait(2); valid if Ended is set
	OutOfMemory  bool  // the kernel killed it because memory ran out
	Execs        []Exec
	// Runtime is true as long as only the container runtime's calls were seen of it.
	Runtime bool
	// Outside is true if it came from outside of the container, as the init and those of exec do.
	Outside bool
	Threads int  // that are known, the first one included
	Guessed bool // Parent is guessed

	forks    uint64 // calls that made processes
	children uint64 // that are known
}

// birth is the call that made a process.
type birth struct {
	parent *Process
	at     uint64 // ns of CLOCK_BOOTTIME
}

// Exec is a program that a process executed.
type Exec struct {
	At   uint64   // ns of CLOCK_BOOTTIME
	Path string   // hostile
	Args []string // as far as they were recorded; hostile
}

// Failed reports whether the process ended with a failure.
func (p *Process) Failed() bool { return p.Ended != 0 && p.Code() != 0 }

// Code returns the exit code as a shell gives it: 128 and the signal's number, if one killed the process.
func (p *Process) Code() int {
	if signal := int(p.Wait & 0x7f); signal != 0 {
		return 128 + signal
	}
	return p.Status().Code
}

// Status describes how the process ended.
func (p *Process) Status() syscalls.Status { return syscalls.StatusOf(p.Wait) }

// Within reports whether the process is another one or descends from it.
func (p *Process) Within(ancestor *Process) bool {
	for ; p != nil; p = p.Parent {
		if p == ancestor {
			return true
		}
	}
	return false
}

// processOf returns the process of a call, and learns about it.
func (p *Past) processOf(e *straceback.Event) *Process {
	c := &e.Call
	process := p.running[c.PID]
	if process == nil || process.Ended != 0 && p.again(process, c) {
		process = p.begin(e)
	}
	if p.threads[c.TID] != process {
		p.threads[c.TID] = process
		process.Threads++
	}
	if e.Lane != straceback.Runtime {
		process.Runtime = false
	}
	if _, outside := c.Beginning(syscalls.CWD); outside {
		process.Outside = true
	}
	if c.Inner.PID != 0 {
		process.Inner = c.Inner.PID
	}
	process.Comm = string(c.Comm)
	if c.Unfinished {
		p.end(process, e)
		return process
	}
	if e.Part != straceback.InFlight {
		p.reap(process, c)
	}
	s := c.Syscall()
	if s == nil || c.Event() || e.Part == straceback.InFlight || c.Failed() {
		return process
	}
	switch s.Name {
	case "clone", "clone3", "fork", "vfork":
		child, ok := c.Child()
		switch {
		case !ofThread(c):
			process.forks += max(e.Count, 1)
			if ok {
				p.births[child] = birth{process, c.Time}
			}
		case ok && p.threads[child] != process:
			p.threads[child] = process
			process.Threads++
		}
	case "execve", "execveat":
		process.Execs = append(process.Execs, p.exec(c))
	}
	return process
}

// begin adds the process of a call that is the first one of it.
func (p *Past) begin(e *straceback.Event) *Process {
	c := &e.Call
	process := &Process{PID: c.PID, Began: c.Time, Runtime: true}
	if made, ok := p.births[c.PID]; ok {
		process.Parent, process.Began, process.Made = made.parent, made.at, true
		delete(p.births, c.PID)
	} else if e.Lane != straceback.Runtime {
		process.Parent = p.guessParent(c)
		process.Guessed = process.Parent != nil
	}
	if process.Parent != nil {
		process.Parent.children++
	}
	p.running[c.PID] = process
	p.alive = append(p.alive, process)
	p.Processes = append(p.Processes, process)
	return process
}

// ofThread reports whether a call made a thread and no process.
func ofThread(c *syscalls.Call) bool {
	const cloneThread = 0x10000
	switch flags := c.Capture(0); {
	case c.Syscall().Name == "clone":
		return c.Args[0]&cloneThread != 0
	case c.Syscall().Name == "clone3" && flags != nil && len(flags.Data) >= 8:
		return endian.LittleEndian.Uint64(flags.Data)&cloneThread != 0
	}
	return false
}

// guessMax bounds among how many processes a parent is looked for.
const guessMax = 1 << 10

// guessParent returns the process that probably made the one of a call, if the call that made it is not kept because
// such calls came before: of those that made more processes than are known, the last one that began. A process from
// outside of the container has no parent.
func (p *Past) guessParent(c *syscalls.Call) *Process {
	if _, outside := c.Beginning(syscalls.CWD); outside {
		return nil
	}
	p.alive = slices.DeleteFunc(p.alive, func(q *Process) bool { return q.Ended != 0 })
	p.alive = p.alive[max(0, len(p.alive)-guessMax):]
	for _, process := range slices.Backward(p.alive) {
		if !process.Runtime && process.forks > process.children {
			return process
		}
	}
	if init := p.findInit(); init != nil && init.Ended == 0 {
		return init
	}
	return nil
}

// A reaping tells who learned of the end of a child: its parent.
type reaping struct {
	parent *Process
	child  uint32 // ID in the container
	at     uint64 // ns of CLOCK_BOOTTIME
}

// reap learns which child's end a call tells.
func (p *Past) reap(parent *Process, c *syscalls.Call) {
	child := int64(0)
	if d, ok := c.Delivery(); ok && d.Signal == "SIGCHLD" {
		child = int64(d.PID)
	} else if s := c.Syscall(); s != nil && !c.Event() && (s.Name == "wait4" || s.Name == "waitpid") {
		child = c.Result
	}
	if child > 0 {
		p.reaped = append(p.reaped, reaping{parent, uint32(child), c.Time + c.Duration})
	}
}

// correct replaces guessed parents by those that learned of the end of the child, and gives each parent its children.
func (p *Past) correct() {
	guessed := map[uint32][]*Process{}
	for _, child := range p.Processes {
		if child.Guessed && child.Ended != 0 {
			guessed[child.Inner] = append(guessed[child.Inner], child)
		}
	}
	for _, r := range p.reaped {
		for _, child := range slices.Backward(guessed[r.child]) {
			if child.Ended <= r.at && child.Began >= r.parent.Began && child.Guessed && !r.parent.Within(child) {
				child.Parent, child.Guessed = r.parent, false
				break
			}
		}
	}
	for _, child := range p.Processes {
		if child.Parent != nil {
			child.Parent.Children = append(child.Parent.Children, child)
		}
	}
}

// again reports whether a call is of another process than the one that had its ID and has ended.
func (p *Past) again(before *Process, c *syscalls.Call) bool {
	_, outside := c.Beginning(syscalls.CWD)
	return c.Time > before.Ended && (p.births[c.PID].parent != nil || outside)
}

// end notes how a thread ended: with its process, unless others live on.
func (p *Past) end(process *Process, e *straceback.Event) {
	c := &e.Call
	s := c.Syscall()
	all := s != nil && s.Name == "exit_group" && !c.Event() || syscalls.StatusOf(c.Result).Signal != ""
	if c.TID != c.PID && !all {
		return // only this thread ended
	}
	process.Ended = max(process.Ended, c.Time+c.Duration)
	process.Wait = c.Result
	process.OutOfMemory = process.OutOfMemory || c.OutOfMemory
}

// exec returns the program that a successful call executed.
func (p *Past) exec(c *syscalls.Call) Exec {
	x := Exec{At: c.Time}
	p.values = c.Values(p.values[:0], false)
	syscalls.Each(p.values, func(v *syscalls.Value, parts []syscalls.Value) {
		switch {
		case v.Name == "argv":
			x.Args = append(x.Args, texts(parts)...)
		case x.Path == "" && (v.Kind == syscalls.KindPath || v.Kind == syscalls.KindPointer):
			for _, part := range append([]syscalls.Value{*v}, parts...) {
				if part.Kind == syscalls.KindPath {
					x.Path = string(part.Bytes)
				}
			}
		}
	})
	if file, ok := c.File(); ok && file.Path != "" && !file.Truncated {
		x.Path = file.Path
	}
	return x
}

// texts returns the strings of a tree of values.
func texts(values []syscalls.Value) (all []string) {
	for _, v := range values {
		switch v.Kind {
		case syscalls.KindString, syscalls.KindPath, syscalls.KindBytes:
			all = append(all, string(v.Bytes))
		}
	}
	return all
}

// Init returns the process whose end is that of the container, or nil if it made no call that is kept.
func (p *Past) Init() *Process { return p.init }

// findInit returns the init among the processes that are known.
func (p *Past) findInit() *Process {
	is := []func(*Process) bool{
		func(process *Process) bool { return process.PID == p.Container.Init },
		func(process *Process) bool { return process.Inner == 1 },
		func(process *Process) bool { return process.Parent == nil && !process.Runtime },
	}
	for _, is := range is {
		if i := slices.IndexFunc(p.Processes, is); i >= 0 {
			return p.Processes[i]
		}
	}
	return nil
}

// Culprit returns the process with which the end began, and those between it and the container's init: the init fails
// since its child failed, that one since its own child did. It returns nil if no init is known.
//
// A child is to blame if it ended before its parent and with the same exit code, or with the signal that the code
// tells; or else, if it failed within the last second of its parent.
func (p *Past) Culprit() (culprit *Process, via []*Process) {
	culprit = p.Init()
	if culprit == nil || !culprit.Failed() {
		return culprit, nil
	}
	const soon = 1e9
	for {
		var next *Process
		for _, child := range culprit.Children {
			if !child.Failed() || child.Ended > culprit.Ended {
				continue
			}
			same, before := child.Code() == culprit.Code(), next != nil && next.Code() == culprit.Code()
			switch {
			case same && !before, same == before && next != nil && child.Ended > next.Ended:
				next = child
			case next == nil && child.Ended+soon > culprit.Ended:
				next = child
			}
		}
		if next == nil {
			return culprit, via
		}
		via = append(via, culprit)
		culprit = next
	}
}

// base returns the last name of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
