// SPDX-License-Identifier: Apache-2.0

package hostns

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// podCgroup are the names of cgroups that a kubelet makes for a pod: with its UID, or the hash that stands for it.
var podCgroup = regexp.MustCompile(`(^|-)pod[0-9a-f_-]{32,36}(\.slice)?$`)

// Cgroups are the names of the cgroups of the container that this process is in, and of all others of its pod: the IDs of
// these containers are part of them. Sorted.
func Cgroups() ([]string, error) {
	own, err := regular.Read("/proc/self/cgroup", regular.Text)
	if err != nil {
		return nil, fmt.Errorf("looking for the own cgroup: %w", err)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	var others []string
	for _, file := range files {
		if text, err := regular.Read(file, regular.Text); err == nil { // otherwise it has ended
			others = append(others, string(text))
		}
	}
	return cgroups(string(own), others), nil
}

// cgroups finds them in what /proc/PID/cgroup says of this process, and of others.
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

// memberships are the cgroups of a process, by hierarchy. See cgroups(7).
func memberships(text string) map[string]string {
	found := make(map[string]string)
	for line := range strings.Lines(text) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && f[2] != "/" {
			found[f[0]] = f[2]
		}
	}
	return found
}
