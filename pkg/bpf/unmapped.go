// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// OpenUnmapped is Open for long-running processes. It keeps no mapping longer than a call, because mapped pages count
// as resident memory. Ring and ExecLog of such an Instance fail. Errors are those of Open.
func OpenUnmapped(dir string) (*Instance, error) {
	layout, err := readABI(dir)
	if err != nil {
		return nil, err
	}
	i := &Instance{Dir: dir, Layout: layout}
	if i.identityMap, err = loadMap(filepath.Join(dir, abi.PinIdentities)); err != nil {
		return nil, err
	}
	if i.labels, err = loadMap(filepath.Join(dir, abi.PinLabels)); err != nil {
		i.identityMap.Close()
		return nil, err
	}
	return i, nil
}

// ReadIdentity is Identity without a mapping. It copies into the caller's memory, so that a loop over all identities
// does not allocate a copy of each.
func (i *Instance) ReadIdentity(index int, to *abi.Identity) bool {
	if index < 0 || index >= int(i.Layout.Identities) {
		return false
	}
	generation := func(to *abi.Identity) uint32 {
		if i.identityMap.Lookup(uint32(index), to) != nil {
			return 0
		}
		return to.Generation
	}
	for range 100 {
		// The kernel's copies are not atomic. The copy in the middle is consistent if the generation is the same in the
		// copies before and after it.
		before := generation(to)
		if before == 0 {
			return false
		}
		if before&1 != 0 || i.identityMap.Lookup(uint32(index), to) != nil {
			continue
		}
		var next abi.Identity
		if generation(&next) == before && to.Generation == before {
			return true
		}
	}
	return false
}

// RecordingHeaders calls f with the header of each recording.
func (i *Instance) RecordingHeaders(f func(index int, h ring.Header)) error {
	return i.headers(abi.PinRings, int(i.Layout.Rings), uint64(i.Layout.RingStride), abi.SizeofRecording,
		func(index int, header unsafe.Pointer) { f(index, ring.ReadRecording((*abi.Recording)(header))) })
}

// ExecLogHeaders returns the headers of the rings of the exec log.
func (i *Instance) ExecLogHeaders() (rings [abi.ExecRings]ring.Header, err error) {
	stride := uint64(i.Layout.ExecSegments) * uint64(i.Layout.ExecStride)
	err = i.headers(abi.PinExecLog, abi.ExecRings, stride, abi.SizeofRing,
		func(n int, header unsafe.Pointer) { rings[n] = ring.ReadHeader((*abi.Ring)(header)) })
	return rings, err
}

// headers maps one header of `size` bytes after another and calls f with it.
func (i *Instance) headers(name string, count int, stride, size uint64, f func(int, unsafe.Pointer)) error {
	path := filepath.Join(i.Dir, name)
	m, err := ebpf.LoadPinnedMap(path, nil) // see mapMemory
	if err != nil {
		return unopened(path, err)
	}
	defer m.Close()
	page := uint64(os.Getpagesize())
	for index := range count {
		at := uint64(index) * stride
		from := at &^ (page - 1)
		memory, err := unix.Mmap(m.FD(), int64(from), int(at-from+size), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("mapping map %s: %w", path, err)
		}
		f(index, unsafe.Pointer(&memory[at-from]))
		if err := unix.Munmap(memory); err != nil {
			return fmt.Errorf("unmapping map %s: %w", path, err)
		}
	}
	return nil
}
