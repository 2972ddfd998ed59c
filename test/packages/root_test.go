// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is this machine, seen through an overlay in a mount namespace: installing packages there does not change
// the real machine, and all changes are in the overlay's upper layer.
type machine struct {
	t           *testing.T
	root, upper string
	packages    string // the directory that contains dist
}

// newMachine moves the test into a mount namespace permanently: the namespace belongs to the test's thread, and
// ends with it.
func newMachine(t *testing.T) *machine {
	t.Helper()
	runtime.LockOSThread()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v (the test needs root)", what, err)
		}
	}
	must("making a mount namespace", unix.Unshare(unix.CLONE_NEWNS))
	must("making mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	// Not t.TempDir: never remove recursively a directory in which the whole machine is mounted.
	top, err := os.MkdirTemp("", "runc-trace-machine-")
	must("making a directory", err)
	must("mounting a tmpfs", unix.Mount("tmpfs", top, "tmpfs", 0, ""))
	t.Cleanup(func() {
		if err := unix.Unmount(top, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if err := os.Remove(top); err != nil {
			t.Error(err)
		}
	})
	m := &machine{t: t, root: filepath.Join(top, "root"), upper: filepath.Join(top, "upper"), packages: "/mnt"}
	work := filepath.Join(top, "work")
	for _, dir := range []string{m.root, m.upper, work} {
		must("making a directory", os.Mkdir(dir, 0o755))
	}
	must("mounting the overlay",
		unix.Mount("overlay", m.root, "overlay", 0, "lowerdir=/,upperdir="+m.upper+",workdir="+work))
	// systemd-sysext mounts in a namespace of its own, and propagates the mount to this one. It does not reach the
	// real machine.
	must("sharing mounts", unix.Mount("", m.root, "", unix.MS_SHARED, ""))
	for _, dir := range []string{"/proc", "/dev", "/sys"} {
		must("mounting "+dir, unix.Mount(dir, m.root+dir, "", unix.MS_BIND|unix.MS_REC, ""))
	}
	for _, dir := range []string{"/tmp", "/run"} {
		must("mounting "+dir, unix.Mount("tmpfs", m.root+dir, "tmpfs", 0, ""))
	}
	// A bpf file system of its own hides the pins of this machine.
	must("mounting a bpf file system", unix.Mount("bpf", m.root+"/sys/fs/bpf", "bpf", 0, "mode=0700"))
	must("mounting the packages", unix.Mount(dist, m.root+m.packages, "", unix.MS_BIND, ""))
	return m
}

// try runs a program on the machine, and returns its output and exit code.
func (m *machine) try(name string, args ...string) (string, int) {
	m.t.Helper()
	c := exec.Command(name, args...)
	c.Dir = "/"
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root",
		"DEBIAN_FRONTEND=noninteractive"}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// run is try for a program that must succeed.
func (m *machine) run(name string, args ...string) string {
	m.t.Helper()
	out, code := m.try(name, args...)
	if code != 0 {
		m.t.Fatalf("%s %s: exit code %d\n%s", name, strings.Join(args, " "), code, out)
	}
	return out
}

func (m *machine) write(path, text string, mode os.FileMode) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

// changes returns all paths that differ from the real machine in kind, mode, owner or contents, except those below
// ignored ones.
func (m *machine) changes(ignored ...string) []string {
	m.t.Helper()
	var changed []string
	err := filepath.WalkDir(m.upper, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = strings.TrimPrefix(path, m.upper)
		for _, i := range ignored {
			if path == i || strings.HasPrefix(path, i+"/") {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
		}
		before, after := state(m.t, "/"+path), state(m.t, m.root+path)
		if before != after {
			changed = append(changed, path)
		} else if d.IsDir() {
			changed = append(changed, m.hidden(path)...)
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	sort.Strings(changed)
	return changed
}

// hidden returns the names of a real directory that the machine's does not have, because it was replaced.
func (m *machine) hidden(dir string) []string {
	m.t.Helper()
	entries, err := os.ReadDir("/" + dir)
	if err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		path := filepath.Join("/", dir, e.Name())
		_, upper := os.Lstat(m.upper + path) // the walk visits it by itself
		_, after := os.Lstat(m.root + path)
		_, before := os.Lstat(path) // it may be gone by now
		if upper != nil && after != nil && before == nil {
			names = append(names, path)
		}
	}
	return names
}

// state returns everything about a file that is compared, without its time.
func state(t *testing.T, path string) string {
	t.Helper()
	var s unix.Stat_t
	err := unix.Lstat(path, &s)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%o %d:%d", s.Mode, s.Uid, s.Gid)
	switch s.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		contents, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(" %x", sha256.Sum256(contents))
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		text += " " + target
	case unix.S_IFCHR, unix.S_IFBLK:
		text += fmt.Sprintf(" %d", s.Rdev)
	}
	return text
}
