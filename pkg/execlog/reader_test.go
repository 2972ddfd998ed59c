// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// poll returns the PIDs of the execs that a Reader finds, and the number of lost ones.
func poll(t *testing.T, r *Reader, final bool) ([]uint32, uint64) {
	t.Helper()
	b, err := r.Poll(final)
	if err != nil {
		t.Fatal(err)
	}
	var pids []uint32
	for record := range b.Records() {
		pids = append(pids, record.PID)
	}
	return pids, b.Lost
}

func TestReadersDoNotDisturbEachOther(t *testing.T) {
	l := newLog(1 << 12)
	l.write(abi.Exec{PID: 1})
	l.write(abi.Exec{PID: 2})
	past, now := NewPastReader(l.ring(t)), NewReader(l.ring(t))
	l.write(abi.Exec{PID: 3})
	for _, step := range []struct {
		what   string
		reader *Reader
		want   []uint32
	}{
		{"the past", past, []uint32{1, 2, 3}},
		{"from now on", now, []uint32{3}},
		{"the past, again", past, nil},
		{"from now on, again", now, nil},
	} {
		got, lost := poll(t, step.reader, false)
		if diff := cmp.Diff(step.want, got); diff != "" || lost != 0 {
			t.Errorf("%s: lost %d (-want +got):\n%s", step.what, lost, diff)
		}
	}
}

func TestLapped(t *testing.T) {
	const size, record = 1 << 10, 128 // eight records
	l := newLog(size)
	l.write(abi.Exec{PID: 1})
	past, now, late := NewPastReader(l.ring(t)), NewReader(l.ring(t)), NewReader(l.ring(t))
	l.write(abi.Exec{PID: 2})
	for _, r := range []*Reader{past, now} {
		poll(t, r, false)
	}
	for pid := uint32(3); pid <= 22; pid++ {
		l.write(abi.Exec{PID: pid})
	}
	kept := []uint32{15, 16, 17, 18, 19, 20, 21, 22}
	for _, c := range []struct {
		what   string
		reader *Reader
		lost   uint64
	}{
		{"a reader of the past", past, 12}, // 3 to 14
		{"a reader from now on", now, 12},
		{"one that never read", late, 13}, // 2 to 14
	} {
		pids, lost := poll(t, c.reader, false)
		if diff := cmp.Diff(kept, pids); diff != "" || lost != 0 {
			t.Errorf("%s: lost %d at once (-want +got):\n%s", c.what, lost, diff)
		}
		if _, lost := poll(t, c.reader, false); lost != c.lost {
			t.Errorf("%s lost %d, want %d", c.what, lost, c.lost)
		}
		if _, lost := poll(t, c.reader, true); lost != 0 {
			t.Errorf("%s reports %d again", c.what, lost)
		}
	}
	fresh := NewPastReader(l.ring(t))
	if pids, lost := poll(t, fresh, true); !cmp.Equal(pids, kept) || lost != 0 || fresh.First() != 14 {
		t.Errorf("a new reader of the past finds %v, lost %d, and %d before", pids, lost, fresh.First())
	}
}

// TestPieces reads a log that is many times larger than a piece: all records arrive in order, none counts as lost,
// and records written at the same time do not keep the Reader from finishing.
func TestPieces(t *testing.T) {
	l := newLog(1 << 16)
	const execs = 400
	for n := range uint64(execs) {
		n ^= 1 // the order that two CPUs may leave: 1, 0, 3, 2, ...
		l.writeNumbered(abi.Exec{PID: uint32(n), Sequence: n})
	}
	var want []uint32
	for pid := range uint32(execs) {
		want = append(want, pid^1)
	}
	for _, most := range []uint64{128, 1000, 1 << 15, piece} {
		r := NewPastReader(l.ring(t))
		r.most = most
		var pids []uint32
		lost, batches := uint64(0), 0
		err := r.Finish(t.Context(), func(b *Batch) error {
			for record := range b.Records() {
				pids = append(pids, record.PID)
			}
			lost += b.Lost
			batches++
			if batches == 1 {
				l.write(abi.Exec{PID: 1 << 20})
			}
			return nil
		})
		pids = pids[:min(len(pids), execs)] // records written during the test may be read or not
		if diff := cmp.Diff(want, pids); diff != "" || err != nil || lost != 0 {
			t.Errorf("in pieces of %d bytes: %v, lost %d (-want +got):\n%s", most, err, lost, diff)
		}
		if pieces := int(execs*128/(most+128)) + 1; batches < pieces {
			t.Errorf("in pieces of %d bytes: %d batches, want at least %d", most, batches, pieces)
		}
	}
}

// TestMemory reads a log that is larger than the memory a Reader may use.
func TestMemory(t *testing.T) {
	size := uint64(32 << 20)
	if testing.Short() {
		size = 8 << 20
	}
	l := newLog(size)
	for l.header.Head < size-256 {
		l.write(abi.Exec{PID: 1})
	}
	r := NewPastReader(l.ring(t))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	execs := uint64(0)
	err := r.Finish(t.Context(), func(b *Batch) error {
		for range b.Records() {
			execs++
		}
		return nil
	})
	runtime.ReadMemStats(&after)
	if err != nil || execs != l.header.Written {
		t.Errorf("%d of %d execs, %v", execs, l.header.Written, err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 4*piece {
		t.Errorf("reading %d bytes took %d", size, taken)
	}
}

func TestNumbersOutOfOrder(t *testing.T) {
	l := newLog(1 << 12)
	r := NewReader(l.ring(t))
	l.writeNumbered(abi.Exec{PID: 1, Sequence: 0})
	l.writeNumbered(abi.Exec{PID: 3, Sequence: 2})
	if _, lost := poll(t, r, false); lost != 0 {
		t.Errorf("lost %d, but the number that is missing may still come", lost)
	}
	l.writeNumbered(abi.Exec{PID: 2, Sequence: 1})
	l.writeNumbered(abi.Exec{PID: 5, Sequence: 4})
	if _, lost := poll(t, r, false); lost != 0 {
		t.Errorf("lost %d, but all came", lost)
	}
	if _, lost := poll(t, r, true); lost != 1 {
		t.Errorf("lost %d at the end, want number 3", lost)
	}
}

func TestNotWrittenIsLost(t *testing.T) {
	l := newLog(1 << 12)
	l.header.Lost = 5 // before the Reader was made
	r := NewReader(l.ring(t))
	l.header.Lost = 7
	if _, lost := poll(t, r, false); lost != 2 {
		t.Errorf("lost %d, want 2", lost)
	}
}

func TestFollow(t *testing.T) {
	l := newLog(1 << 12)
	r := NewReader(l.ring(t))
	l.write(abi.Exec{PID: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var pids []uint32
	err := r.Follow(ctx, func(b *Batch) error {
		for record := range b.Records() {
			pids = append(pids, record.PID)
		}
		switch len(pids) {
		case 1:
			l.write(abi.Exec{PID: 2})
		case 2:
			l.write(abi.Exec{PID: 3}) // is read, although ctx is done
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{1, 2, 3}, pids); diff != "" {
		t.Errorf("followed (-want +got):\n%s", diff)
	}
	stop := errors.New("stop")
	if err := r.Follow(t.Context(), func(*Batch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Follow returns %v, want the handler's error", err)
	}
}
