// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dockers are Debian's Docker and the current one.
var dockers = map[string]engine{
	"20.10": {},
	"29": {layout: layout{Programs: map[string]string{
		"/usr/bin/docker":                  cache + "/docker-29.8.0+incompatible/bin/docker",
		"/usr/sbin/dockerd":                cache + "/dockerd-2.0.0-beta.24/bin/dockerd",
		"/usr/sbin/docker-proxy":           cache + "/dockerd-2.0.0-beta.24/bin/docker-proxy",
		"/usr/bin/containerd":              cache + "/containerd-2.4.2/bin/containerd",
		"/usr/sbin/runc":                   cache + "/runc-for-docker-1.5.1/bin/runc",
		"/usr/bin/containerd-shim-runc-v2": cache + "/containerd-2.4.2/bin/containerd-shim-runc-v2",
	}}},
}

// TestDocker uses Docker with the usual commands.
func TestDocker(t *testing.T) {
	for name, e := range dockers {
		t.Run(name, func(t *testing.T) {
			annotations := []string{"--annotation", "io.kubernetes.pod.name=mypod", "--annotation",
				"io.kubernetes.container.name=main", "--annotation", "runc-trace.label/app=web"}
			if name == "20.10" {
				annotations = nil // not supported yet
			}
			e.kind, e.daemon, e.ready = "docker", []string{"dockerd"}, []string{"docker", "version"}
			e.load, e.images = []string{"docker", "load", "--input"}, []string{"busybox"}
			e.play = func(s *script) { playDocker(s, annotations) }
			e.check = func(s *script) { checkDocker(s, annotations != nil) }
			e.test(t)
		})
	}
}

