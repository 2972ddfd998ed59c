// SPDX-License-Identifier: Apache-2.0

// Package systemd tests features that need a machine with systemd: its cgroup driver, the engines as its services,
// and an installation across a reboot. Only `make test-systemd` runs it, in a virtual machine of its own (see
// run.sh): the tests configure engines, install, and uninstall. Tests whose names begin with TestReboot run after a
// reboot that follows the others.
package systemd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv("RUNC_TRACE_SYSTEMD") != "1" {
		fmt.Println("not run: `make test-systemd` runs the tests that need systemd")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// outcome is the result of a command.
type outcome struct {
	code           int
	stdout, stderr string
}

// patience is how long a program or a condition may take: the machine is emulated, on a computer that may be busy.
const patience = 15 * time.Minute

// run runs a program with additional environment variables, and waits for it. Its output goes to files: a container
// that keeps running would keep a pipe open.
func run(t *testing.T, environment []string, program string, args ...string) outcome {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		var err error
		if files[i], err = os.CreateTemp(t.TempDir(), "output"); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), environment...)
	c.Stdout, c.Stderr = files[0], files[1]
	begin := time.Now()
	if err := c.Start(); err != nil {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	// By SIGQUIT, a Go program prints what its goroutines are waiting for.
	for _, end := range []struct {
		after  time.Duration
		signal os.Signal
	}{{patience, syscall.SIGQUIT}, {patience + 10*time.Second, syscall.SIGKILL}} {
		timer := time.AfterFunc(end.after, func() { _ = c.Process.Signal(end.signal) })
		defer timer.Stop()
	}
	if err := c.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	t.Logf("%.1f s, exit code %d: %s %q", time.Since(begin).Seconds(), c.ProcessState.ExitCode(), program, args)
	o := outcome{code: c.ProcessState.ExitCode()}
	for i, text := range []*string{&o.stdout, &o.stderr} {
		data, err := os.ReadFile(files[i].Name())
		if err != nil {
			t.Fatal(err)
		}
		*text = string(data)
	}
	return o
}

// must runs a program that has to succeed, and returns its output with surrounding space trimmed.
func must(t *testing.T, program string, args ...string) string {
	t.Helper()
	o := run(t, nil, program, args...)
	if o.code != 0 {
		t.Fatalf("%s %q: exit code %d\n%s%s", program, args, o.code, o.stdout, o.stderr)
	}
	return strings.TrimSpace(o.stdout)
}

// eventually waits until so returns true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for this in vain: %s", patience, what)
		}
	}
}
