// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// rootfs has busybox under all its names.
const rootfs = "/var/lib/rootfs"

// TestDriver runs containers with --systemd-cgroup in every kind of slice and scope, with the runtime itself and
// with the shim instead. It installs nothing: the shim and tracectl are on the test's disk.
func TestDriver(t *testing.T) {
	for _, runtime := range []string{"/usr/sbin/runc", "/usr/bin/crun"} {
		t.Run(filepath.Base(runtime), func(t *testing.T) { testDriver(t, runtime) })
	}
}

func testDriver(t *testing.T, runtime string) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "runtime = %q\n", runtime), 0o644); err != nil {
		t.Fatal(err)
	}
	pins := "/sys/fs/bpf/" + filepath.Base(runtime) + "-test"
	x := tracer{"/test/bin/tracectl", []string{config.PathEnv + "=" + file, abi.PinDirEnv + "=" + pins}}
	const shim = "/test/bin/runc-trace"
	if o := run(t, x.environment, x.tracectl, "load", "--recordings=16", "--identities=64",
		"--exec-log-size=1MiB"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	t.Cleanup(func() {
		if o := run(t, x.environment, x.tracectl, "unload"); o.code != 0 {
			t.Error(o.stderr)
		}
	})

	crun := filepath.Base(runtime) == "crun"
	for i, test := range []struct {
		name, cgroupsPath string
		want              string // the container's cgroup, with ID for its ID
		only              string // with this runtime only
	}{
		{"without a path", "", "/system.slice/" + filepath.Base(runtime) + "-ID.scope", ""},
		{"without a slice", ":engine:ID", "/system.slice/engine-ID.scope", "runc"},
		{"system.slice", "system.slice:docker:ID", "/system.slice/docker-ID.scope", ""},
		{"a slice of somebody's own", "mine.slice:engine:ID", "/mine.slice/engine-ID.scope", ""},
		{"nested slices", "mine-nested-deeply.slice:engine:ID",
			"/mine.slice/mine-nested.slice/mine-nested-deeply.slice/engine-ID.scope", ""},
		{"a pod's slice", "kubepods-burstable-pod0a_1b.slice:cri-containerd:ID",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a_1b.slice/cri-containerd-ID.scope", ""},
		{"the root slice", "-.slice:engine:ID", "/engine-ID.scope", ""},
		{"a scope without a prefix", "mine.slice:ID", "/mine.slice/ID.scope", "crun"},
	} {
		if test.only != "" && test.only != filepath.Base(runtime) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			id := fmt.Sprintf("%stest%d", filepath.Base(runtime), i)
			c := container{
				id: id, state: filepath.Join(dir, "state"), cgroupsPath: strings.ReplaceAll(test.cgroupsPath, "ID", id),
				args: []string{"/bin/sh", "-c", "/bin/cat /proc/self/cgroup; exit 3"},
			}
			bundle := c.write(t, filepath.Join(dir, id))
			command := []string{"--root", c.state, "--systemd-cgroup", "run", "--bundle", bundle, id}
			bare, shimmed := run(t, x.environment, runtime, command...), run(t, x.environment, shim, command...)
			if diff := cmp.Diff(bare, shimmed, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("the runtime itself (-) and the shim (+) differ:\n%s", diff)
			}
			want := strings.ReplaceAll(test.want, "ID", id)
			inside := want
			if crun {
				inside += "/container"
			}
			if diff := cmp.Diff(outcome{3, "0::" + inside + "\n", ""}, bare, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}

			// The same ID again, in single steps. The first container with it has ended by then.
			c.args = []string{"/bin/sleep", "1000"}
			c.write(t, bundle)
			for _, verb := range [][]string{{"create", "--bundle", bundle}, {"start"}, {"exec", id, "/bin/true"}} {
				if verb[0] != "exec" {
					verb = append(verb, id)
				}
				if o := run(t, x.environment, shim,
					append([]string{"--root", c.state, "--systemd-cgroup"}, verb...)...); o.code != 0 {
					t.Fatalf("%q: exit code %d\n%s%s", verb, o.code, o.stdout, o.stderr)
				}
			}
			all := objects[Container](t, x, "containers", "--all", "--pod="+id)
			at := slices.IndexFunc(all, func(c Container) bool { return c.State == "running" })
			if len(all) != 2 || at < 0 {
				t.Fatalf("containers of the pod %s: %+v", id, all)
			}
			running := all[at]
			expected := Container{
				Namespace: "default", Pod: id, PodUID: "uid-of-" + id, Container: "main", ContainerID: id,
				SandboxID: "sandbox-of-" + id,
				Engine:    "containerd", State: "running", CgroupID: inode(t, want), Recorded: "yes",
			}
			if diff := cmp.Diff(expected, running); diff != "" {
				t.Errorf("the container that runs (-want +got):\n%s", diff)
			}
			x.checkBeginning(t, id)
			if o := run(t, x.environment, shim, "--root", c.state, "--systemd-cgroup", "delete", "--force", id); o.code != 0 {
				t.Errorf("delete: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
			}
			for _, c := range objects[Container](t, x, "containers", "--all", "--pod="+id) {
				if c.Ended == "" {
					t.Errorf("it has not ended with its deletion: %+v", c)
				}
			}
			if diff := cmp.Diff([]string{"/bin/sh", "/bin/cat", "/bin/sleep", "/bin/true"}, x.execs(t, id)); diff != "" {
				t.Errorf("execs (-want +got):\n%s", diff)
			}
		})
	}
	status := objects[struct{ Dropped map[string]uint64 }](t, x, "status")
	for reason, count := range status[0].Dropped {
		if count != 0 && strings.HasPrefix(reason, "pending") {
			t.Errorf("dropped: %d %s", count, reason)
		}
	}
}

// container is a container for which a runtime is called directly.
type container struct {
	id, state   string
	cgroupsPath string
	args        []string
}

// write makes the bundle, with the annotations of a pod named after the container, and returns its path.
func (c container) write(t *testing.T, dir string) string {
	t.Helper()
	spec := specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: rootfs},
		Annotations: map[string]string{
			"io.kubernetes.cri.container-type":    "container",
			"io.kubernetes.cri.container-name":    "main",
			"io.kubernetes.cri.sandbox-id":        "sandbox-of-" + c.id,
			"io.kubernetes.cri.sandbox-name":      c.id,
			"io.kubernetes.cri.sandbox-namespace": "default",
			"io.kubernetes.cri.sandbox-uid":       "uid-of-" + c.id,
		},
		Process: &specs.Process{Args: c.args, Cwd: "/", Env: []string{"PATH=/bin"}},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: c.cgroupsPath,
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
				{Type: specs.IPCNamespace}},
		},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
