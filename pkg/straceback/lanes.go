// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Lane is a part of a recording that fills up by itself: enum lane of bpf/contract/recordings.h.
type Lane uint8

// The lanes of a recording.
const (
	Recent   Lane = abi.LaneRecent
	First    Lane = abi.LaneFirst
	Distinct Lane = abi.LaneDistinct
	Said     Lane = abi.LaneSaid
	Runtime  Lane = abi.LaneRuntime
	Files    Lane = abi.LaneFiles
)

func (l Lane) String() string {
	return [abi.Lanes]string{"recent", "first", "distinct", "said", "runtime", "files"}[l]
}

// Record is a recorded call.
type Record struct {
	Bytes []byte
	Lane  Lane
	// Count is how often such a call came in all, and Last when it came last, in ns of CLOCK_BOOTTIME. Count is 0 if
	// that is not known.
	Count uint64
	Last  uint64
}

// Reach tells what a lane holds.
type Reach struct {
	Calls  int
	Lapped bool // earlier calls were overwritten
	// Since is the end of the first call, in ns of CLOCK_BOOTTIME: the lane has all of its calls that ended since.
	Since uint64
	// Oldest and Newest are the start of the first and the end of the last call, in ns of CLOCK_BOOTTIME, or 0 if the
	// lane is empty.
	Oldest, Newest uint64
}

// Total sums up all calls of one kind.
type Total struct {
	Syscall string // as in a line of text; of a 32-bit ABI with its name: "ia32:openat"
	ring.Total
}

// Calls are the records of a recording at one moment, or those that came since an earlier one.
type Calls struct {
	// Native is the native ABI of the machine that the records come from; zero means that of this machine.
	Native syscalls.ABI
	// Records are in the order in which the calls ended.
	Records []Record
	// Lanes tells what each lane holds.
	Lanes [abi.Lanes]Reach
	// Totals sums up the calls of each kind, kept or not, without those of the runtime. Their order is that of the
	// numbers, the native ABI first.
	Totals []Total
	// Missing counts the calls of the container that are not among Records: such calls came before, and later calls
	// have overwritten them. It does not count those of the runtime.
	Missing uint64
	// RuntimeMissing counts the calls of the runtime that are not among Records.
	RuntimeMissing uint64
	Lost           uint64 // calls that could not be recorded, and stretches of memory without a whole record
	// Oldest and Newest are the start of the first and the end of the last recorded call, in ns of CLOCK_BOOTTIME, or 0
	// if there are no calls.
	Oldest, Newest uint64
}

// Complete returns a time, in ns of CLOCK_BOOTTIME: all calls of the container that ended since are kept. It is 0 if no
// call is missing.
func (c *Calls) Complete() uint64 {
	if c.Missing == 0 {
		return 0
	}
	return c.Lanes[Recent].Since
}

func reach(s *ring.Snapshot) Reach {
	r := Reach{Calls: len(s.Records), Lapped: s.Lapped}
	for _, record := range s.Records {
		if len(record) < abi.SizeofCall {
			continue
		}
		begin, end := syscalls.Span(record)
		if r.Since == 0 {
			r.Since = end
		}
		if r.Oldest == 0 || begin < r.Oldest {
			r.Oldest = begin
		}
		r.Newest = max(r.Newest, end)
	}
	return r
}
