// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// maker makes the descriptor that a call returns.
type maker struct {
	make func(*Descriptors, *syscalls.Call) *file // nil: it is not known what it is
	// An exec closes the descriptor if argument flags has the bits cloexec, or always.
	flags   int
	cloexec uint64
	always  bool
}

// makers are those of the calls whose result is a descriptor, by name.
var makers = map[string]*maker{
	"open":              {make: opened, flags: 1, cloexec: oCloexec},
	"openat":            {make: opened, flags: 2, cloexec: oCloexec},
	"openat2":           {make: opened, flags: -1},
	"creat":             {make: opened},
	"open_by_handle_at": {make: opened, flags: 2, cloexec: oCloexec},
	"open_tree":         {flags: 2, cloexec: oCloexec},
	"open_tree_attr":    {flags: 2, cloexec: oCloexec},

	"dup":         {make: copied},
	"dup2":        {make: copied},
	"dup3":        {make: copied, flags: 2, cloexec: oCloexec},
	"pidfd_getfd": {always: true},

	"socket":  {make: socket, flags: 1, cloexec: oCloexec},
	"accept":  {make: accepted},
	"accept4": {make: accepted, flags: 3, cloexec: oCloexec},

	"bpf":                     {make: program, always: true},
	"epoll_create":            {make: anonymous("[eventpoll]")},
	"epoll_create1":           {make: anonymous("[eventpoll]"), cloexec: oCloexec},
	"eventfd":                 {make: anonymous("[eventfd]")},
	"eventfd2":                {make: anonymous("[eventfd]"), flags: 1, cloexec: oCloexec},
	"fanotify_init":           {make: anonymous("[fanotify]"), cloexec: 1},
	"fsmount":                 {flags: 1, cloexec: 1},
	"fsopen":                  {make: anonymous("[fscontext]"), flags: 1, cloexec: 1},
	"fspick":                  {make: anonymous("[fscontext]"), flags: 2, cloexec: 1},
	"inotify_init":            {make: anonymous("inotify")},
	"inotify_init1":           {make: anonymous("inotify"), cloexec: oCloexec},
	"io_uring_setup":          {make: anonymous("[io_uring]"), always: true},
	"landlock_create_ruleset": {make: anonymous("[landlock-ruleset]"), always: true},
	"memfd_create":            {make: memory, flags: 1, cloexec: 1},
	"memfd_secret":            {make: secret, cloexec: oCloexec},
	"mq_open":                 {make: queue, always: true},
	"perf_event_open":         {make: anonymous("[perf_event]"), flags: 4, cloexec: 8},
	"pidfd_open":              {make: pidfd, always: true},
	"signalfd":                {make: signals},
	"signalfd4":               {make: signals, flags: 3, cloexec: oCloexec},
	"timerfd_create":          {make: anonymous("[timerfd]"), flags: 1, cloexec: oCloexec},
	"userfaultfd":             {make: anonymous("[userfaultfd]"), cloexec: oCloexec},
}

// made returns a descriptor that a call has made, or nil if it is not known what it is.
func made(d *Descriptors, c *syscalls.Call, fd int32) *file {
	s := c.Syscall()
	if s == nil || c.Result < 0 {
		return nil
	}
	switch s.Name {
	case "fcntl", "fcntl64":
		return copied(d, c)
	case "pipe", "pipe2":
		return newFile(syscalls.Descriptor{Type: "pipe", Inode: inode(c, 0)})
	case "socketpair":
		return socket(d, c)
	}
	if m := makers[s.Name]; m != nil && m.make != nil && fd == int32(c.Result) && c.ReturnsDescriptor() {
		return m.make(d, c)
	}
	return nil
}

// closesAtExec reports whether an exec closes the descriptor that a call has made.
func closesAtExec(c *syscalls.Call) bool {
	s := c.Syscall()
	switch s.Name {
	case "fcntl", "fcntl64":
		return uint32(c.Args[1]) == fDupFDCloexec
	case "pipe2", "socketpair":
		return c.Args[1]&oCloexec != 0
	case "openat2":
		how := c.Capture(2)
		return how == nil || len(how.Data) < 8 || binary.LittleEndian.Uint64(how.Data)&oCloexec != 0
	}
	m := makers[s.Name]
	return m != nil && (m.always || c.Args[max(m.flags, 0)]&m.cloexec != 0)
}

