// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// Census reads who is there and how full everything is, as an Instance does, for who stays for long: it maps nothing for
// longer than a call. All that an Instance maps would count as resident in its process.
type Census struct {
	i          Instance
	identities *ebpf.Map
}

// RingHeader is what a recording, or the exec log, says of itself.
type RingHeader struct {
	Head       uint64 // bytes ever written into the ring
	Written    uint64 // records of this recording, kept or overwritten
	Lost       uint64 // that could not be written
	Generation uint32 // of the recording; 0: the ring was never used

	Identity           uint32 // index of whose it is
	IdentityGeneration uint32
}

// OpenCensus opens what is loaded below dir. Errors match ErrNotLoaded, ErrVersion, os.ErrPermission.
func OpenCensus(dir string) (*Census, error) {
	layout, err := readABI(dir)
	if err != nil {
		return nil, err
	}
	identities, err := loadMap(filepath.Join(dir, abi.PinIdentities))
	if err != nil {
		return nil, err
	}
	return &Census{Instance{Dir: dir, Layout: layout}, identities}, nil
}

// Close closes the census.
func (c *Census) Close() error { return c.identities.Close() }

// Layout is what was loaded; its build and its time of replacement are those of when the census was opened.
func (c *Census) Layout() abi.ABI { return c.i.Layout }

// Pool holds the sizes that the instance was loaded with.
func (c *Census) Pool() config.Pool { return c.i.Pool() }

// Containers is Instance.Containers.
func (c *Census) Containers() (map[uint64]uint32, error) { return c.i.Containers() }

// Counters is Instance.Counters.
func (c *Census) Counters() ([abi.Counters]uint64, error) { return c.i.Counters() }

// Memory is Instance.Memory.
func (c *Census) Memory() (uint64, error) { return c.i.Memory() }

// Programs is Instance.Programs. It needs CAP_SYS_ADMIN.
func (c *Census) Programs() ([]Program, error) { return c.i.Programs() }

// Identity is Instance.Identity, into memory that the caller brings: with as many as there can be, copies add up.
func (c *Census) Identity(index uint32, to *abi.Identity) bool {
	var before, after uint32
	for range 100 {
		// The copies that the kernel makes are not made in one step: the one in the middle is whole where nothing
		// changed from the one before to the one after.
		if before = c.generation(index, to); before == 0 {
			return false
		}
		if before&1 != 0 || c.identities.Lookup(index, to) != nil {
			continue
		}
		var next abi.Identity
		if after = c.generation(index, &next); after == before && to.Generation == before {
			return true
		}
	}
	return false
}

func (c *Census) generation(index uint32, to *abi.Identity) uint32 {
	if c.identities.Lookup(index, to) != nil {
		return 0
	}
	return to.Generation
}

// Recordings calls f with the header of each ring.
func (c *Census) Recordings(f func(index int, h RingHeader)) error {
	return c.headers(abi.PinRings, int(c.i.Layout.Rings), uint64(c.i.Layout.RingStride), f)
}

// ExecLog returns the header of the exec log.
func (c *Census) ExecLog() (h RingHeader, err error) {
	err = c.headers(abi.PinExecLog, 1, uint64(c.i.Layout.ExecStride), func(_ int, found RingHeader) { h = found })
	return h, err
}

// headers maps the header of one ring after the other.
func (c *Census) headers(name string, count int, stride uint64, f func(int, RingHeader)) error {
	path := filepath.Join(c.i.Dir, name)
	m, err := ebpf.LoadPinnedMap(path, nil) // see mapMemory
	if err != nil {
		return fmt.Errorf("opening map %s: %w", path, err)
	}
	defer m.Close()
	page := uint64(os.Getpagesize())
	for index := range count {
		at := uint64(index) * stride
		from := at &^ (page - 1)
		memory, err := unix.Mmap(m.FD(), int64(from), int(at-from)+abi.SizeofRing, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("mapping map %s: %w", path, err)
		}
		r := (*abi.Ring)(unsafe.Pointer(&memory[at-from]))
		f(index, RingHeader{
			Head: atomic.LoadUint64(&r.Head), Written: atomic.LoadUint64(&r.Written), Lost: atomic.LoadUint64(&r.Lost),
			Generation: atomic.LoadUint32(&r.Generation), Identity: atomic.LoadUint32(&r.Identity),
			IdentityGeneration: atomic.LoadUint32(&r.IdentityGeneration),
		})
		if err := unix.Munmap(memory); err != nil {
			return fmt.Errorf("unmapping map %s: %w", path, err)
		}
	}
	return nil
}
