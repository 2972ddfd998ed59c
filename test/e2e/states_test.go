// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/unified"
)

// TestStates follows containers from their creation to their end in the output of `containers` and `straceback list`.
func TestStates(t *testing.T) {
	x := load(t)
	state := func() string {
		t.Helper()
		var all []string
		for _, c := range x.containers() {
			s := c.Container + " " + c.State
			if c.ExitCode != nil {
				s += fmt.Sprintf(" %d", *c.ExitCode)
			}
			if c.Signal != "" {
				s += " " + c.Signal
			}
			if c.Ended != nil {
				s += " ended"
			}
			all = append(all, s)
		}
		slices.Sort(all)
		var listed []string
		for _, r := range x.recordings() {
			listed = append(listed, r.Container)
		}
		slices.Sort(listed)
		if len(all) != len(listed) {
			t.Errorf("containers are %q, recordings of %q", all, listed)
		}
		return strings.Join(all, ", ")
	}
	expect := func(want string) {
		t.Helper()
		if diff := cmp.Diff(want, state()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	expect("")
	x.runtime("create", "--bundle", x.write(simple("killed", "/bin/sleep", "1000")), "killed")
	expect("killed created")
	x.runtime("start", "killed")
	eventually(t, "the container runs", func() bool { return state() == "killed running" })
	x.runtime("kill", "killed", "KILL")
	eventually(t, "its end is seen", func() bool { return state() == "killed exited SIGKILL" })
	x.start(simple("seven", "/bin/sh", "-c", "exit 7"))
	x.awaitExit("seven")
	expect("killed exited SIGKILL, seven exited 7")
	x.remove("killed")
	x.remove("seven")
	expect("killed exited SIGKILL ended, seven exited 7 ended")

	calls := x.calls("killed")
	if last := calls[len(calls)-1]; last.Comm != "sleep" || last.Syscall != "" || last.Signal != "SIGKILL" {
		t.Errorf("the last call of the killed one: %+v", last)
	}
	lines := x.lines("killed")
	for i, want := range []*regexp.Regexp{
		regexp.MustCompile(`\[sleep\] \w*nanosleep\(.*tv_sec=1000.* = \? ERESTART_RESTARTBLOCK \(Interrupted by signal\)$`),
		regexp.MustCompile(`\[sleep\] --- SIGKILL {si_signo=SIGKILL, si_code=SI_USER} from pid \d+ "runc" ---$`),
		regexp.MustCompile(`\[sleep\] \+\+\+ killed by SIGKILL \+\+\+$`),
	} {
		if line := lines[len(lines)-3+i]; !want.MatchString(line) {
			t.Errorf("the last lines of the killed one: %s", line)
		}
	}
	failed := x.calls("killed", "--failed")
	if last := failed[len(failed)-1]; last.Signal != "SIGKILL" {
		t.Errorf("the last failed call of the killed one: %+v", last)
	}
	for _, c := range failed {
		if c.Ret != nil && *c.Ret >= 0 {
			t.Errorf("among the failed calls: %+v", c)
		}
	}
	if lines := grep(splitLines(x.tracectl("straceback", "list")), "seven"); len(lines) != 1 ||
		!strings.Contains(lines[0], "exited (7) ") {
		t.Errorf("in the list: %q", lines)
	}
}

// TestOutOfMemory has the kernel kill a container that takes more memory than its limit: its last line says so.
func TestOutOfMemory(t *testing.T) {
	x := load(t)
	b := simple("greedy", "/bin/tail", "/dev/zero") // it keeps its last line, which has no end
	b.edit = func(s *specs.Spec) {
		limit := int64(32 << 20)
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
		s.Mounts[1] = specs.Mount{Destination: "/dev", Type: "bind", Source: "/dev", Options: []string{"rbind"}}
	}
	if o := x.runContainer(b); o.code != 128+int(unix.SIGKILL) {
		t.Fatalf("%+v", o)
	}
	lines := x.lines("greedy")
	if last := lines[len(lines)-1]; !strings.HasSuffix(last, "[tail] +++ killed by SIGKILL (out of memory) +++") {
		t.Errorf("its last line is %s", last)
	}
}

// TestLivesOutside moves the processes of a container to a cgroup outside, and removes its own: the container has not
// ended, and its end is known.
func TestLivesOutside(t *testing.T) {
	x := load(t)
	x.start(simple("lives", "/bin/sh", "-c", "trap 'exit 9' TERM; sleep 1000 & wait"))
	mount, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	own, outside := mount+x.cgroup+"/lives", mount+x.cgroup+"/outside"
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(outside); err != nil {
			t.Error(err)
		}
	})
	shown := func() string {
		t.Helper()
		var all []string
		for _, c := range x.containers() {
			all = append(all, fmt.Sprint(x.ended("lives"), " ", c.Ended != nil))
		}
		list := x.tracectl("containers")
		return fmt.Sprint(all, len(grep(splitLines(list), "lives")), len(x.recordings()))
	}
	processes := func() []string {
		t.Helper()
		pids, err := os.ReadFile(own + "/cgroup.procs")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(pids))
	}
	eventually(t, "it has two processes", func() bool { return len(processes()) == 2 })
	eventually(t, "no process is in its cgroup", func() bool {
		for _, pid := range processes() {
			_ = os.WriteFile(outside+"/cgroup.procs", []byte(pid), 0)
		}
		return os.Remove(own) == nil
	})
	if got, want := shown(), "[running false] 1 1"; got != want {
		t.Errorf("outside: %s, not %s", got, want)
	}
	for _, verb := range []string{"status", "doctor"} {
		if o := x.run(tracectlPath, verb); !strings.Contains(o.stdout, "2 moves of a process to a cgroup outside") {
			t.Errorf("%s: %s", verb, o.stdout)
		}
	}
	x.runtime("kill", "lives", "TERM")
	eventually(t, "its end is seen", func() bool { return shown() == "[exited 9 true] 0 1" })
}

