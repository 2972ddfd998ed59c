// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// unifiedOnly runs a command where /sys/fs/cgroup is the unified hierarchy, as on hosts without cgroup v1.
var unifiedOnly = []string{
	"unshare", "--mount", "sh", "-c", `mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"`, "sh",
}

// ended returns how a container ended: a state, and an exit code or a signal.
func (x *tracer) ended(id string) string {
	x.t.Helper()
	for _, c := range x.containers() {
		if c.Container != id {
			continue
		}
		s := c.State
		if c.ExitCode != nil {
			s += fmt.Sprintf(" %d", *c.ExitCode)
		}
		return s + c.Signal
	}
	return "unknown"
}

// TestInit takes for the init of a container what the runtime made its init, not what else is executed in the container
// before: hooks of each kind, and programs that are executed while it is only created.
func TestInit(t *testing.T) {
	crun, err := exec.LookPath("crun")
	if err != nil {
		t.Fatal("install the package crun: ", err)
	}
	hooks := func(s *specs.Spec) {
		// Debian's crun fails now and then if a hook ends at once.
		hook := specs.Hook{Path: "/bin/sleep", Args: []string{"sleep", "0.1"}}
		all := []specs.Hook{hook, hook}
		s.Hooks = &specs.Hooks{
			CreateRuntime: all, CreateContainer: all, StartContainer: all, Poststart: all, Poststop: all,
		}
		s.Hooks.Prestart = all //lint:ignore SA1019 engines still use it
	}
	without := func(kinds ...specs.LinuxNamespaceType) func(s *specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
				return slices.Contains(kinds, n.Type)
			})
		}
	}
	for name, edit := range map[string]func(*specs.Spec){
		"plain":    nil,
		"hooks":    hooks,
		"host-pid": without(specs.PIDNamespace),
		"host-pid-hooks": func(s *specs.Spec) {
			without(specs.PIDNamespace)(s)
			hooks(s)
		},
		"shared-pid": func(s *specs.Spec) {
			without(specs.PIDNamespace)(s)
			s.Linux.Namespaces = append(s.Linux.Namespaces,
				specs.LinuxNamespace{Type: specs.PIDNamespace, Path: fmt.Sprintf("/proc/%d/ns/pid", shareable(t))})
		},
	} {
		for _, runtime := range []string{runcPath, crun} {
			t.Run(name+" "+filepath.Base(runtime), func(t *testing.T) {
				x := load(t)
				x.useRuntime(runtime)
				if runtime == crun { // it does not support a hybrid hierarchy
					x.within = unifiedOnly
				}
				for _, id := range []string{"first", "killed"} {
					b := simple(id, "/bin/sh", "-c", "echo started; sleep 1000 & wait; exit 42")
					if id == "first" {
						b.args[2] = "sleep 0.1; exit 42"
					}
					b.edit = edit
					x.runtime("create", "--bundle", x.write(b), id)
					if got := x.ended(id); got != "created" {
						t.Errorf("%s after create: %s", id, got)
					}
					x.runtime("exec", id, "/bin/true")
					if got := x.ended(id); got != "created" {
						t.Errorf("%s after an exec into it: %s", id, got)
					}
					x.runtime("start", id)
				}
				eventually(t, "the second one runs", func() bool { return x.ended("killed") == "running" })
				x.runtime("exec", "killed", "/bin/true")
				x.runtime("kill", "killed", "KILL")
				eventually(t, "the first one has exited", func() bool { return x.ended("first") == "exited 42" })
				eventually(t, "the second one was killed", func() bool { return x.ended("killed") == "exitedSIGKILL" })
			})
		}
	}
}

// shareable returns the PID of a process whose PID namespace containers can share, as those of a pod do.
func shareable(t *testing.T) int {
	t.Helper()
	c := exec.Command("unshare", "--pid", "--fork", "--kill-child", "sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	var child int
	eventually(t, "the namespace has a process", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", c.Process.Pid, c.Process.Pid))
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return child != 0
	})
	return child
}
