// SPDX-License-Identifier: Apache-2.0

// Package treetest compares trees of files, for tests.
package treetest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Read returns everything below a directory: contents, modes, owners, times, link targets and extended attributes. It
// omits the times of directories, which change whenever a file in them is replaced.
func Read(t *testing.T, root string) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(path, &stat); err != nil {
			return err
		}
		text := fmt.Sprintf("mode %o, owner %d:%d", stat.Mode, stat.Uid, stat.Gid)
		modified := time.Unix(0, stat.Mtim.Nano()).UTC().Format(time.RFC3339Nano)
		switch entry.Type() {
		case 0:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			buffer := make([]byte, 1024)
			n, _ := unix.Lgetxattr(path, "user.note", buffer) // -1 if there is none
			text += fmt.Sprintf(", %s, user.note %q, %q", modified, buffer[:max(0, n)], data)
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(", %s, to %s", modified, target)
		}
		relative, err := filepath.Rel(root, path)
		tree[relative] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// Write creates files below a directory. A name that ends in a slash is a directory. A value that begins with "-> " is
// the target of a symbolic link. All other values are contents of files, which are executable if they begin with "#!".
// All times are set to long ago.
func Write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == path {
			continue
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			mode := fs.FileMode(0o644)
			if strings.HasPrefix(text, "#!") {
				mode = 0o755
			}
			err = os.WriteFile(path, []byte(text), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		then := unix.NsecToTimespec(981173106123456789)
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{then, then}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
}
