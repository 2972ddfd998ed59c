// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"slices"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// file is an open file, which several descriptors of several processes can share.
type file struct {
	states []state // by time; none if it is not known what the file is
	peer   *file   // the other end of a pair of sockets
	// rights are the files that were sent to this end and not received yet: a list for each message.
	rights [][]*file
	sent   bool // it was sent to another process: who else writes to it is not known
	// pts is the number of the terminal of which the file is the master; empty if it is not known.
	pts string
	// When the last call ended that sent files from this end, or received from it.
	sentUntil, receivedUntil uint64
}

// unpair notes that the order in which files come over a pair of sockets is not known any more.
func (f *file) unpair() {
	f.rights, f.peer.rights = nil, nil
	f.peer.peer, f.peer = nil, nil
}

// state is what a file is from a time on: a socket gets addresses.
type state struct {
	from uint64
	is   *syscalls.Descriptor
}

func newFile(is syscalls.Descriptor) *file { return &file{states: []state{{is: &is}}} }

// at returns what the file was at a time, or nil if that is not known.
func (f *file) at(time uint64) *syscalls.Descriptor {
	if f == nil {
		return nil
	}
	if s := lastAt(f.states, time); s != nil {
		return s.is
	}
	return nil
}

// change changes what the file is from a time on.
func (f *file) change(time uint64, change func(*syscalls.Descriptor)) {
	if f.at(time) == nil {
		return
	}
	last := &f.states[len(f.states)-1]
	is := *last.is
	change(&is)
	if is != *last.is {
		f.states = append(f.states, state{max(time, last.from), &is})
	}
}

func (s state) since() uint64 { return s.from }

// lastAt returns the last of the elements, sorted by time, that is so at a time; or nil.
func lastAt[T interface{ since() uint64 }](all []T, time uint64) *T {
	n, _ := slices.BinarySearchFunc(all, time, func(t T, time uint64) int {
		if t.since() <= time {
			return -1
		}
		return 1
	})
	if n == 0 {
		return nil
	}
	return &all[n-1]
}

// version is what a descriptor is from a time on. Its file is nil if it is closed, or not known.
type version struct {
	from    uint64
	file    *file
	cloexec bool
}

func (v version) since() uint64 { return v.from }

// table is the descriptors of a process, or of several that share them. A table of current directories has only the
// number syscalls.CWD.
type table struct {
	files map[int32][]version // by number, by time
	// base has the numbers that no call has changed since every call is recorded. Tables that were copied from this one
	// have the same.
	base *base
	// closed are ranges of numbers that were closed, for those that are not in files.
	closed   []closing
	executed uint64 // when its process executed another program for the first time; 0: it has not
	shared   bool   // several processes have it
	blind    bool   // nothing is known of it
	forks    []*fork
}

type closing struct {
	from        uint64
	first, last uint32
	exec        bool // they are closed by the next exec
}

// closingsMax is how many ranges of closed numbers a table has.
const closingsMax = 64

// base is what the numbers were before the first change. That is known only if a process still has them.
type base struct {
	files   map[int32]*file
	cloexec map[int32]bool
}

// fork is a copy of a table, made at some time of the call that made the process.
type fork struct {
	until uint64 // the end of the call
	copy  *table
	begun bool // the new process has made a call
}

func newTable() *table {
	return &table{files: map[int32][]version{}, base: &base{map[int32]*file{}, map[int32]bool{}}}
}

// find returns what a number was at a time, or nil if it was closed or is not known.
func (t *table) find(fd int32, time uint64) *file {
	if t == nil || t.blind || fd < 0 && fd != syscalls.CWD {
		return nil
	}
	if v := lastAt(t.files[fd], time); v != nil {
		return v.file
	}
	if t.wasClosed(fd, time) {
		return nil
	}
	return t.base.files[fd]
}

// changed returns since when a number is what it was at a time; 0 if no call has changed it.
func (t *table) changed(fd int32, time uint64) uint64 {
	if v := lastAt(t.files[fd], time); v != nil {
		return v.from
	}
	return 0
}

// wasClosed reports whether a number that is not in files was closed before a time.
func (t *table) wasClosed(fd int32, time uint64) bool {
	atExec := t.base.cloexec[fd]
	for _, c := range t.closed {
		if c.from <= time && fd >= 0 && uint32(fd) >= c.first && uint32(fd) <= c.last {
			if atExec = true; !c.exec {
				return true
			}
		}
	}
	return atExec && t.executed != 0 && t.executed <= time
}

