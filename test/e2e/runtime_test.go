// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/unified"
)

// place is a way to make a container, with the place of its cgroup.
type place struct {
	name        string
	detached    bool // create and start, not run
	cgroupsPath string
	noPath      bool
	global      []string // flags of the runtime
}

// check makes a container in each place, and checks that it is registered and recorded from its beginning.
func (x *tracer) check(t *testing.T, places []place, begins func([]callJSON) bool) {
	t.Helper()
	for _, p := range places {
		id := strings.TrimPrefix(x.cgroup, "/") + "-" + p.name
		b := bundle{id: id, args: []string{"/bin/true"}, annotations: pod(p.name, nil),
			cgroupsPath: p.cgroupsPath, noPath: p.noPath}
		dir := x.write(b)
		global := append([]string{}, p.global...)
		if p.detached {
			x.runtime(append(global, "create", "--bundle", dir, id)...)
			x.runtime(append(global, "start", id)...)
			x.awaitExit(id)
			x.runtime(append(global, "delete", id)...)
		} else {
			x.runtime(append(global, "run", "--bundle", dir, id)...)
		}
		if execs := x.execs("--pod=" + p.name); len(execs) != 1 || execs[0].Path != "/bin/true" {
			t.Errorf("%s: execs %+v", p.name, execs)
		}
		list := x.recordings("--pod=" + p.name)
		if len(list) != 1 || list[0].ExitCode == nil || *list[0].ExitCode != 0 || list[0].Ended == nil {
			t.Errorf("%s: recordings %+v", p.name, list)
			continue
		}
		calls := x.calls(list[0].Name)
		if len(calls) == 0 || !begins(calls) || calls[len(calls)-1].Syscall != "exit_group" {
			t.Errorf("%s: %d calls, which do not begin within the runtime or do not end with exit_group", p.name, len(calls))
		}
	}
	if dropped := x.status().Dropped; dropped["pendingStale"]+dropped["pendingElsewhere"] != 0 {
		t.Errorf("dropped: %v", dropped)
	}
}

// places returns the places of the cgroupfs driver.
func (x *tracer) places() []place {
	return []place{
		{name: "run-absolute", cgroupsPath: x.cgroup + "/run"},
		{name: "run-relative", cgroupsPath: x.cgroup[1:] + "/relative"},
		{name: "run-default", noPath: true},
		{name: "create-absolute", detached: true, cgroupsPath: x.cgroup + "/create"},
		{name: "create-relative", detached: true, cgroupsPath: x.cgroup[1:] + "/create-relative"},
		{name: "create-default", detached: true, noPath: true},
	}
}

// TestCreateAndRun makes containers in all ways that runc supports, with the cgroups of this host.
func TestCreateAndRun(t *testing.T) {
	x := load(t)
	x.check(t, x.places(), beginsInRuncInit)
}

// TestUnifiedHost does the same on a host with only the unified hierarchy.
func TestUnifiedHost(t *testing.T) {
	x := load(t)
	x.unify()
	x.check(t, x.places(), beginsInRuncInit)
}

// TestCrun does the same with crun, which refuses hybrid hosts.
func TestCrun(t *testing.T) {
	crun, err := exec.LookPath("crun")
	if err != nil {
		t.Fatalf("%v: install the package crun", err)
	}
	x := load(t)
	x.unify()
	x.useRuntime(crun)
	x.check(t, x.places(), func(calls []callJSON) bool { return strings.Contains(calls[0].Comm, "crun") })
}

// unify runs all further commands in a mount namespace with only the unified hierarchy, if the host has others.
func (x *tracer) unify() {
	x.t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return
	}
	x.within = []string{"unshare", "--mount", "--propagation=slave", "sh", "-c",
		`umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"`, "sh"}
}

