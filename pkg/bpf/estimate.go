// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/config"
)

// Estimate returns the number of bytes that the maps of a pool would take. It is within a few percent of the result of
// Instance.Memory after loading: the kernel's overhead for each element depends on its version.
func Estimate(p config.Pool) (uint64, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return 0, fmt.Errorf("counting CPUs: %w", err)
	}
	if p, err = Resolve(p); err != nil {
		return 0, err
	}
	spec, err := newSpec(layout(p, 0, cpus))
	if err != nil {
		return 0, err
	}
	const perElement = 64 // in a hash: list, hash and bucket
	var total uint64
	for _, m := range spec.Maps {
		key, value, n := uint64(align8(int(m.KeySize))), uint64(align8(int(m.ValueSize))), uint64(m.MaxEntries)
		switch m.Type {
		case ebpf.Hash, ebpf.LRUHash:
			if m.Flags&unix.BPF_F_NO_PREALLOC == 0 { // other maps start empty
				total += (key + value + perElement) * n
			}
		case ebpf.Array, ebpf.Queue, ebpf.PerCPUArray:
			if m.Type == ebpf.PerCPUArray {
				n *= uint64(cpus)
			}
			total += value * n
		}
	}
	return total, nil
}
