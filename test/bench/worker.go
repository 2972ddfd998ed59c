// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// workloads are the measured calls. Each function makes a call n times.
var workloads = map[string]func(n int) error{
	"getppid": func(n int) error {
		for range n {
			unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0)
		}
		return nil
	},
	"write64": func(n int) error {
		fd, err := unix.Open("/dev/null", unix.O_WRONLY, 0)
		if err != nil {
			return err
		}
		buffer := []byte(strings.Repeat("x", 64))
		for range n {
			unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&buffer[0])), 64)
		}
		return nil
	},
	"access": func(n int) error {
		path, err := unix.BytePtrFromString("/etc/hosts")
		if err != nil {
			return err
		}
		at := unix.AT_FDCWD
		for range n {
			unix.RawSyscall(unix.SYS_FACCESSAT, uintptr(at), uintptr(unsafe.Pointer(path)), 0)
		}
		return nil
	},
}

// work makes n calls in one thread, once to warm up and then in five batches. It prints the minimum CPU time of a
// batch, in nanoseconds per call.
func work(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: bench worker WORKLOAD N")
	}
	workload, ok := workloads[args[0]]
	if !ok {
		return fmt.Errorf("no workload %q", args[0])
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	var took []float64
	for range 6 {
		start := threadTime()
		if err := workload(n); err != nil {
			return err
		}
		took = append(took, float64(threadTime()-start)/float64(n))
	}
	fmt.Println(least(took[1:]))
	return nil
}

func threadTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return t.Nano()
}
