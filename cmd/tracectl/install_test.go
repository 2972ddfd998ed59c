// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// image creates the root directory of a host with containerd and Podman, both stopped.
func image(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	treetest.Write(t, root, map[string]string{
		"var/lib/":                             "",
		"opt/":                                 "",
		"usr/sbin/runc":                        "#!",
		"usr/bin/crun":                         "#!",
		"usr/bin/containerd":                   "#!",
		"usr/bin/podman":                       "#!",
		"usr/lib/systemd/systemd":              "#!",
		"usr/lib/systemd/system/":              "",
		"etc/systemd/system/":                  "",
		"etc/containerd/config.toml":           "version = 2 # mine\n",
		"usr/share/containers/containers.conf": "[engine]\nruntime = \"crun\"\n",
	})
	return root
}

// built copies tracectl beside a file that stands for the shim.
func built(t *testing.T) string {
	t.Helper()
	roottest.Require(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "tracectl")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("building tracectl: %v\n%s", err, out)
	}
	treetest.Write(t, dir, map[string]string{"runc-trace": "#!\x00shim"})
	return path
}

// shell runs a program like a shell.
func shell(t *testing.T, name string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestInstall installs into an image, uninstalls, and checks the output.
func TestInstall(t *testing.T) {
	tracectl, root := built(t), image(t)
	before := treetest.Read(t, root)
	step := func(want result, args ...string) {
		t.Helper()
		if diff := cmp.Diff(want, shell(t, tracectl, append(args, "--root", root)...)); diff != "" {
			t.Errorf("tracectl %s (-want +got):\n%s", strings.Join(args, " "), diff)
		}
	}
	const podman = "/etc/containers/containers.conf.d/99-runc-trace.conf"
	routed := "podman: its runtime runc-trace goes through /opt/runc-trace/bin/runc-trace to /usr/bin/crun\n"
	dry := shell(t, tracectl, "install", "--engine", "podman", "--dry-run", "--root", root)
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("a dry run (-before +after):\n%s", diff)
	}
	step(result{0, `created /opt/runc-trace/bin/runc-trace
created /opt/runc-trace/bin/tracectl
created /etc/runc-trace/config.toml
created /etc/systemd/system/runc-trace.service
created /etc/systemd/system/multi-user.target.wants/runc-trace.service, a link to /etc/systemd/system/runc-trace.service
created /etc/systemd/system/runc-trace-agent.service
created /usr/local/bin/tracectl, a link to /opt/runc-trace/bin/tracectl
created /etc/containers/containers.conf.d/99-runc-trace.conf
` + routed, ""}, "install", "--engine", "podman")
	newFile := func(path string) string {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		return fmt.Sprintf("diff /dev/null %s\n--- /dev/null\n+++ %s\n@@ -0,0 +1,%d @@\n+%s\n", path, path, len(lines),
			strings.Join(lines, "\n+"))
	}
	want := result{0, "would create /opt/runc-trace/bin/runc-trace\nwould create /opt/runc-trace/bin/tracectl\n" +
		newFile("/etc/runc-trace/config.toml") + newFile("/etc/systemd/system/runc-trace.service") +
		"would create /etc/systemd/system/multi-user.target.wants/runc-trace.service, a link to /etc/systemd/system/runc-trace.service\n" +
		newFile("/etc/systemd/system/runc-trace-agent.service") +
		"would create /usr/local/bin/tracectl, a link to /opt/runc-trace/bin/tracectl\n" + newFile(podman) + routed, ""}
	if diff := cmp.Diff(want, dry); diff != "" {
		t.Errorf("the dry run does not say what was done (-want +got):\n%s", diff)
	}
	step(result{0, "nothing to change\n" + routed, ""}, "install", "--engine", "podman")
	step(result{0, `changed /etc/runc-trace/config.toml
created /opt/runc-trace/bin/runc-trace-runc, a link to runc-trace
changed /etc/containerd/config.toml
containerd: its runtime runc-trace goes through /opt/runc-trace/bin/runc-trace-runc to /usr/sbin/runc
---
# for Kubernetes: apply this with kubectl, then set runtimeClassName: runc-trace in pods
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: runc-trace
handler: runc-trace
`, ""}, "install", "--engine", "containerd")

	// A container needs our files, and our part cannot be removed from another file.
	treetest.Write(t, root, map[string]string{
		"run/containerd/io.containerd.runtime.v2.task/default/a\nb/runtime": "/opt/runc-trace/bin/runc-trace-runc",
	})
	conf := filepath.Join(root, podman)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, append(bytes.Clone(text), "[engine\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	got := shell(t, tracectl, "uninstall", "--root", root)
	refusal := "; nothing was changed: undo these edits, or use --discard-edits to restore the original and keep the edited file below /var/lib/runc-trace/edited\n"
	if got.Code != exitFailure || got.Stdout != "" || !strings.HasPrefix(got.Stderr, "diff "+podman+" ") ||
		!strings.Contains(got.Stderr, "\n+[engine\ntracectl: changed since the installation and cannot be restored: "+podman+
			": it cannot be parsed (") || !strings.HasSuffix(got.Stderr, refusal) {
		t.Errorf("uninstalling what was edited: %+v", got)
	}
	if err := os.WriteFile(conf, text, 0o644); err != nil {
		t.Fatal(err)
	}
	step(result{exitKept, `restored /etc/containerd/config.toml
removed /etc/containers/containers.conf.d/99-runc-trace.conf
kept for containerd until 1 container that runc-trace started is removed:
  a\nb
the loaded programs, all recordings and these files are kept:
  /opt/runc-trace/bin/runc-trace
  /opt/runc-trace/bin/tracectl
  /etc/runc-trace/config.toml
  /opt/runc-trace/bin/runc-trace-runc
`, "tracectl: some files are still in use; run \"tracectl uninstall\" again later\n"}, "uninstall")
	got = shell(t, tracectl, "uninstall", "--force", "--dry-run", "--root", root)
	if got.Code != 0 || !strings.HasPrefix(got.Stdout, "would remove /opt/runc-trace/bin/runc-trace-runc\nwould remove /usr/local/bin/tracectl\ndiff /etc/systemd/system/runc-trace-agent.service /dev/null\n") {
		t.Errorf("uninstall --force --dry-run: %+v", got)
	}
	got = shell(t, tracectl, "uninstall", "--force", "-o", "json", "--root", root)
	var report reportJSON
	if err := json.Unmarshal([]byte(got.Stdout), &report); err != nil || got.Code != 0 || len(report.Changes) != 8 {
		t.Errorf("uninstall -o json: %+v, %v", got, err)
	}
	if err := os.RemoveAll(filepath.Join(root, "run")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("uninstalled (-before +after):\n%s", diff)
	}
	step(result{0, "nothing to change\n", ""}, "uninstall")

	// One file cannot be restored: the changes of the others are printed, too.
	if got := shell(t, tracectl, "install", "--root", root); got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	if err := os.RemoveAll(filepath.Join(root, "var/lib/runc-trace/files")); err != nil {
		t.Fatal(err)
	}
	got = shell(t, tracectl, "uninstall", "--force", "--root", root)
	if got.Code != exitFailure || !strings.HasPrefix(got.Stdout, "removed "+podman+"\nremoved /") ||
		!strings.Contains(got.Stderr, "/etc/containerd/config.toml: its original was lost: ") {
		t.Errorf("uninstalling without a file's original: %+v", got)
	}
}

// TestInstallKilled kills install, and then uninstall, with signal 9 at system calls that change files. A second
// uninstall restores the original files.
func TestInstallKilled(t *testing.T) {
	tracectl, root := built(t), image(t)
	before := treetest.Read(t, root)
	const calls = "renameat,unlinkat,mkdirat,symlinkat,fsync,fchmod,fchmodat,fchown"
	killed := func(n int, args ...string) bool {
		t.Helper()
		inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, n)
		got := shell(t, "strace", append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", inject,
			tracectl, "--root", root}, args...)...)
		if got.Code > 0 {
			t.Fatalf("tracectl %s: %+v", strings.Join(args, " "), got)
		}
		return got.Code < 0
	}
	deaths := 0
	for _, commands := range [][][]string{
		{nil, {"install"}},
		{{"install"}, {"install", "--set-default"}},
		{{"install", "--set-default"}, {"uninstall"}},
	} {
		for n := 1; ; n += 3 { // pkg/hostfile tests every one
			if commands[0] != nil {
				if got := shell(t, tracectl, append(commands[0], "--root", root)...); got.Code != 0 {
					t.Fatalf("%+v", got)
				}
			}
			died := killed(n, commands[1]...)
			if got := shell(t, tracectl, "uninstall", "--root", root); got.Code != 0 {
				t.Fatalf("uninstall after %q was killed at call %d: %+v", commands, n, got)
			}
			if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
				t.Fatalf("%q, killed at call %d, leaves after uninstall (-before +after):\n%s", commands, n, diff)
			}
			if !died {
				break
			}
			deaths++
		}
	}
	if deaths < 10 {
		t.Errorf("died only %d times", deaths)
	}
	t.Logf("died %d times", deaths)
}
