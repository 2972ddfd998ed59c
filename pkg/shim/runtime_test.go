// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSpelling(t *testing.T) {
	for _, test := range []struct {
		text string
		want spelling
	}{
		{"", spelling{}},
		{"runc", spelling{"runc", 0}},
		{"./runc", spelling{"./runc", 0}},
		{"/runc", spelling{"/runc", 0}},
		{"/./runc", spelling{"/runc", 1}},
		{"/usr/sbin/runc", spelling{"/usr/sbin/runc", 0}},
		{"/usr/sbin/./runc", spelling{"/usr/sbin/runc", 1}},
		{"/usr/sbin/./././runc", spelling{"/usr/sbin/runc", 3}},
	} {
		got := parseSpelling(test.text)
		if got != test.want {
			t.Errorf("%q is %+v, want %+v", test.text, got, test.want)
		}
		if got.String() != test.text {
			t.Errorf("%q becomes %q", test.text, got)
		}
	}
}

// TestFindRuntime searches in a directory of its own. "self" is the running shim, "copy" a copy of it, "link" a
// symlink to it, and "real" a runtime.
func TestFindRuntime(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, directory := range []string{"a", "b", "c"} {
		if err := os.Mkdir(at(directory), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"self": 0o755, "copy": 0o755, "real": 0o755,
		"data": 0o644, "b/runc": 0o755} {
		if err := os.WriteFile(at(name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"link", "a/runc"} {
		if err := os.Symlink(at("self"), at(link)); err != nil {
			t.Fatal(err)
		}
	}
	var self syscall.Stat_t
	if err := syscall.Stat(at("self"), &self); err != nil {
		t.Fatal(err)
	}

	searchPath := strings.Join([]string{"", ".", "relative", at("c"), at("a"), at("b")}, ":")
	for _, test := range []struct {
		name  string
		names []string
		own   string
		want  string // below root; empty if an error is wanted
	}{
		{"absolute", []string{at("real")}, "/x/runc", "./real"},
		{"not clean", []string{root + "//./real"}, "/x/runc", "./real"},
		{"a list", []string{at("none"), at("data"), root, at("self"), at("real")}, "/x/runc", "./real"},
		{"a name", []string{"runc"}, "/x/runc", "b/./runc"},
		{"itself, so a default name", []string{at("self")}, "/x/runc", "b/./runc"},
		{"a link to itself, so a default name", []string{at("link")}, "/x/runc", "b/./runc"},
		{"not there", []string{at("none")}, "/x/runc", ""},
		{"not executable", []string{at("data")}, "/x/runc", ""},
		{"a name that is nowhere", []string{"no-such-runtime"}, "/x/runc", ""},
		{"behind a copy", []string{at("copy"), at("self"), at("real")}, "/x/runc", "./copy"},
		{"as the copy that was exec'd", []string{at("copy"), at("self"), at("real")}, at("./self"), "./copy"},
		{"in the second round", []string{at("copy"), at("self"), at("real")}, root + "/./self", "././real"},
		{"around the end of the list", []string{at("copy"), at("real"), at("self")}, root + "/./self", "././copy"},
		{"in one round too many", []string{at("real")}, root + "/././././self", ""},
	} {
		got, err := findRuntime(test.names, searchPath, self, parseSpelling(test.own))
		want := ""
		if test.want != "" {
			want = root + "/" + test.want
		}
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, want)
		}
	}
}

func TestDialectOf(t *testing.T) {
	directory := t.TempDir()
	link := filepath.Join(directory, "runc")
	if err := os.Symlink("crun", link); err != nil {
		t.Fatal(err)
	}
	for runtime, want := range map[string]Dialect{
		"/usr/bin/crun":       Crun,
		"/usr/bin/./crun":     Crun,
		"/usr/bin/crun-wasm":  Crun,
		"/usr/sbin/runc":      Runc,
		"/opt/crun/bin/runc":  Runc,
		"/usr/bin/youki":      Runc,
		link:                  Crun,
		directory + "/./runc": Crun,
	} {
		if got := dialectOf(runtime); got != want {
			t.Errorf("%s: dialect %d, want %d", runtime, got, want)
		}
	}
}
