// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSaved saves the recordings of a container that ended and of one that waits: the commands that read them say the
// same of the file, also after the maps are gone.
func TestSaved(t *testing.T) {
	x := load(t)
	x.runContainer(bundle{id: "ended", args: []string{"/bin/sh", "-c", "/bin/cat /etc/nothing; echo bad luck >&2; exit 3"},
		annotations: within("web-0", "app")})
	x.start(simple("waits", "/bin/sh", "-c", "exec 7</bin/busybox; exec /bin/sleep 10000"))
	x.awaitExec("waits")
	verbs := [][]string{{"straceback", "show", "-o", "json"}, {"straceback", "show", "--failed"},
		{"straceback", "show", "--format", "strace"}, {"straceback", "list", "--names"}}
	var files, saved []string
	for _, name := range []string{"ended", "waits"} {
		file := filepath.Join(x.dir, name+".rec")
		files = append(files, file)
		var before string
		eventually(t, "nothing happens while it is saved", func() bool {
			before = ""
			for _, verb := range verbs {
				before += x.tracectl(append(verb, name)...)
			}
			x.tracectl("save", name, "-o", file, "--force")
			after := ""
			for _, verb := range verbs {
				after += x.tracectl(append(verb, name)...)
			}
			return before == after
		})
		saved = append(saved, before)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	o := x.run(tracectlPath, "save", "ended", "-o", files[0])
	if o.code != 1 || !strings.Contains(o.stderr, "exists; --force") {
		t.Errorf("saving again: %+v", o)
	}
	piped := x.tracectl("save", "ended", "-o", "-")
	if err := os.WriteFile(filepath.Join(x.dir, "piped.rec"), []byte(piped), 0o600); err != nil {
		t.Fatal(err)
	}
	x.remove("waits")
	why := x.tracectl("why", "ended", "-o", "json")
	x.tracectl("unload")
	if diff := cmp.Diff(why, x.tracectl("why", "-o", "json", "--from", files[0])); diff != "" {
		t.Errorf("why (-loaded +file):\n%s", diff)
	}
	for i, file := range append(files, filepath.Join(x.dir, "piped.rec")) {
		want, got := saved[i%2], ""
		for _, verb := range verbs {
			got += x.tracectl(append(verb, "--from", file)...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-loaded +file):\n%.5000s", file, diff)
		}
	}
	if !strings.Contains(saved[0], "/etc/nothing") || !strings.Contains(saved[1], `"unfinished":true`) {
		t.Errorf("recordings are\n%.3000s", saved)
	}
	if got := x.tracectl("straceback", "list", "--from", files[0]); !strings.Contains(got, "exited (3)") {
		t.Errorf("the list is\n%s", got)
	}
	if o := x.run(tracectlPath, "why", "other", "--from", files[0]); o.code != 4 {
		t.Errorf("another name: %+v", o)
	}
}
