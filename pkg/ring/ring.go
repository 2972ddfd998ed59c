// SPDX-License-Identifier: Apache-2.0

// Package ring reads the rings that eBPF programs write: bytes in, true records
// out. It is the reading half of bpf/ring.h, and knows neither maps nor eBPF, so
// that it is tested and fuzzed anywhere.
//
// Writers never wait for a reader. What a reader copies may be overwritten under
// its hands, half-written, or scribbled over by a writer that slept through a whole
// lap; everything here is about telling such bytes from true records.
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

// ErrUnsettled says that no attempt found which records are true: each time the ring was given to another recording
// or overwritten as a whole while it was read, or a writer sleeps that was overtaken before it told its position. It passes.
var ErrUnsettled = errors.New("it is overwritten faster than it can be read; try again")

// Layout says how a ring lies in memory.
type Layout struct {
	Secret   uint64 // what commit words are mixed with
	Size     uint64 // bytes of data of one segment, a power of two
	Slack    uint64 // bytes behind the data of each segment: no record is longer
	Stride   uint64 // bytes from one segment to the next
	Segments uint64 // a power of two; 1 for all but the exec log
	ID       uint32 // how writers name it: index + 1, or abi.WriterExecLog
}

// total is the number of bytes of one lap.
func (l Layout) total() uint64 { return l.Size * l.Segments }

// Header is what a ring says of itself. Positions count every byte ever reserved.
type Header struct {
	Head               uint64 // bytes ever reserved
	Base               uint64 // Head when the present recording began
	Written            uint64 // records reserved since
	Lost               uint64 // records that could not be written since
	Generation         uint32 // of the recording; 0: the ring was never used
	Identity           uint32 // whose recording it is
	IdentityGeneration uint32
}

// Ring reads one ring. It is not safe for concurrent use; several readers each take their own.
type Ring struct {
	segments Segments
	header   *abi.Ring
	writers  []abi.Writer
	layout   Layout
	buffer   []byte
	records  [][]byte
	meddle   func() // for tests: what the writers do between two steps of a read
}

// Segments is the memory of a ring, one segment at a time: Layout.Stride bytes that begin with a struct ring. A segment
// stays readable until the next one is asked for, the first one for as long as the Ring is used.
type Segments interface {
	Segment(index uint64) ([]byte, error)
}

// whole is a ring's memory in one piece.
type whole struct {
	memory []byte
	stride uint64
}

func (w whole) Segment(index uint64) ([]byte, error) {
	return w.memory[index*w.stride:][:w.stride], nil
}

// New returns a reader of the ring that memory holds: segment after segment, each a struct ring.
// writers is the array of struct writer, one a CPU. Both stay mapped for as long as the Ring is used.
func New(memory []byte, writers []abi.Writer, layout Layout) (*Ring, error) {
	if uint64(len(memory)) < layout.Segments*layout.Stride {
		return nil, fmt.Errorf("ring memory of %d bytes is shorter than %d segments of %d", len(memory), layout.Segments, layout.Stride)
	}
	return NewSegmented(whole{memory, layout.Stride}, writers, layout)
}

// NewSegmented is New for a ring whose segments are not in memory all at once.
func NewSegmented(segments Segments, writers []abi.Writer, layout Layout) (*Ring, error) {
	const header = abi.SizeofRing
	switch {
	case layout.Size == 0 || layout.Size&(layout.Size-1) != 0:
		return nil, fmt.Errorf("ring size %d is not a power of two", layout.Size)
	case layout.Segments == 0 || layout.Segments&(layout.Segments-1) != 0:
		return nil, fmt.Errorf("number of ring segments %d is not a power of two", layout.Segments)
	case layout.Slack > layout.Size, layout.Stride < header+layout.Size+layout.Slack, layout.Stride%8 != 0:
		return nil, fmt.Errorf("ring stride of %d bytes does not hold %d bytes of data and %d of slack", layout.Stride, layout.Size, layout.Slack)
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
		header:   (*abi.Ring)(unsafe.Pointer(unsafe.SliceData(first))),
		writers:  writers,
		layout:   layout,
	}, nil
}

// Header returns what the ring says of itself right now.
func (r *Ring) Header() Header { return ReadHeader(r.header) }

// ReadHeader reads what a ring in shared memory says of itself.
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

