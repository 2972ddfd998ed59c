// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// units are the lengths that a duration is counted in, by the two bits of CALL_UNIT_MASK, in ns.
var units = [4]uint64{1, 1e3, 1e6, 1e9}

func duration(record []byte, flags uint16) uint64 {
	return uint64(binary.LittleEndian.Uint32(record[offsetDuration:])) * units[flags&abi.CallUnitMask>>abi.CallUnitShift]
}

// DurationUnit is what a duration of a Call was counted in, in ns: the finest unit that let it fit 32 bits.
func DurationUnit(duration uint64) uint64 {
	for _, u := range units {
		if duration/u < 1<<32 {
			return u
		}
	}
	return units[len(units)-1]
}

// Span returns when the call of a record, at least a whole struct call, began and ended, in ns of
// CLOCK_BOOTTIME, without decoding the rest.
func Span(record []byte) (begin, end uint64) {
	begin = binary.LittleEndian.Uint64(record[offsetTime:])
	return begin, begin + duration(record, binary.LittleEndian.Uint16(record[offsetFlags:]))
}
