// SPDX-License-Identifier: Apache-2.0

// Package ring reads the rings that eBPF programs write: bytes in, valid records out. It is the reading half of
// bpf/ring.h. It does not depend on maps or eBPF, so it can be tested and fuzzed anywhere.
//
// Writers never wait for a reader. While a reader copies, the bytes may be overwritten, half-written, or damaged by a
// writer that slept through a whole lap. This package tells such bytes from valid records.
package ring

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// ErrUnsettled means that no attempt could determine which records are valid. Either the ring was reassigned or
// completely overwritten during each attempt, or a writer was overtaken before it published its position and still
// sleeps. The condition is temporary.
var ErrUnsettled = errors.New("it is overwritten faster than it can be read; try again")

// Layout describes a ring's place in memory.
type Layout struct {
	Secret   uint64 // is mixed into commit words
	Size     uint64 // bytes of data of one segment, a power of two
	Slack    uint64 // bytes after the data of each segment; the maximum length of a record
	Stride   uint64 // bytes from one segment to the next
	Header   uint64 // offset of the header in the first segment
	Data     uint64 // offset of the data in each segment
	Segments uint64 // a power of two; 1 for all but the exec log
	ID       uint32 // the ID that writers use: index + 1, or from abi.WriterExecLog on for a ring of the exec log
}

// total returns the number of bytes of one lap.
func (l Layout) total() uint64 { return l.Size * l.Segments }

// Header is a copy of a ring's header. A position is a number of bytes reserved since the ring was made.
type Header struct {
	Head               uint64 // bytes ever reserved
	Base               uint64 // Head when the current recording began
	Written            uint64 // records reserved since Base
	Lost               uint64 // records that could not be written since Base
	Generation         uint32 // of the recording; 0 if the ring was never used
	Identity           uint32 // the index of the recorded container's identity
	IdentityGeneration uint32
}

// Used reports whether a recording has, or had, a container. It has not if it was never used, or was removed.
func (h Header) Used() bool { return h.Generation != 0 && h.Identity != abi.IdentityNone }

// Ring reads one ring. It is not safe for concurrent use, but several Rings may read the same ring.
type Ring struct {
	segments  Segments
	header    *abi.Ring
	writers   []abi.Writer
	layout    Layout
	buffer    []byte
	records   [][]byte
	positions []uint64
	meddle    func() // for tests: runs writers between two steps of a read
}

// Segments provides the memory of a ring, one segment of Layout.Stride bytes at a time. A segment stays readable until
// the next call; the first one stays readable while the Ring is in use.
type Segments interface {
	Segment(index uint64) ([]byte, error)
}

// whole is the memory of a ring in one piece.
type whole struct {
	memory []byte
	stride uint64
}

func (w whole) Segment(index uint64) ([]byte, error) {
	return w.memory[index*w.stride:][:w.stride], nil
}

// New returns a reader of the ring in memory: segment after segment, each a struct ring. writers is the array of struct
// writer, one for each CPU. Both must stay mapped while the Ring is in use.
func New(memory []byte, writers []abi.Writer, layout Layout) (*Ring, error) {
	if uint64(len(memory)) < layout.Segments*layout.Stride {
		return nil, fmt.Errorf("ring memory of %d bytes is shorter than %d segments of %d", len(memory),
			layout.Segments, layout.Stride)
	}
	return NewSegmented(whole{memory, layout.Stride}, writers, layout)
}

// NewSegmented is New for a ring whose segments are not all in memory at once.
func NewSegmented(segments Segments, writers []abi.Writer, layout Layout) (*Ring, error) {
	switch {
	case layout.Size == 0 || layout.Size&(layout.Size-1) != 0:
		return nil, fmt.Errorf("ring size %d is not a power of two", layout.Size)
	case layout.Segments == 0 || layout.Segments&(layout.Segments-1) != 0:
		return nil, fmt.Errorf("number of ring segments %d is not a power of two", layout.Segments)
	case layout.Slack > layout.Size, layout.Stride < layout.Header+abi.SizeofRing,
		layout.Stride < layout.Data+layout.Size+layout.Slack, layout.Stride%8 != 0, layout.Header%8 != 0,
		layout.Data%8 != 0:
		return nil, fmt.Errorf("ring stride of %d bytes does not hold %d bytes of data and %d of slack", layout.Stride,
			layout.Size, layout.Slack)
	}
	first, err := segments.Segment(0)
	if err != nil {
		return nil, err
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(first)))%8 != 0 {
		return nil, errors.New("ring memory is not aligned to 8 bytes")
	}
	return &Ring{
		segments: segments,
		header:   (*abi.Ring)(unsafe.Pointer(&first[layout.Header])),
		writers:  writers,
		layout:   layout,
	}, nil
}

