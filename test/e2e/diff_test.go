// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
)

// TestDiff compares two runs of a container, of which the second one missed a file.
func TestDiff(t *testing.T) {
	x := load(t)
	const script = "echo x > /tmp/tmp.$$; test -e /tmp/tmp.$$; "
	x.runContainer(simple("job", "/bin/sh", "-c", script+"echo good > /tmp/settings; cat /tmp/settings; exit 0"))
	x.runContainer(simple("job", "/bin/sh", "-c", script+"cat /tmp/settings; exit 3"))
	o := x.run(tracectlPath, "diff", "job", "--previous", "--exit-code")
	if o.code != 1 || strings.Contains(o.stderr, "differ") {
		t.Errorf("diff exits with %d: %s", o.code, o.stderr)
	}
	for _, line := range []string{
		"- write /tmp/settings ", "- read /tmp/settings ", "= ENOENT ", "- sh exited with code 0 ",
		"+ sh exited with code 3 ", "+ cat exited with code 1 ", "Kept of -  ",
	} {
		if !strings.Contains(o.stdout, "\n"+line) && !strings.Contains(o.stdout, "/tmp/settings) "+line) {
			t.Errorf("no line %q in\n%s", line, o.stdout)
		}
	}
	if strings.Contains(o.stdout, "/tmp/tmp.*") || strings.Contains(o.stdout, "write /tmp/tmp") {
		t.Errorf("a temporary file is a difference:\n%s", o.stdout)
	}
	if o := x.run(tracectlPath, "diff", "job", "job", "--exit-code"); o.code != 0 {
		t.Errorf("a run differs from itself:\n%s%s", o.stdout, o.stderr)
	}
	type change struct{ Kind, Only, What string }
	all := objects[struct{ Changes []change }](t, x.tracectl("diff", "job", "--previous", "-o", "json"))
	if len(all) != 1 || len(all[0].Changes) == 0 {
		t.Errorf("JSON is %+v", all)
	}
}
