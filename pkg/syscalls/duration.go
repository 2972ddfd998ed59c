// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// units are the units of a duration, in ns, indexed by the two bits of CALL_UNIT_MASK.
var units = [4]uint64{1, 1e3, 1e6, 1e9}

func duration(record []byte, flags uint16) uint64 {
	return uint64(binary.LittleEndian.Uint32(record[offsetDuration:])) * units[flags&abi.CallUnitMask>>abi.CallUnitShift]
}

// DurationUnit returns the unit of a Call's duration, in ns: the finest one in which it fits 32 bits.
func DurationUnit(duration uint64) uint64 {
	for _, u := range units {
		if duration/u < 1<<32 {
			return u
		}
	}
	return units[len(units)-1]
}

// Thread returns the ID of a record's thread. The record must have at least a whole struct call.
func Thread(record []byte) uint32 { return binary.LittleEndian.Uint32(record[offsetTID:]) }

// Process returns the ID of a record's process. The record must have at least a whole struct call.
func Process(record []byte) uint32 { return binary.LittleEndian.Uint32(record[offsetPID:]) }

// IsEvent reports whether a record is that of an event and not of a call, as Event does. The record must have at least
// a whole struct call.
func IsEvent(record []byte) bool {
	return binary.LittleEndian.Uint16(record[offsetNumber:])&abi.NumberMask >= abi.NumberSignal
}

// Ended reports whether a record is the last one of its thread: it ended in the call, or outside of any. The record
// must have at least a whole struct call.
func Ended(record []byte) bool {
	return binary.LittleEndian.Uint16(record[offsetFlags:])&abi.CallUnfinished != 0
}

// NumberOf returns the ABI of a record, if native is that of its machine, and the number of its call. The record must
// have at least a whole struct call.
func NumberOf(record []byte, native ABI) (ABI, Nr) {
	number := binary.LittleEndian.Uint16(record[offsetNumber:])
	return abiOf(number, native), Nr(number & abi.NumberMask)
}

// abiOf returns the ABI of the number of a record.
func abiOf(number uint16, native ABI) ABI {
	switch number >> abi.NumberABIShift & 3 {
	case abi.NumberX32:
		return X32
	case abi.NumberCompat:
		return CompatABI(native)
	}
	return native
}

// Span returns the start and end of a record's call, in ns of CLOCK_BOOTTIME, without decoding the rest. The record
// must have at least a whole struct call.
func Span(record []byte) (begin, end uint64) {
	begin = binary.LittleEndian.Uint64(record[offsetTime:])
	return begin, begin + duration(record, binary.LittleEndian.Uint16(record[offsetFlags:]))
}

// AppendBare appends a record without what must not leave its machine: the commit word, which would betray the secret
// of the rings, and the padding, which may be part of an older record. The record must have at least a whole struct
// call.
func AppendBare(dst, record []byte) []byte {
	if n := int(binary.LittleEndian.Uint16(record[offsetLength:])); n >= abi.SizeofCall && n < len(record) {
		record = record[:n]
	}
	at := len(dst)
	dst = append(dst, record...)
	clear(dst[at:][:offsetTime]) // the commit word comes first
	return dst
}
