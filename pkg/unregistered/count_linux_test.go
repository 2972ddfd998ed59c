// SPDX-License-Identifier: Apache-2.0

package unregistered

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("counters are root's: run as root")
	}
}

func read(t *testing.T) [Reasons]uint64 {
	t.Helper()
	counts, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestCount(t *testing.T) {
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "run")
	t.Setenv(DirEnv, dir)
	if got := read(t); got != [Reasons]uint64{} {
		t.Errorf("before anything was counted: %v", got)
	}
	const each = 200
	var all sync.WaitGroup
	for r := range Reasons {
		for range 4 {
			all.Go(func() {
				for range each {
					Count(r)
				}
			})
		}
	}
	all.Wait()
	for r, count := range read(t) {
		if count != 4*each {
			t.Errorf("reason %d: %d", r, count)
		}
	}
	for path, want := range map[string]os.FileMode{dir: os.ModeDir | 0o700, filepath.Join(dir, name): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want || want == 0o600 && info.Size() != fileSize {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if err := Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if err := Remove(); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
}

// TestStrangers checks that Count neither writes to foreign files nor waits for them.
func TestStrangers(t *testing.T) {
	needRoot(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	victim := filepath.Join(t.TempDir(), "victim")
	must(os.WriteFile(victim, []byte("text"), 0o600))
	for what, make := range map[string]func(dir, file string) error{
		"a link for the file": func(_, file string) error { return os.Symlink(victim, file) },
		"a pipe":              func(_, file string) error { return syscall.Mkfifo(file, 0o600) },
		"a directory":         func(_, file string) error { return os.Mkdir(file, 0o700) },
		"another user's file": func(_, file string) error {
			return join(os.WriteFile(file, nil, 0o600), os.Chown(file, 1, 1))
		},
		"a file that others write": func(_, file string) error {
			return join(os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o666))
		},
		"a directory of everybody's": func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"another user's directory":   func(dir, _ string) error { return os.Chown(dir, 1, 1) },
		"a link for the directory": func(dir, _ string) error {
			return join(os.Remove(dir), os.Symlink(filepath.Dir(victim), dir))
		},
		"no directory above it": func(dir, _ string) error { return os.RemoveAll(filepath.Dir(dir)) },
	} {
		dir := filepath.Join(t.TempDir(), "above", "run")
		must(os.MkdirAll(dir, 0o700))
		must(make(dir, filepath.Join(dir, name)))
		t.Setenv(DirEnv, dir)
		Count(Broken)
		if counts, err := Read(); err == nil && counts[Broken] > 0 {
			t.Errorf("%s was written to", what)
		}
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "text" {
		t.Errorf("the file behind a link: %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(victim), name)); err == nil {
		t.Error("a file was made behind a link")
	}
}

func join(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// TestFull counts on a file system that has no memory left.
func TestFull(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	t.Setenv(DirEnv, dir)
	if err := os.WriteFile(filepath.Join(dir, "full"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	Count(Broken)
	if got := read(t); got[Broken] != 0 {
		t.Errorf("counted: %v", got)
	}
	if err := os.Remove(filepath.Join(dir, "full")); err != nil {
		t.Fatal(err)
	}
	Count(Broken)
	if got := read(t); got[Broken] != 1 {
		t.Errorf("not counted: %v", got)
	}
}

// TestTruncated has the file shrink while it is mapped. The count is lost, but the process goes on.
func TestTruncated(t *testing.T) {
	needRoot(t)
	t.Setenv(DirEnv, t.TempDir())
	Count(Broken)
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 2000 {
			_ = os.Truncate(filepath.Join(dir(), name), 0)
		}
	}()
	for counting := true; counting; {
		select {
		case <-done:
			counting = false
		default:
			Count(Broken)
		}
	}
	Count(Broken)
	if got := read(t); got[Broken] == 0 {
		t.Errorf("not counted: %v", got)
	}
}
