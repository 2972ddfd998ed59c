// SPDX-License-Identifier: Apache-2.0

// Command runtime replaces an OCI runtime in tests: it writes how it was started to a file beside itself, and exits
// with 42.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// The parent-death signal belongs to the main thread, which runs package initialization.
var deathSignal = func() (signal int32) {
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0)
	return signal
}()

func main() {
	report := map[string]any{
		"args":        os.Args,
		"parent":      os.Getppid(),
		"pid":         os.Getpid(),
		"deathSignal": deathSignal,
		"umask":       syscall.Umask(0),
		"environment": strings.Split(read("/proc/self/environ"), "\x00"),
	}
	for line := range strings.Lines(read("/proc/self/status")) {
		if mask, ok := strings.CutPrefix(line, "SigBlk:"); ok {
			report["blockedSignals"] = strings.TrimSpace(mask)
		}
	}
	directory, err := os.Getwd()
	check(err)
	report["directory"] = directory

	descriptors := map[string]string{}
	for fd := range 100 {
		target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		// Descriptors that this program opened itself are close-on-exec, as always in Go.
		if err == nil && flags&syscall.FD_CLOEXEC == 0 {
			descriptors[fmt.Sprint(fd)] = target
		}
	}
	report["descriptors"] = descriptors

	text, err := json.Marshal(report)
	check(err)
	self, err := os.Executable()
	check(err)
	check(os.WriteFile(self+".json", text, 0o666))
	os.Exit(42)
}

func read(name string) string {
	text, err := os.ReadFile(name)
	check(err)
	return string(text)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