// origin is find for a number that is copied: if it is not known, it may become known later.
func (t *table) origin(fd int32, time uint64) *file {
	f := t.find(fd, time)
	if f == nil && t != nil && !t.blind && fd >= 0 && len(t.files[fd]) == 0 && len(t.closed) == 0 && t.executed == 0 {
		f = &file{}
		t.base.files[fd] = f
	}
	return f
}

// set changes a number at a time. The call that does it began at begin.
func (t *table) set(fd int32, begin, time uint64, file *file, cloexec bool) {
	if t == nil || t.blind {
		return
	}
	versions := t.files[fd]
	if n := len(versions); n > 0 {
		last := &versions[n-1]
		if file != nil && last.file != nil && last.from > begin {
			file = nil // two calls made the same number at the same time
		}
		time = max(time, last.from)
	}
	t.files[fd] = append(versions, version{time, file, cloexec})
	t.doubt(fd, begin)
}

// doubt forgets a number in copies of the table that may have been made before or after it was changed.
func (t *table) doubt(fd int32, begin uint64) {
	for _, f := range t.forksAt(begin) {
		if !f.copy.blind {
			f.copy.files[fd] = []version{{}}
		}
	}
}

// forksAt returns the copies that may be made at a time.
func (t *table) forksAt(time uint64) []*fork {
	t.forks = slices.DeleteFunc(t.forks, func(f *fork) bool { return f.begun || f.until < time })
	return t.forks
}

// closeAtExec says whether an exec closes a number. The call that does it began at begin.
func (t *table) closeAtExec(fd int32, begin, time uint64, cloexec bool) {
	if t == nil || t.blind || fd < 0 {
		return
	}
	defer t.doubt(fd, begin)
	if versions := t.files[fd]; len(versions) > 0 {
		versions[len(versions)-1].cloexec = cloexec
	} else if cloexec {
		t.addClosing(closing{time, uint32(fd), uint32(fd), true})
	}
}

func (t *table) addClosing(c closing) {
	if t.closed = append(slices.Clip(t.closed), c); len(t.closed) > closingsMax {
		t.forget()
	}
}

// closeRange closes numbers, at once or at the next exec.
func (t *table) closeRange(first, last uint32, begin uint64, exec bool) {
	if t.blind {
		return
	}
	for fd, versions := range t.files {
		if fd < 0 || uint32(fd) < first || uint32(fd) > last {
			continue
		}
		if v := &versions[len(versions)-1]; exec {
			v.cloexec = true
		} else if v.file != nil {
			t.set(fd, begin, begin+1, nil, false)
		}
	}
	t.addClosing(closing{begin + 1, first, last, exec})
	for _, f := range t.forksAt(begin) {
		f.copy.forget()
	}
}

// exec closes the numbers that an exec closes.
func (t *table) exec(time uint64) {
	for fd, versions := range t.files {
		if v := versions[len(versions)-1]; v.cloexec && v.file != nil {
			t.set(fd, time, time, nil, false)
		}
	}
	if t.executed == 0 {
		t.executed = time
	}
}

// copyAt returns a copy of the table as it was at a time. Numbers that were changed since are not known in the copy.
func (t *table) copyAt(time uint64) *table {
	c := &table{base: t.base, closed: slices.Clip(t.closed), executed: t.executed, blind: t.blind,
		files: make(map[int32][]version, len(t.files))}
	for fd, versions := range t.files {
		if v := versions[len(versions)-1]; v.from <= time {
			c.files[fd] = []version{{v.from, v.file, v.cloexec}}
		} else {
			c.files[fd] = []version{{}}
		}
	}
	return c
}

// shorten forgets what the numbers were before.
func (t *table) shorten() {
	for fd, versions := range t.files {
		t.files[fd] = []version{versions[len(versions)-1]}
	}
	t.forks = nil
}

// forget makes the table blind: something that is not known changes it.
func (t *table) forget() {
	t.blind = true
	clear(t.files)
}

// seed says what the numbers of a process were at a time, for those that no call had changed.
func (t *table) seed(live map[int32]Live, time uint64) {
	if t.blind {
		return
	}
	for fd, is := range live {
		if versions := t.files[fd]; len(versions) > 0 && versions[0].from <= time || t.wasClosed(fd, time) {
			continue
		}
		switch f := t.base.files[fd]; {
		case f == nil:
			t.base.files[fd] = newFile(is.Descriptor)
		case len(f.states) == 0:
			f.states = []state{{is: &is.Descriptor}}
		case f.states[0].is != nil && *f.states[0].is != is.Descriptor:
			f.states[0].is = nil // two processes disagree
		}
		if is.Cloexec {
			t.base.cloexec[fd] = true
		}
	}
}
