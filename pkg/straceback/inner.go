// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// innerIDs maps the IDs of tasks in the initial PID namespace to those in their own. Only some records have both: the
// others are filled in from these.
type innerIDs map[uint32]uint32

// learn takes over the IDs of the task of a call, and of the task that it made.
func (known innerIDs) learn(c *syscalls.Call) {
	if c.Inner.TID != 0 {
		known[c.TID], known[c.PID] = c.Inner.TID, c.Inner.PID
	}
	if child, ok := c.Child(); ok && c.Result > 0 {
		known[child] = uint32(c.Result)
	}
}

// of returns the IDs of the task of a call, or 0 if they are not known.
func (known innerIDs) of(c *syscalls.Call) syscalls.IDs {
	return syscalls.IDs{TID: known[c.TID], PID: known[c.PID]}
}

// children maps IDs of processes in the PID namespace of the process that made them to those in the initial one.
type children map[born]uint32

// born is a process by its ID in the namespace of its maker, which is 0 for the newest one of any maker.
type born struct{ maker, inner uint32 }

// learn takes over the process that a call made.
func (known children) learn(c *syscalls.Call) {
	if child, ok := c.Child(); ok && c.Result > 0 {
		inner := uint32(c.Result)
		known[born{c.PID, inner}], known[born{0, inner}] = child, child
	}
}

// waited returns the ID in the initial PID namespace of the process for which a call waited, or 0 if it is not known.
// The init of a PID namespace also waits for those that others made.
func (known children) waited(c *syscalls.Call, init bool) uint32 {
	inner := uint32(0)
	s := c.Syscall()
	switch {
	case s == nil || c.Result < 0:
	case s.Name == "wait4" || s.Name == "waitpid":
		inner = uint32(c.Result)
	case s.Name == "waitid":
		const pid = 12 // si_pid in struct siginfo of 64-bit ABIs; in others it is the same without padding
		at := pid
		if c.PointerSize() == 8 {
			at += 4
		}
		if p := c.Capture(2); p != nil && p.Output && len(p.Data) >= at+4 {
			inner = binary.LittleEndian.Uint32(p.Data[at:])
		}
	}
	if inner == 0 {
		return 0
	}
	if child := known[born{c.PID, inner}]; child != 0 || !init {
		return child
	}
	return known[born{0, inner}]
}
