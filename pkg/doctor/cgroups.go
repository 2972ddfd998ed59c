// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// cgroupFacts reads where hierarchies are mounted. If the unified one is mounted several times, the mount that
// runtimes use counts.
func cgroupFacts(h engine.Host) Cgroups {
	var c Cgroups
	mounts, _ := regular.Read(filepath.Join(h.Root, "proc/self/mountinfo"), regular.Text)
	for line := range strings.Lines(string(mounts)) {
		// See proc_pid_mountinfo(5): the mount point is the fifth field, the type follows a hyphen.
		mount, kind, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		kind, _, _ = strings.Cut(kind, " ")
		switch {
		case len(fields) < 5:
		case kind == "cgroup":
			c.V1 = true
		case kind == "cgroup2" && (c.Unified == "" || fields[4] == unified.Mount || fields[4] == unified.Hybrid):
			c.Unified = fields[4]
		}
	}
	return c
}

// membership is a process's place in the hierarchies.
type membership struct {
	unified string   // path in the unified one, "" if it cannot be seen
	all     []string // paths in all of them
}

func membershipOf(h engine.Host, pid uint32) membership {
	var m membership
	text, _ := regular.Read(filepath.Join(h.Root, "proc", fmt.Sprint(pid), "cgroup"), regular.Text)
	for _, path := range unified.Memberships(string(text)) {
		m.all = append(m.all, path)
	}
	m.unified, _ = unified.Path(string(text))
	return m
}

// cgroupsOf returns the IDs of a process's cgroup in the unified hierarchy and of that cgroup's ancestors: the inode
// numbers of their directories.
func cgroupsOf(h engine.Host, c Cgroups, pid uint32) []uint64 {
	if pid == 0 {
		return nil
	}
	return c.ids(h, membershipOf(h, pid).unified)
}

func (c Cgroups) ids(h engine.Host, name string) []uint64 {
	if c.Unified == "" || !path.IsAbs(name) {
		return nil
	}
	var ids []uint64
	for {
		var stat unix.Stat_t
		if unix.Stat(filepath.Join(h.Root, c.Unified, name), &stat) != nil {
			return nil // the process is exiting
		}
		ids = append(ids, stat.Ino)
		if name == "/" {
			return ids
		}
		name = path.Dir(name)
	}
}

// containerID matches the cgroup names that engines give to containers: docker-ID.scope, cri-containerd-ID.scope, ID.
var containerID = regexp.MustCompile(`(?:^|[^0-9a-f])([0-9a-f]{64})(?:\.scope)?$`)

// running finds running containers of all engines by the names of cgroups.
func running(h engine.Host, c Cgroups) []Running {
	found := map[string]Running{}
	processes(h, func(pid uint32) {
		m := membershipOf(h, pid)
		for _, name := range m.all {
			id, ok := idIn(name)
			if _, known := found[id]; !ok || known || strings.HasPrefix(name, "/user.slice/") {
				continue // cgroups of users (rootless) are never registered
			}
			found[id] = Running{ID: id, Path: m.unified, Cgroups: c.ids(h, m.unified)}
			break
		}
	})
	var all []Running
	for _, r := range found {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Running) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// idIn returns the ID of the innermost container to which a cgroup belongs. Cgroups of container monitors do not
// count.
func idIn(name string) (string, bool) {
	for ; name != "/" && name != "."; name = path.Dir(name) {
		leaf := path.Base(name)
		if match := containerID.FindStringSubmatch(leaf); match != nil && !strings.Contains(leaf, "conmon") {
			return match[1], true
		}
	}
	return "", false
}
