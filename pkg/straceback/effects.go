// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"
	"strconv"
	"strings"
	"sync"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// effect is what calls of a name do to descriptors, from their start on, and at their end.
type effect struct {
	begin, end func(*Descriptors, *process, *syscalls.Call)
	pairs      bool // it makes a pair of sockets
	consumes   bool // it only matters if it takes a message from one
	parts      bool // it may share tables with another process, or give a thread its own: see parts
}

// effects are those of all calls that have any, by ABI and number.
type effects [syscalls.X32 + 1][abi.NumberMask + 1]*effect

var effectsOf = sync.OnceValue(func() *effects {
	var table effects
	for a := syscalls.AMD64; a <= syscalls.X32; a++ {
		for nr := range syscalls.NumberOther {
			if s, ok := syscalls.Lookup(a, nr); ok {
				table[a][nr] = effectOf(s.Name)
			}
		}
	}
	return &table
})

// of returns the effect of a record's call, or nil if it has none. native is that of the record's machine.
func (e *effects) of(record []byte, native syscalls.ABI) *effect {
	a, nr := syscalls.NumberOf(record, native)
	return e[a][nr]
}

// effectOf returns the effect of a call with a name, or nil if it has none.
func effectOf(name string) *effect {
	switch name {
	case "close":
		return &effect{begin: closes}
	case "close_range":
		return &effect{begin: closesRange, parts: true}
	case "dup2", "dup3":
		return &effect{begin: replaces, end: makes}
	case "pipe", "pipe2":
		return &effect{end: makesTwo}
	case "socketpair":
		return &effect{end: makesTwo, pairs: true}
	case "fcntl", "fcntl64", "ioctl":
		return &effect{end: flags}
	case "bind", "connect", "getsockname", "getpeername":
		return &effect{end: names}
	case "socketcall":
		return &effect{begin: socketcall(false), end: socketcall(true), pairs: true}
	case "sendmsg", "sendmmsg":
		return &effect{begin: sends}
	case "read", "readv", "preadv2", "recv", "recvfrom", "splice":
		return &effect{end: receives, consumes: true}
	case "recvmsg", "recvmmsg", "recvmmsg_time64":
		return &effect{end: receives}
	case "fork", "vfork", "clone", "clone3":
		return &effect{begin: forks, end: makesPidfd, parts: true}
	case "execve", "execveat":
		return &effect{end: execs}
	case "chdir", "fchdir":
		return &effect{begin: leaves, end: enters}
	case "chroot", "setns":
		return &effect{begin: leaves}
	case "pivot_root":
		return &effect{begin: pivots}
	case "unshare":
		return &effect{end: unshares, parts: true}
	case "io_uring_setup":
		return &effect{end: makesRing}
	case "io_uring_enter":
		return &effect{begin: submits}
	}
	if makers[name] != nil {
		return &effect{end: makes}
	}
	return nil
}

// Of include/uapi/asm-generic/errno-base.h and errno.h.
const (
	errBadFD      = -9
	errInProgress = -115
)

// Of include/uapi/linux/sched.h, fcntl.h and close_range.h, and asm-generic/ioctls.h.
const (
	cloneFS     = 0x200
	cloneFiles  = 0x400
	clonePidfd  = 0x1000
	cloneThread = 0x10000
	cloneNewNS  = 0x20000

	fSetFD         = 2
	fDupFDCloexec  = 1030
	oCloexec       = 0o2000000
	rangeUnshare   = 2
	rangeCloexec   = 4
	ioctlNoCloexec = 0x5450
	ioctlCloexec   = 0x5451
	ioctlPeer      = 0x5441     // TIOCGPTPEER
	ioctlNumber    = 0x80045430 // TIOCGPTN
)

func endOf(c *syscalls.Call) uint64 { return c.Time + c.Duration }

// socketcall does what the call does that socketcall(2) stands for.
func socketcall(end bool) func(*Descriptors, *process, *syscalls.Call) {
	return func(d *Descriptors, p *process, c *syscalls.Call) {
		if c.Multiplexed == nil {
			return
		}
		effect := effectOf(c.Multiplexed.Name)
		switch {
		case effect == nil:
		case end && effect.end != nil:
			effect.end(d, p, c)
		case !end && effect.begin != nil:
			effect.begin(d, p, c)
		}
	}
}

// makes adds the descriptor that a call returned.
func makes(d *Descriptors, p *process, c *syscalls.Call) {
	if !c.ReturnsDescriptor() {
		return
	}
	switch c.Syscall().Name {
	case "dup2", "signalfd", "signalfd4":
		if uint32(c.Args[0]) == uint32(c.Result) {
			return
		}
	}
	p.files.set(int32(c.Result), c.Time, endOf(c), made(d, c, int32(c.Result)), closesAtExec(c))
}

