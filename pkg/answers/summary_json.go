// SPDX-License-Identifier: Apache-2.0

package answers

import "github.com/runc-trace/runc-trace/pkg/syscalls"

// summaryVersion is that of SummaryJSON: it grows if a field changes its meaning or goes.
const summaryVersion = 1

// SummaryJSON is a Summary in machine-readable form. Names are stable.
type SummaryJSON struct {
	Version int `json:"version"`
	AboutJSON
	Totals    []TallyJSON        `json:"totals"`    // all calls, kept or not, without those of the runtime
	Processes []ProcessTallyJSON `json:"processes"` // only of the calls that are kept
	Errors    []ErrorJSON        `json:"errors"`    // likewise, with the calls that are only counted; most frequent first
	Slowest   []TimedJSON        `json:"slowest"`   // the slowest first
	Kept      KeptJSON           `json:"kept"`
}

// TallyJSON sums up calls of one kind.
type TallyJSON struct {
	Syscall string `json:"syscall"`
	Count   uint64 `json:"count"`
	Failed  uint64 `json:"failed"`
	Time    uint64 `json:"time"` // ns
	Mean    uint64 `json:"mean"` // ns
}

// ProcessTallyJSON sums up the calls of a process.
type ProcessTallyJSON struct {
	ProcessJSON
	Count  uint64      `json:"count"`
	Failed uint64      `json:"failed"`
	Time   uint64      `json:"time"`  // ns
	Calls  []TallyJSON `json:"calls"` // those that took longest first
}

// ErrorJSON counts the calls that failed with an error.
type ErrorJSON struct {
	Errno string           `json:"errno,omitempty"` // absent if it has no name
	Error int              `json:"error"`           // its number
	Count uint64           `json:"count"`           // at least
	Calls []ErrorCountJSON `json:"calls"`
}

// ErrorCountJSON counts calls of one kind that failed with an error.
type ErrorCountJSON struct {
	Syscall string `json:"syscall"`
	Count   uint64 `json:"count"`
}

// TimedJSON is a call and how long it took, or has taken until now.
type TimedJSON struct {
	CallJSON
	Took int64 `json:"took"` // ns
}

// JSON returns the summary in machine-readable form.
func (m *Summary) JSON() (*SummaryJSON, error) {
	j := &SummaryJSON{Version: summaryVersion, AboutJSON: m.past.about(&m.ending), Totals: newTallies(m.Calls),
		Processes: []ProcessTallyJSON{}, Errors: newErrorsJSON(m.Errors), Slowest: []TimedJSON{}, Kept: m.past.keptJSON()}
	for _, p := range m.Processes {
		j.Processes = append(j.Processes, ProcessTallyJSON{newProcessJSON(p.Process), p.Count, p.Failed, p.Time,
			newTallies(p.Calls)})
	}
	for i := range m.Slowest {
		call, err := m.past.call(&m.Slowest[i].Fact, "")
		if err != nil {
			return nil, err
		}
		j.Slowest = append(j.Slowest, TimedJSON{call, int64(m.Slowest[i].Took)})
	}
	return j, nil
}

func newTallies(tallies []Tally) []TallyJSON {
	all := []TallyJSON{}
	for _, t := range tallies {
		all = append(all, TallyJSON{t.Name, t.Count, t.Failed, t.Time, t.Mean()})
	}
	return all
}

func newErrorsJSON(tallies []ErrorTally) []ErrorJSON {
	all := []ErrorJSON{}
	for _, e := range tallies {
		one := ErrorJSON{Errno: syscalls.ErrnoName(e.Errno), Error: e.Errno, Count: e.Count}
		for _, c := range e.Calls {
			one.Calls = append(one.Calls, ErrorCountJSON{c.Name, c.Count})
		}
		all = append(all, one)
	}
	return all
}
