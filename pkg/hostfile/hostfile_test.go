// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// host creates a host with every kind of file that the store has to handle.
func host(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	treetest.Write(t, root, map[string]string{
		"var/lib/":                   "",
		"etc/docker/daemon.json":     "-> ../../srv/config/daemon.json",
		"srv/config/daemon.json":     "{}\n",
		"etc/containerd/config.toml": "version = 2\n",
		"etc/crio/link.conf":         "-> /srv/nowhere.conf",
		"opt/bin/tool":               "-> /usr/bin/tool",
		"opt/bin/program":            "\x7fELF\x00old",
	})
	file := filepath.Join(root, "srv/config/daemon.json")
	for _, err := range []error{
		os.Chown(file, owner(7), owner(8)),
		unix.Chmod(file, 0o4640),
		unix.Setxattr(file, "user.note", []byte("mine\x00\xff"), 0),
		os.Chtimes(file, time1, time1),
		os.Lchown(filepath.Join(root, "opt/bin/tool"), owner(9), owner(10)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// owner returns id if the test may give files to any user, else root.
func owner(id int) int {
	if roottest.HasAllUsers() {
		return id
	}
	return 0
}

// files returns the files that these tests apply, first for an installation and then for an upgrade.
func files(version string) []File {
	return []File{
		{Path: "/opt/bin/program", Data: []byte("\x7fELF\x00" + version), Mode: 0o755},
		{Path: "/opt/bin/tool", Link: "program-" + version},
		{Path: "/opt/new/deep/link", Link: "../x"},
		{Path: "/etc/containerd/config.toml", Data: []byte("version = 2\n# " + version + "\n"), For: "containerd"},
		{Path: "/etc/docker/daemon.json", Data: []byte(`{"a": "` + version + "\"}\n"), For: "docker"},
		{Path: "/etc/crio/link.conf", Data: []byte(version), Mode: 0o600, For: "crio"},
		{Path: "/etc/crio/conf.d/10.conf", Data: []byte(version), Mode: 0o640, For: "crio"},
	}
}

func all(Recorded) bool { return true }

func of(owner string) func(Recorded) bool { return func(r Recorded) bool { return r.For == owner } }

func mustOpen(t *testing.T, root string) *Store {
	t.Helper()
	s, err := Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.dir.Close() })
	return s
}

func apply(t *testing.T, root, version string) []Change {
	t.Helper()
	s := mustOpen(t, root)
	changes, err := s.Apply(files(version))
	if err = errors.Join(err, s.Commit(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return changes
}

func restore(t *testing.T, root string, chosen func(Recorded) bool) []Change {
	t.Helper()
	s := mustOpen(t, root)
	changes, err := s.Restore(chosen, false)
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return changes
}

func TestApply(t *testing.T) {
	root := host(t)
	before := treetest.Read(t, root)
	planner, err := View(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := planner.Plan(files("one"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Fatalf("planning changes the host (-before +after):\n%s", diff)
	}
	if _, err := planner.Apply(files("one")); err == nil {
		t.Error("a store that was opened to be looked at can be changed")
	}
	want := []Change{
		{Path: "/opt/bin/program", Action: Replace, Mode: 0o644},
		{Path: "/opt/bin/tool", Action: Replace, Link: "program-one"},
		{Path: "/opt/new/deep/link", Action: Create, Link: "../x"},
		{Path: "/etc/containerd/config.toml", For: "containerd", Action: Replace, Mode: 0o644,
			Diff: `diff /etc/containerd/config.toml /etc/containerd/config.toml
--- /etc/containerd/config.toml
+++ /etc/containerd/config.toml
@@ -1,1 +1,2 @@
 version = 2
+# one
`},
		{Path: "/srv/config/daemon.json", For: "docker", Action: Replace, Mode: 0o640,
			Diff: `diff /srv/config/daemon.json /srv/config/daemon.json
--- /srv/config/daemon.json
+++ /srv/config/daemon.json
@@ -1,1 +1,1 @@
-{}
+{"a": "one"}
`},
		{Path: "/srv/nowhere.conf", For: "crio", Action: Create, Mode: 0o600,
			Diff: `diff /dev/null /srv/nowhere.conf
--- /dev/null
+++ /srv/nowhere.conf
@@ -0,0 +1,1 @@
+one
\ No newline at end of file
`},
		{Path: "/etc/crio/conf.d/10.conf", For: "crio", Action: Create, Mode: 0o640,
			Diff: `diff /dev/null /etc/crio/conf.d/10.conf
--- /dev/null
+++ /etc/crio/conf.d/10.conf
@@ -0,0 +1,1 @@
+one
\ No newline at end of file
`},
	}
	if diff := cmp.Diff(want, planned); diff != "" {
		t.Errorf("planned (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(planned, apply(t, root, "one")); diff != "" {
		t.Errorf("what was applied is not what was planned (-want +got):\n%s", diff)
	}
	first := treetest.Read(t, root)
	for name, want := range map[string]string{
		"srv/config/daemon.json": fmt.Sprintf(`mode 104640, owner %d:%d, TIME, user.note "mine\x00\xff", "{\"a\": \"one\"}\n"`,
			owner(7), owner(8)),
		"etc/docker/daemon.json": before["etc/docker/daemon.json"],
		"opt/bin/tool":           "mode 120777, owner 0:0, TIME, to program-one",
		"opt/new/deep":           "mode 40755, owner 0:0",
		"srv/nowhere.conf":       `mode 100600, owner 0:0, TIME, user.note "", "one"`,
		"var/lib/runc-trace":     "mode 40700, owner 0:0",
	} {
		if got := maskTime(first[name]); got != maskTime(want) {
			t.Errorf("%s is %s, want %s", name, got, maskTime(want))
		}
	}
	if got := apply(t, root, "one"); len(got) != 0 {
		t.Errorf("applying the same again changes %+v", got)
	}
	if diff := cmp.Diff(first, treetest.Read(t, root)); diff != "" {
		t.Errorf("applying the same again (-before +after):\n%s", diff)
	}
	apply(t, root, "two")
	restore(t, root, of("docker"))
	restored := restore(t, root, all)
	if len(restored) != len(want)-1 || restored[0].Path != "/etc/crio/conf.d/10.conf" || restored[0].Action != Remove {
		t.Errorf("restored: %+v", restored)
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("restoring does not give what was there (-before +after):\n%s", diff)
	}
	if got := restore(t, root, all); len(got) != 0 {
		t.Errorf("restoring again changes %+v", got)
	}
}

// TestRollback has an upgrade fail after it was applied, and during Apply.
func TestRollback(t *testing.T) {
	root := host(t)
	before := treetest.Read(t, root)
	s := mustOpen(t, root)
	if _, err := s.Apply(files("one")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Rollback(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("rolling back the first time (-before +after):\n%s", diff)
	}

	apply(t, root, "one")
	first := treetest.Read(t, root)
	s = mustOpen(t, root)
	if _, err := s.Apply(files("two")); err != nil {
		t.Fatal(err)
	}
	_, err := s.Apply([]File{{Path: "/etc/made/file"}, {Path: "/etc/containerd/config.toml/below/a-file"}})
	if err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file below a file: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clean(first), clean(treetest.Read(t, root))); diff != "" {
		t.Errorf("rolling back an upgrade (-before +after):\n%s", diff)
	}
	restore(t, root, all)
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("restoring after that (-before +after):\n%s", diff)
	}
}

func TestRefuses(t *testing.T) {
	root := host(t)
	before := treetest.Read(t, root)
	for want, file := range map[string]File{
		"reading /etc/crio: it is not a file or a symbolic link": {Path: "/etc/crio"},
		`path "etc/x" is not absolute`:                           {Path: "etc/x"},
	} {
		s := mustOpen(t, root)
		if _, err := s.Apply([]File{{Path: "/etc/y"}, file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error about %q", file, err, want)
		}
		if other, err := Open(root, nil); !errors.Is(err, ErrBusy) {
			t.Errorf("a second store: %v, %v", other, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}

	apply(t, root, "one")
	journal := filepath.Join(root, StateDir, journalName)
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), `"version": 1`, `"version": 2`, 1)
	if err := os.WriteFile(journal, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(root, nil); err == nil ||
		!strings.Contains(err.Error(), "has version 2, but this tracectl needs 1") {
		t.Errorf("a journal of another version: %v", err)
	}
}

// TestCloseUnlocks closes a store while a child still has the lock's descriptor, as between fork and exec.
func TestCloseUnlocks(t *testing.T) {
	root := host(t)
	apply(t, root, "one")
	for range 2 {
		s := mustOpen(t, root)
		inherited, err := unix.Dup(int(s.dir.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(inherited)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEdited checks that edits are not lost.
func TestEdited(t *testing.T) {
	root := host(t)
	before := treetest.Read(t, root)
	apply(t, root, "one")
	edit := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("etc/containerd/config.toml", "version = 2\n# one\n# and mine\n")
	edit("opt/bin/program", "\x7fELF\x00other")
	edited := treetest.Read(t, root)
	want := &EditedError{[]Edited{
		{"/opt/bin/program", errNoInverse, "/opt/bin/program was a file (sha256 1d9e4d94fd19) and is a file (sha256 027a0959a681)\n"},
		{"/etc/containerd/config.toml", errNoInverse, `diff /etc/containerd/config.toml /etc/containerd/config.toml
--- /etc/containerd/config.toml
+++ /etc/containerd/config.toml
@@ -1,2 +1,3 @@
 version = 2
 # one
+# and mine
`},
	}}
	// An upgrade that writes the file does not take over the edits as its own.
	for _, version := range []string{"", "two"} {
		if version != "" {
			apply(t, root, version)
			edited = treetest.Read(t, root)
			want.Files[0].Diff = "/opt/bin/program was a file (sha256 1d9e4d94fd19) and is a file (sha256 19816dff879e)\n"
			want.Files[1].Diff = strings.NewReplacer("1,2 +1,3", "1,2 +1,2", " # one\n+# and mine",
				"-# one\n+# two").Replace(want.Files[1].Diff)
		}
		s := mustOpen(t, root)
		_, err := s.Restore(all, false)
		var got *EditedError
		if !errors.As(err, &got) {
			t.Fatalf("restoring what was edited: %v", err)
		}
		if diff := cmp.Diff(want.Files, got.Files, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("after upgrade %q (-want +got):\n%s", version, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(edited, treetest.Read(t, root)); diff != "" {
			t.Errorf("a refusal changes something (-before +after):\n%s", diff)
		}
	}

	restore(t, root, of("docker")) // was not edited
	edit("etc/containerd/config.toml", "mine\n")
	s := mustOpen(t, root)
	if _, err := s.Restore(all, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	keptEdits := filepath.Join(root, StateDir, editedName)
	if text, err := os.ReadFile(filepath.Join(keptEdits, "etc/containerd/config.toml")); err != nil ||
		string(text) != "mine\n" {
		t.Errorf("the edited file: %q, %v", text, err)
	}
	if err := os.RemoveAll(filepath.Join(root, StateDir)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("restoring what was edited (-before +after):\n%s", diff)
	}
}

// TestRemoved leaves a file alone that was removed together with its directory.
func TestRemoved(t *testing.T) {
	root := host(t)
	before := treetest.Read(t, root)
	apply(t, root, "one")
	for _, dir := range []string{"etc/containerd", "opt/new"} {
		if err := os.RemoveAll(filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	changes := restore(t, root, all)
	if last := changes[3]; last.Action != Leave || last.Path != "/etc/containerd/config.toml" {
		t.Errorf("restored: %+v", changes)
	}
	delete(before, "etc/containerd")
	delete(before, "etc/containerd/config.toml")
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestNotes checks that notes survive when no file is left, and that a rollback also resets marks.
func TestNotes(t *testing.T) {
	root := host(t)
	before := treetest.Read(t, root)
	do := func(step func(s *Store) error) {
		t.Helper()
		s, err := Open(root, nil)
		if err == nil {
			err = errors.Join(step(s), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	do(func(s *Store) error {
		s.Begin()
		s.Mark("time", time1)
		if _, err := s.Apply(files("1")); err != nil {
			return err
		}
		return errors.Join(s.Rollback(), s.Note("why", "so"), s.Note("how", "thus"))
	})
	do(func(s *Store) error {
		if _, marked := s.Marked("time"); marked || s.Noted("why") != "so" || s.Noted("how") != "thus" || s.Empty() {
			t.Errorf("marked: %v; %q, %q", marked, s.Noted("why"), s.Noted("how"))
		}
		if _, err := s.Apply(files("1")); err != nil {
			return err
		}
		return errors.Join(s.Commit(), s.Note("how", ""))
	})
	do(func(s *Store) error {
		if s.Noted("why") != "so" || s.Noted("how") != "" {
			t.Errorf("%q, %q", s.Noted("why"), s.Noted("how"))
		}
		_, err := s.Restore(all, false)
		return err
	})
	do(func(s *Store) error {
		if len(s.Recorded()) > 0 || s.Empty() {
			t.Errorf("%v is left; empty: %v", s.Recorded(), s.Empty())
		}
		return s.Note("why", "")
	})
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
