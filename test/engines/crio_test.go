// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	crioBuilt   = cache + "/crio-1.34.0/bin/"
	crioRuntime = "/usr/local/bin/runc-without-oom"
)

// crios are CRI-O with its defaults, with which the runtime never makes a sandbox, and CRI-O with running
// sandboxes.
var crios = map[string]engine{
	"without sandboxes": {config: crioConfig(true)},
	"with sandboxes":    {config: crioConfig(false)},
}

// crioConfig returns CRI-O's files, for a machine without systemd, SELinux and a registry.
func crioConfig(drop bool) map[string]string {
	return map[string]string{
		"/etc/crio/crio.conf": fmt.Sprintf(`# the machine's own
[crio]
storage_driver = "overlay"
[crio.api]
stream_address = "127.0.0.1"
stream_port = "0"
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
default_runtime = "runc"
drop_infra_ctr = %v
apparmor_profile = "unconfined"
hooks_dir = []
[crio.runtime.runtimes.runc]
runtime_path = %q
runtime_root = "/run/runc"
monitor_path = "/usr/bin/conmon"
monitor_cgroup = "pod"
[crio.image]
pause_image = %q # no registry
pause_command = ""
signature_policy = "/etc/crio/policy.json"
[crio.network]
network_dir = "/run/crio/net.d"
plugin_dirs = ["/usr/lib/cni"]
[crio.metrics]
enable_metrics = false
[crio.nri]
enable_nri = false
`, drop, crioRuntime, pauseImage),
		"/etc/crio/policy.json": `{"default": [{"type": "insecureAcceptAnything"}]}`,
		// CRI-O lowers the OOM score of sandboxes, for which a build machine may lack the right (CAP_SYS_RESOURCE).
		crioRuntime: `#!/bin/sh
before=
for word; do
	[ "$before" != --bundle ] || sed -i 's/"oomScoreAdj": *-[0-9]*/"oomScoreAdj": 0/' "$word/config.json"
	before=$word
done
exec /usr/sbin/runc "$@"
`,
	}
}

func testCRIOs(t *testing.T, play, check func(*script)) {
	for name, e := range crios {
		t.Run(name, func(t *testing.T) { e.asCRIO(play, check).test(t) })
	}
}

// asCRIO returns the engine with everything needed to run it.
func (e engine) asCRIO(play, check func(*script)) *engine {
	e.kind, e.play, e.check = "crio", play, check
	e.layout = layout{
		Programs: map[string]string{"/usr/bin/crio": crioBuilt + "crio", "/usr/bin/pinns": crioBuilt + "pinns"},
	}
	// install also asks Podman, which makes a lock at its first call.
	e.setUp = [][]string{{"chmod", "755", crioRuntime}, {"podman", "ps"}}
	e.daemon, e.ready = []string{"crio"}, crioctl("version")
	e.load = []string{"sh", "-c", `skopeo copy --quiet --insecure-policy "docker-archive:$0" "containers-storage:docker.io/library/$(basename "$0" .tar):e2e"`}
	e.images = []string{"busybox", "pause"}
	return &e
}

// crioctl returns crictl's command line for CRI-O.
func crioctl(args ...string) []string { return crictlAt("/run/crio/crio.sock", args...) }

// shared are the namespaces of a pod and its containers: the network is the node's, and each container has its own
// PIDs.
var shared = map[string]any{"namespace_options": map[string]int{"network": 2, "pid": 1}}

func (s *script) crioPod(name string) string {
	return s.criJSON(name, map[string]any{
		"metadata": map[string]any{"name": name, "namespace": "shop", "uid": podUID, "attempt": 0},
		"labels":   map[string]string{"app": "web"},
		"annotations": map[string]string{"io.kubernetes.cri-o.KubeName": "another",
			"io.kubernetes.cri-o.Namespace": "another"},
		"log_directory": "/run/pods/" + name,
		"linux":         map[string]any{"cgroup_parent": "/kubepods/besteffort/pod" + podUID, "security_context": shared},
	})
}

