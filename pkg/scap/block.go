// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"encoding/binary"
	"math"
)

// The types of blocks that are written. All numbers of a file are little-endian, and nothing is aligned but the blocks.
const (
	blockSection    = 0x0a0d0d0a // as in pcapng
	blockMachine    = 0x201
	blockProcesses  = 0x215
	blockEvent      = 0x216
	blockFiles      = 0x218
	blockInterfaces = 0x219
	blockUsers      = 0x220
	blockLargeEvent = 0x221 // the lengths of parameters have 32 bits
)

// Readers have room for so many bytes, without the NUL. They refuse a file if a text in one of its lists is longer.
const (
	pathMax      = 1023
	argumentsMax = 4095
	dataMax      = 32 << 10 // an event has at most 64 KiB
)

// beginBlock appends the header of a block. Its length is filled in by endBlock.
func beginBlock(dst []byte, typ uint32) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, typ), 0, 0, 0, 0)
}

// endBlock pads the block that begins at an index to a multiple of 4 bytes, and notes its length at both ends.
func endBlock(dst []byte, start int) []byte {
	const trailer = 4
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	length := uint32(len(dst) - start + trailer)
	binary.LittleEndian.PutUint32(dst[start+4:], length)
	return binary.LittleEndian.AppendUint32(dst, length)
}

// appendText appends a text behind its length of 16 bits, as lists have it.
func appendText(dst []byte, text string, most int) []byte {
	text = text[:min(len(text), most)]
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(text))), text...)
}

// appendSection appends the blocks with which a file begins. The lists of interfaces and users, which no recording has,
// are empty. boot is the machine's start, in ns since 1970.
func appendSection(dst []byte, cpus uint32, boot uint64) []byte {
	const (
		magic    = 0x1a2b3c4d
		major    = 1
		minor    = 2
		hostname = 128
	)
	start := len(dst)
	dst = beginBlock(dst, blockSection)
	dst = binary.LittleEndian.AppendUint32(dst, magic)
	dst = binary.LittleEndian.AppendUint16(dst, major)
	dst = binary.LittleEndian.AppendUint16(dst, minor)
	dst = endBlock(binary.LittleEndian.AppendUint64(dst, math.MaxUint64), start) // the section's length is not known

	start = len(dst)
	dst = beginBlock(dst, blockMachine)
	dst = binary.LittleEndian.AppendUint32(dst, cpus)
	dst = binary.LittleEndian.AppendUint64(dst, 0) // bytes of memory
	dst = binary.LittleEndian.AppendUint64(dst, 0) // largest PID
	dst = append(dst, make([]byte, hostname)...)
	dst = binary.LittleEndian.AppendUint64(dst, boot)
	dst = endBlock(append(dst, make([]byte, 3*8)...), start)

	for _, typ := range []uint32{blockInterfaces, blockUsers} {
		start = len(dst)
		dst = endBlock(beginBlock(dst, typ), start)
	}
	return dst
}

// event is an event that is being made.
type event struct {
	lengths []uint32
	data    []byte
}

func (e *event) reset() { e.lengths, e.data = e.lengths[:0], e.data[:0] }

// ended notes that the data from an index on are a parameter.
func (e *event) ended(start int) { e.lengths = append(e.lengths, uint32(len(e.data)-start)) }

func (e *event) u8(n uint8) { e.bytes([]byte{n}) }

func (e *event) u16(n uint16) {
	e.data = binary.LittleEndian.AppendUint16(e.data, n)
	e.lengths = append(e.lengths, 2)
}

func (e *event) u32(n uint32) {
	e.data = binary.LittleEndian.AppendUint32(e.data, n)
	e.lengths = append(e.lengths, 4)
}

func (e *event) u64(n uint64) {
	e.data = binary.LittleEndian.AppendUint64(e.data, n)
	e.lengths = append(e.lengths, 8)
}

func (e *event) bytes(b []byte) {
	start := len(e.data)
	e.data = append(e.data, b[:min(len(b), dataMax)]...)
	e.ended(start)
}

// text adds a text, which ends with a NUL.
func (e *event) text(text string) {
	start := len(e.data)
	e.data = append(append(e.data, text[:min(len(text), argumentsMax)]...), 0)
	e.ended(start)
}

// header says where and when an event happened.
type header struct {
	typ  uint16
	cpu  uint16
	tid  int64  // -1: no thread
	time uint64 // ns since 1970
}

// append appends the block of the event. large is true for the types whose parameters have lengths of 32 bits.
func (e *event) append(dst []byte, h header, large bool) []byte {
	const size = 8 + 8 + 4 + 2 + 4
	start, block, width := len(dst), uint32(blockEvent), 2
	if large {
		block, width = blockLargeEvent, 4
	}
	dst = beginBlock(dst, block)
	dst = binary.LittleEndian.AppendUint16(dst, h.cpu)
	dst = binary.LittleEndian.AppendUint64(dst, h.time)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.tid))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size+width*len(e.lengths)+len(e.data)))
	dst = binary.LittleEndian.AppendUint16(dst, h.typ)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.lengths)))
	for _, length := range e.lengths {
		if large {
			dst = binary.LittleEndian.AppendUint32(dst, length)
		} else {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(length))
		}
	}
	return endBlock(append(dst, e.data...), start)
}
