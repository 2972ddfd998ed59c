// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// errLost means that the recordings cannot be recovered, so everything must be loaded again.
var errLost = errors.New("the recordings are lost")

// replaceable lists the maps whose contents are short-lived or are written again: if one is gone, a new one replaces
// it.
var replaceable = append([]string{
	abi.PinPending, abi.PinBindings, abi.PinWriters, abi.PinCounters, abi.PinRefusals, abi.PinLabels,
	abi.PinSyscalls, abi.PinScratch, abi.PinCallStorage,
}, slots()...)

// mend repairs the pins below dir and returns what was wrong with them. It keeps everything that programs still use,
// and replaces missing programs by this build's. Errors match errLost if the recordings themselves are gone.
func mend(dir string, layout abi.ABI, calls []abi.Syscall) ([]Damage, error) {
	r := findRemains(dir)
	defer r.Close()
	found, err := r.examine(layout)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if r.refusal != nil {
		return nil, fmt.Errorf("pin directory %s: %v: repairing it needs CAP_SYS_ADMIN: %w", dir, found[0], r.refusal)
	}
	if err := r.restoreMaps(layout, calls); err != nil {
		return nil, err
	}
	if err := r.restoreHooks(layout); err != nil {
		return nil, fmt.Errorf("repairing pin directory %s: %w", dir, err)
	}
	if err := r.writeABI(layout); err != nil {
		return nil, fmt.Errorf("repairing pin directory %s: %w", dir, err)
	}
	if r.needsPrograms() || layout.Build == 0 { // their build is unknown
		if err := swap(dir, layout, calls); err != nil {
			return nil, fmt.Errorf("repairing pin directory %s: %w", dir, err)
		}
	}
	if err := endMissed(dir); err != nil {
		return nil, fmt.Errorf("repairing pin directory %s: %w", dir, err)
	}
	after := findRemains(dir)
	defer after.Close()
	left, err := after.examine(layout)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("pin directory %s cannot be repaired: %v; %s", dir, left[0], again)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// again is the remedy of last resort.
const again = "run tracectl unload && tracectl load, which deletes all recordings"

// restoreMaps pins the maps that programs use, in place of wrong or missing pins. Afterwards r.pinned has all maps.
func (r *remains) restoreMaps(layout abi.ABI, calls []abi.Syscall) error {
	spec, err := newSpec(layout)
	if err != nil {
		return err
	}
	for _, name := range maps {
		p, held := r.pinned[name], r.held[name]
		if name == abi.PinABI {
			continue // see writeABI
		}
		if p != nil && (held == nil || mapID(held) == mapID(p)) && spec.Maps[name].Compatible(p) == nil {
			continue
		}
		if held == nil {
			if !slices.Contains(replaceable, name) {
				return fmt.Errorf("%w: the map %s is gone, and no program uses it", errLost, name)
			}
			if held, err = ebpf.NewMap(spec.Maps[name]); err != nil {
				return fmt.Errorf("making map %s: %w", name, err)
			}
			r.close = append(r.close, held)
			if name == abi.PinSyscalls {
				if err := describe(held, layout, calls); err != nil {
					return err
				}
			}
		}
		if err := pinOver(r.dir, name, held.Pin); err != nil {
			return err
		}
		r.pinned[name] = held
		if held.Type() == ebpf.ProgramArray {
			awaitEmptied(held)
		}
	}
	return nil
}

// awaitEmptied waits until the kernel has emptied a program array that has a pin again. When an array loses its last
// pin or descriptor, a worker of the kernel empties it some time later, even if it has got a pin since: what is written
// before that is lost. If it stays filled, it still had a descriptor. At a load of 20, the worker has taken longer than
// a second.
func awaitEmptied(m *ebpf.Map) {
	const most = 5 * time.Second
	for end := time.Now().Add(most); !isEmpty(m) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// restoreHooks attaches and pins the hooks that are not attached or not pinned.
func (r *remains) restoreHooks(layout abi.ABI) error {
	var c *ebpf.Collection
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for _, hook := range hooks {
		program := r.hooks[hook]
		if program == nil && c == nil {
			given := make(map[string]*ebpf.Map)
			for _, name := range maps {
				if name != abi.PinABI {
					given[name] = r.pinned[name]
				}
			}
			var err error
			if c, err = newCollection(layout, given); err != nil {
				return err
			}
		}
		if program == nil {
			program = c.Programs[abi.PinHookPrefix+hook]
		}
		if err := r.restoreHook(hook, program, r.links[hook]); err != nil {
			return err
		}
	}
	return nil
}

// needsPrograms reports whether a program that a hook or a reader runs is missing.
func (r *remains) needsPrograms() bool {
	needs := false
	for _, hook := range hooks {
		slot := abi.PinSlotPrefix + hook
		needs = needs || r.bad[slot] != "" || isEmpty(r.pinned[slot])
	}
	for _, name := range []string{abi.PinBind, abi.PinUnfinishedCalls} {
		needs = needs || r.bad[name] != "" || !exists(r.dir, name)
	}
	return needs
}

// writeABI pins a map abi if there is no whole one. As in a load, this comes last.
func (r *remains) writeABI(layout abi.ABI) error {
	if _, err := readABI(r.dir); err == nil {
		return nil
	}
	spec, err := newSpec(layout)
	if err != nil {
		return err
	}
	m, err := ebpf.NewMap(spec.Maps[abi.PinABI])
	if err != nil {
		return fmt.Errorf("making map %s: %w", abi.PinABI, err)
	}
	defer m.Close()
	if err := writeLayout(map[string]*ebpf.Map{abi.PinABI: m}, layout); err != nil {
		return err
	}
	return pinOver(r.dir, abi.PinABI, m.Pin)
}

// restoreHook pins a hook and its link, and attaches the hook if it is not attached.
func (r *remains) restoreHook(hook string, program *ebpf.Program, l link.Link) error {
	name := abi.PinHookPrefix + hook
	if r.bad[name] != "" || !exists(r.dir, name) {
		pin, err := program.Clone()
		if err != nil {
			return fmt.Errorf("pinning %s: %w", name, err)
		}
		defer pin.Close()
		if err := pinOver(r.dir, name, pin.Pin); err != nil {
			return err
		}
	}
	name = abi.PinLinkPrefix + hook
	if r.bad[name] == "" && exists(r.dir, name) {
		return nil
	}
	if l == nil {
		var err error
		if l, err = link.AttachTracing(link.TracingOptions{Program: program}); err != nil {
			return fmt.Errorf("attaching hook %s: %w", hook, err)
		}
		defer l.Close()
	}
	return pinOver(r.dir, name, l.Pin)
}

// restoreABI reconstructs the layout from the maps below dir and the constants of its programs, after the map abi was
// lost. ok is false if the pins are left over from an interrupted load: then nothing was recorded. Errors match errLost
// if the layout cannot be reconstructed.
func restoreABI(dir string) (a abi.ABI, ok bool, err error) {
	r := findRemains(dir)
	defer r.Close()
	get := func(name string) *ebpf.Map {
		if held := r.held[name]; held != nil {
			return held
		}
		return r.pinned[name]
	}
	identities, rings, writers := get(abi.PinIdentities), get(abi.PinRings), get(abi.PinWriters)
	if r.links["cgroup_mkdir"] == nil && !recorded(identities) {
		return a, false, nil
	}
	if identities == nil || rings == nil || writers == nil || r.rodata == nil {
		return a, true, fmt.Errorf("%w: the map %s is gone, and no program that uses it is left", errLost, abi.PinABI)
	}
	spec, err := loadRecorder()
	if err != nil {
		return a, true, fmt.Errorf("reading the embedded programs: %w", err)
	}
	constants, err := r.rodata.LookupBytes(uint32(0))
	if err != nil || len(constants) != int(spec.Maps[".rodata"].ValueSize) {
		return a, true, errors.Join(fmt.Errorf("%w: the map %s is gone, and the loaded programs have another version",
			errLost, abi.PinABI), err)
	}
	number := func(name string) uint64 {
		v := spec.Variables[name]
		value := make([]byte, 8)
		copy(value, constants[v.Offset:][:len(v.Value)])
		return binary.NativeEndian.Uint64(value)
	}
	var lanes [abi.LaneSlots][2]uint32 // as places returns it
	if _, err := binary.Decode(constants[spec.Variables["lanes"].Offset:], binary.NativeEndian, &lanes); err != nil {
		return a, true, fmt.Errorf("%w: reading the sizes of lanes: %w", errLost, err)
	}
	p := config.Pool{
		Rings: int(rings.MaxEntries()), RingSize: config.Size(lanes[abi.LaneRecent][1]) << shares[abi.LaneRecent],
		Identities:  int(identities.MaxEntries()),
		ExecLogSize: config.Size(abi.ExecParts * number("segments") * number("segment_size")),
		CaptureSize: config.Size(number("capture_size")), ArgvSize: config.Size(number("argv_size")),
	}
	for lane, size := range laneSizes(&p) {
		*size = config.Size(lanes[lane][1])
	}
	a = layout(p, number("secret"), int(writers.MaxEntries()))
	a.Loaded = pinTime(dir)
	return a, true, nil
}

// recorded reports whether any container was registered.
func recorded(identities *ebpf.Map) bool {
	if identities == nil || identities.ValueSize() != abi.SizeofIdentity {
		return false
	}
	var first abi.Identity
	return identities.Lookup(uint32(0), &first) == nil && first.Generation != 0
}

// pinTime returns when dir was filled, in ns of CLOCK_BOOTTIME. It is wrong if the wall clock was set since.
func pinTime(dir string) uint64 {
	now := boottime.Now()
	info, err := os.Stat(filepath.Join(dir, abi.PinExecLog))
	if err != nil {
		return now
	}
	return now - min(now, uint64(max(0, time.Since(info.ModTime()))))
}
