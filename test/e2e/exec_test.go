// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// follow starts `tracectl exec` and waits until it sees all further execs.
func (x *tracer) follow(flags ...string) *process {
	x.t.Helper()
	p := x.spawn(tracectlPath, append([]string{"exec", "-w"}, flags...)...)
	x.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	eventually(x.t, "tracectl exec has begun", func() bool { return strings.HasPrefix(p.stdout(), "NAMESPACE") })
	return p
}

// interrupt ends the process and returns its lines without the header. Its stderr must equal remarks.
func (p *process) interrupt(remarks string) []string {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	o := p.wait()
	if o.code != 0 || o.stderr != remarks {
		p.t.Errorf("%q: exit code %d\n%s", p.cmd.Args[1:], o.code, o.stderr)
	}
	return splitLines(o.stdout)[1:]
}

// TestSelectors follows with several readers at once: each gets all execs that it selects, from the first one on, and
// takes none from the others.
func TestSelectors(t *testing.T) {
	x := load(t)
	bundles := []bundle{
		{id: "one", args: []string{"/bin/sh", "-c", "/bin/true; /bin/hostname; :"}, annotations: map[string]string{
			"io.container.manager":              "cri-o",
			"io.kubernetes.cri-o.ContainerType": "container",
			"io.kubernetes.cri-o.SandboxID":     "pause",
			"io.kubernetes.pod.name":            "one",
			"io.kubernetes.pod.namespace":       "shop",
			"io.kubernetes.container.name":      "main",
		}},
		{id: "web", args: []string{"/bin/true"}, annotations: pod("web", map[string]string{"app": "web", "tier": "front"})},
		{id: "db", args: []string{"/bin/true"}, annotations: pod("db", map[string]string{"app": "db", "tier": "back"})},
		{id: "canary", args: []string{"/bin/true"},
			annotations: pod("canary", map[string]string{"app": "web", "canary": ""})},
		{id: "none", args: []string{"/bin/true"}},
	}
	tests := []struct {
		flags []string
		want  string // the pods' names; pod one includes its sandbox
		// Execs in pods whose labels are incomplete, because no agent adds them. Labels in annotations do not select them.
		leftOut int
		first   string // the first container of these
	}{
		{nil, "one one one one web db canary -", 0, ""},
		{nil, "one one one one web db canary -", 0, ""},
		{[]string{"--label=myapp=app-one"}, "one one one one", 3, "default/web/web"},
		{[]string{"-lmyapp=app-one"}, "one one one one", 3, "default/web/web"},
		{[]string{"--label=app in (web,db),tier!=back"}, "web", 2, "default/db/db"},
		{[]string{"--label=!canary"}, "one one one one -", 3, "default/web/web"},
		{[]string{"--label=app"}, "web db canary", 0, ""},
		{[]string{"--namespace=sho?"}, "one one one one", 0, ""},
		{[]string{"--pod=*e*", "--container=*e*"}, "web", 0, ""},
		{[]string{"--failed"}, "", 0, ""},
	}
	var readers []*process
	for _, test := range tests {
		readers = append(readers, x.follow(test.flags...))
	}
	x.start(bundle{id: "pause", args: []string{"/bin/sleep", "1000"}, annotations: map[string]string{
		"io.container.manager":              "cri-o",
		"io.kubernetes.cri-o.ContainerType": "sandbox",
		"io.kubernetes.cri-o.SandboxID":     "pause",
		"io.kubernetes.pod.name":            "one",
		"io.kubernetes.pod.namespace":       "shop",
		"io.kubernetes.cri-o.Labels":        `{"myapp": "app-one", "io.kubernetes.pod.name": "one"}`,
	}})
	x.awaitExec("pause")
	for _, b := range bundles {
		if o := x.runContainer(b); o.code != 0 {
			t.Fatalf("%s: %+v", b.id, o)
		}
	}
	var all []string
	for i, reader := range readers {
		remarks := ""
		if n := tests[i].leftOut; n > 0 {
			remarks = fmt.Sprintf("tracectl: no labels for %s: leaving out its execs, and those of similar containers (check the agent with \"tracectl status\")\n", tests[i].first) +
				fmt.Sprintf("tracectl: left out %d execs of containers without known labels (check the agent with \"tracectl status\")\n", n)
		}
		lines := reader.interrupt(remarks)
		var pods []string
		for _, line := range lines {
			pods = append(pods, strings.Fields(line)[1])
		}
		if diff := cmp.Diff(tests[i].want, strings.Join(pods, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tests[i].flags, diff)
		}
		if i == 0 {
			all = lines
		}
		want := slices.DeleteFunc(slices.Clone(all), func(line string) bool { return !slices.Contains(lines, line) })
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%q shows other lines than the first reader (-first +own):\n%s", tests[i].flags, diff)
		}
	}
	var pids []string
	for i, line := range all[:min(len(all), 4)] {
		fields := strings.Fields(line)
		pids = append(pids, fields[4])
		if i > 0 {
			all[i] = strings.Join(append(fields[:4:4], fields[6:]...), " ")
			if i > 1 && fields[5] != pids[1] {
				t.Errorf("%q: the parent is not %s", line, pids[1])
			}
		}
	}
	want := []string{`shop one main sh 0 /bin/sh -c "/bin/true; /bin/hostname; :"`, "shop one main true 0 /bin/true",
		"shop one main hostname 0 /bin/hostname"}
	if diff := cmp.Diff(want, all[1:min(len(all), 4)]); diff != "" {
		t.Errorf("without process IDs (-want +got):\n%s", diff)
	}
}

