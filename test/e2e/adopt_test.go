// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/unified"
)

// adoptedJSON is the JSON of an adopted container, with fields that other tests do not need.
type adoptedJSON struct {
	containerJSON
	Init    int        `json:"init"`
	Adopted bool       `json:"adopted"`
	Started *time.Time `json:"started"`
}

// adopt loads the programs, with only the state of the test's own containers in /run, and returns the output.
func (x *tracer) adopt(runtime string) string {
	x.t.Helper()
	o := x.tryAdopt(runtime)
	if o.code != 0 || o.stderr != "" {
		x.t.Fatalf("load: %+v", o)
	}
	return o.stdout
}

func (x *tracer) tryAdopt(runtime string, flags ...string) outcome {
	x.t.Helper()
	return x.withState(runtime, "load",
		append([]string{"--recordings=16", "--identities=64", "--exec-log-size=1MiB"}, flags...)...)
}

// withState runs a command of tracectl, with only the state of the test's own containers in /run.
func (x *tracer) withState(runtime, command string, flags ...string) outcome {
	x.t.Helper()
	script := `mount -t tmpfs tmpfs /run && mkdir /run/` + runtime + ` && mount --bind ` + x.state() + ` /run/` +
		runtime + ` && exec "$@"`
	before := x.within
	defer func() { x.within = before }()
	x.within = append(slices.Clone(before), "unshare", "--mount", "--propagation=slave", "sh", "-c", script, "sh")
	return x.run(tracectlPath, append([]string{command}, flags...)...)
}

func (x *tracer) state() string { return filepath.Join(x.dir, "state") }

