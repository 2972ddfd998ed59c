// SPDX-License-Identifier: Apache-2.0

// Package hostns runs this program again in the host's namespaces, from a privileged container that shares the
// host's PID namespace. It does the same as nsenter(1), so that the image does not need that program.
package hostns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reasons why a process cannot enter the host's namespaces.
var (
	ErrNotPrivileged = errors.New("not privileged enough to enter the host's namespaces: the container needs privileged: true, and uid 0")
	ErrNotHostPID    = errors.New("PID 1 is not the host's: the pod needs hostPID: true")
	ErrThere         = errors.New("this process has the mount namespace of PID 1 already: on the host itself leave --host out; in a pod, hostPID: true is missing")
)

// namespaces to enter, by their names in /proc/PID/ns. The user and PID namespaces are the host's already.
var namespaces = []struct {
	name string
	kind int
}{
	{"cgroup", unix.CLONE_NEWCGROUP}, {"ipc", unix.CLONE_NEWIPC}, {"uts", unix.CLONE_NEWUTS}, {"net", unix.CLONE_NEWNET},
	{"mnt", unix.CLONE_NEWNS}, // last, since it replaces /proc
}

// originEnv tells the process on the host which container started it.
const originEnv = "RUNC_TRACE_CONTAINER"

// searchPath is the PATH of the process on the host, for which the container's PATH means nothing.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin:/run/current-system/sw/bin"

// origin returns the variable's value, and removes it from the environment, which child processes inherit.
var origin = sync.OnceValue(func() string {
	value := os.Getenv(originEnv)
	os.Unsetenv(originEnv)
	return value
})

// Inside reports whether Run started this process.
func Inside() bool { return origin() != "" }

// Path returns the path at which this process sees a file of the container. If Run did not start this process, it
// returns file unchanged.
func Path(file string) string {
	root, _, _ := strings.Cut(origin(), ":")
	return root + file
}

// Program returns the path at which this process sees its program in the container; "" if Run did not start this
// process.
func Program() string {
	_, program, _ := strings.Cut(origin(), ":")
	return program
}

// ExitError says how the process on the host ended.
type ExitError struct {
	Code   int            // exit code, or 128 + signal
	Signal syscall.Signal // signal that killed it, or 0
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("the process on the host was killed: %v", e.Signal)
	}
	return fmt.Sprintf("the process on the host ended with exit code %d", e.Code)
}

// Run runs this program again in all namespaces of PID 1 except the user namespace, with the same arguments and
// standard streams. It passes signals on and waits for the process to end. The error is an *ExitError if the
// process failed. The process gets the environment of a service, plus all variables of this project.
func Run() error {
	if err := check(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return fmt.Errorf("looking for this program: %w", err)
	}
	root := fmt.Sprintf("/proc/%d/root", os.Getpid())
	c := exec.Command("/proc/self/exe")
	c.Args = os.Args
	c.Env = append(environment(os.Environ()), originEnv+"="+root+":"+root+program)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Dir = "/"

	// The engine kills all processes of a container when its first one ends, so this process must not end before
	// its child.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err := elsewhere(func() error { return enterAndStart(c) }); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = c.Process.Signal(s) // it may have ended already
		case err := <-ended:
			return exit(c, err)
		}
	}
}

func exit(c *exec.Cmd, err error) error {
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return fmt.Errorf("waiting for the process on the host: %w", err)
	}
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		return &ExitError{128 + int(status.Signal()), status.Signal()}
	case status.ExitStatus() != 0:
		return &ExitError{Code: status.ExitStatus()}
	}
	return nil
}

// check reports whether PID 1 can be the host's.
func check() error {
	// The first process of a PID namespace, or of a container that joined another one's (shareProcessNamespace),
	// has no parent in it. In the host's PID namespace, the parent is the engine's shim.
	if os.Getpid() == 1 || os.Getppid() == 0 {
		return ErrNotHostPID
	}
	var theirs, ours unix.Stat_t
	if err := unix.Stat("/proc/1/ns/mnt", &theirs); err != nil {
		return refused("looking at the mount namespace of PID 1", err)
	}
	if err := unix.Stat("/proc/self/ns/mnt", &ours); err != nil {
		return fmt.Errorf("looking at the own mount namespace: %w", err)
	}
	if theirs.Dev == ours.Dev && theirs.Ino == ours.Ino {
		return ErrThere
	}
	return nil
}

func refused(what string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (%s: %w)", ErrNotPrivileged, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// environment returns the part of the environment that is passed on.
func environment(all []string) []string {
	kept := []string{"PATH=" + searchPath, "HOME=/root"}
	for _, variable := range all {
		for _, prefix := range []string{"RUNC_TRACE_", "TERM=", "LANG=", "LC_", "TZ="} {
			if strings.HasPrefix(variable, prefix) {
				kept = append(kept, variable)
			}
		}
	}
	return kept
}

// elsewhere runs do on a thread that ends with it and is not the main thread: the host sees the container's files
// through the root directory of the main thread.
func elsewhere(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			err := elsewhere(do)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- do() // the thread stays locked, so it ends here
	}()
	return <-done
}

// enterAndStart moves the thread into the namespaces of PID 1, and starts a command there.
func enterAndStart(c *exec.Cmd) error {
	files := make([]*os.File, len(namespaces))
	for i, n := range namespaces {
		file, err := os.Open("/proc/1/ns/" + n.name)
		if err != nil {
			return refused("opening the host's namespaces", err)
		}
		defer file.Close()
		files[i] = file
	}
	// Threads share their root directory; a thread that shares it cannot change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("giving a thread a root directory of its own: %w", err)
	}
	for i, n := range namespaces {
		if err := unix.Setns(int(files[i].Fd()), n.kind); err != nil {
			return refused("entering the "+n.name+" namespace of PID 1", err)
		}
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("starting this program on the host (PID %s): %w", strconv.Itoa(os.Getpid()), err)
	}
	return nil
}
