// SPDX-License-Identifier: Apache-2.0

package identity

import "github.com/runc-trace/runc-trace/pkg/bpf/abi"

// State returns the state of a container, one of enum state. The kernel says StateEnded as soon as its cgroup was
// removed. If processes of it moved to a cgroup outside and still run, the container has not ended.
func State(i *abi.Identity) uint32 {
	switch {
	case i.State != abi.StateEnded || i.Left == 0 || i.Threads == 0:
		return i.State
	case i.Exited != 0:
		return abi.StateExited
	case i.Started != 0:
		return abi.StateRunning
	}
	return abi.StateCreated
}
