// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// programDirs are the directories in which programs are looked up. The caller's PATH may differ from a daemon's, and
// sudo's lacks half of them.
var programDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/bin",
	"/run/torcx/bin", "/run/torcx/unpack/docker/bin"}

// daemonDirs is systemd's PATH for services, which applies to an engine without a PATH of its own.
var daemonDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// at returns the location of a path of the host. It follows symbolic links, also absolute ones, within Root.
func (h Host) at(path string) (string, error) {
	return securejoin.SecureJoin(h.Root, path)
}

// with returns the host as it will be when the files are written.
func (h Host) with(files []File) Host {
	h.planned = maps.Clone(h.planned)
	if h.planned == nil {
		h.planned = make(map[string][]byte)
	}
	for _, file := range files {
		h.planned[file.Path] = file.Data
	}
	return h
}

// undone returns the host as it will be when these files have these contents, nil for no file. Paths are without
// symbolic links.
func (h Host) undone(files map[string][]byte) Host {
	h = h.with(nil)
	h.gone = make(map[string]bool)
	for file, data := range files {
		if data != nil {
			h.planned[file] = data
		} else {
			h.gone[file] = true
		}
	}
	return h
}

// plan returns the planned contents of a file, and whether a plan writes it. gone says that a plan removes it.
func (h Host) plan(path string) (data []byte, written, gone bool) {
	if data, written = h.planned[path]; written || h.gone[path] || h.gone == nil {
		return data, written, h.gone[path]
	}
	path = h.resolved(path)
	data, written = h.planned[path]
	return data, written, h.gone[path]
}

// read returns a file's text. If the file does not exist, the error wraps fs.ErrNotExist.
func (h Host) read(path string) ([]byte, error) {
	switch text, written, gone := h.plan(path); {
	case gone:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case written:
		return text, nil
	}
	at, err := h.at(path)
	if err != nil {
		return nil, err
	}
	text, err := regular.Read(at, regular.Text)
	if err == nil && h.Seen != nil {
		h.Seen(path, text)
	}
	return text, err
}

// readIfThere is like read, but returns nil and no error if the file does not exist.
func (h Host) readIfThere(path string) ([]byte, error) {
	text, err := h.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	return text, nil
}

func (h Host) stat(path string) (fs.FileInfo, error) {
	at, err := h.at(path)
	if err != nil {
		return nil, err
	}
	return os.Stat(at)
}

func (h Host) isDir(path string) bool {
	info, err := h.stat(path)
	return err == nil && info.IsDir()
}

func (h Host) exists(path string) bool {
	if _, written, gone := h.plan(path); written || gone {
		return written
	}
	_, err := h.stat(path)
	return err == nil
}

// listed reports whether a directory has an entry, which may be a dangling link.
func (h Host) listed(path string) bool {
	if _, _, gone := h.plan(path); gone {
		return false
	}
	dir, err := h.at(filepath.Dir(path))
	if err == nil {
		_, err = os.Lstat(filepath.Join(dir, filepath.Base(path)))
	}
	return err == nil
}

func (h Host) isProgram(path string) bool {
	info, err := h.stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// program finds a program by name in the directories. It returns "" if none has it.
func (h Host) program(name string, dirs []string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, dir := range dirs {
		if path := filepath.Join(dir, name); h.isProgram(path) {
			return path
		}
	}
	return ""
}

// glob returns the files that match a pattern as paths of the host, sorted. The directory may be a pattern, too.
func (h Host) glob(pattern string) []string {
	dir, name := filepath.Split(pattern)
	dirs := []string{filepath.Clean(dir)}
	if strings.ContainsAny(dir, "*?[") {
		dirs = h.glob(filepath.Clean(dir))
	}
	var found []string
	for path := range h.planned {
		if ok, _ := filepath.Match(pattern, path); ok {
			found = append(found, path)
		}
	}
	for _, dir := range dirs {
		at, err := h.at(dir)
		if err != nil {
			continue
		}
		entries, err := os.ReadDir(at)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if ok, _ := filepath.Match(name, entry.Name()); ok {
				found = append(found, filepath.Join(dir, entry.Name()))
			}
		}
	}
	found = slices.DeleteFunc(found, func(path string) bool {
		_, _, gone := h.plan(path)
		return gone
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// walk returns the files below a directory and its subdirectories, in the order of filepath.Walk: CRI-O reads them
// all, with any name.
func (h Host) walk(dir string) []string {
	var found []string
	for _, entry := range h.glob(filepath.Join(dir, "*")) {
		at, err := h.at(filepath.Dir(entry))
		if err != nil {
			continue
		}
		// CRI-O reads a link to a directory as a file.
		if info, err := os.Lstat(filepath.Join(at, filepath.Base(entry))); err == nil && info.IsDir() {
			found = append(found, h.walk(entry)...)
			continue
		}
		found = append(found, entry)
	}
	return found
}

// hasSystemd reports whether systemd runs the host, with the test of sd_booted(3).
func (h Host) hasSystemd() bool {
	return h.exists("/run/systemd/system")
}

// bootsSystemd reports whether systemd runs the host, or will when an image boots.
func (h Host) bootsSystemd() bool {
	return h.hasSystemd() || h.Root != "/" && filepath.Base(h.resolved("/sbin/init")) == "systemd"
}

// unified reports whether the host has only cgroup v2.
func (h Host) unified() bool {
	return h.exists("/sys/fs/cgroup/cgroup.controllers")
}
