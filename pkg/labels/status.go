// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// State is how a container fares.
type State string

// The states of a container. It is exited when its init is, whether or not its cgroup is
// still there. It has ended where its cgroup is gone and nothing is known of its init's end.
const (
	Created State = "created" // its program has not been started
	Running State = "running"
	Exited  State = "exited"
	Ended   State = "ended"
)

// Status is a container's state and how it got there.
type Status struct {
	State    State
	Since    uint64 // nanoseconds of CLOCK_BOOTTIME
	ExitCode int    // valid where the state is Exited and Signal is empty
	Signal   string // that killed its init, such as SIGKILL
}

// Status tells how the container fares.
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

// Crashed tells whether the container ended and should not have: by an exit code other than 0, or by a signal, but for
// those that ask a program to end.
func (s Status) Crashed() bool {
	const interrupted, terminated = 128 + 2, 128 + 15 // as shells tell the signals
	switch {
	case s.State != Exited:
		return false
	case s.Signal != "":
		return s.Signal != "SIGTERM" && s.Signal != "SIGINT"
	}
	return s.ExitCode != 0 && s.ExitCode != interrupted && s.ExitCode != terminated
}

// Compare orders those that crashed before others, and of both the most recent first.
func (s Status) Compare(other Status) int {
	if a, b := s.Crashed(), other.Crashed(); a != b {
		if a {
			return -1
		}
		return 1
	}
	return cmp.Compare(other.Since, s.Since)
}
