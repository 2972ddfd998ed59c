// SPDX-License-Identifier: Apache-2.0

package straceback

import "github.com/runc-trace/runc-trace/pkg/syscalls"

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
