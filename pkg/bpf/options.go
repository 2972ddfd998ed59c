// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"math/bits"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Options are the sizes that are decided once, when the programs are loaded.
type Options struct {
	Rings       int // recordings kept at most
	RingSize    int // bytes of data of one recording; a power of two, 4 KiB to 2 MiB
	Identities  int // containers known by name at most, live and ended
	ExecLogSize int // bytes of the exec log; a power of two, 64 KiB to 1 GiB
	CaptureSize int // bytes kept of one pointer argument, up to 1,024
	ArgvSize    int // bytes kept of one argument vector, up to 32 KiB
}

// String lists the sizes, as the flags of tracectl load name them.
func (o Options) String() string {
	return fmt.Sprintf("recordings %d, ring-size %d, identities %d, exec-log-size %d, capture-size %d, argv-size %d",
		o.Rings, o.RingSize, o.Identities, o.ExecLogSize, o.CaptureSize, o.ArgvSize)
}

// DefaultOptions fit a node of 110 pods: about 64 MiB of recordings, 21 MiB of identities and 8 MiB of execs.
func DefaultOptions() Options {
	return Options{
		Rings:       256,
		RingSize:    256 << 10,
		Identities:  4096,
		ExecLogSize: 8 << 20,
		CaptureSize: 128,
		ArgvSize:    4096,
	}
}

// maxSegment keeps a map's value below 4 MiB, the most that kernels allow whose arrays bound it by KMALLOC_MAX_SIZE.
const maxSegment = 2 << 20

// Validate returns an error that names the first option out of bounds, and its bounds.
func (o Options) Validate() error {
	for _, c := range []struct {
		name      string
		value     int
		low, high int
		power     bool
	}{
		{"number of recordings", o.Rings, 1, 65536, false},
		{"ring size", o.RingSize, 4 << 10, maxSegment, true},
		{"number of identities", o.Identities, 2, 1 << 20, false},
		{"exec log size", o.ExecLogSize, 64 << 10, 1 << 30, true},
		{"capture size", o.CaptureSize, 8, abi.CaptureLimit, false},
		{"argument vector size", o.ArgvSize, 64, abi.ArgvLimit, false},
	} {
		if c.value < c.low || c.value > c.high {
			return fmt.Errorf("%s is %d: it must lie between %d and %d", c.name, c.value, c.low, c.high)
		}
		if c.power && bits.OnesCount(uint(c.value)) != 1 {
			return fmt.Errorf("%s is %d: it must be a power of two", c.name, c.value)
		}
	}
	if o.Identities < 2*o.Rings {
		return fmt.Errorf("number of identities is %d: it must be at least twice that of recordings (%d), or recordings would lose their names", o.Identities, o.Rings)
	}
	return nil
}

// layout derives what is written into the map abi, but for times and the build.
func (o Options) layout(secret uint64, cpus int) abi.ABI {
	segment := min(o.ExecLogSize, 1<<20)
	return abi.ABI{
		Secret:          secret,
		Version:         abi.ABIVersion,
		Rings:           uint32(o.Rings),
		RingSize:        uint32(o.RingSize),
		RingStride:      uint32(abi.SizeofRing + o.RingSize + abi.RecordLimit),
		Identities:      uint32(o.Identities),
		ExecSegments:    uint32(o.ExecLogSize / segment),
		ExecSegmentSize: uint32(segment),
		ExecStride:      uint32(abi.SizeofRing + segment + align8(abi.ExecHeadLimit+o.ArgvSize)),
		CaptureSize:     uint32(o.CaptureSize),
		ArgvSize:        uint32(o.ArgvSize),
		Writers:         uint32(cpus),
	}
}

// options are those that a layout was made from.
func options(a abi.ABI) Options {
	return Options{
		Rings:       int(a.Rings),
		RingSize:    int(a.RingSize),
		Identities:  int(a.Identities),
		ExecLogSize: int(a.ExecSegments * a.ExecSegmentSize),
		CaptureSize: int(a.CaptureSize),
		ArgvSize:    int(a.ArgvSize),
	}
}

func align8(n int) int { return (n + 7) &^ 7 }
