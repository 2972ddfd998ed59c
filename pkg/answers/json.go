// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"encoding/json"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// whyVersion is that of WhyJSON: it grows if a field changes its meaning or goes.
const whyVersion = 1

// WhyJSON is a Why in machine-readable form. Names are stable.
type WhyJSON struct {
	Version int `json:"version"`
	AboutJSON
	// Culprit is the process with which the end began. Via are those between it and the init, the init first.
	Culprit *ProcessJSON  `json:"culprit,omitempty"`
	Via     []ProcessJSON `json:"via,omitempty"`
	Causes  []CauseJSON   `json:"causes"` // the most likely one first
	Said    []LineJSON    `json:"said"`   // the last lines of standard output and error
	Last    []CallJSON    `json:"last"`   // the ends of its processes; if it runs, the calls that have not returned
	Kept    KeptJSON      `json:"kept"`
}

// AboutJSON says which container an answer is about, and how it ended.
type AboutJSON struct {
	Name        string     `json:"name"` // accepted by commands
	ContainerID string     `json:"containerID"`
	Image       string     `json:"image,omitempty"`
	State       string     `json:"state"`   // created, running, exited or ended
	Started     bool       `json:"started"` // its program was executed
	Created     time.Time  `json:"created"`
	Ended       *time.Time `json:"ended,omitempty"`
	Ran         int64      `json:"ran"` // ns
	ExitCode    *int       `json:"exitCode,omitempty"`
	Signal      string     `json:"signal,omitempty"` // that killed its init
}

// ProcessJSON is a process.
type ProcessJSON struct {
	PID         uint32 `json:"pid"`                // on the host
	InnerPID    uint32 `json:"innerPID,omitempty"` // in the container
	Comm        string `json:"comm"`
	ExitCode    *int   `json:"exitCode,omitempty"`
	Signal      string `json:"signal,omitempty"`
	OutOfMemory bool   `json:"outOfMemory,omitempty"`
}

// CauseJSON is a Cause.
type CauseJSON struct {
	Rule      string     `json:"rule"`
	Because   string     `json:"because"`   // why the rule fired
	Certainty Certainty  `json:"certainty"` // certain, likely or possible
	Title     string     `json:"title"`
	Evidence  []CallJSON `json:"evidence"`
}

// CallJSON is a call, as `show -o json` prints it, with a note.
type CallJSON struct {
	Call json.RawMessage `json:"call"`
	Note string          `json:"note,omitempty"`
}

// LineJSON is a line of output.
type LineJSON struct {
	Time     time.Time `json:"time"`
	Stream   string    `json:"stream"` // stdout or stderr
	PID      uint32    `json:"pid"`    // on the host
	InnerPID uint32    `json:"innerPID,omitempty"`
	Comm     string    `json:"comm"`
	Text     string    `json:"text"`
	Cut      bool      `json:"cut,omitempty"` // it lacks a part
	Count    int       `json:"count"`         // it came one after the other
}

// KeptJSON says what a recording holds.
type KeptJSON struct {
	Syscalls    int        `json:"syscalls"`
	Overwritten uint64     `json:"overwritten"`
	Lost        uint64     `json:"lost"`
	Complete    *time.Time `json:"complete"` // all calls that ended since are kept; null if none was overwritten
	Contents    string     `json:"contents"` // how much was to be recorded: all, paths or none
}

// JSON returns the answer in machine-readable form.
func (w *Why) JSON() (*WhyJSON, error) {
	p := w.past
	j := &WhyJSON{Version: whyVersion, AboutJSON: p.about(&w.Ending), Causes: []CauseJSON{}, Said: []LineJSON{},
		Last: []CallJSON{}, Kept: p.keptJSON()}
	if w.Culprit != nil {
		culprit := newProcessJSON(w.Culprit)
		j.Culprit = &culprit
	}
	for _, via := range w.Via {
		j.Via = append(j.Via, newProcessJSON(via))
	}
	for i := range w.Causes {
		c := &w.Causes[i]
		cause := CauseJSON{c.Rule, c.Because, c.Certainty, c.Title, []CallJSON{}}
		for _, e := range c.Evidence {
			call, err := p.call(e.Fact, e.Note)
			if err != nil {
				return nil, err
			}
			cause.Evidence = append(cause.Evidence, call)
		}
		j.Causes = append(j.Causes, cause)
	}
	for _, l := range w.Lines {
		j.Said = append(j.Said, LineJSON{p.at(l.At), l.stream(), l.Process.PID, l.Process.Inner, l.Process.Comm, l.Text,
			l.Cut, l.Times})
	}
	for _, f := range w.Last {
		call, err := p.call(f, "")
		if err != nil {
			return nil, err
		}
		j.Last = append(j.Last, call)
	}
	return j, nil
}

// about returns which container it is.
func (p *Past) about(e *Ending) AboutJSON {
	j := AboutJSON{Name: p.Name, ContainerID: p.Container.ID, Image: p.Container.Image, State: e.State,
		Started: e.Started, Created: p.at(p.Container.Created), Ran: int64(e.Ran)}
	if e.Exited {
		at := p.at(e.At)
		j.Ended = &at
		if j.Signal = e.Status.Signal; j.Signal == "" && p.Container.Exited != 0 {
			j.ExitCode = &e.Status.Code
		}
	}
	return j
}

// keptJSON returns what the recording still has.
func (p *Past) keptJSON() KeptJSON {
	j := KeptJSON{Syscalls: len(p.Calls.Records), Overwritten: p.Calls.Missing, Lost: p.Calls.Lost}
	if p.Container != nil {
		j.Contents = p.Container.Contents().String()
	}
	if complete := p.Calls.Complete(); complete != 0 {
		at := p.at(complete)
		j.Complete = &at
	}
	return j
}

// at returns a time by the wall clock.
func (p *Past) at(boot uint64) time.Time { return p.Boot.Add(time.Duration(boot)) }

// call returns a fact's call.
func (p *Past) call(f *Fact, note string) (CallJSON, error) {
	line, err := p.Format().AppendJSON(nil, &f.Event)
	return CallJSON{line, note}, err
}

// shownName returns the name by which commands find the container, escaped.
func (p *Past) shownName() string { return terminal.String(p.Name) }

func newProcessJSON(p *Process) ProcessJSON {
	j := ProcessJSON{PID: p.PID, InnerPID: p.Inner, Comm: p.Comm, OutOfMemory: p.OutOfMemory}
	if p.Ended != 0 {
		s := p.Status()
		if j.Signal = s.Signal; j.Signal == "" {
			j.ExitCode = &s.Code
		}
	}
	return j
}
