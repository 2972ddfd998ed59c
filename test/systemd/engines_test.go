// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// image has busybox under all its names, and sleeps by default.
const image = "localhost/busybox:test"

// loadImages loads the image into all engines.
func loadImages(t *testing.T) {
	t.Helper()
	must(t, "sh", "-ec", "tar -C "+rootfs+" -c . | docker import --change 'CMD [\"/bin/sleep\", \"1000000\"]' - "+image)
	must(t, "docker", "save", "--output=/test/image.tar", image)
	must(t, "ctr", "--namespace=k8s.io", "images", "import", "/test/image.tar")
	must(t, "podman", "load", "--input=/test/image.tar")
	if err := os.Remove("/test/image.tar"); err != nil {
		t.Fatal(err)
	}
}

// installed reads with the installed tracectl.
var installed = tracer{tracectl: "/opt/runc-trace/bin/tracectl"}

// scenario uses an engine, once with the runtime itself and once with the shim instead. The outcomes must be equal;
// IDs of containers are replaced.
type scenario struct {
	engine string
	run    func(t *testing.T, traced bool) []outcome
}

var scenarios = []scenario{
	{"containerd", containerdScenario},
	{"docker", func(t *testing.T, traced bool) []outcome {
		return commandScenario(t, "docker", func(id string) string { return "/system.slice/docker-" + id + ".scope" }, traced)
	}},
	{"podman", func(t *testing.T, traced bool) []outcome {
		return commandScenario(t, "podman", func(id string) string {
			return "/machine.slice/libpod-" + id + ".scope"
		}, traced)
	}},
}

// commandScenario is the scenario of docker and podman, whose commands are alike: a container that ends by itself,
// and one that keeps running, is entered, and is removed.
func commandScenario(t *testing.T, program string, cgroup func(id string) string, traced bool) []outcome {
	file := filepath.Join(t.TempDir(), "id")
	// The engines' names differ, so that a name means one container.
	shortName, longName := program+"-short", program+"-long"
	outcomes := []outcome{run(t, nil, program, "run", "--name="+shortName, "--network=none", "--memory=64m",
		"--cidfile="+file, image,
		"sh", "-c", "echo out; echo err >&2; /bin/cat /sys/fs/cgroup/memory.max; exit 3")}
	if diff := cmp.Diff(outcome{3, "out\n67108864\n", "err\n"}, outcomes[0], cmp.AllowUnexported(outcome{})); diff != "" {
		t.Fatalf("%s run (-want +got):\n%s", program, diff)
	}
	short := read(t, file)
	long := must(t, program, "run", "--detach", "--name="+longName, "--network=none", image, "/bin/sleep", "1000000")
	if traced {
		c := installed.container(t, short)
		if c.State != "exited" && c.State != "ended" || c.ExitCode == nil || *c.ExitCode != 3 {
			t.Errorf("the container that ended by itself: %+v", c)
		}
		if diff := cmp.Diff([]string{"/bin/sh", "/bin/cat"}, installed.execs(t, short)); diff != "" {
			t.Errorf("its execs (-want +got):\n%s", diff)
		}
		installed.checkBeginning(t, short)
		checkRunning(t, Container{ContainerID: long, Engine: program, Container: longName, Image: image}, cgroup(long))
		installed.checkBeginning(t, long)
	}
	outcomes = append(outcomes,
		run(t, nil, program, "exec", longName, "/bin/sh", "-c", "echo hello; exit 4"),
		run(t, nil, program, "inspect", "--format={{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", shortName, longName),
	)
	if traced {
		if diff := cmp.Diff([]string{"/bin/sleep", "/bin/sh"}, installed.execs(t, long)); diff != "" {
			t.Errorf("execs of the one that runs (-want +got):\n%s", diff)
		}
	}
	outcomes = append(outcomes, run(t, nil, program, "kill", longName), run(t, nil, program, "wait", longName))
	remove(t, program, shortName, longName)
	if traced {
		checkEnded(t, short, long)
	}
	return outcomes
}

// remove removes containers of docker or podman.
func remove(t *testing.T, program string, names ...string) {
	t.Helper()
	must(t, program, append([]string{"rm", "--force"}, names...)...)
}

// checkRunning checks the data of a running container, and that it is registered with its cgroup.
func checkRunning(t *testing.T, want Container, cgroup string) {
	t.Helper()
	want.State, want.Recorded, want.CgroupID = "running", "yes", inode(t, cgroup)
	if want.Sandbox {
		want.Recorded = "no"
	}
	if diff := cmp.Diff(want, installed.container(t, want.ContainerID)); diff != "" {
		t.Errorf("the container that runs in %s (-want +got):\n%s", cgroup, diff)
	}
}

// checkEnded checks that containers are known to have ended.
func checkEnded(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if c := installed.container(t, id); c.Ended == "" {
			t.Errorf("a container that was deleted has not ended: %+v", c)
		}
	}
}

