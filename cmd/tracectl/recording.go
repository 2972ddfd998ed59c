// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// namedJSON identifies the container of a recording. Names are stable.
type namedJSON struct {
	Name string `json:"name"` // accepted by `straceback show`
	containerJSON
	Evicted bool `json:"evicted,omitempty"` // its container's identity is not known any more
}

// recordingJSON is a recording. Names are stable.
type recordingJSON struct {
	namedJSON
	Syscalls    int                  `json:"syscalls"` // calls kept
	Overwritten uint64               `json:"overwritten"`
	Lost        uint64               `json:"lost"`
	Oldest      *time.Time           `json:"oldest"` // start of the first kept call
	Newest      *time.Time           `json:"newest"` // end of the last kept call
	Ring        int                  `json:"ring"`
	Lanes       map[string]reachJSON `json:"lanes"`
}

// reachJSON tells what a lane of a recording holds.
type reachJSON struct {
	Syscalls int        `json:"syscalls"`
	Lapped   bool       `json:"lapped"` // earlier calls were overwritten
	Oldest   *time.Time `json:"oldest"`
	Newest   *time.Time `json:"newest"`
}

func newNamedJSON(r *straceback.Recording, clock clock) namedJSON {
	return namedJSON{Name: r.Name(), containerJSON: newContainerJSON(r.Container, clock), Evicted: r.Container == nil}
}

func newRecordingJSON(r *straceback.Recording, calls *straceback.Calls, clock clock) recordingJSON {
	lanes := make(map[string]reachJSON)
	for lane, reach := range calls.Lanes {
		lanes[straceback.Lane(lane).String()] = reachJSON{reach.Calls, reach.Lapped, clock.time(reach.Oldest),
			clock.time(reach.Newest)}
	}
	return recordingJSON{
		namedJSON: newNamedJSON(r, clock), Lanes: lanes,
		Syscalls: len(calls.Records), Overwritten: calls.Missing, Lost: calls.Lost,
		Oldest: clock.time(calls.Oldest), Newest: clock.time(calls.Newest), Ring: r.Index,
	}
}

var recordingColumns = append(slices.Clip(whose), []terminal.Column{
	{Name: "IMAGE", Extra: true, Rank: 4, Names: true}, {Name: "STATE"}, {Name: "SPAN", Rank: 1},
	{Name: "SYSCALLS", Rank: 2}, {Name: "OVERWRITTEN", Rank: 3},
	{Name: "ENGINE", Extra: true}, {Name: "LOST", Extra: true},
}...)

// row returns the cells at a time.
func (j *recordingJSON) row(now time.Time) []string {
	row := []string{"<evicted>", "<evicted>", "<evicted>", "", "", ""}
	if !j.Evicted {
		row = []string{
			terminal.Cell(j.Namespace), terminal.Cell(j.Pod), terminal.Cell(j.Container), labels.ShortID(j.ContainerID),
			terminal.Cell(j.Image), j.state(now),
		}
	}
	var span time.Duration
	if j.Oldest != nil && j.Newest != nil {
		span = j.Newest.Sub(*j.Oldest)
	}
	return append(row, humanSpan(span), strconv.Itoa(j.Syscalls), strconv.FormatUint(j.Overwritten, 10), j.Engine,
		strconv.FormatUint(j.Lost, 10))
}

// compare orders recordings: the newest crash first; see labels.Status. Recordings of unknown containers come last.
func (j *recordingJSON) compare(other *recordingJSON) int {
	if j.Evicted != other.Evicted {
		if j.Evicted {
			return 1
		}
		return -1
	}
	return cmp.Or(j.status().Compare(other.status()), cmp.Compare(j.Name, other.Name),
		cmp.Compare(j.ContainerID, other.ContainerID))
}

// recordingTable lists recordings, newest crash first.
var recordingTable = table[recordingJSON]{
	columns: recordingColumns,
	named:   func(j *recordingJSON) bool { return j.Evicted || j.named() },
	row:     (*recordingJSON).row,
	compare: (*recordingJSON).compare,
}

// humanSpan formats a duration in two or three digits.
func humanSpan(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return duration.HumanDuration(d)
}
