// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// State is the state of a container.
type State string

// The states of a container. A container is exited when its init is, even if its cgroup still exists. It has ended
// if its cgroup and its processes are gone and the exit of its init was not seen.
const (
	Created State = "created" // created, but its program has not been started
	Running State = "running"
	Exited  State = "exited"
	Ended   State = "ended"
)

// Status is a container's state, and how it was reached.
type Status struct {
	State    State
	Since    uint64 // nanoseconds of CLOCK_BOOTTIME
	ExitCode int    // valid if State is Exited and Signal is empty
	Signal   string // signal that killed its init, such as SIGKILL
}

// Status returns the container's state.
func (c *Container) Status() Status {
	switch {
	case c.Exited != 0:
		s := syscalls.StatusOf(int64(c.ExitStatus))
		return Status{State: Exited, Since: c.Exited, ExitCode: s.Code, Signal: s.Signal}
	case c.State == abi.StateEnded:
		return Status{State: Ended, Since: c.Ended}
	case c.State == abi.StateRunning:
		return Status{State: Running, Since: c.Started}
	}
	return Status{State: Created, Since: c.Created}
}

// Crashed reports whether the container ended with a failure: an exit code other than 0, or a signal, except those
// that ask a program to end.
func (s Status) Crashed() bool {
	const interrupted, terminated = 128 + 2, 128 + 15 // exit codes of a shell for SIGINT and SIGTERM
	switch {
	case s.State != Exited:
		return false
	case s.Signal != "":
		return s.Signal != "SIGTERM" && s.Signal != "SIGINT"
	}
	return s.ExitCode != 0 && s.ExitCode != interrupted && s.ExitCode != terminated
}

// Compare orders crashed containers before others, and within both the most recent first.
func (s Status) Compare(other Status) int {
	if a, b := s.Crashed(), other.Crashed(); a != b {
		if a {
			return -1
		}
		return 1
	}
	return cmp.Compare(other.Since, s.Since)
}
