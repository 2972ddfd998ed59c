// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// leaf is the name of the cgroup of the machine's own processes, below the machine's cgroup.
const leaf = "init"

// join makes a cgroup and moves this process into it.
func join(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// In version 1, a cgroup accepts no process until its CPUs and memory nodes are set.
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			continue
		}
		if file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_TRUNC, 0); err == nil {
			_, err = file.Write(text)
			file.Close()
			if err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644)
}

// removeCgroups removes a cgroup and its descendants. Processes in them may still be exiting.
func removeCgroups(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(dirs) {
		err := os.Remove(path)
		for end := time.Now().Add(5 * time.Second); errors.Is(err, syscall.EBUSY) &&
			time.Now().Before(end); err = os.Remove(path) {
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hierarchy is a mounted hierarchy of cgroups.
type hierarchy struct {
	dir     string
	kind    string // cgroup or cgroup2
	options string
}

// cgroupMounts lists the hierarchies, in the order in which they were mounted.
func cgroupMounts() ([]hierarchy, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		mount, fs := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(fs) < 3 || !strings.HasPrefix(fs[0], "cgroup") {
			continue
		}
		h := hierarchy{dir: mount[4], kind: fs[0]}
		if h.kind == "cgroup" {
			options := slices.DeleteFunc(strings.Split(fs[2], ","), func(o string) bool {
				return o == "rw" || o == "xattr" || strings.HasPrefix(o, "release_agent=")
			})
			if strings.HasPrefix(options[len(options)-1], "name=") {
				options = append([]string{"none"}, options...)
			}
			h.options = strings.Join(options, ",")
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return nil, errors.New("no hierarchy of cgroups is mounted")
	}
	return found, nil
}

// path returns the path of a process in the hierarchy, from the text of its /proc/PID/cgroup.
func (h *hierarchy) path(text string) string {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if f[1] == "" && h.kind == "cgroup2" || f[1] != "" && f[1] == strings.TrimPrefix(h.options, "none,") {
			return f[2]
		}
	}
	return "/"
}
