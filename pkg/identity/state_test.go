// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

func TestState(t *testing.T) {
	for name, test := range map[string]struct {
		identity abi.Identity
		want     uint32
	}{
		"runs":                    {abi.Identity{State: abi.StateRunning, Started: 1, Threads: 2}, abi.StateRunning},
		"is outside":              {abi.Identity{State: abi.StateRunning, Started: 1, Left: 1, Threads: 1}, abi.StateRunning},
		"ended":                   {abi.Identity{State: abi.StateEnded, Started: 1, Exited: 2}, abi.StateEnded},
		"ended, its end not seen": {abi.Identity{State: abi.StateEnded, Started: 1, Threads: 1}, abi.StateEnded},
		"ended outside":           {abi.Identity{State: abi.StateEnded, Started: 1, Exited: 2, Left: 1}, abi.StateEnded},
		"lives on outside":        {abi.Identity{State: abi.StateEnded, Started: 1, Left: 1, Threads: 1}, abi.StateRunning},
		"its init ended outside":  {abi.Identity{State: abi.StateEnded, Exited: 2, Left: 1, Threads: 1}, abi.StateExited},
		"waits outside":           {abi.Identity{State: abi.StateEnded, Left: 1, Threads: 1}, abi.StateCreated},
	} {
		if got := State(&test.identity); got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
}
