// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// bundle describes a container.
type bundle struct {
	id          string
	annotations map[string]string
	args        []string
	// cgroupsPath as in config.json. If it is empty, a path below the test's own cgroup is used.
	cgroupsPath string
	noPath      bool // no cgroupsPath at all
	seccomp     *specs.LinuxSeccomp
	edit        func(*specs.Spec) // changes config.json; may be nil
}

// pod returns annotations as containerd's CRI plugin writes them, for a pod with one container of the same name.
// containerd does not write labels, so these are under our own prefix.
func pod(name string, labels map[string]string) map[string]string {
	a := map[string]string{
		"io.kubernetes.cri.container-type":    "container",
		"io.kubernetes.cri.container-name":    name,
		"io.kubernetes.cri.image-name":        "docker.io/library/busybox:" + name,
		"io.kubernetes.cri.sandbox-id":        "sandbox-of-" + name,
		"io.kubernetes.cri.sandbox-name":      name,
		"io.kubernetes.cri.sandbox-namespace": "default",
		"io.kubernetes.cri.sandbox-uid":       "uid-of-" + name,
	}
	for key, value := range labels {
		a["runc-trace.label/"+key] = value
	}
	return a
}

// simple describes a container default/NAME/NAME.
func simple(name string, args ...string) bundle {
	return bundle{id: name, annotations: pod(name, nil), args: args}
}

// write makes the bundle and returns its path.
func (x *tracer) write(b bundle) string {
	x.t.Helper()
	dir := filepath.Join(x.dir, "bundles", b.id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		x.t.Fatal(err)
	}
	cgroup := b.cgroupsPath
	if cgroup == "" && !b.noPath {
		cgroup = x.cgroup + "/" + b.id
	}
	spec := specs.Spec{
		Version:     "1.0.2",
		Root:        &specs.Root{Path: rootfs},
		Annotations: b.annotations,
		Process:     &specs.Process{Args: b.args, Cwd: "/", Env: []string{"PATH=/bin"}},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
			{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: cgroup,
			Seccomp:     b.seccomp,
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
				{Type: specs.IPCNamespace}},
		},
	}
	if b.edit != nil {
		b.edit(&spec)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		x.t.Fatal(err)
	}
	return dir
}

// runContainer runs a container to its end and deletes it, for any exit code.
func (x *tracer) runContainer(b bundle) outcome {
	x.t.Helper()
	return x.run(shimPath, "--root", filepath.Join(x.dir, "state"), "run", "--bundle", x.write(b), b.id)
}

// start creates a container and starts it. When it returns, the runtime's init has executed the container's program.
func (x *tracer) start(b bundle) {
	x.t.Helper()
	x.runtime("create", "--bundle", x.write(b), b.id)
	exe := fmt.Sprintf("/proc/%d/exe", x.stateOf(b.id).Pid)
	before, err := os.Stat(exe)
	if err != nil {
		x.t.Fatal(err)
	}
	x.runtime("start", b.id)
	eventually(x.t, b.id+" executes its program", func() bool {
		now, err := os.Stat(exe)
		return err != nil || !os.SameFile(now, before)
	})
}

// stateOf returns what the runtime says of a container.
func (x *tracer) stateOf(id string) (state specs.State) {
	x.t.Helper()
	if err := json.Unmarshal([]byte(x.runtime("state", id).stdout), &state); err != nil {
		x.t.Fatal(err)
	}
	return state
}

// remove kills a container and deletes it.
func (x *tracer) remove(id string) {
	x.t.Helper()
	x.runtime("delete", "--force", id)
}

// awaitExit waits until a container's program has ended.
func (x *tracer) awaitExit(id string) {
	x.t.Helper()
	eventually(x.t, id+" has stopped", func() bool {
		return x.stateOf(id).Status == specs.StateStopped
	})
}

// awaitExec waits until the log has an exec of a container.
func (x *tracer) awaitExec(id string) {
	x.t.Helper()
	eventually(x.t, "an exec of "+id+" is in the log", func() bool {
		o := x.run(tracectlPath, "exec", "--no-follow", "-o=json")
		return strings.Contains(o.stdout, `"containerID":"`+id+`"`)
	})
}
