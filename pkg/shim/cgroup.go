// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// Cgroup is the directory that the runtime will make for a container, as far as it can be predicted.
type Cgroup struct {
	// Path is the end of the directory's path within its hierarchy. It begins with a slash and is clean.
	Path string
	// Relative is set if the runtime puts Path below a cgroup that it chooses. Otherwise Path is the whole path, as
	// seen in the caller's cgroup namespace.
	Relative bool
}

// Leaf returns the directory's own name. On a cgroup file system, it may be longer than NAME_MAX.
func (c Cgroup) Leaf() string { return path.Base(c.Path) }

// Key returns the key of the container's pending entry: the name of the directory, cut as the program in the kernel
// cuts it.
func (c Cgroup) Key() (key [abi.LeafSize]byte) {
	copy(key[:len(key)-1], c.Leaf())
	return key
}

// End returns Path if it fits into abi.Pending, or else the longest end of it that fits and begins with a slash. It is
// empty if none does.
func (c Cgroup) End() string {
	end := c.Path
	for len(end) >= abi.PathSize {
		end = end[1:]
		next := strings.IndexByte(end, '/')
		if next < 0 {
			return ""
		}
		end = end[next:]
	}
	return end
}

// errRefused means that the runtime refuses the container.
var errRefused = errors.New("the runtime refuses the spec")

// Locate returns the cgroup that a runtime will make for a container with the given cgroupsPath in its spec. It
// follows CreateCgroupConfig in runc's libcontainer/specconv and the managers of github.com/opencontainers/cgroups,
// and for crun src/libcrun/cgroup-systemd.c and cgroup-cgroupfs.c. It returns an error if the path makes no
// new directory. If the runtime will reject the path, the error matches errRefused.
func Locate(dialect Dialect, driver Driver, cgroupsPath, container string) (Cgroup, error) {
	var c Cgroup
	var err error
	switch {
	case driver == NoCgroup:
		return c, errors.New("the runtime makes no cgroup for it")
	case driver == Systemd && dialect == Crun:
		c, err = crunScope(cgroupsPath, container)
	case driver == Systemd:
		c, err = runcScope(cgroupsPath, container)
	default:
		c = directory(dialect, cgroupsPath, container)
	}
	if err != nil {
		return Cgroup{}, err
	}
	switch {
	case c.Path == "/":
		return Cgroup{}, fmt.Errorf("cgroupsPath %q of container %q is the root of the hierarchy", cgroupsPath, container)
	case len(c.Path) >= unix.PathMax:
		return Cgroup{}, fmt.Errorf("%w: cgroupsPath of %d bytes is too long", errRefused, len(c.Path))
	case strings.ContainsRune(c.Path, 0):
		return Cgroup{}, fmt.Errorf("%w: cgroupsPath %q of container %q names no cgroup", errRefused, cgroupsPath, container)
	}
	return c, nil
}

// directory returns the cgroup that the cgroupfs driver makes.
func directory(dialect Dialect, cgroupsPath, container string) Cgroup {
	name := cgroupsPath
	if name == "" {
		name = container
	}
	return Cgroup{
		Path: path.Clean("/" + name),
		// crun treats every path as absolute.
		Relative: dialect == Runc && !path.IsAbs(name),
	}
}

// runcScope returns the cgroup that runc's systemd driver makes for a cgroupsPath "slice:prefix:name".
func runcScope(cgroupsPath, container string) (Cgroup, error) {
	slice, prefix, name := "", "runc", container
	if cgroupsPath != "" {
		parts := strings.Split(cgroupsPath, ":")
		if len(parts) != 3 {
			return Cgroup{}, fmt.Errorf("%w: cgroupsPath %q must have the form slice:prefix:name", errRefused, cgroupsPath)
		}
		slice, prefix, name = parts[0], parts[1], parts[2]
	}
	unit := name
	if !strings.HasSuffix(name, ".slice") {
		unit = prefix + "-" + name + ".scope"
	}
	return inSlice(slice, unit)
}

// crunScope returns the cgroup that crun's systemd driver makes. crun joins the parts after the first colon, and
// treats a cgroupsPath without a colon as the name of the scope.
func crunScope(cgroupsPath, container string) (Cgroup, error) {
	if cgroupsPath == "" {
		return inSlice("", "crun-"+container+".scope")
	}
	slice, name, ok := strings.Cut(cgroupsPath, ":")
	if !ok {
		return Cgroup{Path: path.Clean("/" + cgroupsPath + ".scope"), Relative: true}, checkUnit(cgroupsPath + ".scope")
	}
	return inSlice(slice, strings.Replace(name, ":", "-", 1)+".scope")
}