// pod is a CRI pod with one container, as the kubelet makes them.
type pod struct {
	name, uid string
	config    string // files
	container string

	sandboxID, containerID string
}

// newPod writes the files for crictl.
func newPod(t *testing.T, dir, name, uid string) *pod {
	t.Helper()
	p := &pod{name: name, uid: uid, config: filepath.Join(dir, name+"-pod.json"),
		container: filepath.Join(dir, name+"-container.json")}
	labels := map[string]string{"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "shop",
		"io.kubernetes.pod.uid": uid, "app": name}
	for file, object := range map[string]any{
		p.config: map[string]any{
			"metadata":      map[string]any{"name": name, "namespace": "shop", "uid": uid, "attempt": 0},
			"log_directory": "/var/log/pods/shop_" + name,
			"labels":        labels,
			"linux": map[string]any{
				"cgroup_parent":    p.slice(),
				"security_context": map[string]any{"namespace_options": map[string]int{"network": 2, "pid": 1}},
			},
		},
		p.container: map[string]any{
			"metadata": map[string]any{"name": "main", "attempt": 0},
			"image":    map[string]string{"image": image},
			"command":  []string{"/bin/sh", "-c", "echo out; echo err >&2; /bin/cat /sys/fs/cgroup/memory.max; exec /bin/sleep 1000000"},
			"log_path": "main.log",
			"labels":   labels,
			"linux":    map[string]any{"resources": map[string]int{"memory_limit_in_bytes": 64 << 20}},
		},
	} {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// slice returns the pod's slice, as the kubelet names it.
func (p *pod) slice() string {
	return "kubepods-burstable-pod" + strings.ReplaceAll(p.uid, "-", "_") + ".slice"
}

// cgroup returns the cgroup of a container of the pod.
func (p *pod) cgroup(id string) string {
	return "/kubepods.slice/kubepods-burstable.slice/" + p.slice() + "/cri-containerd-" + id + ".scope"
}

// check checks the data of the pod's sandbox and of its container.
func (p *pod) check(t *testing.T) {
	t.Helper()
	want := Container{Namespace: "shop", Pod: p.name, PodUID: p.uid, Engine: "containerd", SandboxID: p.sandboxID,
		ContainerID: p.sandboxID, Sandbox: true}
	checkRunning(t, want, p.cgroup(p.sandboxID))
	want.ContainerID, want.Container, want.Image, want.Sandbox = p.containerID, "main", image, false
	checkRunning(t, want, p.cgroup(p.containerID))
	installed.checkBeginning(t, p.containerID)
	if diff := cmp.Diff([]string{"/bin/sh", "/bin/cat", "/bin/sleep"}, installed.execs(t, p.containerID)); diff != "" {
		t.Errorf("the container's execs (-want +got):\n%s", diff)
	}
}

// Debian has no crictl.
const crictl = "/test/bin/crictl"

// containerdScenario uses containerd through CRI.
func containerdScenario(t *testing.T, traced bool) []outcome {
	p := newPod(t, t.TempDir(), "web-0", "0a1b2c3d-0000-1111-2222-333344445555")
	p.sandboxID = must(t, crictl, "runp", p.config)
	p.containerID = must(t, crictl, "create", p.sandboxID, p.container, p.config)
	must(t, crictl, "start", p.containerID)
	eventually(t, "the container says how much memory it may have", func() bool {
		return strings.Contains(must(t, crictl, "logs", p.containerID), "67108864")
	})
	if traced {
		p.check(t)
	}
	var outcomes []outcome
	for _, args := range [][]string{
		{"logs", p.containerID},
		{"exec", "--sync", p.containerID, "/bin/sh", "-c", "echo hello; exit 4"},
		{"inspect", "--output=go-template", "--template={{.status.state}} {{.status.exitCode}}", p.containerID},
		{"stop", "--timeout=0", p.containerID},
		{"inspect", "--output=go-template", "--template={{.status.state}} {{.status.exitCode}}", p.containerID},
		{"rm", p.containerID},
		{"stopp", p.sandboxID},
		{"rmp", p.sandboxID},
	} {
		o := run(t, nil, crictl, args...)
		for id, name := range map[string]string{p.containerID: "CONTAINER", p.sandboxID: "SANDBOX"} {
			o.stdout, o.stderr = strings.ReplaceAll(o.stdout, id, name), strings.ReplaceAll(o.stderr, id, name)
		}
		outcomes = append(outcomes, o)
	}
	if traced {
		if execs := installed.execs(t, p.containerID); !slices.Contains(execs[3:], "/bin/sh") {
			t.Errorf("an exec into the container is missing: %q", execs)
		}
		checkEnded(t, p.containerID, p.sandboxID)
	}
	return outcomes
}
