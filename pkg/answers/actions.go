// SPDX-License-Identifier: Apache-2.0

package answers

import (
	endian "encoding/binary"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Action is what calls do with a file or an address.
type Action string

// The actions.
const (
	Created      Action = "created"
	MaybeCreated Action = "maybeCreated" // opened with O_CREAT: it may have been there
	Emptied      Action = "emptied"      // opened with O_TRUNC
	Opened       Action = "opened"
	Executed     Action = "executed"
	Read         Action = "read"
	Written      Action = "written"
	Mapped       Action = "mapped" // into memory: what is read and written there makes no calls
	Listed       Action = "listed"
	Entered      Action = "entered"
	Resized      Action = "resized"
	Synced       Action = "synced"
	Locked       Action = "locked"
	Changed      Action = "changed" // its mode, owner, times or attributes
	Watched      Action = "watched"
	Mounted      Action = "mounted" // or unmounted
	Looked       Action = "looked"  // whether it is there, and what it is
	Linked       Action = "linked"
	Renamed      Action = "renamed"
	Replaced     Action = "replaced" // another file got its name by a rename
	Deleted      Action = "deleted"
	Used         Action = "used" // in another way

	Bound      Action = "bound"
	Listened   Action = "listened"
	Accepted   Action = "accepted"
	Connected  Action = "connected"
	Connecting Action = "connecting" // it went on meanwhile; with what result, is not known
)

// allActions are all of them, in the order in which they are shown.
var allActions = []Action{Created, MaybeCreated, Emptied, Opened, Executed, Read, Written, Mapped, Listed, Entered,
	Resized, Synced, Locked, Changed, Watched, Mounted, Looked, Linked, Renamed, Replaced, Deleted, Used,
	Bound, Listened, Accepted, Connected, Connecting}

// actions are those of the calls that name a file or take its descriptor. Calls that move bytes are among movements.
var actions = map[Action]string{
	Opened: "open openat openat2 creat open_by_handle_at open_tree open_tree_attr", Executed: "execve execveat uselib",
	Mapped: "mmap mmap2", Listed: "getdents getdents64 readdir", Entered: "chdir fchdir chroot",
	Resized: "truncate truncate64 ftruncate ftruncate64 fallocate", Synced: "fsync fdatasync sync_file_range syncfs",
	Locked: "flock", Created: "mkdir mkdirat mknod mknodat symlink symlinkat", Linked: "link linkat",
	Changed: "chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat utime utimes " +
		"futimesat utimensat utimensat_time64 setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr " +
		"fremovexattr removexattrat file_setattr",
	Watched: "inotify_add_watch fanotify_mark",
	Mounted: "mount umount umount2 pivot_root move_mount mount_setattr swapon swapoff",
	Looked: "stat stat64 lstat lstat64 oldstat oldlstat newfstatat fstatat64 statx access faccessat faccessat2 " +
		"readlink readlinkat statfs statfs64 getxattr lgetxattr getxattrat listxattr llistxattr listxattrat " +
		"file_getattr name_to_handle_at",
	Renamed: "rename renameat renameat2", Deleted: "unlink unlinkat rmdir",
}

// actionOf are the actions by the names of calls.
var actionOf = func() map[string]Action {
	all := map[string]Action{}
	for action, names := range actions {
		for name := range strings.FieldsSeq(names) {
			all[name] = action
		}
	}
	return all
}()

// openFlags returns the flags of a call that opens a file, or 0 if it has none or they are not known.
func openFlags(c *syscalls.Call, name string) uint64 {
	switch name {
	case "open":
		return c.Args[1]
	case "openat":
		return c.Args[2]
	case "creat":
		return 0o1101 // O_CREAT|O_WRONLY|O_TRUNC
	case "openat2":
		if how := c.Capture(2); how != nil && len(how.Data) >= 8 {
			return endian.LittleEndian.Uint64(how.Data)
		}
	}
	return 0
}
