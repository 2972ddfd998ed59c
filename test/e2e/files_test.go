// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fileJSON is a file of `tracectl files -o json`.
type fileJSON struct {
	Path                         string
	RenamedTo                    string
	Count, Failed, Read, Written uint64
	Actions                      []struct{ Action string }
	Errors                       []struct{ Errno string }
	By                           []struct{ Comm string }
}

// did returns what was done with a file, in words.
func (f *fileJSON) did() string {
	var words []string
	for _, a := range f.Actions {
		words = append(words, a.Action)
	}
	for _, e := range f.Errors {
		words = append(words, e.Errno)
	}
	return strings.Join(words, " ")
}

// TestFiles asks what a container did with files: one that is not there, one that it makes, reads and deletes, one that
// it renames.
func TestFiles(t *testing.T) {
	x := load(t)
	x.runContainer(simple("worker", "/bin/sh", "-c", `cat /etc/app.conf; echo 12345 > /tmp/state; cat /tmp/state; rm /tmp/state;
		mkdir /tmp/d; cd /tmp/d; dd if=/dev/zero of=big bs=1000 count=3; mv big small; ln -s small link; cat link; exit 3`))
	all := objects[struct{ Files []fileJSON }](t, x.tracectl("files", "worker", "-o", "json"))
	files := map[string]*fileJSON{}
	for i := range all[0].Files {
		files[all[0].Files[i].Path] = &all[0].Files[i]
	}
	for path, want := range map[string]string{
		"/etc/app.conf": "ENOENT",
		"/tmp/state":    "maybeCreated emptied opened read written looked deleted",
		"/tmp/d":        "created entered",
		"/tmp/d/big":    "maybeCreated emptied opened written renamed",
		"/tmp/d/link":   "created ENOENT",
	} {
		if f := files[path]; f == nil || f.did() != want {
			t.Errorf("%s is %+v, not %s", path, f, want)
		}
	}
	if f := files["/tmp/state"]; f.Read != 6 || f.Written != 6 {
		t.Errorf("/tmp/state is %+v", f)
	}
	if f := files["/tmp/d/big"]; f.Read != 0 || f.Written != 3000 || f.RenamedTo != "/tmp/d/small" {
		t.Errorf("/tmp/d/big is %+v", f)
	}
	if f := files["/tmp/d/small"]; f.Read != 3000 || f.Failed != 1 {
		t.Errorf("what link leads to is %+v", f)
	}

	text := x.tracectl("files", "worker")
	for _, line := range []string{
		`(?m)^.* 6 +6 .*/tmp/state +created\?.*deleted +.*\[\d+\]`,
		`(?m)^Failed +openat /etc/app.conf: ENOENT \(No such file or directory\) by cat\[\d+\]$`,
		`(?m)^Kept +every call; nothing lost$`,
	} {
		if !regexp.MustCompile(line).MatchString(text) {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	if got := x.tracectl("files", "worker", "--failed", "--path", "/etc/*"); strings.Contains(got, "/tmp") ||
		!strings.Contains(got, "/etc/app.conf") {
		t.Errorf("selected, it is\n%s", got)
	}
	saved := filepath.Join(x.dir, "worker.rec")
	x.tracectl("save", "worker", "-o", saved)
	want, got := x.tracectl("files", "worker", "-o", "json"), x.tracectl("files", "--from", saved, "-o", "json")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-loaded +file):\n%.3000s", diff)
	}
}
