// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// Reading is a recording that was read, with all that is needed to show it: also later, or on another machine.
type Reading struct {
	Node      string            // of a cluster, from which it came; or ""
	Container *labels.Container // nil if it is no longer known
	Calls     *Calls
	InFlight  []Record  // of calls that had not returned
	Live      Snapshot  // of the processes that ran
	Boot      time.Time // when CLOCK_BOOTTIME began
	Now       uint64    // when it was read, in ns of CLOCK_BOOTTIME
}

// Timeline returns the calls, ordered by time. descriptors has it say what descriptors are.
func (r *Reading) Timeline(descriptors bool) *Timeline {
	t := newTimeline(r.Calls.Native, r.Calls.Records, r.InFlight)
	t.withheld = r.Container != nil && r.Container.Withheld() != ""
	if descriptors {
		t.Descriptors = Follow(r.Calls, r.Live)
	}
	return t
}
