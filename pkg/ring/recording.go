// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Recording reads one recording: its lanes, its totals, and how often calls came again. It is not safe for concurrent
// use.
type Recording struct {
	Lanes [abi.Lanes]*Ring

	shared *abi.Recording
	seen   []abi.SeenSet
}

// NewRecording returns a reader of the recording with an index, whose memory is layout.RingStride bytes. Both the
// memory and the writers, one for each CPU, must stay mapped while the Recording is in use.
func NewRecording(memory []byte, writers []abi.Writer, layout abi.ABI, index uint32) (*Recording, error) {
	end := uint64(abi.SizeofRecording) + uint64(layout.SeenSets)*abi.SizeofSeenSet
	if uint64(len(memory)) < max(end, uint64(layout.RingStride)) {
		return nil, fmt.Errorf("recording of %d bytes does not hold %d sets of signatures", len(memory), layout.SeenSets)
	}
	r := &Recording{}
	for lane := range r.Lanes {
		var err error
		r.Lanes[lane], err = New(memory, writers, Layout{
			Secret:   layout.Secret,
			Size:     uint64(layout.LaneSizes[lane]),
			Slack:    abi.RecordLimit,
			Stride:   uint64(layout.RingStride),
			Header:   uint64(lane) * abi.SizeofRing,
			Data:     uint64(layout.LaneOffsets[lane]),
			Segments: 1,
			ID:       (index + 1) | uint32(lane)<<abi.LaneShift,
		})
		if err != nil {
			return nil, fmt.Errorf("lane %d: %w", lane, err)
		}
	}
	r.shared = (*abi.Recording)(unsafe.Pointer(unsafe.SliceData(memory)))
	r.seen = unsafe.Slice((*abi.SeenSet)(unsafe.Pointer(&memory[abi.SizeofRecording])), layout.SeenSets)
	return r, nil
}

// Reuse lets the recording use the memory of another one, whose Snapshots are no longer needed.
func (r *Recording) Reuse(other *Recording) {
	for lane, from := range other.Lanes {
		to := r.Lanes[lane]
		to.buffer, to.records, to.positions = from.buffer, from.records, from.positions
	}
}

// Header returns the header of the recording: see ReadRecording.
func (r *Recording) Header() Header { return ReadRecording(r.shared) }

// ReadRecording copies the header of a recording from shared memory. Written and Lost are calls of the container and of
// the runtime. A call that only the other lanes have lost is in the lane recent.
func ReadRecording(r *abi.Recording) Header {
	h := ReadHeader(&r.Lanes[abi.LaneRecent])
	h.Written = atomic.LoadUint64(&r.Runtime.Count)
	for i := range r.Totals {
		h.Written += atomic.LoadUint64(&r.Totals[i].Count)
	}
	h.Lost += atomic.LoadUint64(&r.Lanes[abi.LaneRuntime].Lost)
	return h
}

// Oldest returns the oldest record of the lane recent, or nil if there is none or it is overwritten too fast.
func (r *Recording) Oldest() []byte {
	s, err := r.Lanes[abi.LaneRecent].ReadSome(0, 2*abi.RecordLimit, false)
	if err != nil || len(s.Records) == 0 {
		return nil
	}
	return s.Records[0]
}

// Total sums up all calls of one number, whether their records are kept or not.
type Total struct {
	Count, Failed uint64
	Time          uint64 // ns in the calls, of all threads together
}

// Totals returns the totals by the index of the call, as in the map syscalls, and that of the runtime's own calls.
func (r *Recording) Totals() (calls []Total, runtime Total) {
	calls = make([]Total, len(r.shared.Totals))
	for i := range calls {
		calls[i] = total(&r.shared.Totals[i])
	}
	return calls, total(&r.shared.Runtime)
}

func total(t *abi.Total) Total {
	return Total{atomic.LoadUint64(&t.Count), atomic.LoadUint64(&t.Failed), atomic.LoadUint64(&t.Time)}
}

// Place is the place of a record: its lane and its position there.
type Place struct {
	Lane     int
	Position uint64
}

// Repeats tells how often a call came, and when last.
type Repeats struct {
	Count uint64
	Last  uint64 // ns of CLOCK_BOOTTIME
}

// Repeats returns the calls in the lanes first, distinct and runtime that are still remembered. Some places may be
// those of records that were overwritten.
func (r *Recording) Repeats() map[Place]Repeats {
	found := make(map[Place]Repeats)
	for s := range r.seen {
		for way := range r.seen[s].Signatures {
			if place, repeats, ok := entry(&r.seen[s], way); ok {
				found[place] = repeats
			}
		}
	}
	return found
}

// entry copies an entry of a set, unless it is unused or is being written.
func entry(set *abi.SeenSet, way int) (place Place, repeats Repeats, ok bool) {
	signature, from := &set.Signatures[way], &set.Entries[way]
	before := atomic.LoadUint64(signature)
	position := atomic.LoadUint64(&from.Position)
	repeats = Repeats{atomic.LoadUint64(&from.Count), atomic.LoadUint64(&from.Last)}
	if before <= abi.SeenBusy || atomic.LoadUint64(signature) != before {
		return Place{}, Repeats{}, false
	}
	const flags = abi.SeenDistinct | abi.SeenFirst | abi.SeenFiles
	place = Place{Lane: abi.LaneRuntime, Position: position & (1<<abi.SeenFileShift - 1) &^ flags}
	switch {
	case position&abi.SeenFirst != 0:
		place.Lane = abi.LaneFirst
	case position&abi.SeenDistinct != 0:
		place.Lane = abi.LaneDistinct
	case position&abi.SeenFiles != 0:
		place.Lane = abi.LaneFiles
	}
	return place, repeats, true
}
