// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A parent-death signal (PR_SET_PDEATHSIG in prctl(2), which containerd sets) belongs to one thread. If another thread
// of a Go program calls execve(2), the signal is lost. So the shim reads it while the main thread initialises the
// program, and sets it again right before the exec. Locking the main thread with runtime.LockOSThread would start one
// more thread, which takes 0.15 ms.
var parentDeathSignal = func() (signal int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0)
	return signal
}()

// keepParentDeathSignal sets the signal for the calling thread.
func keepParentDeathSignal() {
	if parentDeathSignal != 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(parentDeathSignal), 0)
	}
}
