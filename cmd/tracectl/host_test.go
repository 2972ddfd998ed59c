// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

// TestTerminationLog checks that install and uninstall write one line about their result.
func TestTerminationLog(t *testing.T) {
	tracectl, root := built(t), image(t)
	log := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(log, []byte("what was there before, and is longer than what comes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	task := "run/containerd/io.containerd.runtime.v2.task/default/web"
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"install", "--engine=crio"}, exitFailure, "crio was not found: it has no program, unit or configuration"},
		{[]string{"install", "--engine=podman"}, 0, "podman: its runtime runc-trace goes through /opt/runc-trace/bin/runc-trace to /usr/bin/crun"},
		{[]string{"install", "--engine=podman"}, 0, "podman: its runtime runc-trace goes through /opt/runc-trace/bin/runc-trace to /usr/bin/crun; nothing was changed"},
		{[]string{"install", "--engine=containerd"}, 0, "containerd: its runtime runc-trace goes through /opt/runc-trace/bin/runc-trace-runc to /usr/sbin/runc"},
		{[]string{"uninstall", "--check"}, exitKept, errInstalled.Error()},
		{[]string{"uninstall"}, exitKept, errKept.Error()},
		{[]string{"uninstall", "--wait=20ms"}, exitKept, errKept.Error()},
		{[]string{"uninstall", "--force"}, 0, "everything was removed"},
		{[]string{"uninstall", "--wait"}, 0, "nothing to remove"},
		{[]string{"uninstall", "--check"}, 0, "nothing is left"},
	} {
		if step.args[0] == "uninstall" && step.want == errInstalled.Error() {
			treetest.Write(t, root, map[string]string{task + "/runtime": "/opt/runc-trace/bin/runc-trace-runc"})
		}
		got := shell(t, tracectl, append(step.args, "--root", root, "--termination-log", log)...)
		text, err := os.ReadFile(log)
		if diff := cmp.Diff([]any{step.code, step.want + "\n"}, []any{got.Code, string(text)}); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s%s", step.args, err, diff, got.Stderr)
		}
	}
	// Without a log, the exit code is that of the command itself.
	got := shell(t, tracectl, "uninstall", "--root", root, "--termination-log", filepath.Join(log, "nowhere"))
	if got.Code != 0 || !strings.HasPrefix(got.Stderr, "tracectl: writing the termination log: ") {
		t.Errorf("%+v", got)
	}
}

// TestTerminationMessage cuts the message at its maximum, between characters.
func TestTerminationMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	for length, want := range map[int]int{10: 11, 4095: 4096, 4096: 4095, 10000: 4095} {
		if err := terminationMessage(file, strings.Repeat("x", length)); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(file); err != nil || len(text) != want {
			t.Errorf("%d bytes are written as %d, %v; want %d", length, len(text), err, want)
		}
	}
	if err := terminationMessage(file, strings.Repeat("€", 2000)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(text), "€...\n") {
		t.Errorf("%q, %v", text[len(text)-10:], err)
	}
}

// TestStay sleeps after everything is removed, until a signal arrives.
func TestStay(t *testing.T) {
	tracectl, root := built(t), image(t)
	log := filepath.Join(t.TempDir(), "log")
	c := exec.Command(tracectl, "uninstall", "--wait", "--stay", "--root", root, "--termination-log", log)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		if text, err := os.ReadFile(log); err == nil && string(text) == "nothing to remove\n" {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it has ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	select {
	case err := <-ended:
		t.Errorf("it does not stay: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("after a signal: %v", err)
	}
}