func inSlice(slice, unit string) (Cgroup, error) {
	if slice == "" {
		slice = "system.slice"
	}
	if err := cmp.Or(checkUnit(slice), checkUnit(unit)); err != nil {
		return Cgroup{}, err
	}
	parent, err := expandSlice(slice)
	if err != nil {
		return Cgroup{}, err
	}
	return Cgroup{Path: path.Join(parent, unit)}, nil
}

// checkUnit returns an error if a name is longer than systemd allows for a unit, see UNIT_NAME_MAX in its
// src/basic/unit-name.h.
func checkUnit(name string) error {
	if len(name) > unix.NAME_MAX {
		return fmt.Errorf("%w: unit name of %d bytes is too long", errRefused, len(name))
	}
	return nil
}

// expandSlice returns the path at which systemd puts a slice: a-b.slice is in a.slice, see systemd.slice(5).
func expandSlice(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || strings.Contains(slice, "/") {
		return "", fmt.Errorf("%w: invalid slice name %q", errRefused, slice)
	}
	if name == "-" {
		return "/", nil
	}
	var expanded, prefix string
	for part := range strings.SplitSeq(name, "-") {
		if part == "" {
			return "", fmt.Errorf("%w: invalid slice name %q", errRefused, slice)
		}
		expanded += "/" + prefix + part + ".slice"
		prefix += part + "-"
	}
	return expanded, nil
}

// Place is the place of a cgroup in the unified hierarchy. The ID of a cgroup is the inode number of its directory,
// as in the kernel, and so is the same in every cgroup namespace.
type Place struct {
	ID        uint64 // of the cgroup itself; 0: it does not exist
	Owner     uint32 // user of its directory, if it exists
	Directory string // of the cgroup itself
	Ancestor  uint64 // ID of the deepest cgroup above it that exists
	Levels    int    // from there down to the cgroup; 0: not known
	Path      string // below the ancestor, or the end of that; begins with a slash
}

// Place finds where the cgroup is, or will be made.
func (c Cgroup) Place() (Place, error) {
	mount, err := unified.Find("")
	if err != nil {
		return Place{}, err
	}
	if c.Relative {
		return c.anywhere(mount)
	}
	at, levels := c.Path, 0
	p := Place{Directory: mount + c.Path}
	for {
		if id, owner, ok := lookAt(mount + at); ok && levels == 0 {
			p.ID, p.Owner = id, owner
		} else if ok {
			p.Ancestor, p.Levels, p.Path = id, levels, Cgroup{Path: c.Path[len(strings.TrimSuffix(at, "/")):]}.End()
			return p, nil
		} else if at == "/" {
			return Place{}, fmt.Errorf("cgroup %s cannot be looked at", mount)
		}
		at = path.Dir(at)
		levels++
	}
}

// anywhere is Place for a path that begins at a cgroup that the runtime chooses. runc puts it directly below the
// mount on a hybrid host, and beside its own cgroup on a unified host.
func (c Cgroup) anywhere(mount string) (Place, error) {
	root, _, ok := lookAt(mount)
	if !ok {
		return Place{}, fmt.Errorf("cgroup %s cannot be looked at", mount)
	}
	p := Place{Directory: mount + c.Path, Ancestor: root, Path: c.End()}
	if mount == unified.Mount {
		text, err := regular.Read("/proc/self/cgroup", 64<<10)
		if err != nil {
			return p, nil
		}
		own, ok := unified.Path(string(text))
		if !ok {
			return p, nil
		}
		mount = path.Join(mount, path.Dir(own))
	}
	p.Directory = mount + c.Path
	p.ID, p.Owner, _ = lookAt(p.Directory)
	return p, nil
}

// lookAt returns the ID of the cgroup with a directory, and the user to whom that belongs, if there is one.
func lookAt(directory string) (id uint64, owner uint32, ok bool) {
	var stat syscall.Stat_t
	if syscall.Stat(directory, &stat) != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return 0, 0, false
	}
	return stat.Ino, stat.Uid, true
}