// TestSystemdScope uses a script instead of the runtime and of systemd, which makes cgroups for --systemd-cgroup: a
// scope in a slice, and the directories of the slices above it. The tests in test/systemd run systemd itself.
func TestSystemdScope(t *testing.T) {
	x := load(t)
	root, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	// A process in the runtime's own mount namespace is taken for the runtime, so the program gets another one.
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	slice := strings.ReplaceAll(x.cgroup[1:], "-", "_")
	for _, test := range []struct{ name, cgroupsPath, path string }{
		{"in-a-slice", slice + ".slice:prefix:in-a-slice", slice + ".slice/prefix-in-a-slice.scope"},
		{"in-a-slice-of-it", slice + "-of.slice:prefix:in-a-slice-of-it",
			slice + ".slice/" + slice + "-of.slice/prefix-in-a-slice-of-it.scope"},
	} {
		scope := filepath.Join(root, test.path)
		script := filepath.Join(x.dir, test.name)
		text := "#!/bin/sh -e\nmkdir -p " + filepath.Dir(scope) + "\nmkdir " + scope + "\necho $$ >" + scope +
			"/cgroup.procs\nexec " + unshare + " --mount /bin/true\n"
		if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		x.useRuntime(script)
		dir := x.write(bundle{
			id: test.name, args: []string{"/bin/true"}, annotations: pod(test.name, nil), cgroupsPath: test.cgroupsPath,
		})
		x.runtime("--systemd-cgroup", "create", "--bundle", dir, test.name)
		if execs := x.execs("--pod=" + test.name); len(execs) != 1 || execs[0].Path != "/bin/true" {
			t.Errorf("%s: execs %+v", test.name, execs)
		}
		for made := test.path; made != "."; made = filepath.Dir(made) {
			if err := os.Remove(filepath.Join(root, made)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNotLoaded checks that containers start if nothing is loaded, exactly as with the runtime alone.
func TestNotLoaded(t *testing.T) {
	x := prepare(t)
	for _, test := range []struct {
		args []string
		want outcome
	}{
		{[]string{"/bin/echo", "hello"}, outcome{0, "hello\n", ""}},
		{[]string{"/bin/sh", "-c", "echo oops >&2; exit 7"}, outcome{7, "", "oops\n"}},
	} {
		b := simple("mypod", test.args...)
		dir, state := x.write(b), filepath.Join(x.dir, "state")
		for _, program := range []string{runcPath, shimPath} {
			if diff := cmp.Diff(test.want, x.run(program, "--root", state, "run", "--bundle", dir, b.id),
				cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", program, test.args, diff)
			}
		}
	}
	for _, args := range [][]string{{"status"}, {"containers"}, {"exec"}, {"straceback", "list"},
		{"straceback", "show", "mypod"}} {
		if o := x.run(tracectlPath, args...); o.code != 3 || o.stdout != "" ||
			!strings.Contains(o.stderr, "run tracectl load") {
			t.Errorf("tracectl %q: %+v", args, o)
		}
	}
}

// TestMountsBPFFS loads the programs if no bpf file system is mounted.
func TestMountsBPFFS(t *testing.T) {
	x := prepare(t)
	x.within = []string{"unshare", "--mount", "--propagation=private", "sh", "-c", `umount -R /sys/fs/bpf
		"$@" load --recordings=1 --identities=2 && stat -f -c %T /sys/fs/bpf && stat -c %a "$RUNC_TRACE_PIN_DIR" && "$@" unload`, "sh"}
	o := x.run(tracectlPath)
	x.within = nil
	for _, want := range []string{"loaded below " + x.pins, "\nbpf_fs\n700\n", "unloaded from " + x.pins} {
		if o.code != 0 || !strings.Contains(o.stdout, want) {
			t.Errorf("no %q: %+v", want, o)
		}
	}
}

// TestLongCgroups runs containers with cgroup names that no file could have: they are recorded if the kernel can tell
// them apart, and counted otherwise.
func TestLongCgroups(t *testing.T) {
	x := load(t)
	deep := x.cgroup + strings.Repeat("/"+strings.Repeat("p", 200), 6)
	containers := []struct {
		name, cgroupsPath string
		existing          bool
		recorded          bool
	}{
		{"file", x.cgroup + "/" + strings.Repeat("n", 255), false, true},
		{"longer", x.cgroup + "/" + strings.Repeat("n", 256), false, true},
		{"longest", x.cgroup + "/" + strings.Repeat("n", 510), false, true},
		{"too-long", x.cgroup + "/" + strings.Repeat("n", 511), false, false},
		{"too-long-but-existing", x.cgroup + "/" + strings.Repeat("e", 600), true, true},
		{"deep", deep + "/new", false, false},
		{"deep-but-existing", deep + "/old", true, true},
	}
	mount, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if c.existing {
			if err := os.MkdirAll(mount+c.cgroupsPath, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		x.start(bundle{id: c.name, annotations: pod(c.name, nil), args: []string{"/bin/true"}, cgroupsPath: c.cgroupsPath})
		x.awaitExit(c.name)
		x.remove(c.name)
	}
	execs := map[string]int{}
	for _, e := range x.execs() {
		execs[e.Pod]++
	}
	for _, c := range containers {
		if n := execs[c.name]; (n == 1) != c.recorded || n > 1 {
			t.Errorf("%s: %d execs", c.name, n)
		}
	}
	for _, path := range x.cgroups() {
		_ = os.Remove(path) // runc leaves the directories above a container's own
	}
	got := x.status()
	if n := got.Unregistered["cgroupTooLong"]; n != 2 {
		t.Errorf("counted as too long: %d", n)
	}
	delete(got.Unregistered, "cgroupTooLong")
	for _, counts := range []map[string]uint64{got.Unregistered, got.Dropped} {
		for reason, n := range counts {
			if n != 0 {
				t.Errorf("%s: %d", reason, n)
			}
		}
	}
	const warning = "containers not registered: the path of their cgroup is too long (2)"
	if o := x.run(tracectlPath, "doctor"); !strings.Contains(o.stdout, warning) {
		t.Errorf("doctor:\n%s", o.stdout)
	}
}
