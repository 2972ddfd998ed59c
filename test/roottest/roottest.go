// SPDX-License-Identifier: Apache-2.0

// Package roottest marks tests that need root. `go test -short` skips them, even as root. Without -short, a
// test that cannot run fails, so that CI runs them all.
package roottest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const reason = "needs root: run it as root, or leave it out with -short"

// Require lets a test go on only if it runs as root and without -short.
func Require(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip(reason)
	}
	if !isRoot() {
		t.Fatal(reason)
	}
}

// RequireAll is Require for all tests of a package. It is called first in TestMain.
func RequireAll() {
	flag.Parse()
	if testing.Short() {
		fmt.Println("not run:", reason)
		os.Exit(0)
	}
	if !isRoot() {
		fmt.Fprintln(os.Stderr, reason)
		os.Exit(1)
	}
}

// InUserNamespace runs the tests of a package whose tests give files to root, and need nothing else of it. It is called
// first in TestMain. With -short and without root it runs them as root of a user namespace, or none if the kernel
// has no user namespace for them.
func InUserNamespace() {
	flag.Parse()
	if os.Geteuid() == 0 {
		return
	}
	if !testing.Short() {
		fmt.Fprintln(os.Stderr, reason)
		os.Exit(1)
	}
	tests := exec.Command("/proc/self/exe", os.Args[1:]...)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	tests.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	var exit *exec.ExitError
	switch err := tests.Run(); {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Println("not run: no user namespace can be made:", err)
	}
	os.Exit(0)
}

// OwnMounts moves a test into a mount namespace of its own, which ends with the test's thread. Root of a user namespace
// is enough; without it, OwnMounts skips the test.
func OwnMounts(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

// OwnPins gives the tests of a package a bpf file system of their own at /sys/fs/bpf. It disappears with the process,
// so a test that is killed leaves no pin and no attached program. It is called first in TestMain, and does nothing
// without root or with -short.
func OwnPins() {
	const done = "RUNC_TRACE_TEST_OWN_PINS"
	flag.Parse()
	if testing.Short() || !isRoot() || os.Getenv(done) != "" {
		return
	}
	// Only this thread gets the new mount namespace, and exec makes it the only thread.
	runtime.LockOSThread()
	err := syscall.Unshare(syscall.CLONE_NEWNS)
	if err == nil {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, "")
	}
	if err == nil {
		err = syscall.Mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700")
	}
	if err == nil {
		err = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), done+"=1"))
	}
	fmt.Fprintln(os.Stderr, "mounting a bpf file system for the tests:", err)
	os.Exit(1)
}

// HasAllUsers tells whether files can be given to any user: it is false in the namespace that InUserNamespace makes.
func HasAllUsers() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && len(fields) == 3 && fields[2] == "4294967295"
}

// isRoot tells whether this is root of the host, not of a user namespace.
func isRoot() bool { return os.Geteuid() == 0 && HasAllUsers() }
