// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// shares tells which part of a recording's memory each lane has, as the binary logarithm of its divisor.
var shares = [abi.Lanes]int{
	abi.LaneRecent: 1, abi.LaneFirst: 3, abi.LaneDistinct: 3, abi.LaneSaid: 3, abi.LaneRuntime: 3,
}

// layout returns the contents of the map abi for a pool, without times and the build.
func layout(p config.Pool, secret uint64, cpus int) abi.ABI {
	segment := min(p.ExecLogSize/abi.ExecRings, 1<<20)
	a := abi.ABI{
		Secret:          secret,
		Version:         abi.ABIVersion,
		Rings:           uint32(p.Rings),
		RingSize:        uint32(p.RingSize),
		SeenSets:        uint32(p.RingSize) / 4096,
		Identities:      uint32(p.Identities),
		ExecSegments:    uint32(p.ExecLogSize / abi.ExecRings / segment),
		ExecSegmentSize: uint32(segment),
		ExecStride:      uint32(abi.SizeofRing + int(segment) + align8(abi.ExecHeadLimit+int(p.ArgvSize))),
		CaptureSize:     uint32(p.CaptureSize),
		ArgvSize:        uint32(p.ArgvSize),
		Writers:         uint32(cpus),
	}
	at := abi.SizeofRecording + a.SeenSets*abi.SizeofSeenSet
	for lane, share := range shares {
		a.LaneSizes[lane], a.LaneOffsets[lane] = a.RingSize>>share, at
		at += a.LaneSizes[lane] + abi.RecordLimit
	}
	a.RingStride = at
	return a
}

// pool returns the pool that a layout was made from.
func pool(a abi.ABI) config.Pool {
	return config.Pool{
		Rings:       int(a.Rings),
		RingSize:    config.Size(a.RingSize),
		Identities:  int(a.Identities),
		ExecLogSize: abi.ExecRings * config.Size(a.ExecSegments) * config.Size(a.ExecSegmentSize),
		CaptureSize: config.Size(a.CaptureSize),
		ArgvSize:    config.Size(a.ArgvSize),
	}
}

func align8(n int) int { return (n + 7) &^ 7 }
