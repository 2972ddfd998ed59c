// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"encoding/binary"
	"unsafe"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// walker finds the records in copied runs.
type walker struct {
	layout     Layout
	generation uint32
	runs       []run
	damages    []damage
	records    [][]byte
	positions  []uint64
}

// commit returns the word with which a complete record at a position begins.
func (w *walker) commit(position uint64) uint64 {
	return (position ^ w.layout.Secret) + uint64(w.generation)*abi.CommitStep
}

// at returns the copied bytes from a position on, or nil if they were not copied.
func (w *walker) at(position uint64) []byte {
	for i := range w.runs {
		if r := &w.runs[i]; position >= r.start && position < r.end {
			return r.bytes[position-r.start:]
		}
	}
	return nil
}

// record returns the record at a position, or nil if no valid one begins there.
func (w *walker) record(position, head uint64) []byte {
	b := w.at(position)
	if len(b) < abi.SizeofEntry || binary.NativeEndian.Uint64(b) != w.commit(position) {
		return nil
	}
	length := uint64(binary.NativeEndian.Uint16(b[unsafe.Offsetof(abi.Entry{}.Length):]))
	if length < abi.SizeofEntry || length > w.layout.Slack || length > uint64(len(b)) || position+align(length) > head {
		return nil
	}
	return b[:length:length]
}

// walk adds the records that begin between two positions to s.
func (w *walker) walk(s *Snapshot, floor, end, inProgress uint64, follow bool) {
	if floor >= end {
		return // and align(floor) may wrap around, if a caller's position or the header is damaged
	}
	// After a lap, the first record must be searched. The bytes before it were overwritten; they are not a gap.
	gap := s.Lapped
	p := align(floor)
	for p < end {
		b := w.record(p, s.Head)
		switch {
		case b == nil && follow && !gap && p >= inProgress:
			s.Next = p
			return
		case b == nil:
			if !gap {
				s.Gaps++
			}
			gap = true
			p += 8
			continue
		case w.damaged(p, align(uint64(len(b)))):
			s.Torn++
		default:
			w.records, w.positions = append(w.records, b), append(w.positions, p)
		}
		gap = false
		p += align(uint64(len(b)))
	}
	s.Next = min(p, s.Head)
}

// align returns the bytes that a record takes in the ring.
func align(length uint64) uint64 { return (length + 7) &^ 7 }

// damaged reports whether a stalled writer may have written into the record at a position.
func (w *walker) damaged(position, length uint64) bool {
	for _, d := range w.damages {
		if position <= d.position && d.length != never || position >= d.head {
			continue
		}
		if d.length == never {
			return true
		}
		a, b := w.layout.address(position), w.layout.address(d.position)
		if a < b+d.length && b < a+length {
			return true
		}
	}
	return false
}
