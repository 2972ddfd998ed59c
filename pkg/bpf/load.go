// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// ErrOtherOptions means that programs are already loaded, with other sizes than those requested.
var ErrOtherOptions = errors.New("already loaded with other options")

// Options are the parameters of Load.
type Options struct {
	Pool    config.Pool
	Replace Replacement

	calls []abi.Syscall // descriptions of system calls, for the programs; nil: those of this version
}

// Replacement tells which loaded programs Load replaces.
type Replacement int

// ReplaceNone keeps all loaded programs, ReplaceOthers those of this build.
const (
	ReplaceNone Replacement = iota
	ReplaceOthers
	ReplaceAll
)

// Load loads the programs, attaches them, and pins them and their maps below dir, which it creates with mode 0700. If
// dir is not on a bpf file system, Load mounts one. No process needs to stay running afterwards. It first removes what
// an interrupted load left behind.
//
// If programs are already loaded, by this or another build, Load repairs missing parts. If their sizes differ from
// those of the pool, it repairs them in their own sizes and returns ErrOtherOptions, with the repairs in the Result. If
// their layout differs, it returns ErrVersion.
//
// Otherwise it replaces loaded programs as the options say, and keeps everything else: recordings, names, the exec log,
// counters, the secret. Each event is seen by either the old or the new program, never by both or neither. After an
// interrupted replacement, old and new programs run side by side and work together; the next replacement completes it.
func Load(dir string, o Options) (Result, error) {
	layout, result, unlock, err := begin(dir, o)
	if err != nil {
		return result, err
	}
	defer unlock()
	if result.Loaded || o.Replace == ReplaceNone || o.Replace == ReplaceOthers && layout.Build == build(o.calls) {
		return result, nil
	}
	err = swap(dir, layout, o.calls)
	result.Replaced = err == nil
	return result, err
}

// Result describes what Load did.
type Result struct {
	Loaded   bool     // everything was loaded: nothing usable was loaded before
	Replaced bool     // the programs of another build, or of this one, were replaced
	Mended   []Damage // the damage that was repaired
	Lost     string   // why recordings had to be dropped; empty if none were
}

// descriptions returns what the programs read of each system call of this machine: structs whole, or not.
func descriptions(whole bool) []abi.Syscall {
	native := syscalls.NativeABI()
	return syscalls.Descriptions(native, syscalls.CompatABI(native), whole)
}

// begin checks the pool, locks dir, and makes sure that everything is loaded there and whole. It returns the layout.
func begin(dir string, o Options) (layout abi.ABI, result Result, unlock func(), err error) {
	if err := o.Pool.Validate(); err != nil {
		return layout, result, nil, err
	}
	if n := len(o.calls); n != abi.SyscallsNone && o.calls != nil {
		return layout, result, nil, fmt.Errorf("%d syscall descriptions, want %d", n, abi.SyscallsNone)
	}
	if err := Supported(); err != nil {
		return layout, result, nil, err
	}
	if unlock, err = prepareDir(dir); err != nil {
		return layout, result, nil, err
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	if err = settle(dir); err != nil {
		return layout, result, unlock, err
	}
	loaded := true
	if layout, err = readABI(dir); errors.Is(err, ErrNotLoaded) || errors.Is(err, ErrDamaged) {
		layout, loaded, err = restoreABI(dir)
	}
	if err == nil && loaded {
		// Repair first: nothing is recorded of events that need a lost pin, whatever sizes are asked for.
		result.Mended, err = mend(dir, layout, o.calls)
		if err == nil && !allows(o.Pool, pool(layout)) {
			err = fmt.Errorf("pin directory %s: %w (%v): use those, or run tracectl unload first, which deletes all recordings",
				dir, ErrOtherOptions, pool(layout))
		}
	}
	if errors.Is(err, errLost) {
		result.Lost, loaded, err = err.Error(), false, nil
	}
	if err == nil && !loaded {
		result.Loaded = true
		if o.Pool, err = Resolve(o.Pool); err == nil {
			err = loadAnew(dir, o)
		}
	}
	return layout, result, unlock, err
}

func loadAnew(dir string, o Options) error {
	if err := removePins(dir); err != nil {
		return fmt.Errorf("removing the remains of an interrupted load in %s: %w", dir, err)
	}
	if err := pinAll(dir, o); err != nil {
		return errors.Join(err, removePins(dir))
	}
	return nil
}

// pinAll loads, pins and attaches everything below dir, which must be empty.
func pinAll(dir string, o Options) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("counting CPUs: %w", err)
	}
	var seed [8]byte
	rand.Read(seed[:])
	layout := layout(o.Pool, binary.NativeEndian.Uint64(seed[:]), cpus)
	layout.Build = build(o.calls)

	collection, err := newCollection(layout, nil)
	if err != nil {
		return err
	}
	defer collection.Close()
	if err := fill(collection, layout); err != nil {
		return err
	}
	if err := describe(collection.Maps[abi.PinSyscalls], layout, o.calls); err != nil {
		return err
	}
	layout.Loaded = boottime.Now() // the times of the pins made next show if the wall clock was set since
	for name, m := range collection.Maps {
		if name == abi.PinABI || name == ".rodata" || name == ".bss" {
			continue
		}
		if err := m.Pin(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("pinning map %s: %w", name, err)
		}
	}
	if err := pinBind(dir, collection); err != nil {
		return err
	}
	if err := pinInFlight(dir, collection); err != nil {
		return err
	}
	if err := attach(dir, collection); err != nil {
		return err
	}
	// The map abi comes last and is filled before it is pinned: if it is present, everything is.
	if err := collection.Maps[abi.PinABI].Put(uint32(0), layout); err != nil {
		return fmt.Errorf("writing map abi: %w", err)
	}
	if err := collection.Maps[abi.PinABI].Pin(filepath.Join(dir, abi.PinABI)); err != nil {
		return fmt.Errorf("pinning map abi: %w", err)
	}
	return nil
}

