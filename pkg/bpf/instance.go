// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

var (
	// ErrNotLoaded means that nothing is loaded below a pin directory.
	ErrNotLoaded = errors.New("not loaded")
	// ErrVersion means that another version, with another layout, is loaded.
	ErrVersion = errors.New("loaded by another version")
)

// Instance reads the data of the programs that are pinned below one directory. It changes nothing. Its methods may be
// called at the same time, but not with Close.
//
// It maps memory only as far as a method needs it, because mapped pages count as resident memory, and keeps it until
// Close: at most a window of the identities, recordings that are read with some beside them, and parts of the exec log.
type Instance struct {
	Dir    string
	Layout abi.ABI

	// The arrays are open for mapping.
	identities, rings, execLog, writers *ebpf.Map

	labels *ebpf.Map

	mu             sync.Mutex
	identityWindow window
	windows        []*window // of the other arrays
}

// Open opens the instance that is loaded below dir. Errors match ErrNotLoaded, ErrVersion, os.ErrPermission.
func Open(dir string) (*Instance, error) {
	layout, err := readABI(dir)
	if err != nil {
		return nil, err
	}
	i := &Instance{Dir: dir, Layout: layout}
	for _, array := range []struct {
		name   string
		length int
		to     **ebpf.Map
	}{
		{abi.PinIdentities, int(layout.Identities) * abi.SizeofIdentity, &i.identities},
		{abi.PinRings, int(layout.Rings) * int(layout.RingStride), &i.rings},
		{abi.PinExecLog, abi.ExecParts * int(layout.ExecSegments) * int(layout.ExecStride), &i.execLog},
		{abi.PinWriters, int(layout.Writers) * abi.SizeofWriter, &i.writers},
	} {
		if *array.to, err = openArray(filepath.Join(dir, array.name), array.length); err != nil {
			return nil, errors.Join(err, i.Close())
		}
	}
	if i.labels, err = loadMap(filepath.Join(dir, abi.PinLabels)); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	i.identityWindow = window{array: i.identities, ahead: 1 << 20}
	return i, nil
}

// Close unmaps the instance's memory. Its recordings and its exec log must not be read afterwards.
func (i *Instance) Close() error {
	errs := []error{i.identityWindow.close()}
	for _, w := range i.windows {
		errs = append(errs, w.close())
	}
	i.windows = nil
	for _, m := range []*ebpf.Map{i.identities, i.rings, i.execLog, i.writers, i.labels} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// together is the least number of bytes that memory maps at once, because a process may have only so many mappings. It
// is a power of two; tests set it.
var together uint64 = 64 << 20

// memory returns bytes of an array from an offset on, which stay mapped until Close.
func (i *Instance) memory(array *ebpf.Map, at, size uint64) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range i.windows {
		if w.array == array && w.has(at, size) {
			return w.view(at, size)
		}
	}
	w := &window{array: array, ahead: together}
	begin := at &^ (together - 1)
	memory, err := w.view(begin, at-begin+size)
	if err != nil {
		return nil, err
	}
	i.windows = append(i.windows, w)
	return memory[at-begin:], nil
}

// writerList returns the array of writers, one for each CPU.
func (i *Instance) writerList() ([]abi.Writer, error) {
	memory, err := i.memory(i.writers, 0, uint64(i.Layout.Writers)*abi.SizeofWriter)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*abi.Writer)(unsafe.Pointer(unsafe.SliceData(memory))), i.Layout.Writers), nil
}

// Pool returns the sizes that the instance was loaded with.
func (i *Instance) Pool() config.Pool { return pool(i.Layout) }

// Allows reports whether the instance has the sizes of a pool, apart from those that the pool leaves to be chosen.
func (i *Instance) Allows(p config.Pool) bool { return allows(p, i.Pool()) }

// Current reports whether the running programs are those of this build.
func (i *Instance) Current() bool { return i.Layout.Build == Build() }

// Memory returns the number of bytes that all maps take, as the kernel accounts them.
func (i *Instance) Memory() (uint64, error) {
	var total uint64
	for _, name := range maps {
		m, err := loadMap(filepath.Join(i.Dir, name))
		if err != nil {
			return 0, err
		}
		info, err := m.Info()
		m.Close()
		if err != nil {
			return 0, fmt.Errorf("reading the size of map %s: %w", name, err)
		}
		if bytes, _ := info.Memlock(); m.Flags()&unix.BPF_F_NO_PREALLOC == 0 || bytes != footprint(m) {
			total += bytes
		}
	}
	return total, nil
}