func playDocker(s *script, annotations []string) {
	const state = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}"
	run := func(args ...string) []string { return append([]string{"docker", "run"}, args...) }
	s.write(s.Dir+"/context/Dockerfile", "FROM "+busyboxImage+"\nRUN /bin/echo built > /built\nCMD /bin/cat /built\n")
	if o := s.run("docker", "build", "--no-cache", "--tag", "built", s.Dir+"/context"); o.Code != 0 {
		s.t.Errorf("building: exit code %d\n%s%s", o.Code, o.Stdout, o.Stderr)
	}
	s.do(run("--rm", "--name", "build", "built")...)
	s.must("docker", "rmi", "--force", "built")
	began := s.must("date", "+%s.%N")
	s.do(run("--rm", "--name", "ends", busyboxImage, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")...)
	s.do(run("--rm", "--name", "missing", busyboxImage, "/bin/missing")...)
	s.do(run("--rm", "--name", "no-program", busyboxImage, "/etc/passwd")...)
	s.do(run("--rm", "--name", "nobody", "--init", "--read-only", "--user", "nobody", "--cap-drop", "ALL", busyboxImage,
		"/bin/sh", "-c", "id; touch /x")...)
	s.terminal("docker run --rm --name terminal -it " + busyboxImage + " /bin/sh -c 'tty; stty size; exit 6'")

	s.id("checked", run("--detach", "--name", "checked", "--health-cmd", "/bin/true", "--health-interval", "100ms",
		busyboxImage, "/bin/sleep", "1000")...)
	eventually(s.t, "the container is healthy", func() bool {
		return s.run("docker", "inspect", "--format", "{{.State.Health.Status}}", "checked").Stdout == "healthy\n"
	})
	s.do("docker", "rm", "--force", "checked")

	s.id("web", run(append(annotations, "--detach", "--name", "web", "--memory", "64m", "--memory-swap", "64m", "--cpus",
		"0.5", "--pids-limit", "50",
		busyboxImage, "/bin/sh", "-c", "echo ready; exec /bin/sleep 1000")...)...)
	s.do("docker", "exec", "web", "/bin/cat", "/proc/self/comm")
	s.do("docker", "exec", "web", "/bin/sh", "-c", "echo entered; exit 5")
	s.do("docker", "exec", "--user", "nobody", "--env", "A=b", "web", "/bin/sh", "-c", "id; echo $A")
	s.terminal("docker exec -it web /bin/sh -c 'tty; exit 4'")
	s.do("docker", "exec", "web", "/bin/sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max")
	s.do("docker", "update", "--memory", "128m", "--memory-swap", "128m", "web")
	s.do("docker", "exec", "web", "/bin/sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max")
	s.do("docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.Image}} {{.Command}} {{.State}}")
	s.measure("docker", "top", "web", "-o", "pid,args")
	s.measure("docker", "stats", "--no-stream", "--format", "{{.Name}}")
	s.do("docker", "logs", "web")
	s.do("docker", "cp", "/etc/debian_version", "web:/tmp/copy")
	s.do("docker", "exec", "web", "/bin/cat", "/tmp/copy")
	s.do("docker", "cp", "web:/etc/passwd", s.Dir+"/passwd")
	s.do("docker", "pause", "web")
	s.do("docker", "inspect", "--format", state, "web")
	s.do("docker", "unpause", "web")
	s.do("docker", "restart", "--time", "0", "web")
	s.do("docker", "exec", "web", "/bin/sh", "-c", "echo entered again")
	s.do("docker", "kill", "--signal", "TERM", "web") // PID 1 ignores it
	s.do("docker", "stop", "--time", "0", "web")
	s.do("docker", "inspect", "--format", state, "web")
	s.do("docker", "logs", "web")
	s.do("docker", "rm", "web")

	killed := s.start(run("--name", "killed", busyboxImage, "/bin/sleep", "1000")...)
	eventually(s.t, "killed is running", func() bool { return strings.Contains(s.must("docker", "ps"), "killed") })
	s.do("docker", "kill", "killed")
	s.note(steady, []string{"wait for docker run"}, killed.wait())
	s.do("docker", "wait", "killed")
	s.id("killed", "docker", "inspect", "--format", "{{.Id}}", "killed")
	s.do("docker", "rm", "--force", "killed")

	// The number of health checks depends on the time, and so does the number of their events.
	events := s.must("docker", "events", "--since", began, "--until", s.must("date", "+%s.%N"), "--format",
		"{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}")
	s.events(slices.DeleteFunc(strings.Split(events, "\n"), func(line string) bool {
		return strings.Contains(line, "/bin/true") || strings.Contains(line, "exec_die")
	}))
}

func checkDocker(s *script, annotated bool) {
	want := container{ContainerID: s.ids["web"], Engine: "docker", Container: "web", Image: busyboxImage,
		State: "exited", Recorded: "yes"}
	if annotated {
		want.Pod, want.Container, want.Labels = "mypod", "main", map[string]string{"app": "web"}
	}
	if diff := cmp.Diff([]container{want, want}, s.known(s.ids["web"])); diff != "" {
		s.t.Errorf("web, which was restarted (-want +got):\n%s", diff)
	}
	want = container{ContainerID: s.ids["killed"], Engine: "docker", Container: "killed", Image: busyboxImage,
		State: "exited", Recorded: "yes"}
	if diff := cmp.Diff([]container{want}, s.known(s.ids["killed"])); diff != "" {
		s.t.Errorf("killed (-want +got):\n%s", diff)
	}
	executed := slices.DeleteFunc(s.executed(s.ids["web"]), func(line string) bool {
		return strings.Contains(line, "/sys/fs/cgroup")
	})
	program := []string{"/bin/sh -c echo ready; exec /bin/sleep 1000", "/bin/sleep 1000"}
	wantExecuted := append(program, "/bin/cat /proc/self/comm", "/bin/sh -c echo entered; exit 5",
		"/bin/sh -c id; echo $A", "/bin/sh -c tty; exit 4", "/bin/cat /tmp/copy")
	wantExecuted = append(append(wantExecuted, program...), "/bin/sh -c echo entered again")
	if diff := cmp.Diff(wantExecuted, executed); diff != "" {
		s.t.Errorf("executed in web (-want +got):\n%s", diff)
	}
	if !slices.Contains(s.executed(s.ids["checked"]), "/bin/sh -c /bin/true") {
		s.t.Error("the health check was not recorded")
	}
	if !s.wrote("sh", `entered\n`, "--previous", s.ids["web"]) || !s.wrote("sh", `entered again\n`, s.ids["web"]) ||
		s.wrote("sh", `entered\n`, s.ids["web"]) {
		s.t.Error("the recordings do not have what was written, each in its run")
	}
	built := false
	for _, e := range objects[execution](s.t, s.tracectl("exec", "--no-follow", "--output=json")) {
		built = built || strings.Contains(strings.Join(e.Args, " "), "/bin/echo built")
	}
	if !built {
		s.t.Error("what the build ran was not recorded")
	}
}

// TestDockerReload has runtimes in dockerd's flags: dockerd still has them after each reload.
func TestDockerReload(t *testing.T) {
	const traced = installed + "/runc-trace"
	for name, test := range map[string]struct {
		flags, install, want []string // flags of dockerd and install, and the runtimes after install
	}{
		"20.10": {[]string{"--default-runtime=mine"}, nil,
			[]string{"mine is the default", "mine /usr/sbin/runc", "other /usr/sbin/runc"}},
		"29": {nil, []string{"--all-runtimes"},
			[]string{"runc-trace is the default", "mine " + traced, "other " + traced}},
	} {
		t.Run(name, func(t *testing.T) {
			e := dockers[name]
			m := newMachine(t, e.layout)
			e.daemon = append([]string{"dockerd", "--add-runtime=other=/usr/sbin/runc", "--add-runtime", "mine=/usr/sbin/runc"},
				test.flags...)
			e.ready = []string{"docker", "version"}
			m.write("/etc/systemd/system/docker.service", "[Service]\nExecStart=/usr/sbin/"+strings.Join(e.daemon, " ")+"\n")
			has := func(when string, want ...string) {
				t.Helper()
				if diff := cmp.Diff(want, m.dockerRuntimes()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", when, diff)
				}
			}
			m.install(append(test.install, "--engine=docker")...)
			dockerd := e.start(m)
			all := append(test.want, "runc runc", "runc-trace "+traced)
			has("after a start", all...)
			m.write("/etc/docker/daemon.json", strings.Replace(m.must("cat", "/etc/docker/daemon.json"), "{",
				`{"debug": true,`, 1)+"\n")
			m.must("sh", "-c", "kill -HUP $(pidof dockerd)")
			eventually(t, "dockerd has reloaded daemon.json", func() bool {
				return m.must("docker", "info", "--format", "{{.Debug}}") == "true"
			})
			has("after a reload", all...)
			m.tracectl("uninstall", "--restart", "--restart-command", "kill -HUP $(pidof dockerd)")
			by := "runc"
			if test.flags != nil {
				by = "mine"
			}
			has("after uninstall", by+" is the default", "mine /usr/sbin/runc", "other /usr/sbin/runc", "runc runc")
			if got := m.must("cat", "/etc/docker/daemon.json"); strings.Contains(got, "runtime") {
				t.Errorf("after uninstall: %s", got)
			}
			e.stop(dockerd)
		})
	}
}

// TestDockerLateFlag adds a runtime to the flags of dockerd after install: doctor warns of its loss, and install
// prevents it.
func TestDockerLateFlag(t *testing.T) {
	m := newMachine(t, layout{})
	e := engine{daemon: []string{"dockerd", "--add-runtime=late=/usr/sbin/runc"}, ready: []string{"docker", "version"}}
	m.install("--engine=docker", "--set-default")
	m.write("/etc/systemd/system/docker.service", "[Service]\nExecStart=/usr/sbin/"+strings.Join(e.daemon, " ")+"\n")
	warned := func() bool {
		return strings.Contains(m.run(installed+"/tracectl", "doctor").Stdout, "its next reload loses its runtime late,")
	}
	offered := func() bool { return slices.Contains(m.dockerRuntimes(), "late /usr/sbin/runc") }
	dockerd := e.start(m)
	if !offered() || !warned() {
		t.Errorf("after the start: dockerd has the runtime: %v, doctor warns: %v", offered(), warned())
	}
	const reload = "kill -HUP $(pidof dockerd)"
	m.must("sh", "-c", reload)
	eventually(t, "a reload loses the runtime", func() bool { return !offered() })
	m.install("--engine=docker", "--restart", "--restart-command", reload)
	eventually(t, "install brings the runtime back", offered)
	if warned() {
		t.Error("doctor still warns after install")
	}
	e.stop(dockerd)
}

// TestDockerRemapped keeps the shim for a container that is below the data directory of another user namespace.
func TestDockerRemapped(t *testing.T) {
	m := newMachine(t, layout{})
	m.write("/etc/docker/daemon.json", "{\"userns-remap\": \"default\", \"data-root\": \"/opt/docker\"}\n")
	e := engine{daemon: []string{"dockerd"}, ready: []string{"docker", "version"},
		load: []string{"docker", "load", "--input"}, images: []string{"busybox"}}
	e.prepare(m)
	m.install("--engine=docker", "--set-default")
	dockerd := e.start(m)
	m.must("docker", "create", "--name", "web", busyboxImage, "/bin/true")
	e.stop(dockerd)
	if o := m.run(programs+"/tracectl", "uninstall"); o.Code != 5 || !strings.Contains(o.Stdout, "  web (") {
		t.Errorf("exit code %d\n%s%s", o.Code, o.Stdout, o.Stderr)
	}
}

// dockerRuntimes returns the runtimes of the running dockerd, except those that it names after a type.
func (m *machine) dockerRuntimes() []string {
	m.t.Helper()
	var info struct {
		DefaultRuntime string
		Runtimes       map[string]struct{ Path string }
	}
	if err := json.Unmarshal([]byte(m.must("docker", "info", "--format", "{{json .}}")), &info); err != nil {
		m.t.Fatal(err)
	}
	all := []string{info.DefaultRuntime + " is the default"}
	for _, name := range slices.Sorted(maps.Keys(info.Runtimes)) {
		if !strings.Contains(name, ".") {
			all = append(all, name+" "+info.Runtimes[name].Path)
		}
	}
	return all
}