// TestFailedExec checks that a failed exec is shown with its path and arguments.
func TestFailedExec(t *testing.T) {
	x := load(t)
	x.runContainer(simple("fails", "/bin/sh", "-c", "/bin/missing one two; /proc/version; true"))
	var got []execJSON
	for _, e := range x.execs("--failed", "--pod=fails") {
		got = append(got, execJSON{Ret: e.Ret, Errno: e.Errno, Path: e.Path, Args: e.Args, Comm: e.Comm})
	}
	want := []execJSON{
		{Ret: -2, Errno: "ENOENT", Path: "/bin/missing", Args: []string{"/bin/missing", "one", "two"}, Comm: "sh"},
		{Ret: -13, Errno: "EACCES", Path: "/proc/version", Args: []string{"/proc/version"}, Comm: "sh"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestExecIntoContainer checks that a process that enters a container later counts as the container's.
func TestExecIntoContainer(t *testing.T) {
	x := load(t)
	x.start(simple("mypod", "/bin/sleep", "1000"))
	reader := x.follow("--pod=mypod")
	if o := x.runtime("exec", "mypod", "/bin/cat", "/proc/self/comm"); o.stdout != "cat\n" {
		t.Fatalf("%+v", o)
	}
	lines := reader.interrupt("")
	if len(lines) != 1 || !strings.HasSuffix(lines[0], " 0 /bin/cat /proc/self/comm") {
		t.Errorf("execs: %q", lines)
	}
	opened := slices.ContainsFunc(x.calls("mypod"), func(c callJSON) bool {
		return c.Comm == "cat" && c.data("filename") == "/proc/self/comm" && c.Ret != nil && *c.Ret >= 0
	})
	if !opened {
		t.Error("the recording does not have what was run in the container later")
	}
	x.remove("mypod")
}

// TestWaiting checks that exec, which is silent until an event comes, says that it waits, but only on a terminal.
func TestWaiting(t *testing.T) {
	x := load(t)
	if lines := x.follow().interrupt(""); len(lines) != 0 {
		t.Errorf("not on a terminal: %q", lines)
	}
	master, slave := terminal(t)
	c := x.command(tracectlPath, "exec")
	c.Stderr = slave
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(master).ReadString('\n')
	if err != nil || line != "tracectl: waiting for execs; press Ctrl-C to stop\r\n" {
		t.Errorf("on a terminal: %q, %v", line, err)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// terminal opens a pseudo-terminal: the master reads what is written to the slave.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// TestReaderLapped checks that a reader reports the number of lost execs, both if it is overtaken and if it asks for
// more of the past than is left.
func TestReaderLapped(t *testing.T) {
	const count = 600
	x := load(t, "--exec-log-size=64KiB")
	reader := x.follow()
	if err := reader.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	o := x.runContainer(simple("storm", "/bin/sh", "-c",
		fmt.Sprintf("i=1; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", count)))
	if o.code != 0 {
		t.Fatalf("%+v", o)
	}
	for _, signal := range []syscall.Signal{syscall.SIGCONT, syscall.SIGINT} {
		if err := reader.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	followed := reader.wait()
	past := x.run(tracectlPath, "exec", "--no-follow")
	for _, test := range []struct {
		name          string
		o             outcome
		before, after string
	}{
		{"a reader that follows", followed, "tracectl: lost ", " execs\n"},
		{"a reader of the past", past, "tracectl: ", " execs of containers that execute many programs were overwritten\n"},
	} {
		_, rest, found := strings.Cut(test.o.stderr, test.before)
		number, _, ended := strings.Cut(rest, test.after)
		lost, err := strconv.Atoi(number)
		if !found || !ended || err != nil || test.o.code != 0 {
			t.Errorf("%s: exit code %d, %q", test.name, test.o.code, test.o.stderr)
			continue
		}
		// runc's own execs are also logged, but not shown.
		shown := len(splitLines(test.o.stdout)) - 1
		total := int(x.status().ExecLog.Execs)
		if lost < 100 || shown < 100 || lost+shown > total || lost+shown < count {
			t.Errorf("%s: lost %d, has shown %d, of %d (%d of them the container's)", test.name, lost, shown, total, count)
		}
	}
}
