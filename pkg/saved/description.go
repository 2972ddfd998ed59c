// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Origin tells who saved a recording.
type Origin struct {
	Program string // and its version
	Host    string
}

// description is what a file says of its recording, apart from the records. Names are stable. Times are in ns of
// CLOCK_BOOTTIME.
type description struct {
	Program      string `json:"program"`
	Host         string `json:"host"`
	Architecture string `json:"architecture"` // native ABI of the machine: amd64 or arm64
	Boot         int64  `json:"boot"`         // when CLOCK_BOOTTIME began, in ns since 1970
	Now          uint64 `json:"now"`          // when it was saved

	Container *labels.Container `json:"container"`

	Calls    calls  `json:"calls"`
	InFlight int    `json:"inFlight"` // number of records
	Open     int    `json:"open"`     // number of descriptors
	OpenTime uint64 `json:"openTime"` // when they were read
}

// calls is a straceback.Calls without its records.
type calls struct {
	Records        int              `json:"records"`
	Lanes          map[string]reach `json:"lanes"`
	Totals         []total          `json:"totals"`
	Missing        uint64           `json:"missing"`
	RuntimeMissing uint64           `json:"runtimeMissing"`
	Lost           uint64           `json:"lost"`
	Oldest         uint64           `json:"oldest"`
	Newest         uint64           `json:"newest"`
}

// reach is a straceback.Reach.
type reach struct {
	Calls  int    `json:"calls"`
	Lapped bool   `json:"lapped"`
	Since  uint64 `json:"since"`
	Oldest uint64 `json:"oldest"`
	Newest uint64 `json:"newest"`
}

// total is a straceback.Total.
type total struct {
	Syscall string `json:"syscall"`
	Count   uint64 `json:"count"`
	Failed  uint64 `json:"failed"`
	Time    uint64 `json:"time"`
}

// describe describes a recording with a number of descriptors that are open.
func describe(r *straceback.Reading, o Origin, open int) *description {
	native := r.Calls.Native
	if native == 0 {
		native = syscalls.NativeABI()
	}
	d := &description{
		Program: o.Program, Host: o.Host, Architecture: native.String(), Boot: r.Boot.UnixNano(), Now: r.Now,
		Container: r.Container,
		Calls: calls{
			Records: len(r.Calls.Records), Lanes: map[string]reach{}, Missing: r.Calls.Missing,
			RuntimeMissing: r.Calls.RuntimeMissing, Lost: r.Calls.Lost, Oldest: r.Calls.Oldest, Newest: r.Calls.Newest,
		},
		InFlight: len(r.InFlight), Open: open, OpenTime: r.Live.Time,
	}
	for lane, at := range r.Calls.Lanes {
		d.Calls.Lanes[straceback.Lane(lane).String()] = reach(at)
	}
	for _, t := range r.Calls.Totals {
		d.Calls.Totals = append(d.Calls.Totals, total{t.Syscall, t.Count, t.Failed, t.Time})
	}
	return d
}

// reading returns the recording that a description is of, without its records.
func (d *description) reading() (*straceback.Reading, error) {
	var native syscalls.ABI
	switch d.Architecture {
	case syscalls.AMD64.String():
		native = syscalls.AMD64
	case syscalls.ARM64.String():
		native = syscalls.ARM64
	default:
		return nil, fmt.Errorf("it is of an unknown architecture, %q", d.Architecture)
	}
	c := d.Container
	if c == nil {
		return nil, errors.New("it says nothing of its container")
	}
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	c.State = min(c.State, abi.StateEnded)
	r := &straceback.Reading{
		Container: c,
		Calls: &straceback.Calls{
			Native: native, Missing: d.Calls.Missing, RuntimeMissing: d.Calls.RuntimeMissing, Lost: d.Calls.Lost,
			Oldest: d.Calls.Oldest, Newest: d.Calls.Newest,
		},
		Live: straceback.Snapshot{Time: d.OpenTime, Processes: map[uint32]map[int32]straceback.Live{}},
		Boot: time.Unix(0, d.Boot).UTC(), Now: d.Now,
	}
	for lane := range r.Calls.Lanes {
		r.Calls.Lanes[lane] = straceback.Reach(d.Calls.Lanes[straceback.Lane(lane).String()])
	}
	for _, t := range d.Calls.Totals {
		if terminal.Harmless(t.Syscall) {
			r.Calls.Totals = append(r.Calls.Totals,
				straceback.Total{Syscall: t.Syscall, Total: ring.Total{Count: t.Count, Failed: t.Failed, Time: t.Time}})
		}
	}
	return r, nil
}

// parseDescription reads a chunk's payload.
func parseDescription(payload []byte) (*description, error) {
	d := &description{}
	if err := json.Unmarshal(payload, d); err != nil {
		return nil, fmt.Errorf("reading its description: %w", err)
	}
	return d, nil
}