// newCollection loads the embedded programs for a layout. It makes new maps except for the given ones.
func newCollection(a abi.ABI, given map[string]*ebpf.Map) (*ebpf.Collection, error) {
	spec, err := newSpec(a)
	if err != nil {
		return nil, err
	}
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: given})
	if err != nil {
		return nil, fmt.Errorf("loading programs: %w", explain(err))
	}
	return collection, nil
}

// newSpec returns the embedded programs and maps for a layout and this kernel.
func newSpec(a abi.ABI) (*ebpf.CollectionSpec, error) {
	spec, err := loadRecorder()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded programs: %w", err)
	}
	if err := size(spec, a); err != nil {
		return nil, err
	}
	return spec, adapt(spec)
}

// size sets the sizes of maps and constants to those of a layout.
func size(spec *ebpf.CollectionSpec, a abi.ABI) error {
	for _, c := range []struct {
		name    string
		value   uint32
		entries uint32
	}{
		{abi.PinRings, a.RingStride, a.Rings},
		{abi.PinExecLog, a.ExecStride, abi.ExecParts * a.ExecSegments},
		{abi.PinIdentities, 0, a.Identities},
		{abi.PinFreeIdentities, 0, a.Identities},
		{abi.PinEndedIdentities, 0, a.Identities},
		{abi.PinLabels, 0, a.Identities},
		{abi.PinSlots, 0, a.Rings},
		{abi.PinWriters, 0, a.Writers},
		{"scratch", 0, a.Writers},
	} {
		m := spec.Maps[c.name]
		if m == nil {
			return fmt.Errorf("embedded programs have no map %s", c.name)
		}
		m.MaxEntries = c.entries
		if c.value != 0 {
			m.ValueSize = c.value
			m.Key, m.Value = nil, nil // because their BTF would need to have the same size
		}
	}
	return set(spec, map[string]any{
		"secret":        a.Secret,
		"keys":          keys(a.Secret),
		"lanes":         places(a),
		"kept_part":     max(a.Rings/abi.KeptPart, 1),
		"recording_end": a.RingStride - abi.RecordLimit,
		"seen_sets":     a.SeenSets,
		"seen_end":      (a.SeenSets - 1) * abi.SizeofSeenSet,
		"segment_size":  a.ExecSegmentSize,
		"segment_shift": uint32(bits.TrailingZeros32(a.ExecSegmentSize)),
		"segments":      a.ExecSegments,
		"exec_cost":     uint64(abi.ExecShareSeconds*time.Second) / uint64(a.ExecSegments*a.ExecSegmentSize/abi.ExecShare),
		"capture_size":  a.CaptureSize,
		"argv_size":     a.ArgvSize,
	})
}

// adapt fits the programs and maps to this kernel.
func adapt(spec *ebpf.CollectionSpec) error {
	stores := uint32(1)
	if !haveCgroupStorage() {
		stores = 0
		spec.Maps[abi.PinBindings] = &ebpf.MapSpec{Name: abi.PinBindings, Type: ebpf.Array, KeySize: 4, ValueSize: 8,
			MaxEntries: 1}
	}
	suspended, err := boottime.Suspended()
	if err != nil {
		return fmt.Errorf("reading the clock: %w", err)
	}
	preemptible, err := preemptible()
	if err != nil {
		return err
	}
	return set(spec, map[string]any{"preemptible": preemptible, "cgroup_storage": stores,
		"suspended": suspended})
}