func makesTwo(d *Descriptors, p *process, c *syscalls.Call) {
	two, f := pair(c), made(d, c, -1)
	if c.Result < 0 || two == nil || f == nil {
		return
	}
	ends := [2]*file{f, f}
	if c.Syscall().Name == "socketpair" {
		ends[1] = newFile(*f.states[0].is)
		ends[1].states[0].is.Inode = inode(c, 1)
		ends[0].peer, ends[1].peer = ends[1], ends[0]
	}
	for n, fd := range two {
		p.files.set(fd, c.Time, endOf(c), ends[n], closesAtExec(c))
	}
}

// pair returns the two descriptors that a call has put out, or nil.
func pair(c *syscalls.Call) []int32 {
	for i := range c.Captures {
		if p := &c.Captures[i]; p.Output && len(p.Data) == 8 {
			return []int32{int32(binary.LittleEndian.Uint32(p.Data)), int32(binary.LittleEndian.Uint32(p.Data[4:]))}
		}
	}
	return nil
}

func closes(_ *Descriptors, p *process, c *syscalls.Call) {
	if c.Result != errBadFD {
		p.files.set(int32(c.Args[0]), c.Time, c.Time+1, nil, false)
	}
}

func closesRange(d *Descriptors, p *process, c *syscalls.Call) {
	if c.Result < 0 {
		return
	}
	if c.Args[2]&rangeUnshare != 0 {
		p = d.separate(p, c, cloneFiles, c.Time)
	}
	if !d.afford(p.files) {
		p.files.forget()
	}
	p.files.closeRange(uint32(c.Args[0]), uint32(c.Args[1]), c.Time, c.Args[2]&rangeCloexec != 0)
}

// replaces closes the descriptor that dup2 is about to replace.
func replaces(_ *Descriptors, p *process, c *syscalls.Call) {
	if c.Result >= 0 && uint32(c.Args[0]) != uint32(c.Args[1]) {
		p.files.set(int32(c.Args[1]), c.Time, c.Time+1, nil, false)
	}
}

// flags makes copies of descriptors, and says which ones an exec closes.
func flags(d *Descriptors, p *process, c *syscalls.Call) {
	if c.Result < 0 {
		return
	}
	fd, command := int32(c.Args[0]), uint32(c.Args[1])
	switch ioctl := c.Syscall().Name == "ioctl"; {
	case ioctl && (command == ioctlCloexec || command == ioctlNoCloexec):
		p.files.closeAtExec(fd, c.Time, endOf(c), command == ioctlCloexec)
	case ioctl && command == ioctlNumber:
		if master, out := p.files.find(fd, c.Time), c.Capture(2); master != nil && out != nil && len(out.Data) == 4 {
			master.pts = strconv.FormatUint(uint64(binary.LittleEndian.Uint32(out.Data)), 10)
		}
	case ioctl && command == ioctlPeer:
		p.files.set(int32(c.Result), c.Time, endOf(c), peer(p.files.find(fd, c.Time), c.Time), c.Args[2]&oCloexec != 0)
	case ioctl:
	case command == fSetFD:
		p.files.closeAtExec(fd, c.Time, endOf(c), c.Args[2]&1 != 0)
	default:
		makes(d, p, c)
	}
}

// peer is the terminal of a master, or nil if it is not known. It is in the directory of the master, or in pts
// beside it.
func peer(master *file, time uint64) *file {
	is := master.at(time)
	if is == nil || master.pts == "" || is.Truncated {
		return nil
	}
	directory, ok := strings.CutSuffix(is.Path, "/ptmx")
	if !ok {
		return nil
	}
	if !strings.HasSuffix(directory, "/pts") {
		directory += "/pts"
	}
	return newFile(syscalls.Descriptor{Path: directory + "/" + master.pts})
}

// leaves notes that the current directory is about to be another one.
func leaves(_ *Descriptors, p *process, c *syscalls.Call) {
	if c.Result >= 0 {
		p.cwd.set(syscalls.CWD, c.Time, c.Time+1, nil, false)
	}
}

// pivots notes that the root directory, and so what paths mean, is about to be another one for all processes that have
// the same mounts.
func pivots(_ *Descriptors, p *process, c *syscalls.Call) {
	if c.Result >= 0 {
		p.mounts.pivots = append(p.mounts.pivots, pivot(c.Time))
	}
}

// enters notes the current directory.
func enters(d *Descriptors, p *process, c *syscalls.Call) {
	if c.Result >= 0 {
		p.cwd.set(syscalls.CWD, c.Time, endOf(c), opened(d, c), false)
	}
}