// footprint returns what kernels before 6.4 account for any map: all elements, also if they do not exist yet
// (bpf_map_memory_footprint in kernel/bpf/syscall.c). Newer ones account what is there.
func footprint(m *ebpf.Map) uint64 {
	page := uint64(os.Getpagesize())
	element := uint64(align8(int(m.KeySize() + m.ValueSize())))
	return (uint64(m.MaxEntries())*element + page - 1) / page * page
}

// Recording returns a reader of the recording with an index below Pool().Rings.
func (i *Instance) Recording(index int) (*ring.Recording, error) {
	if index < 0 || index >= int(i.Layout.Rings) {
		return nil, fmt.Errorf("recording %d of %d", index, i.Layout.Rings)
	}
	writers, err := i.writerList()
	if err != nil {
		return nil, err
	}
	stride := uint64(i.Layout.RingStride)
	memory, err := i.memory(i.rings, uint64(index)*stride, stride)
	if err != nil {
		return nil, err
	}
	return ring.NewRecording(memory, writers, i.Layout, uint32(index))
}

// RecordingHeaders calls f with the header of each recording.
func (i *Instance) RecordingHeaders(f func(index int, h ring.Header)) error {
	w := window{array: i.rings}
	for index := range uint64(i.Layout.Rings) {
		memory, err := w.view(index*uint64(i.Layout.RingStride), abi.SizeofRecording)
		if err != nil {
			return errors.Join(err, w.close())
		}
		f(int(index), ring.ReadRecording((*abi.Recording)(unsafe.Pointer(unsafe.SliceData(memory)))))
	}
	return w.close()
}

// OldestRecord returns the oldest record in a recording's lane of the last calls, or nil if there is none or it is
// overwritten too fast.
func (i *Instance) OldestRecord(index int) (record []byte, err error) {
	writers, err := i.writerList()
	if err != nil {
		return nil, err
	}
	w := window{array: i.rings}
	defer func() { err = errors.Join(err, w.close()) }()
	stride := uint64(i.Layout.RingStride)
	memory, err := w.view(uint64(index)*stride, stride)
	if err != nil {
		return nil, err
	}
	r, err := ring.NewRecording(memory, writers, i.Layout, uint32(index))
	if err != nil {
		return nil, err
	}
	return r.Oldest(), nil // it is a copy
}

// ExecLog returns readers of the rings of the exec log. Each reader has its own position. Only the parts that it reads
// are mapped.
func (i *Instance) ExecLog() ([]*ring.Ring, error) {
	writers, err := i.writerList()
	if err != nil {
		return nil, err
	}
	var rings []*ring.Ring
	for n := range 1 + i.Layout.ExecSegments {
		first, count := i.execRing(n)
		s := newSegments(i.execLog, uint64(i.Layout.ExecStride), first)
		i.mu.Lock()
		i.windows = append(i.windows, &s.first, &s.other)
		i.mu.Unlock()
		r, err := ring.NewSegmented(s, writers, ring.Layout{
			Secret:   i.Layout.Secret,
			Size:     uint64(i.Layout.ExecSegmentSize),
			Slack:    uint64(i.Layout.ExecStride) - abi.SizeofRing - uint64(i.Layout.ExecSegmentSize),
			Stride:   uint64(i.Layout.ExecStride),
			Data:     abi.SizeofRing,
			Segments: count,
			ID:       abi.WriterExecLog + n,
		})
		if err != nil {
			return nil, err
		}
		rings = append(rings, r)
	}
	return rings, nil
}

// execRing returns the first segment of a ring of the exec log, and how many it has.
func (i *Instance) execRing(n uint32) (first, count uint64) {
	if n == 0 {
		return 0, uint64(i.Layout.ExecSegments)
	}
	return uint64(i.Layout.ExecSegments + n - 1), 1
}

// ExecLogHeaders returns the headers of the rings of the exec log.
func (i *Instance) ExecLogHeaders() (headers []ring.Header, err error) {
	w := window{array: i.execLog}
	for n := range 1 + i.Layout.ExecSegments {
		first, _ := i.execRing(n)
		memory, err := w.view(first*uint64(i.Layout.ExecStride), abi.SizeofRing)
		if err != nil {
			return headers, errors.Join(err, w.close())
		}
		headers = append(headers, ring.ReadHeader((*abi.Ring)(unsafe.Pointer(unsafe.SliceData(memory)))))
	}
	return headers, w.close()
}