// Snapshot is what one Read found.
type Snapshot struct {
	Header
	// Records are whole, true records, oldest first, each beginning with struct entry.
	// They are valid until the Ring is read again.
	Records [][]byte
	// Lapped says that records between the position asked for and the first one here were overwritten.
	Lapped bool
	// Torn counts records that a stalled writer may have scribbled over: they are left out.
	Torn uint64
	// Gaps counts stretches that hold no record: the writer died in one, or is still at it.
	Gaps uint64
	// Next is where to read on.
	Next uint64
}

// Patience with writers that are announced but have not told their position, with rings that change hands, and with
// those that are overwritten while they are copied: a good many attempts find most of what a ring holds, or else any of it.
const (
	attempts = 100
	choosy   = attempts / 2
	pause    = 100 * time.Microsecond
)

// Read copies what the ring holds from position `from` on (0: all of it) and returns the true records among it.
// With follow, it stops before a record that is still being written, so that the next Read finds it.
func (r *Ring) Read(from uint64, follow bool) (*Snapshot, error) {
	return r.ReadSome(from, never, follow)
}

// ReadSome is Read of the records that begin within the first `most` bytes of what there is. There are more if the
// Snapshot's Next is below its Head, but with follow those may still be being written.
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

// run is a copied range of positions within one segment, and what spilled into its slack.
type run struct {
	start, end uint64 // positions
	bytes      []byte // from start; as long as end-start and the slack
}

func (r *Ring) read(from, most uint64, follow, choosy bool) (_ *Snapshot, settled bool, _ error) {
	before := r.Header()
	if before.Head > farthest {
		return nil, false, nil
	}
	r.step()
	// Before the copy: a record that is found incomplete in it was being written by then, or was lost for good.
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

	// What was copied is judged by what is seen from here on. The store keeps the copy's loads before the
	// loads below on machines that would swap them (an atomic load alone does not hold back earlier loads).
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
		return nil, false, nil // overwritten meanwhile: nothing is left of what was copied, or little
	}
	s := &Snapshot{Header: before, Lapped: floor > from && floor > before.Base, Next: end}
	w := walker{
		layout: r.layout, generation: before.Generation, runs: runs, damages: damages,
		records: r.records[:0],
	}
	if r.layout.ID == abi.WriterExecLog {
		w.generation = 0
	}
	w.walk(s, floor, end, inProgress, follow)
	r.records = w.records
	s.Records = w.records
	nothing := len(s.Records) == 0 && s.Torn == 0 && s.Gaps == 0
	return s, !nothing || !s.Lapped || end < before.Head, nil
}

// farthest is beyond any position: at a gigabyte a second a head gets there in 146 years. One that is farther is
// damaged, and positions behind it would begin at 0 again.
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
		// What goes beyond the data's end comes from the slack, and no more than that.
		copy(runs[i].bytes, segment[at%l.Stride:])
		r.step()
	}
	return runs, nil
}

// address is where the byte at a position lies.
func (l Layout) address(position uint64) uint64 {
	segment := position / l.Size & (l.Segments - 1)
	return segment*l.Stride + abi.SizeofRing + position%l.Size
}

// damage is what a writer may have scribbled over after it was overtaken.
type damage struct {
	position, length uint64 // of its own record
	head             uint64 // records reserved from here on are whole again
}

const never = ^uint64(0)

// inProgress returns a position below which every record is complete, or lost for good.
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

// damages collects what was published and what may be going on. known is false where a writer was
// overtaken that has not told its position.
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
			continue // not overtaken: what it writes is not yet anybody else's
		}
		if !exact {
			known = false
			continue
		}
		found = append(found, damage{position: position, length: r.layout.Slack, head: never})
	}

	r.step()
	// Read after the writers: one that retired before it was looked at had published before it retired.
	count := atomic.LoadUint64(&r.header.TornCount)
	var forgotten uint64
	for i := range min(count, abi.TornMax) {
		t := &r.header.Torn[i]
		sequence := atomic.LoadUint64(&t.Sequence)
		d := damage{atomic.LoadUint64(&t.Position), atomic.LoadUint64(&t.Length), atomic.LoadUint64(&t.Head)}
		if sequence == 0 || atomic.LoadUint64(&t.Sequence) != sequence {
			continue // being published: its writer is among the announced
		}
		found = append(found, d)
		forgotten = max(forgotten, d.head)
	}
	if count > abi.TornMax {
		// More ranges were torn than are remembered: nothing before the newest is believed.
		found = append(found, damage{position: 0, length: never, head: forgotten})
	}
	return found, known
}
