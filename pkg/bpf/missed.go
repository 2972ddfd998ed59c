// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// endMissed ends the containers whose cgroups were removed while no program ran. It does the same as unbind in
// bpf/lifecycle.h, which missed the removals. Programs do not touch the entries of removed cgroups. If the kernel
// cannot look up cgroups by ID, endMissed ends none.
func endMissed(dir string, layout abi.ABI) error {
	hierarchy, err := openHierarchy()
	if err != nil {
		return nil
	}
	defer unix.Close(hierarchy)
	i := Instance{Dir: dir, Layout: layout}
	known, err := i.Containers()
	if err != nil {
		return err
	}
	open := func(name string) (m *ebpf.Map) {
		if err == nil {
			m, err = ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		}
		return m
	}
	containers, identities := open(abi.PinContainers), open(abi.PinIdentities)
	endedIdentities, endedRings := open(abi.PinEndedIdentities), open(abi.PinEndedRings)
	for _, m := range []*ebpf.Map{containers, identities, endedIdentities, endedRings} {
		defer m.Close()
	}
	if err != nil {
		return fmt.Errorf("opening maps: %w", err)
	}
	length := int(layout.Identities) * abi.SizeofIdentity
	memory, err := unix.Mmap(identities.FD(), 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping map %s: %w", abi.PinIdentities, err)
	}
	defer unix.Munmap(memory)
	for cgroup, index := range known {
		var binding uint64
		if !isGone(hierarchy, cgroup) || index >= layout.Identities {
			continue
		}
		if containers.Lookup(cgroup, &binding) != nil || containers.Delete(cgroup) != nil {
			continue // a program has done it
		}
		identity := (*abi.Identity)(unsafe.Pointer(&memory[int(index)*abi.SizeofIdentity]))
		if identity.Cgroup != cgroup {
			atomic.AddUint32(&identity.Children, ^uint32(0))
			continue
		}
		atomic.StoreUint64(&identity.Ended, boottime.Now())
		atomic.StoreUint32(&identity.State, abi.StateEnded)
		err = errors.Join(err, endedIdentities.Put(nil, index))
		if ring := uint32(binding >> 32); ring != 0 {
			err = errors.Join(err, endedRings.Put(nil, ring-1))
		}
	}
	if err != nil {
		return fmt.Errorf("releasing the recordings of ended containers: %w", err)
	}
	return nil
}

// openHierarchy opens the unified hierarchy. It returns an error if the kernel cannot look up cgroups by ID there.
func openHierarchy() (int, error) {
	for _, path := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var f unix.Statfs_t
		if unix.Statfs(path, &f) != nil || f.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		if err := openCgroup(fd, rootCgroup); err != nil {
			unix.Close(fd)
			return -1, err
		}
		return fd, nil
	}
	return -1, unix.ENOENT
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