// forks gives a new process copies of the tables of its parent, or the same ones.
func forks(d *Descriptors, p *process, c *syscalls.Call) {
	id, ok := c.Child()
	if !ok || c.Result < 0 {
		return
	}
	if c.Time < d.complete {
		d.stop(id, c.Time)
		return
	}
	if all := d.processes[id]; len(all) > 0 && all[len(all)-1].files != nil && all[len(all)-1].from >= c.Time {
		return // its first calls came with earlier records
	}
	bits, known := cloneFlags(c)
	d.stopThread(id, c.Time)
	child := process{from: c.Time, files: p.files, cwd: p.cwd, mounts: p.mounts}
	if bits&cloneNewNS != 0 {
		child.mounts = &mounts{}
	}
	if !known {
		child.files, child.cwd = newTable(), newTable()
		child.files.forget()
		child.cwd.forget()
	} else {
		if bits&cloneFiles == 0 {
			child.parent = d.copy(p.files, c)
			child.files = child.parent.copy
		}
		if bits&cloneFS == 0 {
			child.cwd = d.copy(p.cwd, c).copy
		}
	}
	if known && bits&cloneThread != 0 {
		if d.others[c.PID] == nil {
			d.others[c.PID] = &others{threads: map[uint32]bool{}}
		}
		d.others[c.PID].threads[id] = true
		if own := d.threads[c.TID]; bits&cloneFiles == 0 || bits&cloneFS == 0 || len(own) > 0 {
			d.threads[id] = append(d.threads[id], child)
		}
		return
	}
	p.files.shared = p.files.shared || child.files == p.files
	delete(d.others, id)
	d.processes[id] = append(d.processes[id], child)
}

// cloneFlags returns the flags of a call that makes a process, if they were recorded.
func cloneFlags(c *syscalls.Call) (bits uint64, known bool) {
	switch c.Syscall().Name {
	case "fork", "vfork":
		return 0, true
	case "clone3":
		p := c.Capture(0)
		if p == nil || p.Late || len(p.Data) < 8 {
			return 0, false
		}
		return binary.LittleEndian.Uint64(p.Data), true
	}
	return uint64(uint32(c.Args[0])), true
}

// makesPidfd adds the descriptor of the process that clone made.
func makesPidfd(_ *Descriptors, p *process, c *syscalls.Call) {
	if bits, known := cloneFlags(c); !known || bits&clonePidfd == 0 || c.Result < 0 || c.Syscall().Name != "clone" {
		return
	}
	if out := c.Capture(2); out != nil && len(out.Data) == 4 {
		p.files.set(int32(binary.LittleEndian.Uint32(out.Data)), c.Time, endOf(c),
			newFile(syscalls.Descriptor{Type: "pidfd"}), true)
	}
}

// execs closes what an exec closes. The process shares its descriptors with no other process any more.
func execs(d *Descriptors, p *process, c *syscalls.Call) {
	if c.Result < 0 {
		return
	}
	p = d.survivor(p, c)
	if p.files.shared {
		p = d.separate(p, c, cloneFiles, endOf(c))
	}
	if !d.afford(p.files) {
		p.files.forget()
	}
	p.files.exec(endOf(c))
	for fd := range int32(3) {
		if is, ok := c.Beginning(fd); ok {
			p.files.set(fd, c.Time, endOf(c), open(is), false)
		}
	}
	if is, ok := c.Beginning(syscalls.CWD); ok {
		p.cwd.set(syscalls.CWD, c.Time, endOf(c), open(is), false)
	}
}

// makesRing adds an io_uring. If the kernel polls it, operations that close descriptors are not seen.
func makesRing(d *Descriptors, p *process, c *syscalls.Call) {
	const sqpoll, flags = 2, 8 // in struct io_uring_params
	if params := c.Capture(1); c.Result >= 0 && (params == nil || len(params.Data) < flags+4 ||
		binary.LittleEndian.Uint32(params.Data[flags:])&sqpoll != 0) {
		p.files.forget()
	}
	makes(d, p, c)
}

// submits closes the descriptors that operations of an io_uring close.
func submits(_ *Descriptors, p *process, c *syscalls.Call) {
	const operationClose = 19
	seen := uint32(0)
	for i := range c.Captures {
		s := &c.Captures[i]
		if s.Part != abi.PartSubmission || len(s.Data) < 8 {
			continue
		}
		if seen++; s.Data[0] == operationClose {
			p.files.set(int32(binary.LittleEndian.Uint32(s.Data[4:])), c.Time, c.Time+1, nil, false)
		}
	}
	if seen < uint32(c.Args[1]) {
		p.files.forget()
	}
}