// opened is the file that a call opened, or the directory that it entered, as the kernel saw it.
func opened(d *Descriptors, c *syscalls.Call) *file {
	if c.Path == nil {
		describe := c.Describe
		defer func() { c.Path, c.Describe = nil, describe }()
		c.Describe = func(fd int32, _ bool) *syscalls.Descriptor { return d.find(c, fd, c.Time).at(c.Time) }
		c.Path = d.files.of(c)
	}
	if resolved, ok := c.File(); ok {
		return open(resolved)
	}
	return nil
}

// open is an open file, or nil if it is not known what it is.
func open(f syscalls.File) *file {
	const typeMask, fifo, socket = 0o170000, 0o010000, 0o140000
	switch typ := f.Mode & typeMask; {
	case f.Detached && typ == fifo:
		return newFile(syscalls.Descriptor{Type: "pipe", Inode: f.Inode})
	case f.Detached && typ == socket:
		return newFile(syscalls.Descriptor{Type: "socket", Inode: f.Inode})
	case f.Detached && typ == 0 && strings.HasPrefix(f.Path, "/["):
		return newFile(syscalls.Descriptor{Type: "anon_inode:" + f.Path[1:]})
	case f.Path == "" || f.Detached && f.Path == "/":
		return nil
	case f.Detached && (strings.HasPrefix(f.Path, "/memfd:") || f.Path == "/secretmem"):
		return newFile(syscalls.Descriptor{Path: f.Path, Deleted: true})
	}
	return newFile(syscalls.Descriptor{Path: f.Path, Truncated: f.Truncated, Deleted: f.Deleted})
}

// inode returns that of the nth socket or pipe that a call made, or 0 if it is not known.
func inode(c *syscalls.Call, n int) uint64 {
	if inodes := c.Inodes(); n < len(inodes) {
		return inodes[n]
	}
	return 0
}

// copied is the descriptor that dup and fcntl copy, unless another thread changed it meanwhile.
func copied(d *Descriptors, c *syscalls.Call) *file {
	fd := int32(c.Args[0])
	if p := d.at(c, c.Time); p != nil && c.Time >= d.complete {
		if f := p.files.origin(fd, c.Time); f == p.files.find(fd, endOf(c)) {
			return f
		}
	}
	return nil
}

func anonymous(name string) func(*Descriptors, *syscalls.Call) *file {
	is := syscalls.Descriptor{Type: "anon_inode:" + name}
	return func(*Descriptors, *syscalls.Call) *file { return newFile(is) }
}

// signals is a new signalfd, or the one that is changed.
func signals(d *Descriptors, c *syscalls.Call) *file {
	if int32(c.Args[0]) != -1 {
		return copied(d, c)
	}
	return newFile(syscalls.Descriptor{Type: "anon_inode:[signalfd]"})
}

// programs are what the commands of bpf make: enum bpf_cmd of include/uapi/linux/bpf.h.
var programs = map[uint32]string{
	0: "bpf-map", 5: "bpf-prog", 13: "bpf-prog", 14: "bpf-map", 17: "bpf_link", 18: "btf", 19: "btf", 28: "bpf_link",
	30: "bpf_link", 32: "bpf-stats", 33: "bpf_iter", 36: "bpf-token",
}

func program(_ *Descriptors, c *syscalls.Call) *file {
	name := programs[uint32(c.Args[0])]
	if name == "" {
		return nil
	}
	return newFile(syscalls.Descriptor{Type: "anon_inode:" + name})
}

func pidfd(*Descriptors, *syscalls.Call) *file { return newFile(syscalls.Descriptor{Type: "pidfd"}) }

func memory(_ *Descriptors, c *syscalls.Call) *file {
	name, ok := text(c, 0)
	if !ok {
		return nil
	}
	return newFile(syscalls.Descriptor{Path: "/memfd:" + name, Deleted: true})
}

func secret(*Descriptors, *syscalls.Call) *file {
	return newFile(syscalls.Descriptor{Path: "/secretmem", Deleted: true})
}

func queue(_ *Descriptors, c *syscalls.Call) *file {
	name, ok := text(c, 0)
	if !ok {
		return nil
	}
	return newFile(syscalls.Descriptor{Path: "/" + name})
}

// text returns the string that an argument points to, if it is there as the kernel saw it.
func text(c *syscalls.Call, arg int) (string, bool) {
	p := c.Capture(arg)
	if p == nil || p.Late || p.Fault {
		return "", false
	}
	name, _, ended := strings.Cut(string(p.Data), "\x00")
	return name, ended || !p.Truncated
}
