// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInstall follows a new user: it installs for all engines, starts a container in each, looks at the recordings,
// and uninstalls, first while containers are running.
func TestInstall(t *testing.T) {
	m := newMachine(t, layout{})
	cri := containerds["1.6"]
	cri.daemon, cri.ready = []string{"containerd"}, []string{"ctr", "version"}
	cri.load, cri.images = []string{"ctr", "--namespace", "k8s.io", "images", "import"}, []string{"busybox", "pause"}
	docker := engine{
		daemon: []string{"dockerd", "--containerd", "/run/containerd/containerd.sock"}, ready: []string{"docker", "version"},
		load: []string{"docker", "load", "--input"}, images: []string{"busybox"},
	}
	podman := engine{
		config: map[string]string{"/etc/containers/containers.conf": podmanConfig + "runtime = \"runc\"\n"},
		load:   []string{"podman", "load", "--input"}, images: []string{"busybox"},
	}
	for _, e := range []engine{cri, podman} {
		e.prepare(m)
	}
	first := cri.start(m)
	docker.prepare(m)
	cri.stop(first)
	before := m.tree()

	said := m.run(programs+"/tracectl", "install", "--engine=auto", "--set-default")
	if said.Code != 0 {
		t.Fatalf("installing: exit code %d\n%s%s", said.Code, said.Stdout, said.Stderr)
	}
	for _, kind := range []string{"containerd", "docker", "podman"} {
		if !strings.Contains(strings.ToLower(said.Stdout), kind) {
			t.Errorf("what install says does not name %s:\n%s", kind, said.Stdout)
		}
	}
	again := m.tree()
	m.tracectl("install", "--engine=auto", "--set-default")
	if diff := cmp.Diff(again, m.tree()); diff != "" {
		t.Errorf("installing again changed something (-first +second):\n%s", diff)
	}

	containerd, dockerd := cri.start(m), docker.start(m)
	s := &script{machine: m, ids: map[string]string{}}
	pod := s.podSandbox("mypod")
	sandbox := m.must(crictl("runp", pod)...)
	ids := map[string]string{
		"containerd": m.must(crictl("create", sandbox,
			s.podContainer("main", 0, "/bin/sh", "-c", "echo from containerd; exec /bin/sleep 1000"), pod)...),
		"docker": m.must("docker", "run", "--detach", "--name", "web", busyboxImage, "/bin/sh", "-c",
			"echo from docker; exec /bin/sleep 1000"),
		"podman": m.must("podman", "run", "--detach", "--name", "web", busyboxImage, "/bin/sh", "-c",
			"echo from podman; exec /bin/sleep 1000"),
	}
	m.must(crictl("start", ids["containerd"])...)
	for kind, id := range ids {
		eventually(t, kind+"'s container has executed its program", func() bool {
			want := []string{"/bin/sh -c echo from " + kind + "; exec /bin/sleep 1000", "/bin/sleep 1000"}
			return slices.Equal(want, m.executed(id))
		})
		if !m.wrote("sh", "from "+kind+`\n`, id) {
			t.Errorf("the recording of %s's container does not have what it wrote", kind)
		}
		if known := m.known(id); len(known) != 1 || known[0].Engine != kind || known[0].State != "running" {
			t.Errorf("%s's container is known as %+v", kind, known)
		}
	}

	// Existing containers need the shim, regardless of the engine's configuration.
	if o := m.run(installed+"/tracectl", "uninstall"); o.Code != 5 {
		t.Errorf("uninstalling while containers run: exit code %d, not 5\n%s%s", o.Code, o.Stdout, o.Stderr)
	}
	docker.stop(dockerd)
	cri.stop(containerd)
	containerd, dockerd = cri.start(m), docker.start(m)
	enter := []string{"/bin/sh", "-c", "exit 3"}
	for _, command := range [][]string{
		append([]string{"podman", "exec", "web"}, enter...),
		append(crictl("exec", "--sync", ids["containerd"]), enter...),
	} {
		if o := m.run(command...); o.Code == 0 || strings.Contains(o.Stderr, "no such file") {
			t.Errorf("%q: %+v", command, o)
		}
	}
	m.must(crictl("stop", "--timeout=0", ids["containerd"])...)
	m.must(crictl("rmp", "--force", sandbox)...)
	m.must("docker", "start", "web")
	m.must("docker", "exec", "web", "/bin/true")
	m.must("docker", "rm", "--force", "web")
	m.must("podman", "rm", "--force", "--time=0", "web")
	docker.stop(dockerd)
	cri.stop(containerd)
	if o := m.run(programs+"/tracectl", "uninstall"); o.Code != 0 {
		t.Errorf("uninstalling again: exit code %d\n%s%s", o.Code, o.Stdout, o.Stderr)
	}
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("files are not as they were before (-before +after):\n%s", diff)
	}
}

