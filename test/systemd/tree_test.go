// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Files that engines and systemd write while they run.
var others = []string{
	"/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/cni", "/var/lib/systemd",
	"/var/lib/private", "/var/lib/dbus",
}

// tree returns the machine's files that an installation may change: their contents, kinds, modes, owners and times.
// The times of directories are left out, since temporary files change them.
func tree(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, root := range []string{"/etc", "/usr", "/opt", "/var/lib"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if slices.Contains(others, path) {
				return filepath.SkipDir
			}
			files[path], err = describe(path, d)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func describe(path string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %d:%d", info.Mode(), stat.Uid, stat.Gid)
	if d.IsDir() {
		return text, nil
	}
	text += info.ModTime().UTC().Format(" 2006-01-02T15:04:05.999999999")
	switch {
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(path)
		return text + " -> " + target, err
	case strings.HasPrefix(path, "/usr/"):
		// Too large to be read, and never written: check that the file is the same one, and unchanged.
		return fmt.Sprintf("%s %d bytes, inode %d, changed %d.%09d", text, info.Size(), stat.Ino,
			stat.Ctim.Sec, stat.Ctim.Nsec), nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, syscall.ENXIO) {
		err = nil // a socket
	}
	return fmt.Sprintf("%s %x", text, sha256.Sum256(data)), err
}

// differences returns the files that differ between two trees, one per line.
func differences(before, after map[string]string) []string {
	var lines []string
	for path, text := range before {
		switch now, ok := after[path]; {
		case !ok:
			lines = append(lines, path+": removed")
		case now != text:
			lines = append(lines, fmt.Sprintf("%s: was %s, is %s", path, text, now))
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			lines = append(lines, path+": added")
		}
	}
	slices.Sort(lines)
	return lines
}