// crioContainer makes a container. If kubelet is set, it has the labels of a kubelet.
func (s *script) crioContainer(name string, attempt int, kubelet bool, args ...string) string {
	labels := map[string]string{}
	if kubelet {
		labels = map[string]string{
			"io.kubernetes.container.name": name,
			"io.kubernetes.pod.name":       "mypod",
			"io.kubernetes.pod.namespace":  "shop",
			"io.kubernetes.pod.uid":        podUID,
		}
	}
	return s.criJSON(name, map[string]any{
		"metadata": map[string]any{"name": name, "attempt": attempt},
		"image":    map[string]string{"image": busyboxImage},
		"labels":   labels,
		"command":  args,
		"log_path": name + ".log",
		"linux":    map[string]any{"security_context": shared},
	})
}

// TestCRIO uses CRI-O as a kubelet does: a pod of several containers, one of which crashes and is restarted.
func TestCRIO(t *testing.T) {
	const exited = `{{.status.state}} {{.status.exitCode}} {{.status.reason}}`
	inspect := func(id string) []string {
		return crioctl("inspect", "--output", "go-template", "--template", exited, id)
	}
	testCRIOs(t, func(s *script) {
		s.must("rm", "-rf", "/run/pods") // of the previous run
		pod := s.crioPod("mypod")
		sandbox := s.id("sandbox", crioctl("runp", pod)...)
		create := func(id, name string, attempt int, kubelet bool, args ...string) string {
			s.id(id, crioctl("create", sandbox, s.crioContainer(name, attempt, kubelet, args...), pod)...)
			s.do(crioctl("start", s.ids[id])...)
			return s.ids[id]
		}
		main := create("main", "main", 0, true, "/bin/sh", "-c", "echo hello; exec /bin/sleep 1000")
		crash := create("crash", "flaky", 0, true, "/bin/sh", "-c", crashes)
		s.crash(crioctl, crash)
		eventually(s.t, "the container has crashed", func() bool {
			return strings.Contains(s.must(inspect(crash)...), "EXITED")
		})
		s.do(inspect(crash)...)
		create("again", "flaky", 1, false, "/bin/sleep", "1000")
		create("missing", "missing", 0, true, "/bin/missing")
		s.do(crioctl("exec", "--sync", main, "/bin/cat", "/proc/self/comm")...)
		s.do(crioctl("exec", main, "/bin/sh", "-c", "echo x; echo y >&2; exit 4")...)
		// The last output of a program on a terminal is sometimes lost.
		s.terminal(strings.Join(crioctl("exec", "--interactive", "--tty", main, "/bin/sh", "-c",
			"'tty >/dev/null; exit 5'"), " "))
		s.do(crioctl("logs", main)...)
		s.do(crioctl("logs", crash)...)
		s.do(crioctl("update", "--memory", "33554432", main)...)
		s.do("sh", "-c", "cd /sys/fs/cgroup; cat memory/kubepods/besteffort/pod"+podUID+"/crio-"+main+
			"/memory.limit_in_bytes || cat kubepods/besteffort/pod"+podUID+"/crio-"+main+"/memory.max")
		s.measure(crioctl("pods")...)
		for _, id := range []string{"main", "again"} {
			s.do(crioctl("stop", "--timeout", "0", s.ids[id])...)
			s.do(inspect(s.ids[id])...)
		}
		s.do(crioctl("stopp", sandbox)...)
		s.do(crioctl("rmp", sandbox)...)
	}, func(s *script) {
		seven := 7
		who := func(id, name string, exitCode *int) container {
			return container{
				Namespace: "shop", Pod: "mypod", PodUID: podUID, Container: name, SandboxID: s.ids["sandbox"],
				ContainerID: s.ids[id], Labels: map[string]string{"app": "web"},
				Image: busyboxImage, Engine: "cri-o", State: "exited", ExitCode: exitCode, Recorded: "yes",
			}
		}
		for id, want := range map[string]container{"main": who("main", "main", nil), "crash": who("crash", "flaky", &seven),
			"again": who("again", "flaky", nil)} {
			if diff := cmp.Diff([]container{want}, s.known(s.ids[id])); diff != "" {
				s.t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
		if !strings.Contains(s.must("cat", "/etc/crio/crio.conf"), "drop_infra_ctr = true") {
			pause := who("sandbox", "", nil)
			pause.Image, pause.Sandbox, pause.Recorded = pauseImage, true, "no"
			if diff := cmp.Diff([]container{pause}, s.known(s.ids["sandbox"])); diff != "" {
				s.t.Errorf("the sandbox (-want +got):\n%s", diff)
			}
		}
		want := []string{
			"/bin/sh -c echo hello; exec /bin/sleep 1000", "/bin/sleep 1000",
			"/bin/cat /proc/self/comm", "/bin/sh -c echo x; echo y >&2; exit 4", "/bin/sh -c tty >/dev/null; exit 5",
		}
		if diff := cmp.Diff(want, s.executed(s.ids["main"])); diff != "" {
			s.t.Errorf("executed in main (-want +got):\n%s", diff)
		}
		for _, selector := range []string{"app=web", "app=other"} {
			said := objects[execution](s.t, s.tracectl("exec", "--no-follow", "--output=json", "--label", selector))
			labelled := slices.ContainsFunc(said, func(e execution) bool { return e.ContainerID == s.ids["main"] })
			if labelled != (selector == "app=web") {
				s.t.Errorf("execs by label %s: %+v", selector, said)
			}
		}
		if !s.wrote("sh", `crashing\n`, s.ids["crash"]) || !s.wrote("sh", `y\n`, "shop/mypod/main") ||
			!s.wrote("cat", `cat\n`, s.ids["main"]) {
			s.t.Error("the recordings do not have what was written")
		}
	})
}

// whole returns the complete lines of a text.
func whole(text string) []string {
	return slices.DeleteFunc(slices.Collect(strings.Lines(text)), func(line string) bool {
		return !strings.HasSuffix(line, "\n")
	})
}

// TestCRIOInstall installs while a pod runs, with a command that restarts CRI-O, whose program is not in the usual
// place.
func TestCRIOInstall(t *testing.T) {
	e := crios["without sandboxes"].asCRIO(nil, nil)
	e.daemon = []string{crioBuilt + "crio"}
	delete(e.layout.Programs, "/usr/bin/crio")
	delete(e.layout.Programs, "/usr/bin/pinns")
	e.config = maps.Clone(e.config)
	e.config["/etc/crio/crio.conf.d/10-pinns.conf"] = "[crio.runtime]\npinns_path = \"" + crioBuilt + "pinns\"\n"
	m := newMachine(t, e.layout)
	e.prepare(m)
	// CRI-O is not run by systemd.
	m.start("sh", "-c", `while [ ! -e /run/stop ]; do echo start >>/run/starts; `+crioBuilt+
		`crio >>/run/crio.log 2>&1 & echo $! >/run/crio.pid; wait $!; done`)
	defer func() {
		m.write("/run/stop", "")
		m.must("sh", "-c", "kill $(cat /run/crio.pid)")
		if t.Failed() {
			t.Logf("the last that crio said:\n%s", m.run("tail", "-n", "20", "/run/crio.log").Stdout)
		}
	}()
	starts := func() int { return strings.Count(m.must("cat", "/run/starts"), "start") }
	ready := func() {
		t.Helper()
		eventually(t, "crio is ready", func() bool { return m.run(e.ready...).Code == 0 })
	}
	ready()
	before := m.tree()
	s := &script{machine: m, ids: map[string]string{}}
	pod := s.crioPod("mypod")
	sandbox := m.must(crioctl("runp", pod)...)
	program := func(name string) []string {
		return []string{"/bin/sh -c echo from " + name + "; exec /bin/sleep 1000", "/bin/sleep 1000"}
	}
	containerIn := func(sandbox, pod, name string) string {
		t.Helper()
		id := m.must(crioctl("create", sandbox,
			s.crioContainer(name, 0, true, "/bin/sh", "-c", "echo from "+name+"; exec /bin/sleep 1000"), pod)...)
		m.must(crioctl("start", id)...)
		return id
	}
	old := containerIn(sandbox, pod, "old")

	said := m.must(programs+"/tracectl", "install", "--engine=crio", "--set-default", restart)
	if !strings.Contains(said, "its default runtime goes through "+installed+"/runc-trace to "+crioRuntime) {
		t.Errorf("install does not say what CRI-O runs:\n%s", said)
	}
	if n := starts(); n != 2 {
		t.Errorf("install has CRI-O started %d times:\n%s", n, said)
	}
	ready()
	adopted := m.known(old)
	if len(adopted) != 1 || adopted[0].Pod != "mypod" || adopted[0].Labels["app"] != "web" ||
		adopted[0].State != "running" {
		t.Errorf("the container that ran before is known as %+v", adopted)
	}
	follower := m.start(installed+"/tracectl", "exec", "--label", "app=web", "--output", "json", "--heartbeat", "1s")
	eventually(t, "execs are followed", func() bool { return follower.output(0) != "" })
	fresh := containerIn(sandbox, pod, "fresh")
	programs := map[string][]string{fresh: program("fresh")}
	// Pods that were all started a moment ago.
	for _, name := range []string{"first", "second", "third"} {
		pod := s.crioPod(name + "-pod")
		programs[containerIn(m.must(crioctl("runp", pod)...), pod, name)] = program(name)
	}
	for id, program := range programs {
		eventually(t, "the container has executed its program", func() bool { return slices.Equal(program, m.executed(id)) })
		eventually(t, "the label's execs are shown as they happen", func() bool {
			var lines []string
			for _, e := range objects[execution](t, strings.Join(whole(follower.output(0)), "")) {
				if e.ContainerID == id {
					lines = append(lines, strings.Join(e.Args, " "))
				}
			}
			return slices.Equal(program, lines)
		})
	}
	follower.signal(syscall.SIGINT)
	if o := follower.wait(); o.Stderr != "" {
		t.Errorf("the follower says %q", o.Stderr)
	}
	m.must("sh", "-c", "kill $(cat /run/crio.pid)")
	eventually(t, "crio was started again", func() bool { return starts() == 3 })
	ready()
	for _, id := range []string{old, fresh} {
		if said := m.must(crioctl("exec", "--sync", id, "/bin/sh", "-c", "echo entered")...); said != "entered" {
			t.Errorf("after a restart: %q", said)
		}
		if !m.wrote("sh", `entered\n`, id) {
			t.Errorf("the recording of %s does not have what was written after a restart", id)
		}
		if known := m.known(id); len(known) != 1 || known[0].State != "running" {
			t.Errorf("after a restart %s is known as %+v", id, known)
		}
	}

	began := time.Now()
	if said := m.must(installed+"/tracectl", "uninstall", restart); !strings.Contains(said, "crio") {
		t.Errorf("uninstall does not name CRI-O after %v:\n%s", time.Since(began), said)
	}
	if n := starts(); n != 4 {
		t.Errorf("CRI-O was started %d times", n)
	}
	ready()
	for _, id := range []string{old, fresh} {
		m.must(crioctl("exec", "--sync", id, "/bin/true")...)
		m.must(crioctl("stop", "--timeout", "0", id)...)
	}
	m.must(crioctl("rmp", "--all", "--force")...)
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("files are not as they were before (-before +after):\n%s", diff)
	}
}