// TestRuntimeClass installs without --set-default: pods with the runtime class are recorded, others are not.
func TestRuntimeClass(t *testing.T) {
	for name, e := range containerds {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, e.layout)
			e.daemon, e.ready = []string{"containerd"}, []string{"ctr", "version"}
			e.load, e.images = []string{"ctr", "--namespace", "k8s.io", "images", "import"}, []string{"busybox", "pause"}
			e.prepare(m)
			said := m.must(programs+"/tracectl", "install", "--engine=containerd")
			if !strings.Contains(said, "kind: RuntimeClass") || !strings.Contains(said, "handler: runc-trace") {
				t.Errorf("install does not print a RuntimeClass:\n%s", said)
			}
			containerd := e.start(m)
			defer e.stop(containerd)
			s := &script{machine: m, ids: map[string]string{}}
			for _, handler := range []string{"runc-trace", ""} {
				pod := s.podSandbox("pod" + handler)
				sandbox := m.must(crictl("runp", "--runtime", handler, pod)...)
				id := m.must(crictl("create", sandbox, s.podContainer("main", 0, "/bin/sleep", "1000"), pod)...)
				m.must(crictl("start", id)...)
				m.must(crictl("exec", "--sync", id, "/bin/cat", "/proc/self/comm")...)
				var want []string
				if handler != "" {
					want = []string{"/bin/sleep 1000", "/bin/cat /proc/self/comm"}
				}
				if diff := cmp.Diff(want, m.executed(id)); diff != "" {
					t.Errorf("executed by handler %q (-want +got):\n%s", handler, diff)
				}
			}
			if said := s.tracectl("load"); strings.Contains(said, "adopted") {
				t.Errorf("who did not ask for it was adopted:\n%s", said)
			}
		})
	}
}

// TestDockerFlags passes a default runtime to dockerd as a flag, with which daemon.json must not set it, too: no
// file of install keeps dockerd from starting.
func TestDockerFlags(t *testing.T) {
	m := newMachine(t, layout{})
	m.write("/etc/systemd/system/docker.service", "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd $DOCKER_OPTS\n")
	m.write("/etc/default/docker", "DOCKER_OPTS=\"--add-runtime=other=/usr/sbin/runc \\\n--default-runtime=other\"\n")
	refused := func(where string) {
		t.Helper()
		o := m.run(programs+"/tracectl", "install", "--engine=docker", "--set-default")
		if want := where +
			" passes --default-runtime=other to dockerd, which therefore rejects the same setting in \"/etc/docker/daemon.json\""; o.Code != 1 ||
			!strings.Contains(o.Stderr, want) {
			t.Errorf("exit code %d, %q, want %q", o.Code, o.Stderr, want)
		}
	}
	before := m.tree()
	refused("/etc/default/docker:1")
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("refusing changed files (-before +after):\n%s", diff)
	}
	m.must(programs+"/tracectl", "install", "--engine=docker")
	docker := engine{daemon: []string{"dockerd", "--add-runtime=other=/usr/sbin/runc", "--default-runtime=other"},
		ready: []string{"docker", "version"}}
	dockerd := docker.start(m)
	info := m.must("docker", "info", "--format", "{{.DefaultRuntime}} {{json .Runtimes}}")
	for _, want := range []string{"other ", `"other":`, `"runc-trace":`} {
		if !strings.Contains(info, want) {
			t.Errorf("docker info does not have %s: %s", want, info)
		}
	}
	// The unit no longer has the flag, but the running dockerd, which has it, would reject the file.
	m.write("/etc/default/docker", "")
	refused("/cmdline")
	docker.stop(dockerd)
	m.must(programs+"/tracectl", "install", "--engine=docker", "--set-default")
	docker.daemon = docker.daemon[:1]
	dockerd = docker.start(m)
	if got := m.must("docker", "info", "--format", "{{.DefaultRuntime}}"); got != "runc-trace" {
		t.Errorf("its default runtime is %s", got)
	}
	docker.stop(dockerd)
	m.must(programs+"/tracectl", "uninstall")
}
