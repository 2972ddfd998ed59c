// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// shares tells which part of a recording's memory each lane has by default, as the binary logarithm of its divisor.
var shares = [abi.Lanes]int{
	abi.LaneRecent: 1, abi.LaneFirst: 3, abi.LaneFiles: 3, abi.LaneDistinct: 4, abi.LaneSaid: 3, abi.LaneRuntime: 4,
}

const (
	leastLane = 4 << 10 // bytes: a lane must hold the largest record

	// Limits of the number of recordings that Resolve chooses, and which part of the machine's memory they get.
	leastRings, mostRings = 16, 256
	memoryShare           = 50
	memoryLimit           = 8 // the part that leastRings may take

	identitiesPerRing = 16
)

// Resolve returns the pool with chosen sizes in place of those that are 0. The number of recordings depends on the
// memory of the machine.
func Resolve(p config.Pool) (config.Pool, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return p, fmt.Errorf("reading the size of the machine's memory: %w", err)
	}
	return resolve(p, uint64(info.Totalram)*uint64(info.Unit)), nil
}

func resolve(p config.Pool, memory uint64) config.Pool {
	p = share(p)
	if p.Rings == 0 {
		one := uint64(layout(p, 0, 0).RingStride)
		if p.Identities == 0 {
			one += identitiesPerRing * abi.SizeofIdentity
		}
		p.Rings = leastRings
		if all := memory / memoryShare; all > uint64(p.ExecLogSize) {
			p.Rings = min(max(leastRings, int((all-uint64(p.ExecLogSize))/one)), mostRings)
		}
		p.Rings = max(1, min(p.Rings, int(memory/memoryLimit/one)))
		if p.Identities != 0 {
			p.Rings = min(p.Rings, p.Identities/2)
		}
	}
	if p.Identities == 0 {
		p.Identities = identitiesPerRing * p.Rings
	}
	return p
}

// share gives each lane of size 0 its share of a recording.
func share(p config.Pool) config.Pool {
	for lane, size := range laneSizes(&p) {
		if *size == 0 {
			*size = max(leastLane, p.RingSize>>shares[lane])
		}
	}
	return p
}

// allows reports whether a pool has the sizes that are loaded, apart from those that it leaves to be chosen. The size
// of a recording only tells those of its lanes.
func allows(p, loaded config.Pool) bool {
	p = share(p)
	p.RingSize = loaded.RingSize
	return p.Allows(loaded)
}

// laneSizes returns the sizes of a pool's lanes.
func laneSizes(p *config.Pool) [abi.Lanes]*config.Size {
	return [abi.Lanes]*config.Size{
		abi.LaneRecent: &p.RecentSize, abi.LaneFirst: &p.FirstSize, abi.LaneFiles: &p.FilesSize,
		abi.LaneDistinct: &p.DistinctSize, abi.LaneSaid: &p.SaidSize, abi.LaneRuntime: &p.RuntimeSize,
	}
}

// remembered is the number of bytes of the lanes that have a place in `seen`, for each place. Records have some 100
// bytes, and a set must have room for all of its signatures, although some sets get more than others.
const remembered = 48

// layout returns the contents of the map abi for a pool without sizes of 0, without times and the build.
func layout(p config.Pool, secret uint64, cpus int) abi.ABI {
	half := p.ExecLogSize / abi.ExecParts
	segment := min(max(half/16, 64<<10), half, 2<<20)
	novel := uint64(p.FirstSize + p.FilesSize + p.DistinctSize + p.RuntimeSize)
	a := abi.ABI{
		Secret:          secret,
		Version:         abi.ABIVersion,
		Rings:           uint32(p.Rings),
		RingSize:        uint32(p.RingSize),
		SeenSets:        1 << (bits.Len64(novel/remembered/abi.SeenWays) - 1),
		Identities:      uint32(p.Identities),
		ExecSegments:    uint32(half / segment),
		ExecSegmentSize: uint32(segment),
		ExecStride:      uint32(abi.SizeofRing + int(segment) + align8(abi.ExecHeadLimit+int(p.ArgvSize))),
		CaptureSize:     uint32(p.CaptureSize),
		ArgvSize:        uint32(p.ArgvSize),
		Writers:         uint32(cpus),
	}
	if p.VerboseStructs {
		a.WholeStructs = 1
	}
	at := abi.SizeofRecording + a.SeenSets*abi.SizeofSeenSet
	for lane, size := range laneSizes(&p) {
		a.LaneSizes[lane], a.LaneOffsets[lane] = uint32(*size), at
		at += a.LaneSizes[lane] + abi.RecordLimit
	}
	a.RingStride = at
	return a
}

// pool returns the pool that a layout was made from.
func pool(a abi.ABI) config.Pool {
	p := config.Pool{
		Rings:       int(a.Rings),
		RingSize:    config.Size(a.RingSize),
		Identities:  int(a.Identities),
		ExecLogSize: abi.ExecParts * config.Size(a.ExecSegments) * config.Size(a.ExecSegmentSize),
		CaptureSize: config.Size(a.CaptureSize),
		ArgvSize:    config.Size(a.ArgvSize),

		VerboseStructs: a.WholeStructs != 0,
	}
	for lane, size := range laneSizes(&p) {
		*size = config.Size(a.LaneSizes[lane])
	}
	return p
}

func align8(n int) int { return (n + 7) &^ 7 }
