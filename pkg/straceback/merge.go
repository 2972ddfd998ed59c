// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// merged is what merge makes: records, and the ends of their calls.
type merged struct {
	records []Record
	ends    []uint64
}

// merge joins the lanes of a recording by the ends of calls. A call that is in several lanes comes once, from the one
// whose record says most: said, then those of new calls, then recent. The lanes of new calls tell how often it came.
//
// Each lane is in this order already, but for calls of several CPUs at the same moment, and those of a CPU that was
// stopped while it wrote.
//
// The result uses the memory of `into`, as far as it is enough.
func merge(lanes *[abi.Lanes]*ring.Snapshot, repeats map[ring.Place]ring.Repeats, into merged) merged {
	total := 0
	var heads [abi.Lanes]head
	for lane := range lanes {
		total += len(lanes[lane].Records)
		heads[lane].next(lanes[lane])
	}
	records, ends := slices.Grow(into.records[:0], total), slices.Grow(into.ends[:0], total)
	for {
		lane := earliest(&heads)
		if lane < 0 {
			return merged{records, ends}
		}
		h := &heads[lane]
		i := h.at - 1
		record, at := Record{Bytes: lanes[lane].Records[i], Lane: Lane(lane)}, h.end
		h.next(lanes[lane])
		if repeats != nil {
			again := repeats[ring.Place{Lane: lane, Position: lanes[lane].Positions[i]}]
			record.Count, record.Last = again.Count, again.Last
		}
		n := len(ends)
		for n > 0 && ends[n-1] > at {
			n--
		}
		if twin := twin(records[:n], ends, record, at); twin != nil {
			twin.join(record)
			continue
		}
		records, ends = slices.Insert(records, n, record), slices.Insert(ends, n, at)
	}
}

// twin returns the same call among those that ended at the same time, which are the last ones, or nil.
func twin(records []Record, ends []uint64, record Record, end uint64) *Record {
	for n := len(records) - 1; n >= 0 && ends[n] == end; n-- {
		if r := &records[n]; r.Lane != record.Lane && callOf(r.Bytes) == callOf(record.Bytes) {
			return r
		}
	}
	return nil
}

// join adds what another record of the same call says.
func (r *Record) join(other Record) {
	if other.Count == 0 {
		other.Count, other.Last = r.Count, r.Last
	}
	if r.Lane == Said || other.Lane == Recent {
		other.Bytes, other.Lane = r.Bytes, r.Lane
	}
	*r = other
}

// head is the next record of a lane.
type head struct {
	at  int    // 1 + its index; 0: there are no more
	end uint64 // of its call
}

func (h *head) next(s *ring.Snapshot) {
	if h.at == len(s.Records) {
		h.at = 0
		return
	}
	h.at++
	h.end = end(s.Records[h.at-1])
}

// earliest returns the lane whose next call ended first, or -1 if no lane has one.
func earliest(heads *[abi.Lanes]head) int {
	lane := -1
	for other := range heads {
		if heads[other].at > 0 && (lane < 0 || heads[other].end < heads[lane].end) {
			lane = other
		}
	}
	return lane
}

// identity identifies a call: a thread is in one call at a time.
type identity struct {
	thread uint32
	begin  uint64
}

func callOf(record []byte) identity {
	if len(record) < abi.SizeofCall {
		return identity{}
	}
	begin, _ := syscalls.Span(record)
	return identity{syscalls.Thread(record), begin}
}

func end(record []byte) uint64 {
	if len(record) < abi.SizeofCall {
		return 0
	}
	_, end := syscalls.Span(record)
	return end
}
