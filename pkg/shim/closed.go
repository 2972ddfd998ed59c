// SPDX-License-Identifier: Apache-2.0

package shim

import "syscall"

// closedAtStart has one bit for each of descriptors 0 to 2 that the caller left closed. Go opens /dev/null in their place
// before any Go code runs (checkfds in its runtime), so the program's entry point notes them before: see
// entry_linux_amd64.s. Without that entry point (a plain `go build`) it stays 0, and /dev/null is handed on.
var closedAtStart uint32

// keepClosedDescriptors has exec close those descriptors again that were closed when the shim was exec'd.
func keepClosedDescriptors() {
	for fd := range 3 {
		if closedAtStart&(1<<fd) != 0 {
			syscall.CloseOnExec(fd)
		}
	}
}
