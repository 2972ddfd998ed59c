// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPodman uses Podman with its default runtime, on this machine's cgroups, and on version 2 only.
func TestPodman(t *testing.T) {
	for name, e := range map[string]engine{
		"runc": {config: map[string]string{"/etc/containers/containers.conf": podmanConfig + "runtime = \"runc\"\n"}},
		"crun": {config: map[string]string{"/etc/containers/containers.conf": podmanConfig + "runtime = \"crun\"\n"},
			layout: layout{Pure: true}},
	} {
		t.Run(name, func(t *testing.T) {
			e.kind, e.check = "podman", checkPodman
			e.play = func(s *script) { playPodman(s, nil) }
			if e.layout.Pure {
				// Without CAP_SYS_RESOURCE, crun cannot load a device filter; and the pids controller may be
				// missing.
				e.play = func(s *script) { playPodman(s, []string{"--privileged", "--pids-limit=0", "--cgroupns=host"}) }
			}
			e.load, e.images = []string{"podman", "load", "--input"}, []string{"busybox"}
			e.test(t)
		})
	}
}

// podmanConfig needs neither systemd nor more rights than a build machine has.
const podmanConfig = `# the machine's own
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
`

func playPodman(s *script, flags []string) {
	const state = "{{.State.Status}} {{.State.ExitCode}} {{.OCIRuntime}}"
	s.must("rm", "-f", "/run/libpod/events/events.log", "/var/lib/containers/storage/libpod/events.log")
	run := func(args ...string) []string { return slices.Concat([]string{"podman", "run"}, flags, args) }
	s.do(run("--rm", "--name", "ends", busyboxImage, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")...)
	s.do(run("--rm", "--name", "missing", busyboxImage, "/bin/missing")...)
	s.do(run("--rm", "--name", "no-program", busyboxImage, "/etc/passwd")...)
	s.do(run("--rm", "--name", "nobody", "--read-only", "--user", "nobody", "--cap-drop", "ALL", busyboxImage, "/bin/sh",
		"-c", "id; touch /x")...)
	s.terminal("podman run " + strings.Join(flags, " ") + " --rm --name terminal -it " + busyboxImage +
		" /bin/sh -c 'tty; exit 6'")
	s.id("web", run("--detach", "--name", "web", "--annotation", "io.kubernetes.pod.name=mypod", "--annotation",
		"io.kubernetes.container.name=main",
		"--annotation", "runc-trace.label/app=web", "--health-cmd", "/bin/true", busyboxImage, "/bin/sh", "-c",
		"echo ready; exec /bin/sleep 1000")...)
	s.do("podman", "exec", "web", "/bin/cat", "/proc/self/comm")
	s.do("podman", "exec", "web", "/bin/sh", "-c", "echo entered; exit 5")
	s.do("podman", "exec", "--user", "nobody", "web", "/bin/id")
	s.terminal("podman exec -it web /bin/sh -c 'tty; exit 4'")
	s.do("podman", "healthcheck", "run", "web")
	s.measure("podman", "top", "web", "pid", "args")
	s.do("podman", "logs", "web")
	s.do("podman", "cp", "/etc/debian_version", "web:/tmp/copy")
	s.do("podman", "inspect", "--format", state, "web")
	s.do("podman", "restart", "--time", "0", "web")
	s.do("podman", "exec", "web", "/bin/sh", "-c", "echo entered again")
	s.do("podman", "kill", "web")
	s.do("podman", "wait", "web")
	s.do("podman", "inspect", "--format", state, "web")
	s.do("podman", "rm", "--force", "web")
	// Events of a background process may come late, and it is undefined which process first reports that a
	// container was stopped.
	events := strings.Split(s.must("podman", "events", "--stream=false", "--since", "1h", "--format",
		"{{.Type}} {{.Status}} {{.Name}} {{.ContainerExitCode}}"), "\n")
	s.events(slices.DeleteFunc(events, func(line string) bool {
		return !strings.HasPrefix(line, "container") || strings.Contains(line, "exec_died") ||
			strings.Contains(line, "cleanup") || strings.HasPrefix(line, "container stop ")
	}))
}

func checkPodman(s *script) {
	want := container{
		ContainerID: s.ids["web"], Engine: "podman", Pod: "mypod", Container: "main", Image: busyboxImage,
		Labels: map[string]string{"app": "web"}, State: "exited", Recorded: "yes",
	}
	if diff := cmp.Diff([]container{want, want}, s.known(s.ids["web"])); diff != "" {
		s.t.Errorf("web, which was restarted (-want +got):\n%s", diff)
	}
	program := []string{"/bin/sh -c echo ready; exec /bin/sleep 1000", "/bin/sleep 1000"}
	executed := append(slices.Clone(program), "/bin/cat /proc/self/comm", "/bin/sh -c echo entered; exit 5", "/bin/id",
		"/bin/sh -c tty; exit 4", "/bin/sh -c /bin/true", "/bin/true")
	executed = append(append(executed, program...), "/bin/sh -c echo entered again")
	if diff := cmp.Diff(executed, s.executed(s.ids["web"])); diff != "" {
		s.t.Errorf("executed in web (-want +got):\n%s", diff)
	}
	if !s.wrote("sh", `entered\n`, "--previous", s.ids["web"]) || !s.wrote("sh", `entered again\n`, s.ids["web"]) {
		s.t.Error("the recordings do not have what was written, each in its run")
	}
}
