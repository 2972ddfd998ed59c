// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// obstacle prevents the change of a file or directory, until the returned function is called.
type obstacle func(t *testing.T, path string) (away func())

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) func() {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}
}

func mountPoint(t *testing.T, path string) func() {
	return mount(t, path, path, "", unix.MS_BIND, "")
}

func readOnly(t *testing.T, path string) func() {
	away := mount(t, path, path, "", unix.MS_BIND, "")
	if err := unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return away
}

func full(t *testing.T, path string) func() {
	return mount(t, "tmpfs", path, "tmpfs", 0, "size=4k,nr_inodes=1")
}

func immutable(t *testing.T, path string) func() {
	if out, err := exec.Command("chattr", "+i", path).CombinedOutput(); err != nil {
		t.Skipf("chattr +i: %v, %s", err, out)
	}
	return func() {
		if out, err := exec.Command("chattr", "-i", path).CombinedOutput(); err != nil {
			t.Errorf("chattr -i: %v, %s", err, out)
		}
	}
}

// TestObstacles makes the sixth of seven files unwritable. All files written before are restored, and the error has a
// remedy.
func TestObstacles(t *testing.T) {
	for name, test := range map[string]struct {
		obstacle
		path string
		says string
	}{
		"an immutable file": {immutable, "srv/config/daemon.json",
			"writing /srv/config/daemon.json: operation not permitted (if lsattr shows that it or its directory is immutable, run chattr -i)"},
		"a mount point": {mountPoint, "srv/config/daemon.json",
			"writing /srv/config/daemon.json: device or resource busy (it is a mount point: change the mounted file, or unmount it)"},
		"read-only":   {readOnly, "srv/config", "writing /srv/config/daemon.json: read-only file system (its file system is read-only: remount it, or put the file into the system's image)"},
		"a full disk": {full, "srv/config", "writing /srv/config/daemon.json: no space left on device (its file system is full: free some space)"},
	} {
		t.Run(name, func(t *testing.T) {
			roottest.OwnMounts(t)
			root := host(t)
			away := test.obstacle(t, filepath.Join(root, test.path))
			t.Cleanup(away)
			obstructed := treetest.Read(t, root)
			s := mustOpen(t, root)
			_, err := s.Apply(files("one"))
			if err == nil || err.Error() != test.says {
				t.Errorf("the error is %v, want %s", err, test.says)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(obstructed, treetest.Read(t, root)); diff != "" {
				t.Errorf("something is left (-before +after):\n%s", diff)
			}
		})
	}
}

// TestLeft has two files change so that they cannot be restored, while a later one cannot be written.
func TestLeft(t *testing.T) {
	roottest.OwnMounts(t)
	root := host(t)
	before := treetest.Read(t, root)
	for _, upgrade := range []bool{false, true} {
		if upgrade {
			apply(t, root, "one")
		}
		var away []func()
		s, err := open(root, nil, disk{func(what string) error {
			if strings.HasPrefix(what, "write ") && strings.HasSuffix(what, "/.10.conf.runc-trace") && away == nil {
				away = append(away, mountPoint(t, filepath.Join(root, "opt/bin/program")),
					mountPoint(t, filepath.Join(root, "srv/nowhere.conf")))
				return errCrash
			}
			return nil
		}, never})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Apply(files("two"))
		var left *LeftError
		if !errors.As(err, &left) || !errors.Is(err, errCrash) || len(left.Files) != 2 ||
			left.Files[0].Path != "/srv/nowhere.conf" || left.Files[1].Path != "/opt/bin/program" {
			t.Fatalf("the error is %v", err)
		}
		if want := "restoring /srv/nowhere.conf: device or resource busy (it is a mount point"; !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(root, "srv/config/daemon.json"))
		if want := map[bool]string{false: "{}\n", true: "{\"a\": \"one\"}\n"}[upgrade]; err != nil || string(text) != want {
			t.Errorf("what could be put back is %q, %v; want %q", text, err, want)
		}
		if recorded := mustView(t, root).Recorded(); len(recorded) != map[bool]int{false: 2, true: 7}[upgrade] {
			t.Errorf("the journal has %+v", recorded)
		}

		// While they cannot be written, uninstalling also goes on past them.
		s = mustOpen(t, root)
		if _, err := s.Restore(all, false); !errors.As(err, &left) || len(left.Files) != 2 {
			t.Fatalf("the error is %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, a := range away {
			a()
		}
		restore(t, root, all)
		if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
			t.Fatalf("upgrade: %v: something is left (-before +after):\n%s", upgrade, diff)
		}
	}
}

func mustView(t *testing.T, root string) *Store {
	t.Helper()
	s, err := View(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBase checks that a program stays if a file that needs it cannot be restored.
func TestBase(t *testing.T) {
	roottest.OwnMounts(t)
	root := host(t)
	before := treetest.Read(t, root)
	var away func()
	s, err := open(root, nil, disk{func(what string) error {
		if strings.HasSuffix(what, "/.link.conf.runc-trace") && strings.HasPrefix(what, "write ") {
			away = mountPoint(t, filepath.Join(root, "etc/containerd/config.toml"))
			return errCrash
		}
		return nil
	}, never})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply([]File{
		{Path: "/opt/bin/shim", Data: []byte("shim"), Mode: 0o755, Base: true},
		{Path: "/etc/containerd/config.toml", Data: []byte("/opt/bin/shim")},
		{Path: "/etc/docker/daemon.json", Data: []byte("{}")},
		{Path: "/opt/bin/link.conf", Data: []byte("x")},
	})
	var left *LeftError
	if !errors.As(err, &left) || len(left.Files) != 1 || left.Files[0].Path != "/etc/containerd/config.toml" {
		t.Fatalf("the error is %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "opt/bin/shim")); err != nil {
		t.Error(err)
	}
	away()
	restore(t, root, all)
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("something is left (-before +after):\n%s", diff)
	}
}

// TestRollbackOfEdited rolls back a file that was edited after it was written: the edits stay.
func TestRollbackOfEdited(t *testing.T) {
	root := host(t)
	s, err := Open(root, func(f Recorded, original, written, now []byte) ([]byte, error) {
		return bytes.ReplaceAll(now, []byte("ours\n"), nil), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "etc/containerd/config.toml")
	if _, err := s.Apply([]File{{Path: "/etc/containerd/config.toml", Data: []byte("version = 2\nours\n"),
		For: "containerd"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("version = 2\nours\ntheirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Rollback(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "version = 2\ntheirs\n" {
		t.Errorf("%q, %v", text, err)
	}
	if recorded := mustView(t, root).Recorded(); len(recorded) > 0 {
		t.Errorf("the journal has %+v", recorded)
	}
}