// Header returns a copy of the ring's current header.
func (r *Ring) Header() Header { return ReadHeader(r.header) }

// ReadHeader copies a ring's header from shared memory.
func ReadHeader(h *abi.Ring) Header {
	return Header{
		Head:               atomic.LoadUint64(&h.Head),
		Base:               atomic.LoadUint64(&h.Base),
		Written:            atomic.LoadUint64(&h.Written),
		Lost:               atomic.LoadUint64(&h.Lost),
		Generation:         atomic.LoadUint32(&h.Generation),
		Identity:           atomic.LoadUint32(&h.Identity),
		IdentityGeneration: atomic.LoadUint32(&h.IdentityGeneration),
	}
}

// Snapshot is the result of one Read.
type Snapshot struct {
	Header
	// Records are whole, valid records, oldest first, each beginning with struct entry. They stay valid until the Ring
	// is read again.
	Records   [][]byte
	Positions []uint64 // of the records
	// Lapped is true if records between the requested position and the first one here were overwritten.
	Lapped bool
	// Torn counts records that a stalled writer may have damaged. They are left out.
	Torn uint64
	// Gaps counts stretches without a record: its writer died or is still writing.
	Gaps uint64
	// Next is the position for the next Read.
	Next uint64
}

// Limits of retries. A read is repeated while an announced writer has not published its position, or if the ring is
// reassigned or overwritten during the copy. The first `choosy` attempts fail if more than half of the copied bytes
// were overwritten meanwhile; later ones accept any part.
const (
	attempts = 100
	choosy   = attempts / 2
	pause    = 100 * time.Microsecond
)

// Read copies the content of the ring from position `from` on (0: all of it) and returns the valid records. With
// follow, it stops before a record that is still being written, so that the next Read finds it.
func (r *Ring) Read(from uint64, follow bool) (*Snapshot, error) {
	return r.ReadSome(from, never, follow)
}

// ReadSome is Read for the records that begin within the first `most` bytes that are available from position `from` on.
// If the Snapshot's Next is below its Head, there are more records, but with follow they may still be incomplete.
func (r *Ring) ReadSome(from, most uint64, follow bool) (*Snapshot, error) {
	for attempt := range attempts {
		s, settled, err := r.read(from, most, follow, attempt < choosy)
		if settled || err != nil {
			return s, err
		}
		if r.meddle == nil {
			time.Sleep(pause)
		}
	}
	return nil, ErrUnsettled
}

func (r *Ring) step() {
	if r.meddle != nil {
		r.meddle()
	}
}

// run is a copied range of positions within one segment, with the following bytes of the slack.
type run struct {
	start, end uint64 // positions
	bytes      []byte // from start; length is end-start plus the slack
}

func (r *Ring) read(from, most uint64, follow, choosy bool) (_ *Snapshot, settled bool, _ error) {
	before := r.Header()
	if before.Head > farthest {
		return nil, false, nil
	}
	r.step()
	// Before the copy: an incomplete record in the copy was in progress at this moment, or is lost for good.
	inProgress := r.inProgress()
	start := max(from, before.Base, lapStart(before.Head, r.layout.total()))
	end := before.Head
	if start < end {
		end = start + min(most, end-start)
	}
	runs, err := r.copyRange(start, end)
	if err != nil {
		return nil, false, err
	}
	r.step()

	// The copy is judged by the state from here on. On machines that reorder loads, the store keeps the loads of the
	// copy before those below; an atomic load alone does not hold back earlier loads.
	var fence uint64
	atomic.StoreUint64(&fence, 1)
	runtime.KeepAlive(&fence)
	damages, known := r.damages()
	r.step()
	after := r.Header()
	if after.Generation != before.Generation || after.Base != before.Base || !known {
		return nil, false, nil
	}

	floor := max(start, lapStart(after.Head, r.layout.total()))
	if end > start && (floor >= end || choosy && floor-start > (end-start)/2) {
		return nil, false, nil // little or nothing is left of the copy
	}
	s := &Snapshot{Header: before, Lapped: floor > from && floor > before.Base, Next: end}
	w := walker{
		layout: r.layout, generation: before.Generation, runs: runs, damages: damages,
		records: r.records[:0], positions: r.positions[:0],
	}
	if r.layout.ID >= abi.WriterExecLog {
		w.generation = 0
	}
	w.walk(s, floor, end, inProgress, follow)
	r.records, r.positions = w.records, w.positions
	s.Records, s.Positions = w.records, w.positions
	nothing := len(s.Records) == 0 && s.Torn == 0 && s.Gaps == 0
	return s, !nothing || !s.Lapped || end < before.Head, nil
}

