// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoadReplace swaps the programs while one container runs and another is created but not started. All that both do
// before and after is recorded exactly once.
func TestLoadReplace(t *testing.T) {
	const flags = "--ring-size=2MiB"
	x := load(t, flags)
	if text := x.tracectl("status"); !strings.Contains(text, "\nprograms     build ") ||
		strings.Contains(text, "--replace") {
		t.Errorf("status:\n%s", text)
	}
	x.runtime("create", "--bundle", x.write(simple("later", "/bin/true")), "later")
	const script = "n=0; while :; do n=$((n+1)); echo $n; /bin/usleep 20000; done >/dev/null"
	x.start(simple("counting", "/bin/sh", "-c", script))
	eventually(t, "it counts", func() bool { return len(x.execs()) > 10 })

	type answer struct{ Loaded, Replaced, Current bool }
	replace := []string{"load", "--replace", "--recordings=16", "--identities=64",
		"--exec-log-size=1MiB", flags, "-o=json"}
	if diff := cmp.Diff([]answer{{false, true, true}}, objects[answer](t, x.tracectl(replace...))); diff != "" {
		t.Errorf("load --replace (-want +got):\n%s", diff)
	}
	if text := x.tracectl("status"); !strings.Contains(text, ", swapped in ") {
		t.Errorf("status:\n%s", text)
	}
	if o := x.run(tracectlPath, "load", "--replace", "--recordings=3"); o.code != 1 ||
		!strings.Contains(o.stderr, "already loaded with other options (recordings 16,") {
		t.Errorf("load --replace with other sizes: %+v", o)
	}

	x.runtime("start", "later")
	x.awaitExit("later")
	before := len(x.execs("--pod", "counting"))
	eventually(t, "it counts on", func() bool { return len(x.execs("--pod", "counting")) > before+10 })
	x.remove("counting")
	var got, want []string
	for _, c := range x.calls("counting") {
		if data := c.data("buf"); c.Comm == "sh" && c.Syscall == "write" {
			got = append(got, data)
		}
	}
	for n := range got {
		want = append(want, fmt.Sprintf(`%d\n`, n+1))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers written (-want +got):\n%s", diff)
	}
	execs := map[string]int{}
	for _, e := range x.execs() {
		execs[e.Pod+" "+filepath.Base(e.Path)]++
	}
	pauses := execs["counting usleep"] // one for each number, except perhaps the last
	delete(execs, "counting usleep")
	if diff := cmp.Diff(map[string]int{"counting sh": 1, "later true": 1}, execs); diff != "" ||
		len(got)-pauses > 1 || pauses > len(got) {
		t.Errorf("%d numbers, %d pauses; other execs (-want +got):\n%s", len(got), pauses, diff)
	}
	x.remove("later")

	x.tracectl("unload")
	replace[len(replace)-1] = "-o=text"
	if text := x.tracectl(replace...); !strings.HasPrefix(text, "loaded below ") {
		t.Errorf("load --replace if nothing is loaded: %s", text)
	}
}

