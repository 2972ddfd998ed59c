// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// endMissed ends the containers whose cgroups were removed while no program ran. It has the program bind release their
// slots, so that only programs write identities. If the kernel cannot look up cgroups by ID, endMissed ends none.
func endMissed(dir string) error {
	hierarchy, err := openHierarchy()
	if err != nil {
		return nil
	}
	defer unix.Close(hierarchy)
	i, err := Open(dir)
	if err != nil {
		return err
	}
	defer i.Close()
	known, err := i.Containers()
	if err != nil {
		return err
	}
	// A cgroup below a container's comes first: it is counted in the container's identity, whose slot another container
	// may take as soon as it is released.
	var below, own []uint64
	for cgroup, index := range known {
		identity, ok := i.Identity(int(index))
		switch {
		case !isGone(hierarchy, cgroup):
		case ok && identity.Cgroup == cgroup:
			own = append(own, cgroup)
		default:
			below = append(below, cgroup)
		}
	}
	if len(below)+len(own) == 0 {
		return nil
	}
	a, err := OpenAdopter(dir)
	if err != nil {
		return err
	}
	defer a.Close()
	for _, cgroup := range append(below, own...) {
		err = errors.Join(err, a.run(abi.BindRequest{Cgroup: cgroup, Removed: 1}))
	}
	if err != nil {
		return fmt.Errorf("releasing the recordings of ended containers: %w", err)
	}
	return nil
}

// openHierarchy opens the unified hierarchy. It returns an error if the kernel cannot look up cgroups by ID there.
func openHierarchy() (int, error) {
	mount, err := unified.Find("")
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(mount, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening %s: %w", mount, err)
	}
	if err := openCgroup(fd, rootCgroup); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// isGone reports whether the cgroup with an ID was removed.
func isGone(hierarchy int, cgroup uint64) bool {
	return errors.Is(openCgroup(hierarchy, cgroup), unix.ESTALE)
}

// openCgroup checks that a cgroup with an ID exists: see kernfs_fh_to_dentry() in the kernel's fs/kernfs/mount.c.
func openCgroup(hierarchy int, cgroup uint64) error {
	const kernfs = 0xfe // FILEID_KERNFS
	handle := unix.NewFileHandle(kernfs, binary.NativeEndian.AppendUint64(nil, cgroup))
	fd, err := unix.OpenByHandleAt(hierarchy, handle, unix.O_PATH|unix.O_CLOEXEC)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}
