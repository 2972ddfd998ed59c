// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"io"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// IO is what a container read and wrote, put together.
type IO struct {
	past    *Past
	ending  Ending
	Streams []*Stream // by their first call
	Chunks  []Chunk   // of all streams, in the order of time: writes by their start, reads by their end
	Size    uint64    // bytes that were moved
	Lacks   uint64    // of these, bytes that were not recorded
	Covers  []Coverage
}

// Stream is one direction of a descriptor of a process, as long as it is the same file, pipe or socket.
type Stream struct {
	Process *Process
	FD      int32
	Writes  bool
	Is      *syscalls.Descriptor // when it was used last; nil if that is not known
	Size    uint64               // bytes
	Lacks   uint64               // of these, bytes that were not recorded
}

// Chunk is what one call moved.
type Chunk struct {
	*Stream
	At      uint64 // ns of CLOCK_BOOTTIME
	TID     uint32
	Address string // with which the call named the other side; hostile
	// Offset is that of the bytes in the file, or -1: the descriptor's own.
	Offset int64
	// Doubt is true if calls of the stream may have been overwritten between this one and the one before.
	Doubt  bool
	pieces []piece
}

// Transfers says which transfers count: those that match all fields that are set.
type Transfers struct {
	Reads, Writes  bool              // those in one direction; neither or both: in both
	FDs            []int32           // by these descriptors
	Paths          []straceback.Glob // of such files
	Stdout, Stderr bool              // writes to what the container began with as its standard output, or error
}

// has reports whether a transfer of a call counts.
func (w *Transfers) has(p *Past, c *syscalls.Call, t *transfer) bool {
	if w.Stdout || w.Stderr {
		if stream := p.stream(c); !t.writes || !(w.Stdout && stream == 1 || w.Stderr && stream == 2) {
			return false
		}
	}
	if len(w.Paths) > 0 {
		is := taken(c, t.fd)
		if is == nil || !slices.ContainsFunc(w.Paths, func(g straceback.Glob) bool { return g.MatchesPath(is.Path) }) {
			return false
		}
	}
	return t.size > 0 && (w.Reads == w.Writes || w.Writes == t.writes) &&
		(len(w.FDs) == 0 || slices.Contains(w.FDs, t.fd))
}

// streamKey tells streams apart.
type streamKey struct {
	process *Process
	fd      int32
	writes  bool
	what    syscalls.Descriptor // without what changes while it is used
}

// IO puts together what the container read and wrote, by the calls that are selected, as far as it counts.
func (p *Past) IO(selected Selected, counts Transfers) *IO {
	o := &IO{past: p, ending: p.ending(), Covers: p.coverage("reads", "writes")}
	streams, ends := map[streamKey]*Stream{}, map[*Stream]uint64{}
	of := p.finder()
	p.each(selected, func(e *straceback.Event, _ string, values []syscalls.Value) {
		c := &e.Call
		for _, t := range transfers(c, values) {
			if !counts.has(p, c, &t) {
				continue
			}
			is := taken(c, t.fd)
			key := streamKey{of(c.PID, c.Time), t.fd, t.writes, identity(is)}
			s := streams[key]
			if s == nil {
				s = &Stream{Process: key.process, FD: t.fd, Writes: t.writes}
				streams[key] = s
				o.Streams = append(o.Streams, s)
			}
			s.Is = is
			begin, known := ends[s]
			doubt := known && p.mayLack(begin, e)
			ends[s] = c.Time + c.Duration
			for i := range t.parcels {
				o.add(s, c, &t, &t.parcels[i], doubt && i == 0)
			}
		}
	})
	slices.SortStableFunc(o.Chunks, func(a, b Chunk) int { return cmp.Compare(a.At, b.At) })
	return o
}

// identity returns what a descriptor is, without the addresses that a socket gets later.
func identity(is *syscalls.Descriptor) syscalls.Descriptor {
	switch {
	case is == nil:
		return syscalls.Descriptor{}
	case is.Inode != 0:
		return syscalls.Descriptor{Inode: is.Inode}
	}
	return *is
}

// mayLack reports whether calls may be overwritten that a thread made after a time and before a call.
func (p *Past) mayLack(after uint64, e *straceback.Event) bool {
	complete := p.Calls.Complete()
	if said := p.Calls.Lanes[straceback.Said]; e.Lane == straceback.Said {
		complete = 0
		if said.Lapped {
			complete = said.Since
		}
	}
	return after < complete
}

// add adds what a call moved at once.
func (o *IO) add(s *Stream, c *syscalls.Call, t *transfer, p *parcel, doubt bool) {
	chunk := Chunk{Stream: s, At: c.Time, TID: c.TID, Address: p.address, Offset: t.offset, Doubt: doubt, pieces: p.pieces}
	if !t.writes {
		chunk.At += c.Duration
	}
	for _, piece := range p.pieces {
		s.Lacks += piece.lacks
		o.Lacks += piece.lacks
	}
	s.Size += p.size
	o.Size += p.size
	o.Chunks = append(o.Chunks, chunk)
}

// WriteRaw writes the bytes of all streams as they were, without those that were not recorded.
func (o *IO) WriteRaw(to io.Writer) error {
	for _, chunk := range o.Chunks {
		for _, piece := range chunk.pieces {
			if _, err := to.Write(piece.data); err != nil {
				return err
			}
		}
	}
	return nil
}
