// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// Reader reads the log from a position of its own, independently of other readers. It is not safe for concurrent
// use.
type Reader struct {
	Secrets *redact.Table // masked in paths and arguments

	sources []source
	past    bool   // do not report as lost what was overwritten before the Reader was made
	most    uint64 // limit of bytes of a ring per Poll
	merged  [][]byte

	// A record carries the number of execs before it. Records of two CPUs may lie in the opposite order, so a
	// missing number is lost only if the next poll does not find it either.
	began       uint64 // first number that was not logged when the Reader was made
	first, next uint64 // numbers seen: from first up to, but not including, next
	seen        uint64
	missing     uint64 // numbers missing at the last poll
	lost        uint64 // missing numbers already reported
	dropped     uint64 // the log's count of execs never written, as far as already reported
}

// source is one ring of the log.
type source struct {
	log   *ring.Ring
	from  uint64
	until uint64   // end of the log at the first final Poll
	read  [][]byte // records that were read and not returned yet; they are in the ring's buffer
	more  bool     // there are more records at once
}

// NewReader returns a Reader of new records in the rings of the log. It finds every exec whose record is begun after
// NewReader returned, if it is polled before the log wraps around.
func NewReader(log []*ring.Ring) *Reader {
	h := log[0].Header()
	r := &Reader{most: most(log), began: h.Written, dropped: h.Lost}
	for _, l := range log {
		r.sources = append(r.sources, source{log: l, from: l.Header().Head})
	}
	return r
}

// NewPastReader returns a Reader of all records that the rings of the log still hold, and of new ones.
func NewPastReader(log []*ring.Ring) *Reader {
	h := log[0].Header()
	r := &Reader{past: true, most: most(log), began: h.Written, dropped: h.Lost}
	for _, l := range log {
		r.sources = append(r.sources, source{log: l})
	}
	return r
}

// A Reader holds up to piece bytes of the log in memory at once, or if the log has many rings, least bytes of each.
// Both are larger than several records of any length.
const (
	piece = 1 << 20
	least = 4 * (abi.ExecHeadLimit + abi.ArgvLimit)
)

// most returns how many bytes of each ring a Reader reads at once.
func most(log []*ring.Ring) uint64 { return max(piece/uint64(len(log)), least) }

// Batch is the result of one Poll.
type Batch struct {
	// Lost is the number of execs found to be lost since the last Poll: they were overwritten before they were
	// read, or could not be written. It does not include execs that were overwritten before a NewPastReader began.
	Lost uint64
	// Overwritten is the number of execs that a NewPastReader would have found if they had not been overwritten, after
	// the first one that it found: those of pods that had used up their share of the log.
	Overwritten uint64
	// Malformed counts the records that Records could not decode.
	Malformed int
	// More is set if another Poll would find more records at once. After a final Poll, keep polling until it is
	// unset.
	More bool

	records [][]byte
	secrets *redact.Table
}

// Records yields the batch's records, oldest first, without those that were erased. They live until the next Poll.
func (b *Batch) Records() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for _, bytes := range b.records {
			r, err := Decode(bytes)
			if err != nil {
				b.Malformed++
				continue
			}
			if r.Entry.Flags&abi.ExecErased != 0 {
				continue
			}
			b.secrets.Mask(r.Path)
			b.secrets.Mask(r.Arguments)
			if !yield(&r) {
				return
			}
		}
	}
}

// Empty reports whether the batch holds nothing new.
func (b *Batch) Empty() bool { return len(b.records) == 0 && b.Lost == 0 }

