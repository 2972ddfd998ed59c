// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// containerds are Debian's containerd, the last of version 1, the last in which imported files replace nothing, and
// the current one.
var containerds = map[string]engine{
	"1.6": {config: map[string]string{"/etc/containerd/config.toml": containerdConfig}},
	"1.7": {
		layout: layout{Programs: containerdPrograms("containerd1-1.7.35")},
		config: map[string]string{"/etc/containerd/config.toml": containerdConfig},
	},
	"2.0": {layout: layout{Programs: containerdPrograms("containerd20-2.0.5")},
		config: map[string]string{"/etc/containerd/config.toml": containerd2Config}},
	"2.4": {
		layout: layout{Programs: containerdPrograms("containerd-2.4.2")},
		config: map[string]string{"/etc/containerd/config.toml": containerd2Config},
	},
}

const containerd2Config = `# the machine's own
version = 3

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "` + pauseImage + `" # no registry

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
`

const containerdConfig = `# the machine's own
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `" # no registry
  restrict_oom_score_adj = true
`

func containerdPrograms(built string) map[string]string {
	programs := make(map[string]string)
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		programs["/usr/bin/"+name] = cache + "/" + built + "/bin/" + name
	}
	return programs
}

func testContainerds(t *testing.T, namespace string, play, check func(*script)) {
	for name, e := range containerds {
		t.Run(name, func(t *testing.T) {
			e.kind, e.play, e.check = "containerd", play, check
			e.daemon, e.ready = []string{"containerd"}, []string{"ctr", "version"}
			e.load, e.images = []string{"ctr", "--namespace", namespace, "images", "import"}, []string{"busybox", "pause"}
			e.test(t)
		})
	}
}

// followContainerd follows containerd's events. The returned function adds them to the script once the given number
// of containers was deleted.
func (s *script) followContainerd(namespace string) func(containers int) {
	p := s.start("ctr", "--namespace", namespace, "events")
	eventually(s.t, "the events are followed", func() bool {
		s.must("ctr", "namespaces", "label", namespace, "test=test")
		return p.output(0) != ""
	})
	return func(containers int) {
		eventually(s.t, "all containers are deleted", func() bool {
			return strings.Count(p.output(0), "/containers/delete") == containers
		})
		p.signal(syscall.SIGINT)
		var lines []string
		for line := range strings.Lines(p.wait().Stdout) {
			_, text, found := strings.Cut(strings.TrimSpace(line), " "+namespace+" ")
			if found && !strings.HasPrefix(text, "/namespaces/") && !lossy.MatchString(text) {
				lines = append(lines, passing.ReplaceAllString(text, "$1 N"))
			}
		}
		s.events(lines)
	}
}

// lossy matches events that containerd's shim sends as it ends. They may be missing, and sometimes come twice.
var lossy = regexp.MustCompile(`^/tasks/(exit|delete) `)

// passing matches numbers in events that differ each time.
var passing = regexp.MustCompile(`("pid":|"seconds":|"nanos":|/fifo/|/snapshots/|/io/)\d+`)

// TestContainerd uses containerd through its own client, which passes the path of the runtime's program.
func TestContainerd(t *testing.T) {
	testContainerds(t, "default", func(s *script) {
		events := s.followContainerd("default")
		run := func(args ...string) []string {
			return append([]string{"ctr", "run", "--runc-binary", s.runtime}, args...)
		}
		s.do(run("--rm", busyboxImage, "ctr-ends", "/bin/sh", "-c", "echo out; echo err >&2; exit 3")...)
		s.do(run("--rm", busyboxImage, "ctr-missing", "/bin/missing")...)
		s.do(run("--rm", busyboxImage, "ctr-no-program", "/etc/passwd")...)
		s.terminal(strings.Join(run("--rm", "--tty", busyboxImage, "ctr-tty", "/bin/sh", "-c",
			"'tty; stty size; exit 6'"), " "))
		s.do(run("--detach", "--memory-limit", "67108864", busyboxImage, "ctr-stays", "/bin/sleep", "1000")...)
		s.do("ctr", "task", "exec", "--exec-id", "one", "ctr-stays", "/bin/sh", "-c", "echo entered; exit 4")
		s.measure("ctr", "task", "ls")
		s.measure("ctr", "task", "ps", "ctr-stays")
		s.do("ctr", "task", "pause", "ctr-stays")
		s.measure("ctr", "task", "ls")
		s.do("ctr", "task", "resume", "ctr-stays")
		s.do("ctr", "task", "kill", "--signal", "SIGKILL", "ctr-stays")
		eventually(s.t, "ctr-stays has ended", func() bool {
			return strings.Contains(s.must("ctr", "task", "ls"), "STOPPED")
		})
		s.measure("ctr", "task", "ls")
		s.do("ctr", "task", "delete", "ctr-stays")
		s.do("ctr", "container", "delete", "ctr-stays")
		events(5)
	}, func(s *script) {
		three, six := 3, 6
		for id, want := range map[string]container{
			"ctr-ends":  {ContainerID: "ctr-ends", Engine: "containerd", State: "exited", ExitCode: &three, Recorded: "yes"},
			"ctr-tty":   {ContainerID: "ctr-tty", Engine: "containerd", State: "exited", ExitCode: &six, Recorded: "yes"},
			"ctr-stays": {ContainerID: "ctr-stays", Engine: "containerd", State: "exited", Recorded: "yes"},
		} {
			if diff := cmp.Diff([]container{want}, s.known(id)); diff != "" {
				s.t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
		want := []string{"/bin/sleep 1000", "/bin/sh -c echo entered; exit 4"}
		if diff := cmp.Diff(want, s.executed("ctr-stays")); diff != "" {
			s.t.Errorf("executed in ctr-stays (-want +got):\n%s", diff)
		}
		if !s.wrote("sh", `err\n`, "ctr-ends") || !s.wrote("sh", `entered\n`, "ctr-stays") {
			s.t.Error("the recordings do not have what was written")
		}
	})
}

const podUID = "11111111-2222-3333-4444-555555555555"

// criJSON writes an input of crictl to a file.
func (s *script) criJSON(name string, what map[string]any) string {
	text, err := json.Marshal(what)
	if err != nil {
		s.t.Fatal(err)
	}
	file := s.Dir + "/" + name + ".json"
	s.write(file, string(text))
	return file
}

func (s *script) podSandbox(name string) string {
	return s.criJSON(name, map[string]any{
		"metadata":      map[string]any{"name": name, "namespace": "shop", "uid": podUID, "attempt": 0},
		"labels":        map[string]string{"app": "web"},
		"log_directory": "/run/pods/" + name,
		"linux": map[string]any{
			"cgroup_parent":    "/kubepods/besteffort/pod" + podUID,
			"security_context": map[string]any{"namespace_options": map[string]int{"network": 2, "pid": 1}},
		},
	})
}

func (s *script) podContainer(name string, attempt int, args ...string) string {
	return s.criJSON(name, map[string]any{
		"metadata": map[string]any{"name": name, "attempt": attempt},
		"image":    map[string]string{"image": busyboxImage},
		"command":  args,
		"log_path": name + ".log",
		"linux":    map[string]any{},
	})
}

// crictl returns crictl's command line for containerd.
func crictl(args ...string) []string { return crictlAt("/run/containerd/containerd.sock", args...) }

// crictlAt returns crictl's command line for the engine at a socket. Crictl waits 2 s for an answer by default,
// which is too short on a busy machine.
func crictlAt(socket string, args ...string) []string {
	return append([]string{
		cache + "/crictl-1.34.0/bin/crictl", "--config", "/dev/null", "--runtime-endpoint",
		"unix://" + socket, "--timeout", "60s",
	}, args...)
}

// TestPods uses containerd as a kubelet does: a pod of two containers, one of which crashes and is restarted.
func TestPods(t *testing.T) {
	const exited = `{{.status.state}} {{.status.exitCode}} {{.status.reason}}`
	testContainerds(t, "k8s.io", func(s *script) {
		events := s.followContainerd("k8s.io")
		s.must("rm", "-rf", "/run/pods") // of the previous run
		pod := s.podSandbox("mypod")
		create := func(id, name string, attempt int, args ...string) string {
			s.id(id, crictl("create", s.ids["sandbox"], s.podContainer(name, attempt, args...), pod)...)
			s.do(crictl("start", s.ids[id])...)
			return s.ids[id]
		}
		sandbox := s.id("sandbox", crictl("runp", pod)...)
		main := create("main", "main", 0, "/bin/sh", "-c", "echo hello; exec /bin/sleep 1000")
		crash := create("crash", "flaky", 0, "/bin/sh", "-c", crashes)
		s.crash(crictl, crash)
		eventually(s.t, "the container has crashed", func() bool {
			return strings.Contains(s.must(crictl("inspect", "--output", "go-template", "--template", exited, crash)...),
				"EXITED")
		})
		s.do(crictl("inspect", "--output", "go-template", "--template", exited, crash)...)
		create("again", "flaky", 1, "/bin/sleep", "1000")
		create("missing", "missing", 0, "/bin/missing")
		s.do(crictl("exec", "--sync", main, "/bin/cat", "/proc/self/comm")...)
		s.do(crictl("exec", main, "/bin/sh", "-c", "echo x; echo y >&2; exit 4")...)
		s.terminal(strings.Join(crictl("exec", "--interactive", "--tty", main, "/bin/sh", "-c", "'tty; exit 5'"), " "))
		s.do(crictl("logs", main)...)
		s.do(crictl("logs", crash)...)
		s.do("sh", "-c", strings.Join(crictl("stats", "--output", "json", main), " ")+` | grep -c '"workingSetBytes"'`)
		s.do(crictl("update", "--memory", "33554432", main)...)
		s.do("sh", "-c", "cat /sys/fs/cgroup/memory/kubepods/besteffort/pod"+podUID+"/"+main+
			"/memory.limit_in_bytes || cat /sys/fs/cgroup/kubepods/besteffort/pod"+podUID+"/"+main+"/memory.max")
		s.measure(crictl("pods")...)
		s.do(crictl("stop", "--timeout", "0", main)...)
		s.do(crictl("inspect", "--output", "go-template", "--template", exited, main)...)
		s.do(crictl("stopp", sandbox)...)
		s.do(crictl("rmp", sandbox)...)
		events(5)
	}, func(s *script) {
		seven := 7
		who := func(name string, exitCode *int) container {
			return container{
				Namespace: "shop", Pod: "mypod", PodUID: podUID, Container: name, SandboxID: s.ids["sandbox"],
				ContainerID: s.ids[name],
				Image:       busyboxImage, Engine: "containerd", State: "exited", ExitCode: exitCode, Recorded: "yes",
			}
		}
		pause, crash, again := who("sandbox", nil), who("flaky", &seven), who("flaky", nil)
		pause.Container, pause.Image, pause.Sandbox, pause.Recorded = "", "", true, "no"
		if strings.Contains(s.must("containerd", "--version"), " 2.") {
			pause.Image = pauseImage // version 1 does not report it
		}
		crash.ContainerID, again.ContainerID = s.ids["crash"], s.ids["again"]
		for name, want := range map[string]container{"sandbox": pause, "main": who("main", nil),
			"crash": crash, "again": again} {
			if diff := cmp.Diff([]container{want}, s.known(s.ids[name])); diff != "" {
				s.t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		want := []string{
			"/bin/sh -c echo hello; exec /bin/sleep 1000", "/bin/sleep 1000",
			"/bin/cat /proc/self/comm", "/bin/sh -c echo x; echo y >&2; exit 4", "/bin/sh -c tty; exit 5",
		}
		if diff := cmp.Diff(want, s.executed(s.ids["main"])); diff != "" {
			s.t.Errorf("executed in main (-want +got):\n%s", diff)
		}
		if !s.wrote("sh", `crashing\n`, s.ids["crash"]) || !s.wrote("sh", `y\n`, "shop/mypod/main") ||
			!s.wrote("cat", `cat\n`, s.ids["main"]) {
			s.t.Error("the recordings do not have what was written")
		}
	})
}
