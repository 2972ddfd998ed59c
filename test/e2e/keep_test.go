// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeepAndRemove keeps, releases and removes recordings by their names.
func TestKeepAndRemove(t *testing.T) {
	x := load(t, "--recordings=4", "--identities=16")
	end := func(names ...string) {
		for _, name := range names {
			if o := x.runContainer(simple(name, "/bin/echo", "password-of-"+name)); o.code != 0 {
				t.Fatalf("%+v", o)
			}
		}
	}
	fails := func(code int, text string, args ...string) {
		t.Helper()
		if o := x.run(tracectlPath, args...); o.code != code || !strings.Contains(o.stderr, text) {
			t.Errorf("%v: %+v", args, o)
		}
	}
	end("a", "b")
	if got := x.tracectl("keep", "default/a"); !strings.HasPrefix(got, "kept default/a/") ||
		!strings.HasSuffix(got, "\nkept are 1 of at most 1\n") {
		t.Errorf("keep says %q", got)
	}
	fails(1, "no more recordings can be kept: 1 are; release", "keep", "b")
	fails(4, `no recording of "nobody"`, "keep", "b", "nobody")
	end("c", "d", "e", "f", "g")
	x.tracectl("load", "--replace", "--no-adopt", "--recordings=4", "--identities=16", "--exec-log-size=1MiB")
	if got := x.names(); got != "a e f g" {
		t.Errorf("recordings of %s", got)
	}
	var kept []string
	for _, r := range x.recordings() {
		if r.Kept {
			kept = append(kept, r.Pod)
		}
	}
	if diff := cmp.Diff([]string{"a"}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if list, status := x.tracectl("straceback", "list"), x.tracectl("status"); !strings.Contains(list, "KEPT") ||
		!strings.Contains(status, "4 ended (1 of them kept), 0 free") {
		t.Errorf("list:\n%s\nstatus:\n%s", list, status)
	}
	x.tracectl("release", "a")
	end("h")
	if got := x.names(); got != "e f g h" {
		t.Errorf("once it is released: recordings of %s", got)
	}

	for _, args := range [][]string{{"exec", "--no-follow"}, {"straceback", "show", "e"}, {"straceback", "show", "f"}} {
		if got := x.tracectl(args...); !strings.Contains(got, "password-of-") {
			t.Errorf("%v has no password: the test is blind:\n%s", args, got)
		}
	}
	x.tracectl("keep", "f")
	if got := x.tracectl("rm", "e", "default/f"); strings.Count(got, "removed default/") != 2 {
		t.Errorf("rm says %q", got)
	}
	if got := x.names(); got != "g h" {
		t.Errorf("once two are removed: recordings of %s", got)
	}
	execs := x.tracectl("exec", "--no-follow")
	for name, want := range map[string]bool{"e": false, "f": false, "g": true, "h": true} {
		if got := strings.Contains(execs, "password-of-"+name); got != want {
			t.Errorf("the log of execs has the password of %s: %v", name, got)
		}
	}
	fails(4, "it was removed, or its memory was reused", "straceback", "show", "f")
	fails(4, "it was removed, or its memory was reused", "rm", "f")
	x.start(simple("runs", "/bin/sleep", "1000"))
	fails(1, "its container has not ended: stop it first", "rm", "runs")
	if got := x.names(); got != "g h runs" {
		t.Errorf("in the end: recordings of %s", got)
	}
	x.remove("runs")
}
