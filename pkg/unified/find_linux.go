// SPDX-License-Identifier: Apache-2.0

package unified

import (
	"fmt"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// Find returns the mount point of the unified hierarchy, Mount or Hybrid, on the host whose files are below root (""
// for this one). The result begins with root.
func Find(root string) (string, error) {
	for _, mount := range [...]string{Mount, Hybrid} {
		at := path.Join(root, mount)
		var fs syscall.Statfs_t
		if syscall.Statfs(at, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return at, nil
		}
	}
	return "", fmt.Errorf("no unified cgroup hierarchy is mounted at %s or %s", path.Join(root, Mount),
		path.Join(root, Hybrid))
}
