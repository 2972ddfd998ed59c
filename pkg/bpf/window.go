// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// window maps one part of an array at a time, so that the mapped memory does not grow with the array.
type window struct {
	array  *ebpf.Map
	write  bool   // the memory can be written
	ahead  uint64 // bytes to map at once, if more than the requested ones
	from   uint64 // offset of the mapped part
	mapped []byte // whole pages
}

// length returns the bytes of the array.
func (w *window) length() uint64 {
	return uint64(w.array.MaxEntries()) * uint64(align8(int(w.array.ValueSize())))
}

// has reports whether bytes of the array are mapped.
func (w *window) has(at, size uint64) bool {
	return at >= w.from && at+size <= w.from+uint64(len(w.mapped))
}

// view returns bytes of the array from an offset on, and maps them if necessary. They stay mapped until the next
// call.
func (w *window) view(at, size uint64) ([]byte, error) {
	if !w.has(at, size) {
		if err := w.close(); err != nil {
			return nil, err
		}
		from := at &^ (uint64(os.Getpagesize()) - 1)
		end := min(max(at+size, from+w.ahead), w.length())
		access := unix.PROT_READ
		if w.write {
			access |= unix.PROT_WRITE
		}
		mapped, err := unix.Mmap(w.array.FD(), int64(from), int(end-from), access, unix.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("mapping bytes %d to %d of %v: %w", from, end, w.array, err)
		}
		w.from, w.mapped = from, mapped
	}
	return w.mapped[at-w.from:][:size:size], nil
}

// close unmaps what is mapped.
func (w *window) close() error {
	if w.mapped == nil {
		return nil
	}
	mapped := w.mapped
	w.mapped = nil
	return unix.Munmap(mapped)
}

// segments maps the elements of a ring in an array: the first one, which has the header, and one other at a time. It is
// a ring.Segments.
type segments struct {
	first, other window
	stride       uint64 // size of an element in bytes
	begin        uint64 // index of the first element
}

func newSegments(array *ebpf.Map, stride, begin uint64) *segments {
	return &segments{window{array: array}, window{array: array}, stride, begin}
}

// Segment returns an element, and maps it if necessary.
func (s *segments) Segment(index uint64) ([]byte, error) {
	w := &s.other
	if index == 0 {
		w = &s.first
	}
	return w.view((s.begin+index)*s.stride, s.stride)
}