// Identity copies the identity with an index below Pool().Identities. It returns false if the slot was never used or is
// being reassigned to another container at this moment.
func (i *Instance) Identity(index int) (abi.Identity, bool) {
	if index < 0 || index >= int(i.Layout.Identities) {
		return abi.Identity{}, false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	memory, err := i.identityWindow.view(uint64(index)*abi.SizeofIdentity, abi.SizeofIdentity)
	if err != nil {
		return abi.Identity{}, false
	}
	shared := (*abi.Identity)(unsafe.Pointer(unsafe.SliceData(memory)))
	for range 100 {
		before := atomic.LoadUint32(&shared.Generation)
		if before == 0 {
			return abi.Identity{}, false
		}
		identity := *shared
		var fence uint32
		atomic.StoreUint32(&fence, 1) // the loads of the copy come before the next load
		if before&1 == 0 && atomic.LoadUint32(&shared.Generation) == before {
			return identity, true
		}
	}
	return abi.Identity{}, false
}

// Containers returns the cgroups of containers, and the cgroups below them, that exist now. It maps each cgroup's ID to
// the index of the container's identity.
func (i *Instance) Containers() (map[uint64]uint32, error) {
	path := filepath.Join(i.Dir, abi.PinContainers)
	m, err := loadMap(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	found := make(map[uint64]uint32)
	const batch = 1024
	cgroups, bindings := make([]uint64, batch), make([]uint64, batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, cgroups, bindings, nil)
		for k := range n {
			if index := uint32(bindings[k]); index != 0 {
				found[cgroups[k]] = index - 1
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading map %s: %w", path, err)
		}
	}
}

// Counters returns the counters, indexed by enum counter and summed over all CPUs: see abi.ReasonOf.
func (i *Instance) Counters() ([abi.CountersMax]uint64, error) {
	var total [abi.CountersMax]uint64
	m, err := loadMap(filepath.Join(i.Dir, abi.PinCounters))
	if err != nil {
		return total, err
	}
	defer m.Close()
	for n := range total {
		var perCPU []uint64
		if err := m.Lookup(uint32(n), &perCPU); err != nil {
			return total, fmt.Errorf("reading counter %d: %w", n, err)
		}
		for _, v := range perCPU {
			total[n] += v
		}
	}
	return total, nil
}

// Refusals returns who made a cgroup at the place of a container's without being root, the last ones, oldest first.
func (i *Instance) Refusals() ([]abi.Refusal, error) {
	m, err := loadMap(filepath.Join(i.Dir, abi.PinRefusals))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var all abi.Refusals
	if err := m.Lookup(uint32(0), &all); err != nil {
		return nil, fmt.Errorf("reading refusals: %w", err)
	}
	last := slices.DeleteFunc(all.Last[:], func(r abi.Refusal) bool { return r.Time == 0 })
	slices.SortFunc(last, func(a, b abi.Refusal) int { return cmp.Compare(a.Time, b.Time) })
	return last, nil
}

// readABI returns the layout loaded below dir. Errors match ErrNotLoaded, ErrVersion, os.ErrPermission.
func readABI(dir string) (abi.ABI, error) {
	var a abi.ABI
	path := filepath.Join(dir, abi.PinABI)
	m, err := loadMap(path)
	// While programs are loaded or unloaded, the last hook is attached only if the map abi exists, but for a moment.
	if errors.Is(err, os.ErrNotExist) && !exists(dir, abi.PinLinkPrefix+hooks[len(hooks)-1]) {
		return a, fmt.Errorf("pin directory %s: %w (run tracectl load)", dir, ErrNotLoaded)
	}
	if err != nil {
		return a, err
	}
	defer m.Close()
	if m.Type() != ebpf.Array || m.KeySize() != 4 {
		return a, damaged(path, "is another map", nil)
	}
	value, err := m.LookupBytes(uint32(0))
	if err != nil {
		return a, fmt.Errorf("reading map %s: %w", path, err)
	}
	// The rest of another version's struct may have another form and size.
	at := unsafe.Offsetof(a.Version)
	version := binary.NativeEndian.Uint32(append(value, make([]byte, abi.SizeofABI)...)[at:])
	if version == 0 {
		return a, damaged(path, "is another map", nil)
	}
	if version != abi.ABIVersion || len(value) != abi.SizeofABI {
		return a, &VersionError{dir, version}
	}
	if _, err := binary.Decode(value, binary.NativeEndian, &a); err != nil {
		return a, fmt.Errorf("reading map %s: %w", path, err)
	}
	return a, nil
}

func loadMap(path string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return nil, unopened(path, err)
	}
	return m, nil
}

// openArray opens a pinned array, in order to map it, and checks that its values are length bytes in total.
func openArray(path string, length int) (*ebpf.Map, error) {
	// A mapping through a read-only descriptor would be private, which the kernel refuses for maps.
	m, err := ebpf.LoadPinnedMap(path, nil)
	if err != nil {
		return nil, unopened(path, err)
	}
	if have := int(m.MaxEntries()) * align8(int(m.ValueSize())); have != length {
		m.Close()
		return nil, damaged(path, fmt.Sprintf("holds %d bytes instead of %d", have, length), nil)
	}
	return m, nil
}