// Poll reads the next piece of the records written since the last Poll. A final Poll does not wait: it leaves out
// records that are still being written, and those written after the first final Poll. When a final Poll leaves More
// unset, all records that are still missing count as lost. The error ring.ErrUnsettled may be gone at the next
// Poll.
func (r *Reader) Poll(final bool) (*Batch, error) {
	var lost uint64
	lapped := false
	for i := range r.sources {
		s := &r.sources[i]
		if final && s.until == 0 {
			s.until = s.log.Header().Head
		}
		if len(s.read) > 0 {
			continue // of the last poll
		}
		snapshot, err := s.log.ReadSome(s.from, r.most, !final)
		if err != nil {
			return nil, err
		}
		s.read, s.from = snapshot.Records, snapshot.Next
		s.more = len(snapshot.Records) > 0 && snapshot.Next < snapshot.Head
		if final {
			s.more = snapshot.Next < s.until
		}
		lapped = lapped || snapshot.Lapped
		lost = max(lost, snapshot.Lost)
	}
	b := &Batch{records: r.merge(), secrets: r.Secrets}
	for i := range r.sources {
		b.More = b.More || r.sources[i].more || len(r.sources[i].read) > 0
	}
	if final = final && !b.More; final {
		for i := range r.sources {
			r.sources[i].until = 0
		}
	}
	if r.seen == 0 && len(b.records) > 0 {
		r.first = sequence(b.records[0])
		if lapped && !r.past {
			r.first = r.began
		}
		r.next = r.first
	}
	late, first, next := uint64(0), r.first, r.next
	for _, record := range b.records {
		n := sequence(record)
		if n >= first && n < next {
			late++
		}
		r.first, r.next = min(r.first, n), max(r.next, n+1)
	}
	r.seen += uint64(len(b.records))
	if r.past && (r.next >= r.began || !b.More) {
		// All that was there is read: what is missing of it was overwritten before.
		r.past = false
		numbers := r.next - r.first
		r.lost = numbers - min(r.seen, numbers)
		r.missing, b.Overwritten = r.lost, r.lost
		late = 0
	}
	if !r.past {
		b.Lost = r.newlyLost(late, final)
	}
	b.Lost += r.newlyDropped(lost)
	return b, nil
}

// merge takes records that were read from all rings, by their numbers, until a ring has to be read on.
func (r *Reader) merge() [][]byte {
	merged := r.merged[:0]
	defer func() { r.merged = merged }()
	for {
		var next *source
		for i := range r.sources {
			s := &r.sources[i]
			if len(s.read) == 0 && s.more {
				return merged
			}
			if len(s.read) > 0 && (next == nil || sequence(s.read[0]) < sequence(next.read[0])) {
				next = s
			}
		}
		if next == nil {
			return merged
		}
		merged = append(merged, next.read[0])
		next.read = next.read[1:]
	}
}

// First returns the number of execs that were logged before the first record that the Reader found: 0 if it found
// the beginning of the log.
func (r *Reader) First() uint64 { return r.first }

// newlyLost returns the number of execs that were missing at the last poll, still are, and have not been reported.
// late is the number of those that have arrived since.
func (r *Reader) newlyLost(late uint64, final bool) uint64 {
	sure := r.missing - min(late, r.missing)
	numbers := r.next - r.first
	r.missing = numbers - min(r.seen, numbers)
	if final {
		sure = r.missing
	}
	found := sure - min(sure, r.lost)
	r.lost += found
	return found
}

// newlyDropped returns the number of execs that the log could not hold and that have not been reported.
func (r *Reader) newlyDropped(dropped uint64) uint64 {
	found := dropped - min(dropped, r.dropped)
	r.dropped += found
	return found
}

// sequence returns a record's number; 0 if the record is too short to have one.
func sequence(record []byte) uint64 {
	if len(record) < abi.SizeofExec {
		return 0
	}
	return binary.NativeEndian.Uint64(record[abi.SizeofEntry:])
}

// How long Follow sleeps between polls: briefly while there is something to read, then longer and longer. There is
// no wakeup, since the traced program would pay for it.
const (
	shortest = 5 * time.Millisecond
	longest  = 100 * time.Millisecond
)

// Follow passes batches to handle until ctx is done, which is not an error, or handle returns an error, which
// Follow returns. When ctx is done, it first passes the records that were written until then. A batch may be Empty.
func (r *Reader) Follow(ctx context.Context, handle func(*Batch) error) error {
	wait := shortest
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			err := r.Finish(context.Background(), handle)
			if errors.Is(err, ring.ErrUnsettled) {
				return nil
			}
			return err
		case <-timer.C:
		}
		b, err := r.Poll(false)
		if errors.Is(err, ring.ErrUnsettled) {
			timer.Reset(longest)
			continue
		}
		if err != nil {
			return err
		}
		if err := handle(b); err != nil {
			return err
		}
		if wait = min(2*wait, longest); !b.Empty() {
			wait = shortest
		}
		if b.More {
			timer.Reset(0)
		} else {
			timer.Reset(wait)
		}
	}
}

// Finish passes batches of the records that the log holds now to handle, until all are read, ctx is done, which is
// not an error, or handle returns an error, which Finish returns.
func (r *Reader) Finish(ctx context.Context, handle func(*Batch) error) error {
	for ctx.Err() == nil {
		b, err := r.Poll(true)
		if err != nil {
			return err
		}
		if err := handle(b); err != nil || !b.More {
			return err
		}
	}
	return nil
}
