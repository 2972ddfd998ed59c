// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// vector reports whether an argument points to iovecs, directly or in a struct msghdr.
func (k kind) vector() bool {
	return k == kindVectorIn || k == kindVectorOut || k == kindMessageIn || k == kindMessageOut
}

// word returns a number of 4 or 8 bytes at the beginning of data.
func word(data []byte, size int, signed bool) uint64 {
	if size == 8 {
		return binary.LittleEndian.Uint64(data)
	}
	if signed {
		return uint64(int32(binary.LittleEndian.Uint32(data)))
	}
	return uint64(binary.LittleEndian.Uint32(data))
}

// pointerSize returns the size of pointers in the memory of a call's task.
func (c *Call) pointerSize() int {
	if c.ABI.is32() || c.ABI == X32 && c.Nr >= firstX32 {
		return 4
	}
	return 8
}

// pieces are what the iovecs of an argument point to.
type pieces struct {
	found       pointedTo
	late, fault bool
	cut         bool // bytes are missing
}

// appendPieces appends what the iovecs of argument i point to: one string as long as no bytes are missing in between.
// With `one`, it ends there.
func (c *Call) appendPieces(dst []byte, a *Arg, i int, ended, one bool) ([]byte, pieces) {
	var s pieces
	if c.Args[i] == 0 {
		return dst, s
	}
	t := text{dst: dst, start: len(dst)}
	var vector []byte
	size, captured := c.pointerSize(), false
	left := ^uint64(0) // of the result
	if kinds[a.kind].output {
		left = uint64(max(c.Result, 0))
	}
	next := func() (length uint64) { // of the next iovec
		length = min(word(vector[size:], size, false), left)
		vector, left = vector[2*size:], left-length
		return length
	}
	for n := range c.Captures {
		p := &c.Captures[n]
		if p.Arg != i || p.Part == abi.PartRoom || p.Kernel {
			continue
		}
		captured, s.late, s.fault = true, s.late || p.Late, s.fault || p.Fault
		switch p.Part {
		case abi.PartVector:
			vector, s.found = p.Data, data
			t.more = p.Truncated
		case abi.PartData:
			if len(vector) < 2*size || one && t.cut {
				continue
			}
			t.append(p.Data, next())
		}
	}
	for len(vector) >= 2*size { // there was no room for these
		t.cut = next() > 0 || t.cut
	}
	if t.more && left > 0 {
		t.cut = true
	}
	if k := &kinds[a.kind]; s.found == nothing && (s.fault || ended && k.always && !captured) {
		s.found = unreadable
	}
	s.cut = t.cut
	return t.end(), s
}

// text is a string that is made of pieces.
type text struct {
	dst   []byte
	start int
	last  byte // of the piece before
	open  bool // a quote is to be closed
	cut   bool // bytes are missing
	more  bool // so are iovecs
}

// append appends a piece that was `length` bytes long.
func (t *text) append(piece []byte, length uint64) {
	if t.open && len(piece) > 0 && escapes[t.last] == octal && piece[0] >= '0' && piece[0] <= '9' {
		// The escape before is written again, in full.
		t.dst = AppendEscaped(t.dst[:len(t.dst)-len(AppendEscaped(nil, []byte{t.last}))], []byte{t.last, '0'})
		t.dst = t.dst[:len(t.dst)-1]
	}
	if !t.open {
		t.dst, t.open = append(t.dst, '"'), true
	}
	t.dst = AppendEscaped(t.dst, piece)
	if len(piece) > 0 {
		t.last = piece[len(piece)-1]
	}
	if uint64(len(piece)) < length {
		t.dst, t.open, t.cut = append(t.dst, `"...`...), false, true
	}
}

func (t *text) end() []byte {
	if !t.open && len(t.dst) > t.start {
		return t.dst
	}
	if !t.open {
		t.dst = append(t.dst, '"')
	}
	t.dst = append(t.dst, '"')
	if t.cut {
		t.dst = append(t.dst, "..."...)
	}
	return t.dst
}

// appendVector is appendCaptured for an argument that points to iovecs.
func (c *Call) appendVector(dst []byte, a *Arg, i int, ended bool) []byte {
	start := len(dst)
	dst, s := c.appendPieces(append(dst, ' '), a, i, ended, false)
	switch s.found {
	case nothing:
		return dst[:start]
	case unreadable:
		return append(dst[:start], markUnreadable...)
	}
	if s.late {
		dst = append(dst, markLate...)
	}
	if s.fault {
		dst = append(dst, markUnreadable...)
	}
	return dst
}