// TestLoadMends removes pins: status and doctor name them, and load restores them without losing recordings.
func TestLoadMends(t *testing.T) {
	x := load(t)
	x.start(simple("before", "/bin/true"))
	x.awaitExit("before")
	again := []string{"load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB"}
	if text := x.tracectl(again...); !strings.HasPrefix(text, "already loaded") || strings.Contains(text, "mended") {
		t.Errorf("load of what is whole:\n%s", text)
	}
	for _, damage := range []struct{ pin, unrecorded string }{
		{"link_sys_enter", "system calls"}, {"link_exec", "execs"}, {"link_cgroup_mkdir", "new containers"},
		{"slot_exec", "execs"}, {"pending", "new containers"}, {"containers", ""}, {"identities", ""}, {"hook_exec", ""},
		{"bind", "containers in existing cgroups"}, {"abi", "new containers"},
	} {
		pin := damage.pin
		if err := os.Remove(filepath.Join(x.pins, pin)); err != nil {
			t.Fatal(err)
		}
		if o := x.run(tracectlPath, "status"); o.code != 1 || !strings.Contains(o.stderr, pin+" is missing") {
			t.Errorf("status without %s: %+v", pin, o)
		}
		if o := x.run(tracectlPath, "doctor"); o.code == 0 || !strings.Contains(o.stdout, pin+" is missing") {
			t.Errorf("doctor without %s: %+v", pin, o)
		}
		repaired := "\nrepaired: " + pin + " is missing\n"
		if damage.unrecorded != "" {
			repaired += "not recorded until now: " + damage.unrecorded + "\n"
		}
		if text := x.tracectl(again...); !strings.HasPrefix(text, "already loaded") || !strings.HasSuffix(text, repaired) {
			t.Errorf("load without %s:\n%s", pin, text)
		}
		if text := x.tracectl("status"); strings.Contains(text, "damaged") {
			t.Errorf("status after %s was missing:\n%s", pin, text)
		}
		name := "after-" + strings.ReplaceAll(pin, "_", "-")
		x.start(simple(name, "/bin/true"))
		x.awaitExit(name)
		if execs := x.execs("--pod", name); len(execs) != 1 {
			t.Errorf("%d execs of %s", len(execs), name)
		}
	}
	if calls := x.calls("before"); len(calls) == 0 {
		t.Error("what was recorded before is gone")
	}
}

// TestLoadMendsOtherSizes removes pins and loads with the default sizes, as a unit does at boot: load restores the pins
// in the sizes that are loaded, and then refuses the others.
func TestLoadMendsOtherSizes(t *testing.T) {
	x := load(t)
	for _, pin := range []string{"link_exec", "abi"} {
		for _, flags := range [][]string{nil, {"--recordings=3"}, {"--replace"}} {
			if err := os.Remove(filepath.Join(x.pins, pin)); err != nil {
				t.Fatal(err)
			}
			o := x.run(tracectlPath, append([]string{"load", "--no-adopt"}, flags...)...)
			repaired := "tracectl: repaired: " + pin + " is missing\ntracectl: not recorded until now: "
			if o.code != 1 || !strings.HasPrefix(o.stderr, repaired) ||
				!strings.Contains(o.stderr, "already loaded with other options (recordings 16,") {
				t.Errorf("load %v without %s: %+v", flags, pin, o)
			}
			if o := x.run(tracectlPath, "status"); o.code != 0 {
				t.Errorf("status after %s was missing: %+v", pin, o)
			}
		}
	}
}

// TestReadersWarn checks that each reader says which events are not recorded, if pins are damaged.
func TestReadersWarn(t *testing.T) {
	x := load(t)
	follower := x.follow()
	if err := os.Remove(filepath.Join(x.pins, "link_sys_enter")); err != nil {
		t.Fatal(err)
	}
	const warning = "tracectl: system calls are not recorded: link_sys_enter is missing; run tracectl load to repair it\n"
	eventually(t, "a reader that follows notices it", func() bool { return follower.read(1) == warning })
	x.start(simple("unseen", "/bin/true"))
	x.awaitExit("unseen")
	for _, reader := range [][]string{
		{"exec", "--no-follow"}, {"containers"}, {"straceback", "list"}, {"straceback", "list", "--names"},
		{"straceback", "show", "unseen"},
	} {
		o := x.run(tracectlPath, reader...)
		if o.code != 0 || !strings.HasPrefix(o.stderr, warning) || strings.Contains(o.stderr, " yet") {
			t.Errorf("%v: %+v", reader, o)
		}
	}
	follower.interrupt(warning)
	x.tracectl("load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB")
	if o := x.run(tracectlPath, "exec", "--no-follow"); o.code != 0 || o.stderr != "" {
		t.Errorf("after the repair: %+v", o)
	}
}
