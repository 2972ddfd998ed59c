// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Build identifies the embedded programs together with the descriptions of calls that they get. It changes if either
// changes, and is never 0.
func Build() uint64 { return build(nil) }

func build(calls []abi.Syscall) uint64 {
	if calls == nil {
		calls = descriptions(false)
	}
	sum := sha256.New()
	sum.Write(_RecorderBytes)
	if err := binary.Write(sum, binary.LittleEndian, calls); err != nil {
		panic(err) // impossible: the value has a fixed size, and writing to a hash never fails
	}
	return binary.LittleEndian.Uint64(sum.Sum(nil)) | 1
}

// replaceStep is called after each step of a replacement; tests set it.
var replaceStep = func() {}

func swap(dir string, layout abi.ABI, calls []abi.Syscall) error {
	pinned, err := openPinned(dir)
	defer func() {
		for _, m := range pinned {
			m.Close()
		}
	}()
	if err != nil {
		return err
	}
	c, err := newCollection(layout, pinned)
	if err != nil {
		return err
	}
	defer c.Close()

	// If the replacement stops half-way, the running programs are not those of one build.
	layout.Build = 0
	steps := []func() error{func() error { return writeLayout(pinned, layout) }}
	for _, hook := range hooks {
		steps = append(steps, func() error { return fillSlot(pinned[abi.PinSlotPrefix+hook], c, hook) })
	}
	steps = append(steps,
		func() error { return pinBind(dir, c) },
		func() error { return pinInFlight(dir, c) },
		func() error { return describe(pinned[abi.PinSyscalls], layout, calls) },
		func() error {
			layout.Build, layout.Replaced = build(calls), boottime.Now()
			return writeLayout(pinned, layout)
		},
	)
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("%w (only some programs were replaced, but all work: run tracectl load --replace again)", err)
		}
		replaceStep()
	}
	return nil
}

func writeLayout(pinned map[string]*ebpf.Map, layout abi.ABI) error {
	if err := pinned[abi.PinABI].Put(uint32(0), layout); err != nil {
		return fmt.Errorf("writing map %s: %w", abi.PinABI, err)
	}
	return nil
}

// openPinned opens all maps that are pinned below dir.
func openPinned(dir string) (map[string]*ebpf.Map, error) {
	found := make(map[string]*ebpf.Map)
	for _, name := range maps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		if err != nil {
			return found, fmt.Errorf("opening map %s: %w", name, err)
		}
		found[name] = m
	}
	return found, nil
}
