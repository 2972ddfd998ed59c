// SPDX-License-Identifier: Apache-2.0

// Package unified finds the unified cgroup hierarchy (version 2) and the places of processes in the hierarchies.
//
// The shim imports this package, so it has no heavy imports and nothing to initialize.
package unified

import (
	"iter"
	"strings"
)

// Mount points of the unified hierarchy at which runtimes look for it.
const (
	Mount  = "/sys/fs/cgroup"         // the only hierarchy
	Hybrid = "/sys/fs/cgroup/unified" // beside those of version 1
)

// ID is the number of the unified hierarchy in /proc/PID/cgroup.
const ID = "0"

// Memberships returns a process's path in each hierarchy, by the hierarchy's number, from the text of /proc/PID/cgroup.
// A path outside of the reader's cgroup namespace begins with "/..". See cgroups(7).
func Memberships(text string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(text) {
			id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			if _, path, ok := strings.Cut(rest, ":"); ok && !yield(id, path) {
				return
			}
		}
	}
}

// Path returns a process's path in the unified hierarchy, from the text of /proc/PID/cgroup. ok is false if the text
// has none, or if it is outside of the reader's cgroup namespace.
func Path(text string) (path string, ok bool) {
	for id, path := range Memberships(text) {
		if id == ID && strings.HasPrefix(path, "/") && path != "/.." && !strings.HasPrefix(path, "/../") {
			return path, true
		}
	}
	return "", false
}