// set sets constants of the programs.
func set(spec *ebpf.CollectionSpec, constants map[string]any) error {
	for name, value := range constants {
		v := spec.Variables[name]
		if v == nil {
			return fmt.Errorf("embedded programs have no constant %s", name)
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("setting constant %s: %w", name, err)
		}
	}
	return nil
}

// keyCount is the length of the array keys.
const keyCount = 1024

// keys derives the keys of signatures from the secret, so that the programs of every build have the same.
func keys(secret uint64) (keys [keyCount]uint64) {
	for i := range keys {
		var block [16]byte
		binary.LittleEndian.PutUint64(block[:], secret)
		binary.LittleEndian.PutUint64(block[8:], uint64(i))
		sum := sha256.Sum256(block[:])
		keys[i] = binary.LittleEndian.Uint64(sum[:])
	}
	return keys
}

// places returns the place of each lane: its offset and its size.
func places(a abi.ABI) (places [abi.LaneSlots][2]uint32) {
	for lane := range places {
		places[lane] = [2]uint32{a.LaneOffsets[lane], a.LaneSizes[lane]}
	}
	return places
}

// fill makes all identities and recordings free.
func fill(c *ebpf.Collection, a abi.ABI) error {
	for i := range a.Identities {
		if err := c.Maps[abi.PinFreeIdentities].Put(nil, i); err != nil {
			return fmt.Errorf("filling queue %s: %w", abi.PinFreeIdentities, err)
		}
	}
	for i := range a.Rings {
		if err := c.Maps[abi.PinSlots].Put(i, abi.Slot{Ended: abi.SlotUnused}); err != nil {
			return fmt.Errorf("filling map %s: %w", abi.PinSlots, err)
		}
	}
	return nil
}

// describe writes the descriptions of the calls, which the programs follow, into m. If calls is nil, they are those of
// this version.
func describe(m *ebpf.Map, layout abi.ABI, calls []abi.Syscall) error {
	if calls == nil {
		calls = descriptions(layout.WholeStructs != 0)
	}
	for i, s := range calls {
		if err := m.Put(uint32(i), s); err != nil {
			return fmt.Errorf("writing map %s: %w", abi.PinSyscalls, err)
		}
	}
	return nil
}

// hooks lists the hooks in the order in which they are attached. The hook that starts recordings is the last. The hook
// NAME is the program hook_NAME, which runs the program on_NAME while that is in the map slot_NAME.
var hooks = []string{
	"suspend_resume", "cgroup_rmdir", "exit", "exec", "fork", "cgroup_attach", "signal_generate", "signal_deliver",
	"sys_exit", "sys_enter", "cgroup_mkdir",
}

// attach fills every slot, attaches its hook, and pins the hook and the link.
func attach(dir string, c *ebpf.Collection) error {
	for _, name := range hooks {
		if err := fillSlot(c.Maps[abi.PinSlotPrefix+name], c, name); err != nil {
			return err
		}
		program := c.Programs[abi.PinHookPrefix+name]
		if err := program.Pin(filepath.Join(dir, abi.PinHookPrefix+name)); err != nil {
			return fmt.Errorf("pinning hook %s: %w", name, err)
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return fmt.Errorf("attaching hook %s: %w", name, err)
		}
		err = l.Pin(filepath.Join(dir, abi.PinLinkPrefix+name))
		l.Close()
		if err != nil {
			return fmt.Errorf("pinning link of hook %s: %w", name, err)
		}
	}
	return nil
}

// fillSlot replaces the program in a hook's slot by the program of the collection. The hook runs it from then on.
func fillSlot(slot *ebpf.Map, c *ebpf.Collection, hook string) error {
	if err := slot.Put(uint32(0), c.Programs["on_"+hook]); err != nil {
		return fmt.Errorf("setting the slot of program on_%s: %w", hook, err)
	}
	return nil
}

// pinBind pins the program bind and replaces an existing pin.
func pinBind(dir string, c *ebpf.Collection) error {
	return pinOver(dir, abi.PinBind, c.Programs["bind_existing"].Pin)
}

// pinInFlight pins the iterator in_flight and replaces an existing pin.
func pinInFlight(dir string, c *ebpf.Collection) error {
	iter, err := link.AttachIter(link.IterOptions{Program: c.Programs["in_flight"]})
	if err != nil {
		return fmt.Errorf("attaching iterator %s: %w", abi.PinUnfinishedCalls, err)
	}
	defer iter.Close()
	return pinOver(dir, abi.PinUnfinishedCalls, iter.Pin)
}
