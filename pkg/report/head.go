// SPDX-License-Identifier: Apache-2.0

package report

import (
	"time"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// head is all but the calls. Times are in ns since the container's creation. Texts are escaped. web/src/data.ts has the
// same types.
type head struct {
	Version   int               `json:"version"`
	Made      time.Time         `json:"made"`    // the report
	Created   time.Time         `json:"created"` // the container
	Name      string            `json:"name"`
	ID        string            `json:"id"`
	Image     string            `json:"image"`
	Engine    string            `json:"engine"`
	Labels    map[string]string `json:"labels"`
	State     string            `json:"state"`
	Started   bool              `json:"started"` // its program was executed
	Exited    bool              `json:"exited"`
	Expected  bool              `json:"expected"`
	Code      *int              `json:"code"` // null if it is not known, or a signal ended it
	Signal    string            `json:"signal"`
	At        int64             `json:"at"`  // its end, or the present
	Ran       int64             `json:"ran"` // ns
	Causes    []cause           `json:"causes"`
	Culprit   int               `json:"culprit"` // index of a process, or -1
	Via       []int             `json:"via"`
	Last      []evidence        `json:"last"`
	Lines     []said            `json:"lines"` // the last ones of its output
	Processes []process         `json:"processes"`
	Said      []said            `json:"said"`
	Totals    []total           `json:"totals"`
	Files     []use             `json:"files"`     // those that moved most bytes first
	Net       []use             `json:"net"`       // likewise
	Questions []string          `json:"questions"` // of DNS, with what came back
	Kept      kept              `json:"kept"`
}

type cause struct {
	Rule      string            `json:"rule"`
	Because   string            `json:"because"`
	Certainty answers.Certainty `json:"certainty"`
	Title     string            `json:"title"`
	Evidence  []evidence        `json:"evidence"`
}

// evidence is a call. Its thread and time identify it.
type evidence struct {
	TID     uint32 `json:"tid"`
	At      int64  `json:"at"`
	Process int    `json:"process"`
	Text    string `json:"text"`
	Note    string `json:"note,omitempty"`
	Failed  bool   `json:"failed,omitempty"`
}

type process struct {
	PID     uint32 `json:"pid"`
	Inner   uint32 `json:"inner"`  // 0 if it is not known
	Parent  int    `json:"parent"` // index of a process, or -1
	Comm    string `json:"comm"`
	Began   int64  `json:"began"`
	Ended   *int64 `json:"ended"` // null if that is not known
	Code    int    `json:"code"`
	Signal  string `json:"signal,omitempty"`
	OOM     bool   `json:"oom,omitempty"`
	Execs   []exec `json:"execs"`
	Runtime bool   `json:"runtime,omitempty"`
}

type exec struct {
	At   int64    `json:"at"`
	Path string   `json:"path"`
	Args []string `json:"args"`
}

// said is what a process wrote at once.
type said struct {
	At      int64  `json:"at"`
	Process int    `json:"process"`
	FD      int32  `json:"fd"`
	Text    string `json:"text"`
	Cut     bool   `json:"cut,omitempty"`
}

// total sums up all calls of a kind, kept or not.
type total struct {
	Syscall string `json:"syscall"`
	Count   uint64 `json:"count"`
	Failed  uint64 `json:"failed"`
	Time    uint64 `json:"time"` // ns
}

// kept says what the recording holds.
type kept struct {
	Calls       int    `json:"calls"`
	Overwritten uint64 `json:"overwritten"`
	Lost        uint64 `json:"lost"`
	Malformed   int    `json:"malformed"`
	Complete    *int64 `json:"complete"`           // all calls that ended since are kept; null if none was overwritten
	Withheld    string `json:"withheld,omitempty"` // says what was not to be recorded
}

func newHead(p *answers.Past, made time.Time) *head {
	c, w := p.Container, p.Why()
	h := &head{
		Version: version, Made: made.UTC(), Created: p.Boot.Add(time.Duration(c.Created)).UTC(), Name: shown(p.Name),
		ID: shown(c.ID), Image: shown(c.Image), Engine: shown(c.Engine), Labels: map[string]string{},
		State: w.Ending.State, Started: w.Ending.Started, Exited: w.Ending.Exited, Expected: w.Ending.Expected,
		At: since(p, w.Ending.At), Ran: int64(w.Ending.Ran),
		Causes: []cause{}, Culprit: -1, Via: []int{}, Last: []evidence{}, Lines: []said{}, Processes: []process{},
		Said: []said{}, Totals: []total{},
		Kept: kept{Calls: len(p.Calls.Records), Overwritten: p.Calls.Missing, Lost: p.Calls.Lost,
			Malformed: p.Timeline.Malformed, Withheld: c.Withheld()},
	}
	for key, value := range c.Labels {
		h.Labels[shown(key)] = shown(value)
	}
	if complete := p.Calls.Complete(); complete != 0 {
		at := since(p, complete)
		h.Kept.Complete = &at
	}
	if c.Exited != 0 {
		if h.Signal = w.Ending.Status.Signal; h.Signal == "" {
			h.Code = &w.Ending.Status.Code
		}
	}
	index := map[*answers.Process]int{}
	for i, process := range p.Processes {
		index[process] = i
	}
	for _, process := range p.Processes {
		h.Processes = append(h.Processes, newProcess(p, process, index))
	}
	h.Culprit = place(index, w.Culprit)
	for _, via := range w.Via {
		h.Via = append(h.Via, place(index, via))
	}
	for i := range w.Causes {
		found := &w.Causes[i]
		j := cause{found.Rule, found.Because, found.Certainty, found.Title, []evidence{}}
		for _, e := range found.Evidence {
			j.Evidence = append(j.Evidence, newEvidence(p, e.Fact, e.Note, index))
		}
		h.Causes = append(h.Causes, j)
	}
	for _, f := range w.Last {
		h.Last = append(h.Last, newEvidence(p, f, "", index))
	}
	for _, l := range w.Lines {
		h.Lines = append(h.Lines, said{since(p, l.At), place(index, l.Process), l.FD, shownLines(l.Text), l.Cut})
	}
	for _, o := range p.Said {
		h.Said = append(h.Said, said{since(p, o.At), place(index, o.Process), o.FD, shownLines(string(o.Text)), o.Cut})
	}
	h.Files = newFiles(p, index)
	h.Net, h.Questions = newNet(p, index)
	for _, t := range p.Calls.Totals {
		h.Totals = append(h.Totals, total{t.Syscall, t.Count, t.Failed, t.Time})
	}
	return h
}

func newProcess(p *answers.Past, from *answers.Process, index map[*answers.Process]int) process {
	j := process{PID: from.PID, Inner: from.Inner, Parent: place(index, from.Parent), Comm: shown(from.Comm),
		Began: since(p, from.Began), OOM: from.OutOfMemory, Execs: []exec{}, Runtime: from.Runtime}
	if from.Ended != 0 {
		ended := since(p, from.Ended)
		j.Ended, j.Code, j.Signal = &ended, from.Code(), from.Status().Signal
	}
	for _, x := range from.Execs {
		args := []string{}
		for _, arg := range x.Args {
			args = append(args, shown(arg))
		}
		j.Execs = append(j.Execs, exec{since(p, x.At), shown(x.Path), args})
	}
	return j
}

func newEvidence(p *answers.Past, f *answers.Fact, note string, index map[*answers.Process]int) evidence {
	text := string(f.AppendPart(nil, &syscalls.Strace{}))
	return evidence{f.Call.TID, since(p, f.Call.Time), place(index, f.Process), text, note,
		f.Part != straceback.InFlight && (f.Call.Failed() || f.Errno != 0)}
}

// place returns the index of a process, or -1.
func place(index map[*answers.Process]int, process *answers.Process) int {
	if i, ok := index[process]; ok {
		return i
	}
	return -1
}

// since returns the time from the container's creation to a moment, in ns; it is negative before.
func since(p *answers.Past, at uint64) int64 { return int64(at - p.Container.Created) }
