// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// Reader reads the log from a position of its own, independently of other readers. It is not safe for concurrent
// use.
type Reader struct {
	log  *ring.Ring
	from uint64
	past bool   // do not report as lost what was overwritten before the first poll
	most uint64 // limit of bytes per Poll

	until uint64 // end of the log at the first final Poll

	// A record carries the number of execs before it. Records of two CPUs may lie in the opposite order, so a
	// missing number is lost only if the next poll does not find it either.
	began       uint64 // first number that this Reader could see
	first, next uint64 // numbers seen: from first up to, but not including, next
	seen        uint64
	missing     uint64 // numbers missing at the last poll
	lost        uint64 // missing numbers already reported
	dropped     uint64 // the log's count of execs never written, as far as already reported
}

// NewReader returns a Reader of new records. It finds every exec whose record is begun after NewReader returned, if
// it is polled before the log wraps around.
func NewReader(log *ring.Ring) *Reader {
	h := log.Header()
	return &Reader{log: log, from: h.Head, most: piece, began: h.Written, dropped: h.Lost}
}

// NewPastReader returns a Reader of all records that the log still holds, and of new ones.
func NewPastReader(log *ring.Ring) *Reader {
	return &Reader{log: log, past: true, most: piece, dropped: log.Header().Lost}
}

// piece is the number of bytes of the log that a Reader holds in memory at once. It is larger than many records of
// any length.
const piece = 1 << 20

// Batch is the result of one Poll.
type Batch struct {
	// Lost is the number of execs found to be lost since the last Poll: they were overwritten before they were
	// read, or could not be written. It does not include execs that were overwritten before a NewPastReader began.
	Lost uint64
	// Malformed counts the records that Records could not decode.
	Malformed int
	// More is set if another Poll would find more records at once. After a final Poll, keep polling until it is
	// unset.
	More bool

	records [][]byte
}

// Records yields the batch's records, oldest first. They live until the next Poll.
func (b *Batch) Records() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for _, bytes := range b.records {
			r, err := Decode(bytes)
			if err != nil {
				b.Malformed++
				continue
			}
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
	if final && r.until == 0 {
		r.until = r.log.Header().Head
	}
	s, err := r.log.ReadSome(r.from, r.most, !final)
	if err != nil {
		return nil, err
	}
	r.from = s.Next
	more := len(s.Records) > 0 && s.Next < s.Head
	if final {
		more = s.Next < r.until
		final = !more
	}
	if final {
		r.until = 0
	}
	if r.seen == 0 && len(s.Records) > 0 {
		r.first = sequence(s.Records[0])
		if s.Lapped && !r.past {
			r.first = r.began
		}
		r.next = r.first
	}
	late, first, next := uint64(0), r.first, r.next
	for _, record := range s.Records {
		n := sequence(record)
		if n >= first && n < next {
			late++
		}
		r.first, r.next = min(r.first, n), max(r.next, n+1)
	}
	r.seen += uint64(len(s.Records))
	return &Batch{More: more, records: s.Records, Lost: r.newlyLost(late, final) + r.newlyDropped(s.Lost)}, nil
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
