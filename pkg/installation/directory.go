// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// plainPath matches the paths that need no quotes or escapes in a unit, an engine's configuration, or a shell.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9/._+@~-]+$`)

// fleeting are directories whose files do not outlive a reboot, or are removed after a while.
var fleeting = []string{"/dev", "/proc", "/run", "/sys", "/tmp", "/var/run", "/var/lock", "/var/tmp"}

// CheckBinDir returns an error if a directory for programs cannot be used, by its path alone. The path is written into
// files of several formats, so only characters are allowed that have no special meaning in any of them.
func CheckBinDir(dir string) error {
	switch {
	case !path.IsAbs(dir):
		return errors.New("must be an absolute path")
	case !plainPath.MatchString(dir):
		return errors.New("must consist of letters, digits and /._+@~-")
	}
	dir = path.Clean(dir)
	if dir == "/" || slices.ContainsFunc(fleeting, func(top string) bool { return isBelow(dir, top) }) {
		return errors.New("must outlive a reboot: engines call programs there")
	}
	return nil
}

// isBelow reports whether a path is top, or is below it.
func isBelow(file, top string) bool { return file == top || strings.HasPrefix(file, top+"/") }

// checkBinDir also looks at the host.
func (h Host) checkBinDir(dir string) error {
	if err := CheckBinDir(dir); err != nil {
		return err
	}
	at, err := securejoin.SecureJoin(h.Root, dir)
	if err != nil {
		return err
	}
	real := path.Join("/", strings.TrimPrefix(at, filepath.Clean(h.Root)))
	if err := CheckBinDir(real); err != nil {
		return fmt.Errorf("leads to %s, which %w", real, err)
	}
	for real != "/" && !h.exists(real) {
		real = path.Dir(real)
	}
	if info, err := h.stat(real); err != nil || !info.IsDir() {
		return fmt.Errorf("must be a directory, but %s is none", real)
	}
	// A host that has everything in memory is installed at each boot.
	if h.inMemory(real) && !h.inMemory("/etc") {
		return fmt.Errorf("must outlive a reboot, but %s is in memory", real)
	}
	return nil
}

// inMemory reports whether a directory is on a file system whose files do not outlive a reboot.
func (h Host) inMemory(dir string) bool {
	at, err := securejoin.SecureJoin(h.Root, dir)
	if err != nil {
		return false
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(at, &fs); err != nil {
		return false
	}
	return slices.Contains([]int64{unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC,
		unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.BPF_FS_MAGIC}, int64(fs.Type))
}

// nested returns an error if one of the files would be below another.
func nested(files []hostfile.File) error {
	for _, file := range files {
		for _, other := range files {
			if file.Path != other.Path && isBelow(other.Path, file.Path) {
				return fmt.Errorf("%s cannot be below the file %s: choose another --bin-dir", other.Path, file.Path)
			}
		}
	}
	return nil
}