// plain runs a runtime directly, without the shim. It must succeed.
func (x *tracer) plain(runtime string, args ...string) string {
	x.t.Helper()
	o := x.run(runtime, append([]string{"--root", x.state()}, args...)...)
	if o.code != 0 {
		x.t.Fatalf("%q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// pid returns the PID of a container's init according to the runtime.
func (x *tracer) pid(runtime, id string) int {
	x.t.Helper()
	var s specs.State
	if err := json.Unmarshal([]byte(x.plain(runtime, "state", id)), &s); err != nil {
		x.t.Fatal(err)
	}
	return s.Pid
}

// adopted describes all known containers, without the parts that differ between runs.
func (x *tracer) adopted() []string {
	x.t.Helper()
	var all []string
	for _, c := range objects[adoptedJSON](x.t, x.tracectl("containers", "--all", "-o=json")) {
		s := fmt.Sprintf("%s %s recorded: %s, adopted: %v", c.ContainerID, c.State, c.Recorded, c.Adopted)
		if c.ExitCode != nil {
			s += fmt.Sprint(", exit code ", *c.ExitCode)
		}
		if c.Signal != "" {
			s += ", " + c.Signal
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func (x *tracer) expectAdopted(want ...string) {
	x.t.Helper()
	if diff := cmp.Diff(want, x.adopted()); diff != "" {
		x.t.Errorf("containers (-want +got):\n%s", diff)
	}
}

// endsWith7 is a program that execs again and again, and exits with 7 on SIGTERM.
var endsWith7 = []string{"/bin/sh", "-c", "trap 'exit 7' TERM; while true; do /bin/usleep 50000; done"}

// TestAdopt loads the programs while containers in all states exist, and follows these to their ends.
func TestAdopt(t *testing.T) {
	x := prepare(t)
	create := func(b bundle) { x.plain(runcPath, "create", "--bundle", x.write(b), b.id) }
	for _, name := range []string{"flat", "nested", "paused", "dead"} {
		args := endsWith7
		if name == "dead" {
			args = []string{"/bin/true"}
		}
		create(bundle{id: name, args: args, annotations: pod(name, map[string]string{"app": name})})
		x.plain(runcPath, "start", name)
	}
	x.awaitExit("dead")
	create(bundle{id: "waiting", args: []string{"/bin/sh", "-c", "exit 3"}, annotations: pod("waiting", nil)})
	create(bundle{id: "pause", args: endsWith7, annotations: map[string]string{
		"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "pause",
		"io.kubernetes.cri.sandbox-name": "flat", "io.kubernetes.cri.sandbox-namespace": "default",
	}})
	x.plain(runcPath, "start", "pause")
	x.plain(runcPath, "pause", "paused")
	deep := x.nest("nested", "inner/deep")
	before := time.Now()

	if out := x.adopt("runc"); !strings.HasPrefix(out, "loaded ") || !strings.HasSuffix(out, "containers adopted: 5\n") {
		t.Errorf("load says %q", out)
	}
	running := []string{
		"flat running recorded: yes, adopted: true", "nested running recorded: yes, adopted: true",
		"pause running recorded: no, adopted: true",
		"paused running recorded: yes, adopted: true", "waiting created recorded: yes, adopted: true",
	}
	x.expectAdopted(running...)
	for _, c := range objects[adoptedJSON](t, x.tracectl("containers", "-o=json")) {
		want := x.pid(runcPath, c.ContainerID)
		if c.ContainerID == "waiting" {
			want = 0
		}
		if c.Init != want {
			t.Errorf("init of %s is %d, not %d", c.ContainerID, c.Init, want)
		}
		// It was started shortly before the programs were loaded.
		if at := c.Created; at.After(before) || before.Sub(*at) > time.Minute || (c.Started == nil) != (want == 0) ||
			c.Started != nil && !c.Started.Equal(*at) {
			t.Errorf("%s was created at %v and started at %v; before %v", c.ContainerID, at, c.Started, before)
		}
		if c.ContainerID == "flat" {
			want := Identity{
				Namespace:   "default",
				Pod:         "flat",
				PodUID:      "uid-of-flat",
				Container:   "flat",
				ContainerID: "flat",
				SandboxID:   "sandbox-of-flat",
				Image:       "docker.io/library/busybox:flat",
				Engine:      "containerd",
				Labels:      map[string]string{"app": "flat"},
			}
			if diff := cmp.Diff(want, c.Identity); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		}
	}

	// From now on, calls and execs are recorded, including those in a cgroup below the container's.
	for _, name := range []string{"flat", "nested"} {
		eventually(t, name+" execs", func() bool {
			execs := x.execs("--pod="+name, "--container="+name)
			return len(execs) > 0 && execs[0].Path == "/bin/usleep" && execs[0].PPID == x.pid(runcPath, name)
		})
		if calls := x.calls("default/" + name + "/" + name); !slices.ContainsFunc(calls,
			func(c callJSON) bool { return c.Comm == "sh" && strings.HasPrefix(c.Syscall, "wait") }) {
			t.Errorf("%s: %d calls, none of the shell that waits", name, len(calls))
		}
	}
	if execs := x.execs("--pod=nested"); execs[0].CgroupID != deep {
		t.Errorf("the nested one execs in cgroup %d, not %d", execs[0].CgroupID, deep)
	}
	if execs := x.execs("--pod=paused"); len(execs) != 0 {
		t.Errorf("the paused one execs: %+v", execs)
	}
	x.plain(runcPath, "exec", "flat", "/bin/echo", "hello")
	var entered []string
	for _, e := range x.execs("--pod=flat", "--container=flat") {
		if e.Path != "/bin/usleep" {
			entered = append(entered, strings.Join(e.Args, " "))
		}
	}
	if diff := cmp.Diff([]string{"/bin/echo hello"}, entered); diff != "" {
		t.Errorf("execs of what was run in the container, without the runtime's own (-want +got):\n%s", diff)
	}

	// A second load registers nothing twice and restarts no recording.
	written := x.recordings("--pod=flat")[0].Syscalls
	if out := x.adopt("runc"); !strings.HasPrefix(out, "already loaded ") || strings.Contains(out, "adopted") {
		t.Errorf("load says %q", out)
	}
	x.expectAdopted(running...)
	if again := x.recordings("--pod=flat")[0].Syscalls; again < written {
		t.Errorf("%d calls of flat are kept, after %d", again, written)
	}
	later := x.nest("nested", "inner/later")
	eventually(t, "execs in a cgroup that was made since", func() bool {
		return slices.ContainsFunc(x.execs("--pod=nested"), func(e execJSON) bool { return e.CgroupID == later })
	})

	x.plain(runcPath, "resume", "paused")
	x.plain(runcPath, "start", "waiting")
	for id, signal := range map[string]string{"flat": "TERM", "paused": "TERM", "nested": "KILL", "pause": "KILL"} {
		x.plain(runcPath, "kill", id, signal)
	}
	for _, id := range []string{"flat", "paused", "nested", "waiting", "pause"} {
		x.awaitExit(id)
	}
	ended := []string{
		"flat exited recorded: yes, adopted: true, exit code 7", "nested exited recorded: yes, adopted: true, SIGKILL",
		"pause exited recorded: no, adopted: true, SIGKILL", "paused exited recorded: yes, adopted: true, exit code 7",
		"waiting exited recorded: yes, adopted: true, exit code 3",
	}
	x.expectAdopted(ended...)
	x.adopt("runc")
	x.expectAdopted(ended...)
	x.removeNested("nested", "inner/later", "inner/deep", "inner")
	for _, id := range []string{"flat", "paused", "nested", "waiting", "pause", "dead"} {
		x.plain(runcPath, "delete", id)
	}
	if got := x.status().Containers; got.Ended != 5 || got.Created+got.Running+got.Exited != 0 {
		t.Errorf("containers %+v", got)
	}
	for reason, n := range x.status().Dropped {
		if n != 0 {
			t.Errorf("dropped: %d %s", n, reason)
		}
	}
}

// nest makes cgroups below a container's, moves its init there, and returns the ID of the last one.
func (x *tracer) nest(id, path string) uint64 {
	x.t.Helper()
	root, err := unified.Find("")
	if err != nil {
		x.t.Fatal(err)
	}
	dir := filepath.Join(root, x.cgroup, id, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"),
		[]byte(strconv.Itoa(x.pid(runcPath, id))), 0o644); err != nil {
		x.t.Fatal(err)
	}
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		x.t.Fatal(err)
	}
	return s.Ino
}

func (x *tracer) removeNested(id string, paths ...string) {
	x.t.Helper()
	root, err := unified.Find("")
	if err != nil {
		x.t.Fatal(err)
	}
	for _, path := range paths {
		if err := os.Remove(filepath.Join(root, x.cgroup, id, path)); err != nil {
			x.t.Error(err)
		}
	}
}

// TestAdoptTells reports containers that cannot be adopted, and adopts the rest.
func TestAdoptTells(t *testing.T) {
	x := prepare(t)
	x.plain(runcPath, "create", "--bundle",
		x.write(bundle{id: "mypod", args: endsWith7, annotations: pod("mypod", nil)}), "mypod")
	for _, id := range []string{"broken", "broken2"} {
		if err := os.MkdirAll(filepath.Join(x.state(), id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(x.state(), id, "state.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := x.tryAdopt("runc", "-o=json")
	want := "tracectl: 2 running containers could not be registered:\n" +
		"  container \"broken\": reading its state in /run/runc/broken: unexpected end of JSON input\n" +
		"  container \"broken2\": reading its state in /run/runc/broken2: unexpected end of JSON input\n"
	if diff := cmp.Diff(want, o.stderr); o.code != 0 || diff != "" || !strings.Contains(o.stdout, `"adopted":1`) {
		t.Errorf("load: %+v (-want +got)\n%s", o, diff)
	}
	for _, id := range []string{"broken", "broken2"} {
		if err := os.RemoveAll(filepath.Join(x.state(), id)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAdoptMoreThanFit adopts as many containers as fit into the pool, and reports the others.
func TestAdoptMoreThanFit(t *testing.T) {
	x := prepare(t)
	for _, id := range []string{"a", "b", "c"} {
		x.plain(runcPath, "create", "--bundle", x.write(simple(id, "/bin/true")), id)
	}
	o := x.tryAdopt("runc", "--recordings=1", "--identities=2")
	want := "tracectl: 1 running container could not be registered:\n" +
		"  there are more than 2 containers: the others are not registered\n" +
		"tracectl: 1 container adopted without a recording: none was free (increase --recordings)\n"
	if diff := cmp.Diff(want, o.stderr); o.code != 0 || diff != "" {
		t.Errorf("load: %+v (-want +got)\n%s", o, diff)
	}
	x.expectAdopted("a created recorded: yes, adopted: true", "b created recorded: no, adopted: true")
}

// TestAdoptBesideShim adopts again and again while containers are created through the shim: none of these is adopted as
// a running one, registered twice, or without its beginning.
func TestAdoptBesideShim(t *testing.T) {
	x := load(t)
	x.plain(runcPath, "create", "--bundle",
		x.write(bundle{id: "before", args: endsWith7, annotations: pod("before", nil)}), "before")
	x.plain(runcPath, "start", "before")
	stop := make(chan struct{})
	var adopting sync.WaitGroup
	adopting.Add(1)
	rounds := 0
	go func() {
		defer adopting.Done()
		beside := *x // because it has its own within
		for {
			select {
			case <-stop:
				return
			default:
				if o := beside.tryAdopt("runc"); o.code != 0 || o.stderr != "" {
					t.Errorf("load: %+v", o)
				}
				rounds++
			}
		}
	}()
	want := []string{"before running recorded: yes, adopted: true"}
	for n := range 10 {
		id := fmt.Sprint("pod", n)
		x.start(bundle{id: id, args: endsWith7, annotations: pod(id, nil)})
		want = append(want, id+" running recorded: yes, adopted: false")
	}
	eventually(t, "all run, and the one that ran before is adopted", func() bool {
		return x.status().Containers.Running == 11
	})
	close(stop)
	adopting.Wait()
	if rounds < 2 {
		t.Errorf("only %d rounds of adoption", rounds)
	}
	x.expectAdopted(want...)
	for n := range 10 {
		if calls := x.calls(fmt.Sprint("default/pod", n)); !beginsInRuncInit(calls) {
			t.Errorf("pod%d: %d calls, which do not begin within the runtime", n, len(calls))
		}
	}
	x.remove("before")
}

// TestAdoptCrun adopts a container of crun, which refuses hybrid hosts.
func TestAdoptCrun(t *testing.T) {
	crun, err := exec.LookPath("crun")
	if err != nil {
		t.Fatalf("%v: install the package crun", err)
	}
	x := prepare(t)
	x.unify()
	x.useRuntime(crun)
	x.plain(crun, "create", "--bundle",
		x.write(bundle{id: "mypod", args: endsWith7, annotations: pod("mypod", map[string]string{"app": "web"})}), "mypod")
	x.plain(crun, "start", "mypod")
	x.adopt("crun")
	x.expectAdopted("mypod running recorded: yes, adopted: true")
	eventually(t, "it execs", func() bool { return len(x.execs("-l", "app=web")) > 0 })
	x.plain(crun, "kill", "mypod", "TERM")
	eventually(t, "its end is seen", func() bool { return strings.HasSuffix(x.adopted()[0], "exit code 7") })
}

// TestAdoptInAMachine adopts containers if the runtime sees other PIDs than the kernel: on a node that is itself a
// container.
func TestAdoptInAMachine(t *testing.T) {
	x := prepare(t)
	dir := x.write(bundle{id: "mypod", args: endsWith7, annotations: pod("mypod", nil)})
	script := fmt.Sprintf(`set -e
mount -t tmpfs tmpfs /run
%[1]s create --bundle %[2]s mypod </dev/null
%[1]s start mypod
pid=$(%[1]s state mypod | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
until grep -q . /proc/$pid/task/$pid/children; do sleep 0.05; done # it handles the signal from here on
"$0" load --recordings=2 --identities=8
%[1]s kill mypod TERM
while %[1]s state mypod | grep -q '"running"'; do sleep 0.05; done
"$0" containers -o=json
%[1]s delete mypod`, runcPath, dir)
	x.within = []string{"unshare", "--pid", "--fork", "--mount-proc", "--mount", "sh", "-c", script}
	o := x.run(tracectlPath)
	x.within = nil
	if o.code != 0 || !strings.Contains(o.stdout, "running containers adopted: 1\n") {
		t.Fatalf("%+v", o)
	}
	x.expectAdopted("mypod exited recorded: yes, adopted: true, exit code 7")
}

// TestNoAdopt checks that running containers are left alone.
func TestNoAdopt(t *testing.T) {
	x := prepare(t)
	x.plain(runcPath, "create", "--bundle", x.write(simple("mypod", "/bin/true")), "mypod")
	for _, configured := range []bool{false, true} {
		flag := "--no-adopt"
		if configured {
			flag = "--config=" + x.config
			x.useRuntime(runcPath, "adopt = false")
		}
		if o := x.tryAdopt("runc", flag); o.code != 0 || o.stderr != "" || strings.Contains(o.stdout, "adopted") {
			t.Errorf("load %s: %+v", flag, o)
		}
		if found := x.adopted(); len(found) != 0 {
			t.Errorf("adopted with %s: %q", flag, found)
		}
	}
	x.useRuntime(runcPath)
	x.adopt("runc")
	x.expectAdopted("mypod created recorded: yes, adopted: true")
}
