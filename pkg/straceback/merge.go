// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// merge joins the lanes of a recording by the ends of calls. A call that is in the lane recent and in another one is
// taken from the other one, whose record says more.
//
// Each lane is in this order already, but for calls of several CPUs at the same moment, and those of a CPU that was
// stopped while it wrote.
func merge(lanes *[abi.Lanes]*ring.Snapshot, repeats map[ring.Place]ring.Repeats) []Record {
	twins := twins(lanes)
	total := 0
	var heads [abi.Lanes]head
	for lane := range lanes {
		total += len(lanes[lane].Records)
		heads[lane].next(lanes[lane])
	}
	records := make([]Record, 0, total)
	ends := make([]uint64, 0, total)
	for {
		lane := earliest(&heads)
		if lane < 0 {
			return records
		}
		h := &heads[lane]
		i := h.at - 1
		record, at := Record{Bytes: lanes[lane].Records[i], Lane: Lane(lane)}, h.end
		h.next(lanes[lane])
		if record.Lane == Recent {
			if len(twins) > 0 && twins[callOf(record.Bytes)] {
				continue
			}
		} else {
			again := repeats[ring.Place{Lane: lane, Position: lanes[lane].Positions[i]}]
			record.Count, record.Last = again.Count, again.Last
		}
		records, ends = append(records, record), append(ends, at)
		for n := len(ends) - 1; n > 0 && ends[n-1] > at; n-- {
			records[n-1], records[n] = records[n], records[n-1]
			ends[n-1], ends[n] = ends[n], ends[n-1]
		}
	}
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

// twins returns the calls of other lanes that the lane recent may have, too.
func twins(lanes *[abi.Lanes]*ring.Snapshot) map[identity]bool {
	recent := lanes[Recent].Records
	if len(recent) == 0 {
		return nil
	}
	oldest := ^uint64(0)
	for _, record := range recent {
		if len(record) >= abi.SizeofCall {
			begin, _ := syscalls.Span(record)
			oldest = min(oldest, begin)
		}
	}
	found := make(map[identity]bool)
	for lane, s := range lanes {
		if Lane(lane) == Recent || Lane(lane) == Runtime {
			continue
		}
		for _, record := range s.Records {
			if id := callOf(record); id.begin >= oldest {
				found[id] = true
			}
		}
	}
	return found
}

func end(record []byte) uint64 {
	if len(record) < abi.SizeofCall {
		return 0
	}
	_, end := syscalls.Span(record)
	return end
}