// TestCgroupOfAnother runs a container whose cgroup is there already and belongs to another user than root: it runs, is
// not registered, and the user is named.
func TestCgroupOfAnother(t *testing.T) {
	x := load(t)
	mount, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	own := x.cgroup + "/victim"
	if err := os.MkdirAll(mount+own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(mount+own, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if o := x.runContainer(simple("victim", "/bin/sh", "-c", "exit 5")); o.code != 5 {
		t.Errorf("%+v", o)
	}
	if got := x.containers(); len(got) != 0 {
		t.Errorf("known: %+v", got)
	}
	if got, want := x.tracectl("status"), "user 65534, before the container came: "+own; !strings.Contains(got, want) {
		t.Errorf("status does not say %q:\n%s", want, got)
	}
}

// TestRefusedCall checks that --failed shows a call that seccomp refused, in whichever way it did.
func TestRefusedCall(t *testing.T) {
	x := load(t)
	for _, test := range []struct {
		name   string
		action specs.LinuxSeccompAction
		signal string
	}{
		{"errno", specs.ActErrno, ""}, {"trap", specs.ActTrap, "SIGSYS"}, {"kill", specs.ActKillProcess, "SIGSYS"},
	} {
		b := simple(test.name, "/bin/mkdir", "/tmp/x")
		b.seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"mkdir", "mkdirat"}, Action: test.action},
		}}
		x.runContainer(b)
		calls := slices.DeleteFunc(x.calls(test.name, "--failed"), func(c callJSON) bool { return c.Comm != "mkdir" })
		refused := slices.IndexFunc(calls, func(c callJSON) bool {
			return strings.HasPrefix(c.Syscall, "mkdir") && c.NoEnter
		})
		if refused < 0 || calls[len(calls)-1].Signal != test.signal {
			t.Errorf("%s: %+v", test.name, calls)
		}
		text := x.tracectl("straceback", "show", test.name, "--failed")
		if lines := grep(grep(splitLines(text), "[mkdir] mkdir"), "(enter not seen"); len(lines) != 1 {
			t.Errorf("%s: %s", test.name, text)
		}
	}
}

// TestUnfinishedCall checks that a call that has not returned is shown without waiting for it.
func TestUnfinishedCall(t *testing.T) {
	x := load(t)
	x.start(simple("mypod", "/bin/sleep", "1000"))
	want := regexp.MustCompile(`\[sleep\] \w*nanosleep\(.*tv_sec=1000.*\) <unfinished \.\.\.>$`)
	eventually(t, "the sleep is shown", func() bool {
		lines := x.lines("mypod")
		return want.MatchString(lines[len(lines)-1])
	})
	calls := x.calls("mypod")
	if c := calls[len(calls)-1]; !strings.HasSuffix(c.Syscall, "nanosleep") || c.Ret != nil ||
		c.Signal != "" || c.ExitCode != nil {
		t.Errorf("in JSON: %+v", c)
	}
	x.remove("mypod")
	if lines := grep(grep(x.lines("mypod"), "[sleep] "), "nanosleep("); len(lines) != 1 || want.MatchString(lines[0]) {
		t.Errorf("after its end: %q", lines)
	}
}

