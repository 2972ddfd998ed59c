// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names returns the names of the pods that have a recording, sorted.
func (x *tracer) names() string {
	x.t.Helper()
	var names []string
	for _, r := range x.recordings() {
		names = append(names, r.Pod)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestFullPool checks that containers start even if the pool has no room for them, and that the losses are counted.
func TestFullPool(t *testing.T) {
	x := load(t, "--recordings=2", "--identities=4")
	for n := range 5 {
		x.start(simple(fmt.Sprint("pod", n), "/bin/sleep", "1000"))
	}
	eventually(t, "all known ones run", func() bool { return x.status().Containers.Running == 4 })
	var got []string
	for _, c := range x.containers() {
		got = append(got, c.Pod+" "+c.State+" recorded: "+c.Recorded)
	}
	want := []string{"pod0 running recorded: yes", "pod1 running recorded: yes", "pod2 running recorded: no",
		"pod3 running recorded: no"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	dropped := x.status().Dropped
	if dropped["noRing"] != 2 || dropped["noIdentity"] != 1 {
		t.Errorf("dropped: %v", dropped)
	}
	if n := len(x.execs()); n != 4 {
		t.Errorf("%d execs", n)
	}
	const none = "tracectl: no recording of \"pod2\": none was free when it was created (tracectl load --recordings)\n"
	for _, verb := range []string{"show", "list"} {
		if o := x.run(tracectlPath, "straceback", verb, "pod2"); o.code != 4 || o.stderr != none {
			t.Errorf("%s of one that is not recorded: %+v", verb, o)
		}
	}

	// Only the end of a container frees its slots.
	x.remove("pod4")
	x.remove("pod1")
	x.start(simple("pod5", "/bin/sleep", "1000"))
	if got := x.names(); got != "pod0 pod5" {
		t.Errorf("recordings of %s", got)
	}
	for _, name := range []string{"pod0", "pod2", "pod3", "pod5"} {
		x.remove(name)
	}
}

// TestOldestIsEvicted checks that the container that ended first loses its recording first, regardless of the order of
// creation.
func TestOldestIsEvicted(t *testing.T) {
	x := load(t, "--recordings=3", "--identities=6")
	for _, name := range []string{"a", "b", "c"} {
		x.start(simple(name, "/bin/sleep", "1000"))
	}
	for _, name := range []string{"b", "c", "a"} {
		x.remove(name)
	}
	for _, step := range []struct{ start, left string }{{"d", "a c d"}, {"e", "a d e"}, {"f", "d e f"}, {"g", "e f g"}} {
		if o := x.runContainer(simple(step.start, "/bin/true")); o.code != 0 {
			t.Fatalf("%+v", o)
		}
		if got := x.names(); got != step.left {
			t.Errorf("once %s had ended: recordings of %s, not of %s", step.start, got, step.left)
		}
	}
	// The seventh container has taken the identity of the one that ended first: b. All seven execs are still in the
	// log.
	var got []string
	for _, line := range splitLines(x.tracectl("exec", "--no-follow", "-w", "-t=none"))[1:] {
		got = append(got, strings.Fields(line)[1])
	}
	if diff := cmp.Diff([]string{"a", "<evicted>", "c", "d", "e", "f", "g"}, got); diff != "" {
		t.Errorf("whose execs (-want +got):\n%s", diff)
	}
	o := x.run(tracectlPath, "straceback", "show", "default/a")
	if o.code != 4 || o.stderr != "tracectl: no recording of \"default/a\": it was removed, or its memory was reused for another container\n" {
		t.Errorf("show of an evicted one: %+v", o)
	}
	for reason, n := range x.status().Dropped {
		if n != 0 {
			t.Errorf("dropped: %d %s", n, reason)
		}
	}
}

// TestUnregistered checks that containers that the shim could not register are reported, even if nothing is loaded.
func TestUnregistered(t *testing.T) {
	x := prepare(t)
	unloaded := simple("before", "/bin/true")
	x.start(unloaded)
	if o := x.run(tracectlPath, "doctor"); !strings.Contains(o.stdout, "containers started while nothing was loaded (1)") {
		t.Errorf("doctor:\n%s", o.stdout)
	}
	x.tracectl("load", "--no-adopt", "--recordings=4", "--identities=8", "--exec-log-size=64KiB")
	if n := x.status().Unregistered["notLoaded"]; n != 1 {
		t.Errorf("%d containers were started while nothing was loaded", n)
	}
	if text := x.tracectl("status"); !strings.Contains(text,
		"\nnot registered by runc-trace, since boot\n          1  containers started while nothing was loaded\n") {
		t.Errorf("status:\n%s", text)
	}
	if o := x.run(tracectlPath, "doctor"); strings.Contains(o.stdout, "while nothing was loaded") {
		t.Errorf("doctor, of what is over:\n%s", o.stdout)
	}
}
