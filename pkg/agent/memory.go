// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"os"
	"runtime/debug"
)

// LimitMemory has this process collect garbage early, unless its environment says otherwise: an agent holds little for long,
// and a node has better use for its memory.
func LimitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(64 << 20)
	}
}
