// SPDX-License-Identifier: Apache-2.0

// Package answers puts together what a recording says of its container: who died of what, which processes there were,
// and what they wrote. There is a file for each question.
//
// Everything that it reads comes from the container. Paths, names and output are hostile: they are escaped before they
// are printed, and what is kept of them is bounded.
package answers

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Source is a recording that was read.
type Source struct {
	Node      string // of a cluster, from which it came; or ""
	Program   string // with its first words, by which answers name further commands: "tracectl cluster"
	Name      string // by which commands find the container
	Container *labels.Container
	Calls     *straceback.Calls
	Timeline  *straceback.Timeline // of these calls and those in flight, with descriptors
	Boot      time.Time            // when CLOCK_BOOTTIME began
	Now       uint64               // ns of CLOCK_BOOTTIME
}

// Format returns how the calls are printed.
func (s *Source) Format() *straceback.Format {
	f := &straceback.Format{Boot: s.Boot, Missing: s.Calls.Missing, Complete: s.Calls.Complete(), Now: s.Now}
	if c := s.Container; c != nil {
		f.Container, f.Start = c.ID, c.Created
		if end := max(c.Exited, c.Ended); end != 0 {
			f.Now, f.Ended = end, true
		}
	}
	return f
}

// Past is what happened in a container, in the order of time.
type Past struct {
	Source
	Processes []*Process // by their first call
	Facts     []*Fact    // by their start
	Said      []Output   // by time

	init    *Process              // see Init
	running map[uint32]*Process   // by ID
	births  map[uint32]birth      // of the processes that a call made and that have not made a call yet
	threads map[uint32]*Process   // of each thread
	alive   []*Process            // some have ended
	stdio   [3]*syscalls.File     // the container's standard input, output and error
	opened  map[descriptor]string // the last path or address of each
	reached map[wish]uint64       // when a process last found a file of that name
	read    map[descriptor]uint64 // bytes since it was opened
	written map[*Process]string   // the last file that it opened for writing
	reaped  []reaping
	peers   map[*Process]string // the last address to which it connected
	values  []syscalls.Value    // reused
}

// Fact is a call or an event that says more than that the program went on: a failure, an end, a signal, an exec, or a
// change of a name.
type Fact struct {
	straceback.Event
	Process *Process
	// Errno is the error with which the call failed, or that of a connection which it asked for; or 0.
	Errno int
	// Subject is the whole path or the address that the call takes, itself or by a descriptor; or "". It is hostile.
	Subject string
	Guessed bool // Subject is the last file that the process opened for writing
}

// End returns when the call ended, in ns of CLOCK_BOOTTIME: the last one, if it came again.
func (f *Fact) End() uint64 { return max(f.Call.Time+f.Call.Duration, f.Last) }

// Times returns how often the call came.
func (f *Fact) Times() uint64 { return max(f.Count, 1) }

// factsMax bounds the facts of a recording: the last ones are kept.
const factsMax = 1 << 16

// New reads the past from a recording. It keeps references to the Source's records.
func New(s Source) *Past {
	p := &Past{Source: s, running: map[uint32]*Process{}, births: map[uint32]birth{}, threads: map[uint32]*Process{},
		opened: map[descriptor]string{}, reached: map[wish]uint64{}, read: map[descriptor]uint64{},
		written: map[*Process]string{}, peers: map[*Process]string{}}
	for e := range s.Timeline.Calls {
		p.add(e)
	}
	p.correct()
	p.init = p.findInit()
	for _, process := range p.Processes {
		slices.SortStableFunc(process.Children, func(a, b *Process) int { return cmp.Compare(a.Began, b.Began) })
	}
	return p
}

// descriptor is one of a process.
type descriptor struct {
	process *Process
	fd      int32
}

// wish is a file that a process looks for: by its name without directory and endings.
type wish struct {
	process *Process
	stem    string
}

// stem returns the name of a file without its directory and what follows the first dot.
func stem(path string) string {
	name := base(path)
	if i := strings.IndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	return name
}

func takesPath(s *syscalls.Syscall) bool {
	return slices.ContainsFunc(s.Args, func(a syscalls.Arg) bool { return a.Type == "path" })
}

