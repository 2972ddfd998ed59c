// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
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
	Complete    *time.Time           `json:"complete"` // all calls that ended since are kept; null if none was overwritten
	Lost        uint64               `json:"lost"`
	Oldest      *time.Time           `json:"oldest"` // start of the first kept call
	Newest      *time.Time           `json:"newest"` // end of the last kept call
	Ring        int                  `json:"ring"`
	Kept        bool                 `json:"kept"`              // its memory is not used for other containers
	Archive     string               `json:"archive,omitempty"` // the file that has it, if it is not in memory
	Lanes       map[string]reachJSON `json:"lanes"`
	Totals      []totalJSON          `json:"totals"`
}

// totalJSON sums up all calls of one kind, kept or not.
type totalJSON struct {
	Syscall string `json:"syscall"`
	Count   uint64 `json:"count"`
	Failed  uint64 `json:"failed"`
	Time    uint64 `json:"time"` // ns from enter to exit, of all of them together
}

// reachJSON tells what a lane of a recording holds.
type reachJSON struct {
	Syscalls int        `json:"syscalls"`
	Lapped   bool       `json:"lapped"` // earlier calls were overwritten
	Since    *time.Time `json:"since"`  // the lane has all of its calls that ended since
	Oldest   *time.Time `json:"oldest"`
	Newest   *time.Time `json:"newest"`
}

func newNamedJSON(r *straceback.Recording, clock clock) namedJSON {
	return namedJSON{Name: r.Name(), containerJSON: newContainerJSON(r.Container, clock), Evicted: r.Container == nil}
}

func newRecordingJSON(r *straceback.Recording, s *straceback.Survey, clock clock) recordingJSON {
	calls := s.Calls
	lanes := make(map[string]reachJSON)
	for lane, reach := range calls.Lanes {
		lanes[straceback.Lane(lane).String()] = reachJSON{reach.Calls, reach.Lapped, clock.time(reach.Since),
			clock.time(reach.Oldest), clock.time(reach.Newest)}
	}
	totals := make([]totalJSON, len(calls.Totals))
	for i, t := range calls.Totals {
		totals[i] = totalJSON{t.Syscall, t.Count, t.Failed, t.Time}
	}
	archive := ""
	if r.Archived != nil {
		archive = r.Archived.Path
	}
	return recordingJSON{
		Archive:   archive,
		namedJSON: newNamedJSON(r, clock), Lanes: lanes, Totals: totals,
		Syscalls: s.Kept, Overwritten: calls.Missing, Lost: calls.Lost, Complete: clock.time(calls.Complete()),
		Oldest: clock.time(calls.Oldest), Newest: clock.time(calls.Newest), Ring: r.Index, Kept: r.Kept,
	}
}

var recordingColumns = append(slices.Clip(whose), []terminal.Column{
	{Name: "IMAGE", Extra: true, Rank: 5, Names: true}, {Name: "STATE"}, {Name: "SPAN", Rank: 1},
	{Name: "RECENT", Rank: 2}, {Name: "KEPT"}, {Name: "SYSCALLS", Rank: 3}, {Name: "OVERWRITTEN", Rank: 4},
	{Name: "FILES", Extra: true}, {Name: "DISTINCT", Extra: true}, {Name: "SAID", Extra: true},
	{Name: "RUNTIME", Extra: true},
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
	kept := ""
	if j.Kept {
		kept = "kept"
	}
	if j.Archive != "" {
		kept = "archived"
	}
	row = append(row, cmp.Or(j.back(j.Oldest), "0s"), j.back(j.Complete), kept, strconv.Itoa(j.Syscalls),
		strconv.FormatUint(j.Overwritten, 10))
	for _, lane := range []straceback.Lane{straceback.Files, straceback.Distinct, straceback.Said, straceback.Runtime} {
		reach, back := j.Lanes[lane.String()], ""
		if reach.Lapped {
			back = j.back(reach.Since)
		}
		row = append(row, back)
	}
	return append(row, j.Engine, strconv.FormatUint(j.Lost, 10))
}

// back returns the time from a moment to the end of the last call, or nothing if either is unknown.
func (j *recordingJSON) back(from *time.Time) string {
	if from == nil || j.Newest == nil {
		return ""
	}
	return timestamp.Brief(max(0, j.Newest.Sub(*from)))
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
