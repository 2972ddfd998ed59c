// SPDX-License-Identifier: Apache-2.0

package straceback

import "github.com/runc-trace/runc-trace/pkg/syscalls"

// takeovers finds threads that execute a program in the place of the first one of their process, whose ID they get.
// Only their ID after the exec is recorded.
type takeovers struct {
	ended map[uint32]int // of processes whose first thread has ended: the index of that call
	work  int            // how many calls may still be looked at
}

// takeoverWork bounds what it costs to find threads: a container can have any number of threads that execute programs.
const takeoverWork = 1 << 22

// learn takes over a call of a thread that is the first one of its process, which has index i.
func (known *takeovers) learn(t *Timeline, c *syscalls.Call, i int) {
	if c.Unfinished {
		known.ended[c.PID] = i
		return
	}
	if end, ok := known.ended[c.PID]; ok {
		if s := c.Syscall(); s != nil && (s.Name == "execve" || s.Name == "execveat") && c.Result == 0 {
			known.take(t, end, i)
		}
		delete(known.ended, c.PID) // or it is another process of that ID
	}
}

// take notes which thread an exec took over: the only one of the process that has not ended. If there is none, or
// several, the exec is one event.
func (known *takeovers) take(t *Timeline, end, exec int) {
	process := syscalls.Process(t.calls[exec].record.Bytes)
	ended, from := map[uint32]bool{process: true}, uint32(0)
	for i := exec - 1; i >= 0; i-- {
		if known.work--; known.work < 0 {
			from = 0
			break
		}
		record := t.calls[i].record.Bytes
		if syscalls.Process(record) != process {
			continue
		}
		switch thread := syscalls.Thread(record); {
		case ended[thread] || thread == from:
		case syscalls.Ended(record):
			ended[thread] = true
		case from != 0:
			t.calls[exec].part = Whole
			return
		default:
			from = thread
		}
	}
	if from == 0 {
		t.calls[exec].part = Whole
		return
	}
	t.calls[exec].from, t.calls[end].from = from, from
}
