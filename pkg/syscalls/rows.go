// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// row is a row of what the kernel reads of a call's arguments, before its ABI is known.
type row struct {
	abi.Capture
	of     string // the struct that an element is; "" if Size is known
	arg    string // the argument, if it is not the one that has the row
	length string // the argument that Capture.Length is to be
	after  string // the struct that it follows; "" if Offset is known
	times  uint16 // how many elements there are, if that is always the same number; or 0
}

// pointers reports whether the kernel finds pointers in the memory that the row describes.
func (r *row) pointers() bool {
	return r.Kind > abi.CaptureBytes && r.Kind < abi.CaptureDescriptors || r.Flags&abi.RowFollow != 0
}

// counted reports whether whole structs are recorded, because there may be several.
func (r *row) counted() bool { return r.times > 0 || r.Count != abi.ElementsOne }

// moments are the words before the dot of a type.
var moments = map[string][]uint8{
	"in": {abi.AtEnter}, "out": {abi.AtSuccess}, "got": {abi.AtPositive}, "rest": {abi.AtInterrupt},
	"inout": {abi.AtEnter, abi.AtSuccess}, "ingot": {abi.AtEnter, abi.AtPositive}, "as": {},
}

// memory is what a pointer argument points to.
type memory struct {
	of    string // the struct
	array bool   // there may be several
	rows  []row
}

// parseMemory reads a type such as "in.stat" or "got.epoll_event[=maxevents]". ok is false if it is none.
func parseMemory(typ string) (m memory, ok bool) {
	when, of, ok := strings.Cut(typ, ".")
	if !ok || moments[when] == nil {
		return m, false
	}
	of, length, counted := strings.Cut(strings.TrimSuffix(of, "]"), "[")
	r := row{}
	if name, size, ok := strings.Cut(strings.TrimSuffix(of, ")"), "("); ok {
		of, r.Count, r.Size, r.length = name, abi.ElementsArgument, 1, size
	}
	m.of, m.array, r.of = of, counted, of
	r.Kind, r.Flags = abi.CaptureBytes, abi.RowStruct
	if of == "byte" || of == "data" || strings.HasPrefix(of, "dirents") {
		r.Flags = 0
	}
	if of == "data" {
		r.Flags = abi.RowContent
	}
	if n, err := strconv.ParseUint(length, 10, 8); counted && err == nil {
		r.times = uint16(n)
	} else if counted {
		r.Count, r.length = abi.ElementsArgument, length
		for prefix, count := range map[string]uint8{
			"=": abi.ElementsResult, "*": abi.ElementsPointed, "bits ": abi.ElementsBits, "pages ": abi.ElementsPages,
		} {
			if name, ok := strings.CutPrefix(length, prefix); ok {
				r.Count, r.length = count, name
			}
		}
	}
	// Of a set, there are bytes; of a struct whose size is at a pointer, too.
	m.array = m.array && r.Count != abi.ElementsBits && r.Count != abi.ElementsPages && r.Count != abi.ElementsPointed
	for _, moment := range moments[when] {
		r.Moment = moment
		m.rows = append(m.rows, r)
	}
	return m, true
}

// take gives the call the rows of an argument, each with a condition: one of these, if there are any.
func (s *Syscall) take(a *Arg, i int, when []condition) {
	for _, r := range a.rows {
		if r.Arg != abi.CaptureResult {
			r.Arg = uint8(i)
		}
		if r.arg != "" { // the kernel ignores that argument if this one is NULL
			r.Arg = uint8(s.index(r.arg))
			r.WhenArg, r.Mask, r.Flags = uint8(i), ^uint32(0), r.Flags|abi.RowUnless
		}
		if r.length != "" {
			n := s.index(r.length)
			r.Length = uint8(n)
			if !s.Args[n].wide() {
				r.Flags |= abi.RowInt
			}
		} else if r.Count == abi.ElementsResult {
			r.Length = abi.ArgsMax
		}
		if len(when) == 0 {
			s.rows = append(s.rows, r)
			continue
		}
		if len(when) > 1 || r.Mask != 0 {
			panic(fmt.Sprintf("signatures.txt: %s: %s has more than one condition", s.Name, a.Name))
		}
		r.WhenArg = when[0].arg
		values := merge(when[0].any)
		if when[0].none {
			if r.Flags |= abi.RowUnless; len(values) > 1 {
				panic(fmt.Sprintf("signatures.txt: %s: %s has more than one exception", s.Name, a.Name))
			}
		}
		for _, v := range values {
			r.Mask, r.Value = uint32(v.mask), uint32(v.bits)
			s.rows = append(s.rows, r)
		}
	}
}

// madeRow is the row of the descriptors that a call makes: its result, or the two that it puts out.
func (s *Syscall) madeRow() row {
	r := row{Capture: abi.Capture{Kind: abi.CaptureDescriptors, Moment: abi.AtSuccess, Arg: abi.CaptureResult, Size: 1}}
	if !s.descriptor {
		r.Arg, r.Size = uint8(slices.IndexFunc(s.Args, func(a Arg) bool { return a.written })), 2
	}
	return r
}

// merge joins values that differ in one bit, as long as there are any.
func merge(values []flagEntry) []flagEntry {
	values = slices.Clone(values)
	for i := 0; i < len(values); i++ {
		for j := i + 1; j < len(values); j++ {
			differ := uint32(values[i].bits) ^ uint32(values[j].bits)
			if uint32(values[i].mask) != uint32(values[j].mask) || bits.OnesCount32(differ) > 1 {
				continue
			}
			values[i].mask &^= uint64(differ)
			values[i].bits &= values[i].mask
			values = slices.Delete(values, j, j+1)
			i = -1
			break
		}
	}
	return values
}

// rowsOf returns the rows for an ABI, with structs whole or not. own is true for the calls that only x32 has: their
// structs are those of i386.
func (s *Syscall) rowsOf(a ABI, own, whole bool) (rows []abi.Capture) {
	layouts := tableOf(a).layoutsOf(own)
	for _, r := range s.rows {
		c := r.Capture
		switch {
		case c.Size != 0 || c.Count == abi.ElementsPointed:
		case r.of == "":
			c.Size = 1
		default:
			l := layouts[r.of]
			if l == nil {
				continue
			}
			c.Size = uint16(l.size)
			if !r.counted() && !whole {
				c.Offset, c.Size = uint16(l.begin), uint16(l.end-l.begin)
			}
			c.Size *= max(r.times, 1)
		}
		if r.after != "" {
			c.Offset = uint16(layouts[r.after].size)
		}
		if r.pointers() && (own || a.is32()) {
			c.Flags |= abi.RowNarrow
		}
		rows = append(rows, c)
	}
	return rows
}
