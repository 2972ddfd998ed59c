// SPDX-License-Identifier: Apache-2.0

package hostns

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// podCgroup matches the names of cgroups that a kubelet makes for a pod: they contain its UID, or a hash instead of
// it.
var podCgroup = regexp.MustCompile(`(^|-)pod[0-9a-f_-]{32,36}(\.slice)?$`)

// Cgroups returns the sorted names of the cgroups of this process's container and of all others of its pod. The
// names contain the IDs of these containers.
func Cgroups() ([]string, error) {
	own, err := regular.Read("/proc/self/cgroup", regular.Text)
	if err != nil {
		return nil, fmt.Errorf("looking for the own cgroup: %w", err)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	var others []string
	for _, file := range files {
		if text, err := regular.Read(file, regular.Text); err == nil { // on an error it has ended
			others = append(others, string(text))
		}
	}
	return cgroups(string(own), others), nil
}

// cgroups finds the names in the text of /proc/PID/cgroup of this process, and of others.
func cgroups(own string, others []string) []string {
	var names []string
	pods := make(map[string]bool)
	for hierarchy, dir := range memberships(own) {
		names = append(names, path.Base(dir))
		if podCgroup.MatchString(path.Base(path.Dir(dir))) {
			pods[hierarchy+":"+path.Dir(dir)] = true
		}
	}
	for _, text := range others {
		for hierarchy, dir := range memberships(text) {
			if pods[hierarchy+":"+path.Dir(dir)] {
				names = append(names, path.Base(dir))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// memberships returns the cgroups of a process by hierarchy, without those that are the root.
func memberships(text string) map[string]string {
	found := maps.Collect(unified.Memberships(text))
	maps.DeleteFunc(found, func(_, dir string) bool { return dir == "/" })
	return found
}
