// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

// TestChangedOwner keeps a mode, an owner and attributes that were changed after Apply, also if a later Apply wrote the
// file again.
func TestChangedOwner(t *testing.T) {
	for _, upgrade := range []bool{false, true} {
		root := host(t)
		before := treetest.Read(t, root)
		apply(t, root, "one")
		file := filepath.Join(root, "etc/containerd/config.toml")
		for _, err := range []error{
			os.Chown(file, owner(7), owner(8)),
			unix.Chmod(file, 0o600),
			unix.Setxattr(file, "user.mine", []byte("x"), 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if upgrade {
			apply(t, root, "two")
		}
		changed := treetest.Read(t, root)["etc/containerd/config.toml"]
		restore(t, root, all)
		got := treetest.Read(t, root)
		contents := func(entry string) (rest, text string) {
			at := strings.LastIndex(entry, `, "`)
			return maskTime(entry[:at]), entry[at:]
		}
		wantRest, _ := contents(changed)
		_, wantText := contents(before["etc/containerd/config.toml"])
		rest, text := contents(got["etc/containerd/config.toml"])
		if rest != wantRest || text != wantText {
			t.Errorf("upgrade: %v: it is %s%s, want %s%s", upgrade, rest, text, wantRest, wantText)
		}
		delete(got, "etc/containerd/config.toml")
		delete(before, "etc/containerd/config.toml")
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("upgrade: %v (-before +after):\n%s", upgrade, diff)
		}
	}
}

// TestLostOriginal restores the other files if an original is missing or damaged, and names the file that it left.
func TestLostOriginal(t *testing.T) {
	inverse := func(_ Recorded, _, _, now []byte) ([]byte, error) {
		if strings.Contains(string(now), "two") {
			return nil, errors.New("two")
		}
		return now, nil
	}
	for name, damage := range map[string]func(path string) error{
		"missing": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
	} {
		root := host(t)
		before := treetest.Read(t, root)
		apply(t, root, "two")
		for _, data := range []string{"version = 2\n", "version = 2\n# two\n"} { // the original, and what was written
			if err := damage(filepath.Join(root, StateDir, keptName, digest([]byte(data)))); err != nil {
				t.Fatal(err)
			}
		}
		config := filepath.Join(root, "etc/containerd/config.toml")
		for _, discard := range []bool{false, true} {
			for _, edited := range []bool{false, true} {
				if edited {
					if err := os.WriteFile(config, []byte("# two, edited"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				s, err := Open(root, inverse)
				if err != nil {
					t.Fatal(err)
				}
				var left *LeftError
				_, planErr := s.PlanRestore(all, discard)
				_, err = s.Restore(all, discard)
				for _, err := range []error{planErr, err} {
					if !errors.As(err, &left) || len(left.Files) != 1 || left.Files[0].Path != "/etc/containerd/config.toml" {
						t.Errorf("%s, discard %v, edited %v: %v", name, discard, edited, err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := clean(treetest.Read(t, root))
		delete(got, "etc/containerd/config.toml")
		want := clean(before)
		delete(want, "etc/containerd/config.toml")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the others (-before +after):\n%s", name, diff)
		}

		// If nothing of ours is left in the file, the original is not needed.
		if err := os.WriteFile(config, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Open(root, inverse)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Restore(all, false)
		if err = errors.Join(err, s.Close()); err != nil {
			t.Errorf("%s, taken out by hand: %v", name, err)
		}
		if text, _ := os.ReadFile(config); string(text) != "mine" {
			t.Errorf("%s, taken out by hand: it is %q", name, text)
		}
		if _, err := os.Stat(filepath.Join(root, StateDir)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the journal is left: %v", name, err)
		}
	}
}

// TestMovedDirectory restores files and links below a directory that was moved and replaced by a link.
func TestMovedDirectory(t *testing.T) {
	root := host(t)
	apply(t, root, "one")
	if err := os.Rename(filepath.Join(root, "opt"), filepath.Join(root, "srv/opt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/srv/opt", filepath.Join(root, "opt")); err != nil {
		t.Fatal(err)
	}
	restore(t, root, all)
	got := treetest.Read(t, root)
	tool, program := got["srv/opt/bin/tool"], got["srv/opt/bin/program"]
	if !strings.HasSuffix(tool, "to /usr/bin/tool") || !strings.HasSuffix(program, `\x00old"`) {
		t.Errorf("tool is %s, program is %s", tool, program)
	}
	for _, name := range []string{"srv/opt/new", "srv/opt/new/deep/link", StateDir[1:]} {
		if got[name] != "" {
			t.Errorf("%s is left: %s", name, got[name])
		}
	}
}

// TestHardLinks refuses a file with another hard link, which would keep the old contents.
func TestHardLinks(t *testing.T) {
	root := host(t)
	config := filepath.Join(root, "etc/containerd/config.toml")
	if err := os.Link(config, config+".backup"); err != nil {
		t.Fatal(err)
	}
	before := treetest.Read(t, root)
	s := mustOpen(t, root)
	_, err := s.Apply(files("one"))
	want := "writing /etc/containerd/config.toml: it has 2 hard links, "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}

	// A link that was made later does not prevent anything.
	if err := os.Remove(config + ".backup"); err != nil {
		t.Fatal(err)
	}
	apply(t, root, "one")
	if err := os.Link(config, config+".backup"); err != nil {
		t.Fatal(err)
	}
	apply(t, root, "two")
	restore(t, root, all)
	if text, _ := os.ReadFile(config); string(text) != "version = 2\n" {
		t.Errorf("restored: %q", text)
	}
}

// TestWindowsText shows the diff of a file with Windows' line ends or a byte order mark, and keeps no copy of it if
// only our part was taken out.
func TestWindowsText(t *testing.T) {
	for _, text := range []string{"a = 1\r\n", byteOrderMark + "a = 1\n", byteOrderMark + "a = 1\r\nb = \"\u00e9\"\r\n"} {
		root := host(t)
		config := filepath.Join(root, "etc/containerd/config.toml")
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Open(root, func(_ Recorded, _, _, now []byte) ([]byte, error) {
			return []byte(strings.TrimSuffix(string(now), "ours\r\n")), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.Apply([]File{{Path: "/etc/containerd/config.toml", Data: []byte(text + "ours\r\n")}})
		if err != nil || !strings.Contains(changes[0].Diff, "+ours") {
			t.Errorf("%q: %v, %+v", text, err, changes)
		}
		if err := os.WriteFile(config, []byte(text+"mine\r\nours\r\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = s.Restore(all, false)
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if now, _ := os.ReadFile(config); string(now) != text+"mine\r\n" {
			t.Errorf("%q: restored as %q", text, now)
		}
		if _, err := os.Stat(filepath.Join(root, StateDir)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: something is kept: %v", text, err)
		}
	}
	for _, text := range []string{"a\rb", "a" + byteOrderMark, "\x1b[2J", "\xff"} {
		if isText([]byte(text)) {
			t.Errorf("%q is taken for a text that can be shown", text)
		}
	}
}

// TestEditedChange tells a file from which only our part is taken out from one whose original is restored.
func TestEditedChange(t *testing.T) {
	root := host(t)
	apply(t, root, "one")
	config := filepath.Join(root, "etc/containerd/config.toml")
	if err := os.WriteFile(config, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, discard := range []bool{false, true} {
		s, err := View(root, func(_ Recorded, _, _, now []byte) ([]byte, error) {
			if discard {
				return nil, errNoInverse
			}
			return append(now, '!'), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.PlanRestore(of("containerd"), discard)
		if err != nil || len(changes) != 1 || changes[0].Action != Replace || changes[0].Edited == discard {
			t.Errorf("discard %v: %+v, %v", discard, changes, err)
		}
	}
}
