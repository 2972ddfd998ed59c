// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"os"
	"runtime/debug"
)

// LimitMemory makes this process collect garbage early, unless its environment sets a limit: most of the agent's
// memory is short-lived, and the node needs it for other programs.
func LimitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(64 << 20)
	}
}
