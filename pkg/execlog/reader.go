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

// Reader reads the log from a place of its own on, and takes nothing from other readers.
// It is not safe for concurrent use.
type Reader struct {
	log  *ring.Ring
	from uint64
	past bool   // what was overwritten before the first poll is not lost: nobody asked for it
	most uint64 // bytes that one Poll reads

	until uint64 // with final: where the log ended at the first such Poll

	// Execs carry the number of execs before them. Those of two CPUs may lie in the other
	// order, so that a number that is missing is lost only where the next poll lacks it, too.
	began       uint64 // the number that the Reader began before
	first, next uint64 // numbers seen: from first up to, and without, next
	seen        uint64
	missing     uint64 // of those, at the last poll
	lost        uint64 // of those, as reported already
	dropped     uint64 // the log's count of those never written, as reported already
}

// NewReader returns a Reader of what is written from now on: every exec whose record is
// begun after NewReader was called is found, if the Reader is polled before the log has
// gone round.
func NewReader(log *ring.Ring) *Reader {
	h := log.Header()
	return &Reader{log: log, from: h.Head, most: piece, began: h.Written, dropped: h.Lost}
}

// NewPastReader returns a Reader of all that the log still holds, and of what comes.
func NewPastReader(log *ring.Ring) *Reader {
	return &Reader{log: log, past: true, most: piece, dropped: log.Header().Lost}
}

// piece is how much of the log is in a Reader's memory at once, in bytes. It holds many records of any length.
const piece = 1 << 20

// Batch is what one Poll found.
type Batch struct {
	// Lost is the number of execs that were found to be lost since the last Poll: the log
	// had gone round before they were read, or they could not be written. It tells nothing of
	// those that were overwritten before a reader of the past began.
	Lost uint64
	// Malformed counts the records that Records could not decode.
	Malformed int
	// More says that the next Poll finds more at once; with final, that it is needed.
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

// Empty tells whether there was nothing new.
func (b *Batch) Empty() bool { return len(b.records) == 0 && b.Lost == 0 }

// Poll reads what was written since the last Poll, piece by piece. With final it waits for nothing: records
// that are still being written are left out, and once there is no More, what is missing is lost; what is written after the
// first Poll with final is not waited for. The error ring.ErrUnsettled may pass with the next Poll.
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

// First is the number of execs that were logged before the first one that the Reader
// found: 0 where it found the log's very beginning.
func (r *Reader) First() uint64 { return r.first }

// newlyLost is what was missing at the last poll and still is, as far as it is not reported
// yet; late is how much of that came.
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

// newlyDropped is what the log counts as not written, as far as it is not reported yet.
func (r *Reader) newlyDropped(dropped uint64) uint64 {
	found := dropped - min(dropped, r.dropped)
	r.dropped += found
	return found
}

// sequence is a record's number; 0 of one that is too short to have any.
func sequence(record []byte) uint64 {
	if len(record) < abi.SizeofExec {
		return 0
	}
	return binary.NativeEndian.Uint64(record[abi.SizeofEntry:])
}

// How long Follow sleeps between polls: short while there is something to read, longer and
// longer while there is nothing. Nobody wakes it: a wakeup would cost the traced program.
const (
	shortest = 5 * time.Millisecond
	longest  = 100 * time.Millisecond
)

// Follow gives handle one batch after another, until ctx is done, which is no error, or
// until handle returns an error, which Follow returns. The last batches are what there is when
// ctx is done. Batches may be Empty.
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

// Finish gives handle one batch after another of what the log holds by now, until all of that is read, ctx is done,
// which is no error, or handle returns an error, which Finish returns.
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