// TestSameID checks that a container that is restarted under its ID has a recording for each run.
func TestSameID(t *testing.T) {
	x := load(t)
	for i := range 3 {
		b := simple("mypod", "/bin/sh", "-c", fmt.Sprintf("exit %d", i))
		if o := x.runContainer(b); o.code != i {
			t.Fatalf("%+v", o)
		}
	}
	var codes []int
	for _, r := range x.recordings() {
		codes = append(codes, *r.ExitCode)
	}
	if diff := cmp.Diff([]int{2, 1, 0}, codes); diff != "" {
		t.Errorf("exit codes, the newest run first (-want +got):\n%s", diff)
	}
	for i, flags := range [][]string{{}, {"--previous"}, {"--previous=2"}} {
		calls := x.calls("default/mypod", flags...)
		if last := calls[len(calls)-1]; last.ExitCode == nil || *last.ExitCode != 2-i {
			t.Errorf("%q: the last call is %+v", flags, last)
		}
	}
	o := x.run(tracectlPath, "straceback", "show", "mypod", "--previous=3")
	if o.code != 4 || o.stdout != "" || !strings.Contains(o.stderr, "only 3 runs recorded") {
		t.Errorf("a run that there never was: %+v", o)
	}
	if o := x.run(tracectlPath, "straceback", "show", "mypod"); !strings.Contains(o.stderr,
		"earlier runs of this container: 2 ") {
		t.Errorf("the newest run: %q", o.stderr)
	}
}

// TestOutlives checks that recordings need no process: neither the container's nor one of ours.
func TestOutlives(t *testing.T) {
	x := load(t)
	x.runContainer(simple("mypod", "/bin/true"))
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if exe, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe")); err == nil &&
			strings.HasPrefix(exe, scratch+"/") {
			t.Errorf("process %s runs %s", e.Name(), exe)
		}
	}
	if err := os.RemoveAll(filepath.Join(x.dir, "bundles")); err != nil {
		t.Fatal(err)
	}
	if calls := x.calls("default/mypod"); !beginsInRuncInit(calls) || calls[len(calls)-1].Syscall != "exit_group" {
		t.Errorf("%d calls, from %+v", len(calls), calls[0])
	}
	if execs := x.execs(); len(execs) != 1 || execs[0].Path != "/bin/true" || execs[0].Pod != "mypod" {
		t.Errorf("execs %+v", execs)
	}
}

// TestSandbox checks that a pod's sandbox is registered but recorded only if the configuration asks for it.
func TestSandbox(t *testing.T) {
	x := load(t)
	sandbox := func(id string) bundle {
		return bundle{id: id, args: []string{"/bin/true"}, annotations: map[string]string{
			"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": id,
			"io.kubernetes.cri.sandbox-name": id, "io.kubernetes.cri.sandbox-namespace": "default",
		}}
	}
	x.runContainer(sandbox("quiet"))
	if list := x.recordings(); len(list) != 0 {
		t.Errorf("recorded: %+v", list)
	}
	if execs := x.execs(); len(execs) != 1 || execs[0].Pod != "quiet" || execs[0].Container != "" {
		t.Errorf("execs: %+v", execs)
	}
	o := x.run(tracectlPath, "straceback", "show", "default/quiet")
	if o.code != 4 || o.stdout != "" || !strings.Contains(o.stderr, "record-sandboxes") {
		t.Errorf("show: %+v", o)
	}
	x.useRuntime(runcPath, "record-sandboxes = true")
	x.runContainer(sandbox("loud"))
	var got []string
	for _, c := range x.containers() {
		got = append(got, fmt.Sprint(c.Pod, " ", c.Sandbox, " ", c.Recorded))
	}
	if diff := cmp.Diff([]string{"loud true yes", "quiet true no"}, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	if calls := x.calls("default/loud"); !beginsInRuncInit(calls) {
		t.Errorf("%d calls of the sandbox", len(calls))
	}
}
