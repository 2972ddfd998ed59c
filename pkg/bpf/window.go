// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// window maps elements of an array for reading: the first one and one other at a time, so that the mapped memory does
// not grow with the array. It is a ring.Segments.
type window struct {
	array  *ebpf.Map
	stride uint64 // size of an element in bytes
	begin  uint64 // index of the first element

	first, other element
}

// element is a mapped element.
type element struct {
	index  uint64
	mapped []byte // whole pages
	bytes  []byte // the element, in mapped
}

// Segment returns an element and maps it if necessary.
func (w *window) Segment(index uint64) ([]byte, error) {
	e := &w.other
	if index == 0 {
		e = &w.first
	}
	if e.mapped != nil && e.index == index {
		return e.bytes, nil
	}
	if err := e.unmap(); err != nil {
		return nil, err
	}
	at := (w.begin + index) * w.stride
	from := at &^ (uint64(os.Getpagesize()) - 1)
	mapped, err := unix.Mmap(w.array.FD(), int64(from), int(at-from+w.stride), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping element %d of a map: %w", index, err)
	}
	*e = element{index, mapped, mapped[at-from:]}
	return e.bytes, nil
}

// close unmaps the elements.
func (w *window) close() error { return errors.Join(w.first.unmap(), w.other.unmap()) }

func (e *element) unmap() error {
	if e.mapped == nil {
		return nil
	}
	mapped := e.mapped
	*e = element{}
	return unix.Munmap(mapped)
}
