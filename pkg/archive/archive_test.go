// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var end = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

func open(t *testing.T, l Limits) *Directory {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "a", "b"), l)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// add adds a file of a number of bytes, that of the minute n.
func add(t *testing.T, d *Directory, n, bytes int, copies bool) (removed []Entry) {
	t.Helper()
	removed, err := d.Add(Key("boot", "id", uint64(n)), end.Add(time.Duration(n)*time.Minute), copies, write(bytes))
	if err != nil {
		t.Fatal(err)
	}
	return removed
}

func write(bytes int) func(io.Writer) error {
	return func(to io.Writer) error {
		_, err := to.Write(make([]byte, bytes))
		return err
	}
}

// minutes returns the minutes of entries.
func minutes(list []Entry) (all []int) {
	for _, e := range list {
		all = append(all, int(e.Ended.Sub(end)/time.Minute))
	}
	return all
}

func list(t *testing.T, d *Directory) []Entry {
	t.Helper()
	all, err := List(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLimits adds files until each limit is reached: the oldest ones go.
func TestLimits(t *testing.T) {
	for name, test := range map[string]struct {
		limits Limits
		want   []int
	}{
		"none":  {Limits{1000, 100, 1 << 62}, []int{4, 3, 2, 1, 0}},
		"files": {Limits{1000, 2, 1 << 62}, []int{4, 3}},
		"bytes": {Limits{39, 100, 1 << 62}, []int{4, 3, 2}},
		"age":   {Limits{1000, 100, time.Since(end.Add(150 * time.Second))}, []int{4, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, test.limits)
			var removed []int
			for _, n := range []int{1, 0, 2, 4, 3} {
				removed = append(removed, minutes(add(t, d, n, 10, false))...)
			}
			if diff := cmp.Diff(test.want, minutes(list(t, d))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(removed)+len(test.want) != 5 {
				t.Errorf("removed %v", removed)
			}
		})
	}
}

// TestAdd checks what is left of writes that fail, who can read files, and which have no copy yet.
func TestAdd(t *testing.T) {
	d := open(t, Limits{100, 10, 1 << 62})
	failed := errors.New("it failed")
	if _, err := d.Add(Key("", "", 1), end, true, func(to io.Writer) error {
		_, _ = to.Write(make([]byte, 10))
		return failed
	}); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, err := d.Add(Key("", "", 1), end, true, write(101)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if files, err := os.ReadDir(d.Path); err != nil || len(files) != 0 {
		t.Errorf("left are %v, %v", files, err)
	}
	add(t, d, 1, 50, true)
	add(t, d, 2, 20, true)
	all := list(t, d)
	if len(all) != 2 || !all[0].Pending || !all[1].Pending || all[0].Bytes != 20 {
		t.Fatalf("the list is %+v", all)
	}
	for path, mode := range map[string]os.FileMode{d.Path: 0o700 | os.ModeDir, all[0].Path: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s is %v, %v", path, info.Mode(), err)
		}
	}
	if err := Copied(all[0]); err != nil {
		t.Fatal(err)
	}
	removed := add(t, d, 3, 40, false) // the one of 50 bytes goes
	if len(removed) != 1 || !removed[0].Pending {
		t.Errorf("removed: %+v", removed)
	}
	for _, e := range list(t, d) {
		if e.Pending {
			t.Errorf("not copied: %+v", e)
		}
		if err := Remove(e); err != nil {
			t.Error(err)
		}
	}
	if files, err := os.ReadDir(d.Path); err != nil || len(files) != 0 {
		t.Errorf("left are %v, %v", files, err)
	}
}

// TestOpen opens directories that exist: others cannot read them afterwards, and unfinished files are gone.
func TestOpen(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"x.rec" + partial, "notes.txt", "20260102T030405.006Z-0123456789abcdef.rec"} {
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(path, "20260102T030405.007Z-0123456789abcdef.rec"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
	want := []Entry{{Path: filepath.Join(path, "20260102T030405.006Z-0123456789abcdef.rec"), Ended: end,
		Key: "0123456789abcdef"}}
	if diff := cmp.Diff(want, list(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if files, err := os.ReadDir(path); err != nil || len(files) != 3 {
		t.Errorf("files are %v, %v", files, err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, filepath.Join(path, "notes.txt")} {
		if _, err := Open(path, Limits{}); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
	if all, err := List(filepath.Join(path, "missing")); err != nil || all != nil {
		t.Errorf("of no directory: %v, %v", all, err)
	}
}

// TestState counts what an archive has, and says what it lacks.
func TestState(t *testing.T) {
	d := open(t, Limits{1000, 10, 1 << 62})
	add(t, d, 1, 7, true)
	c := Counts{Saved: 1, Missed: 2, Uncopied: 1, Problem: "no\x1broom"}
	if err := c.Write(d.Path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadState(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(State{Directory: d.Path, Files: 1, Bytes: 7, Pending: 1, Counts: c}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{"2 recordings used again before the agent could save them",
		"1 recording removed before the bucket had a copy", `the last attempt failed: "no\x1broom"`}
	if diff := cmp.Diff(want, got.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