// reach learns which files a process found, and what its descriptors are.
func (p *Past) reach(process *Process, e *straceback.Event) {
	c := &e.Call
	if c.Unfinished || c.NoEnter || !takesPath(c.Syscall()) && !c.ReturnsDescriptor() {
		return
	}
	subject := p.subject(e)
	if !strings.Contains(subject, "/") {
		return
	}
	if c.ReturnsDescriptor() {
		d := descriptor{process, int32(c.Result)}
		p.opened[d] = subject
		delete(p.read, d)
		if writable(c) {
			p.written[process] = subject
		}
	}
	const generations = 8
	for n, q := 0, process; q != nil && n < generations; n, q = n+1, q.Parent {
		p.reached[wish{q, stem(subject)}] = c.Time
	}
}

// writable reports whether a call opened a file for writing.
func writable(c *syscalls.Call) bool {
	const writeOnly, readWrite = 1, 2
	switch c.Syscall().Name {
	case "open":
		return c.Args[1]&(writeOnly|readWrite) != 0
	case "openat":
		return c.Args[2]&(writeOnly|readWrite) != 0
	}
	return c.Syscall().Name == "creat"
}

const (
	waits    = "poll ppoll select pselect6 epoll_wait epoll_pwait epoll_pwait2"
	receives = "read recvfrom recvmsg accept accept4"
)

// inVain reports whether a call waited for a time, and nothing came.
func inVain(e *straceback.Event, name string) bool {
	const long = 50e6 // ns
	if e.Part == straceback.InFlight || e.Call.Duration < long {
		return false
	}
	return has(waits, name) && e.Call.Result == 0 || has(receives, name) && syscalls.ErrnoName(e.Call.Errno()) == "EAGAIN"
}

// empty counts what a call read, and reports whether it found nothing in a file that it had just opened.
func (p *Past) empty(process *Process, e *straceback.Event) bool {
	c := &e.Call
	if e.Part == straceback.InFlight || c.Unfinished || c.Result < 0 {
		return false
	}
	d := descriptor{process, int32(c.Args[0])}
	p.read[d] += uint64(c.Result)
	return c.Result == 0 && p.read[d] == 0
}

// add learns from a call.
func (p *Past) add(e *straceback.Event) {
	c := &e.Call
	process := p.processOf(e)
	for fd := range p.stdio {
		if file, ok := c.Beginning(int32(fd)); ok && p.stdio[fd] == nil {
			p.stdio[fd] = &file
		}
	}
	f := Fact{Process: process}
	if e.Part != straceback.InFlight {
		f.Errno = c.Errno()
	}
	kept := e.Part == straceback.InFlight || f.Errno != 0 || c.Unfinished || c.NoEnter || c.Event()
	if s := c.Syscall(); s != nil && !c.Event() {
		if s.Name == "connect" {
			p.peers[process] = p.subject(e)
			p.opened[descriptor{process, int32(c.Args[0])}] = p.peers[process]
		}
		if e.Part != straceback.InFlight && f.Errno == 0 {
			p.said(process, e, s.Name)
			p.reach(process, e)
		}
		if s.Name == "read" || s.Name == "pread64" {
			kept = kept || p.empty(process, e)
		}
		kept = kept || inVain(e, s.Name)
		switch s.Name {
		case "getsockopt":
			if f.Errno == 0 && e.Part != straceback.InFlight {
				f.Errno = c.SocketError()
				kept = f.Errno != 0
			}
		case "execve", "execveat", "connect", "bind", "listen", "exit_group", "exit", "kill", "tkill", "tgkill":
			kept = true
		case "unlink", "unlinkat", "rename", "renameat", "renameat2", "rmdir", "truncate":
			kept = true
		}
	}
	if !kept {
		return
	}
	f.Event = p.Timeline.Keep(e)
	f.Subject = p.subject(&f.Event)
	switch s := c.Syscall(); {
	case f.Subject != "" || s == nil || c.Event():
	case f.Errno != 0 && has(writes, s.Name):
		f.Subject, f.Guessed = p.written[process], true
	case inVain(e, s.Name):
		f.Subject = p.peers[process]
	}
	if len(p.Facts) >= factsMax {
		p.Facts = slices.Delete(p.Facts, 0, factsMax/2)
	}
	p.Facts = append(p.Facts, &f)
}