// farthest is beyond any position: at a gigabyte per second, a head reaches it after 146 years. A larger head is
// damaged, and positions after it could wrap around.
const farthest = 1 << 62

// lapStart returns the first position that a ring of `total` bytes still holds.
func lapStart(head, total uint64) uint64 {
	if head < total {
		return 0
	}
	return head - total
}

// copyRange copies the positions from start to end, segment by segment.
func (r *Ring) copyRange(start, end uint64) ([]run, error) {
	l := r.layout
	var runs []run
	var need uint64
	for p := start; p < end; {
		next := min(end, p-p%l.Size+l.Size)
		runs = append(runs, run{start: p, end: next})
		need += next - p + l.Slack
		p = next
	}
	if uint64(len(r.buffer)) < need {
		r.buffer = make([]byte, need)
	}
	free := r.buffer
	for i := range runs {
		n := runs[i].end - runs[i].start + l.Slack
		runs[i].bytes, free = free[:n], free[n:]
		at := l.address(runs[i].start)
		segment, err := r.segments.Segment(at / l.Stride)
		if err != nil {
			return nil, err
		}
		// Bytes beyond the end of the data come from the slack, at most Slack of them.
		copy(runs[i].bytes, segment[at%l.Stride:])
		r.step()
	}
	return runs, nil
}

// address returns the offset of a position's byte.
func (l Layout) address(position uint64) uint64 {
	segment := position / l.Size & (l.Segments - 1)
	return segment*l.Stride + l.Data + position%l.Size
}

// damage is a range that a writer may have overwritten after it was overtaken.
type damage struct {
	position, length uint64 // of the writer's own record
	head             uint64 // records that were reserved from here on are whole again
}

const never = ^uint64(0)

// inProgress returns a position below which every record is complete or lost for good.
func (r *Ring) inProgress() uint64 {
	least := never
	for i := range r.writers {
		w := &r.writers[i]
		if atomic.LoadUint32(&w.Ring) != r.layout.ID {
			continue
		}
		least = min(least, atomic.LoadUint64(&w.Position)&^abi.WriterExact)
	}
	return least
}

// damages collects the published damages and those that may be in progress. known is false if a writer that has not
// published its position was overtaken.
func (r *Ring) damages() (found []damage, known bool) {
	total := r.layout.total()
	known = true
	for i := range r.writers {
		w := &r.writers[i]
		if atomic.LoadUint32(&w.Ring) != r.layout.ID {
			continue
		}
		position := atomic.LoadUint64(&w.Position)
		exact := position&abi.WriterExact != 0
		position &^= abi.WriterExact
		if atomic.LoadUint32(&w.Ring) != r.layout.ID {
			continue
		}
		if atomic.LoadUint64(&r.header.Head)-position <= total {
			continue // not overtaken: it writes only its own record
		}
		if !exact {
			known = false
			continue
		}
		found = append(found, damage{position: position, length: r.layout.Slack, head: never})
	}

	r.step()
	// Read after the writers: if a writer retired before it was read above, it had published its damage before.
	count := atomic.LoadUint64(&r.header.TornCount)
	var forgotten uint64
	for i := range min(count, abi.TornMax) {
		t := &r.header.Torn[i]
		sequence := atomic.LoadUint64(&t.Sequence)
		d := damage{atomic.LoadUint64(&t.Position), atomic.LoadUint64(&t.Length), atomic.LoadUint64(&t.Head)}
		if sequence == 0 || atomic.LoadUint64(&t.Sequence) != sequence {
			continue // being published: its writer is among those that are announced
		}
		found = append(found, d)
		forgotten = max(forgotten, d.head)
	}
	if count > abi.TornMax {
		// More ranges were torn than the header remembers, so nothing before the newest is trusted.
		found = append(found, damage{position: 0, length: never, head: forgotten})
	}
	return found, known
}
