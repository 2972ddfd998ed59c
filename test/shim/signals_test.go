// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignalsDuringStart sends a signal to a runtime at a random time after its start, with bare runc and through the
// shim. The runtime must end in one of the ways in which runc ends, and the container's name must stay usable.
func TestSignalsDuringStart(t *testing.T) {
	p := makePins(t, nil)
	directory := bundle(t, t.TempDir(), "sleep", "1000")
	root := filepath.Join(directory, "root")
	bare := runner{path: runcPath}
	shim := runner{path: shimPath, environment: []string{inPinDir(p.directory)}}
	const rounds = 6
	for _, test := range []struct {
		signal syscall.Signal
		deadly string
	}{
		{syscall.SIGTERM, "signal: terminated"},
		{syscall.SIGKILL, "signal: killed"},
		{syscall.SIGWINCH, ""},
		{syscall.SIGUSR1, "signal: user defined signal 1"}, // before Go's runtime handles it
	} {
		// runc may also report that the signal hit a process that it started.
		ways := []string{"exit status 0"}
		if test.deadly != "" {
			ways = append(ways, test.deadly, "exit status 1")
		}
		for _, r := range []runner{bare, shim} {
			for round := range rounds {
				// Half of the signals hit the shim, which takes some milliseconds, and half of them hit runc.
				delay := time.Duration(rand.Int64N(int64(3 * time.Millisecond)))
				if round%2 == 1 {
					delay = time.Duration(rand.Int64N(int64(60 * time.Millisecond)))
				}
				if got := interrupted(t, r, test.signal, delay, "--root", root, "create", "--bundle", directory,
					"c"); !slices.Contains(ways, got) {
					t.Errorf("%s, %v after %v: %s", r.path, test.signal, delay, got)
				}
				if got := r.run(t, "--root", root, "delete", "--force", "c"); got.Status != "exit status 0" {
					t.Errorf("%s, %v after %v, then deleted: %+v", r.path, test.signal, delay, got)
				}
				clear(t, directory)
			}
			if got := r.run(t, "--root", root, "create", "--bundle", directory, "c"); got != (outcome{Status: "exit status 0"}) {
				t.Errorf("%s, after %v: %+v", r.path, test.signal, got)
			}
			// On a busy machine, runc warns that it will try again to remove the cgroup of a process that still exits.
			if got := r.run(t, "--root", root, "delete", "--force", "c"); got.Status != "exit status 0" {
				t.Errorf("%s, after %v: %+v", r.path, test.signal, got)
			}
		}
	}
}

// interrupted starts a runtime, sends it a signal after a delay, and returns how it ended.
func interrupted(t *testing.T, r runner, signal syscall.Signal, delay time.Duration, args ...string) string {
	t.Helper()
	command := r.command(args...)
	command.Stdin = nil
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(delay)
	if err := command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	timer := time.AfterFunc(2*time.Minute, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return command.ProcessState.String()
}

// clear removes the half-made container that a killed runtime left, which runc does not know.
func clear(t *testing.T, directory string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(directory, "root")); err != nil {
		t.Error(err)
	}
	name := filepath.Base(cgroupOf(directory))
	var cgroups []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == name {
			cgroups = append(cgroups, path)
		}
		return nil // entries of others come and go
	})
	if err != nil {
		t.Error(err)
	}
	for _, cgroup := range cgroups {
		await(t, cgroup+" is gone", func() bool {
			text, _ := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
			for _, pid := range strings.Fields(string(text)) {
				if process, err := strconv.Atoi(pid); err == nil && process > 1 {
					_ = syscall.Kill(process, syscall.SIGKILL)
				}
			}
			err := os.Remove(cgroup)
			return err == nil || errors.Is(err, fs.ErrNotExist)
		})
	}
}
