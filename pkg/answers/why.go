// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Certainty tells how sure a cause is.
type Certainty string

// The certainties of causes.
const (
	Certain  Certainty = "certain"  // the kernel said so
	Likely   Certainty = "likely"   // the best of the guesses
	Possible Certainty = "possible" // a guess
)

// Why answers why a container ended, or what it waits for.
type Why struct {
	past    *Past
	output  []Line // the last lines that may tell about the end
	Ending  Ending
	Culprit *Process   // with which the end began; nil if it is not known
	Via     []*Process // between it and the init
	Causes  []Cause    // the most likely one first
	Lines   []Line     // the last ones of its output
	Last    []*Fact    // the ends of its processes, or the calls in which they are
}

// Cause is something that may have ended the container.
type Cause struct {
	Rule      string // by its name in the table of rules
	Because   string // why the rule fired
	Certainty Certainty
	Title     string // hostile parts are escaped
	Evidence  []Evidence

	weight float64
}

// Evidence is a call or an event that supports a cause.
type Evidence struct {
	Fact *Fact
	Note string // more of it; escaped

	times uint64 // the calls of the same meaning; 0: Note is complete
}

// Ending tells how a container ended.
type Ending struct {
	State    string // created, running, exited
	Status   syscalls.Status
	At       uint64 // ns of CLOCK_BOOTTIME; the present if it runs
	Ran      time.Duration
	Started  bool // its program was executed
	Exited   bool
	Expected bool // it exited with 0, or as somebody asked it to
}

// causesMax bounds the causes that are given.
const causesMax = 5

// Why answers why the container ended.
func (p *Past) Why() *Why {
	w := &Why{past: p, Ending: p.ending(), output: p.Lines(mentionLines)}
	w.Culprit, w.Via = p.Culprit()
	for i := range rules {
		for _, c := range rules[i].find(w) {
			c.Rule, c.Because = rules[i].name, cmp.Or(c.Because, rules[i].because)
			w.Causes = append(w.Causes, c)
		}
	}
	slices.SortStableFunc(w.Causes, func(a, b Cause) int { return cmp.Compare(b.weight, a.weight) })
	seen := map[string]bool{}
	w.Causes = slices.DeleteFunc(w.Causes, func(c Cause) bool {
		again := seen[c.Title]
		seen[c.Title] = true
		return again || c.weight <= 0
	})
	w.Causes = w.worthwhile()
	for i := range w.Causes {
		for k := range w.Causes[i].Evidence {
			if e := &w.Causes[i].Evidence[k]; e.times > 0 {
				e.Note = w.remarks(e.Fact, e.times)
			}
		}
	}
	for i := range w.Causes {
		c := &w.Causes[i]
		switch {
		case c.Certainty != "":
		case i == 0 && c.weight >= likely:
			c.Certainty = Likely
		default:
			c.Certainty = Possible
		}
	}
	w.Lines = w.output[max(0, len(w.output)-linesMax):]
	w.Last = w.last()
	return w
}

// worthwhile returns the causes that may well be the reason. If the kernel said what it was, other guesses are noise.
func (w *Why) worthwhile() []Cause {
	least := 3.5
	if len(w.Causes) > 0 {
		least = max(least, w.Causes[0].weight-5)
		if w.Causes[0].Certainty == Certain {
			least = max(least, likely)
		}
	}
	n := 0
	for n < len(w.Causes) && n < causesMax && (w.Causes[n].weight >= least || w.Causes[n].Certainty == Certain) {
		n++
	}
	return w.Causes[:n]
}

const (
	likely   = 6 // the weight from which the first cause is likely
	linesMax = 6
	lastMax  = 4
)

// ending returns how the container ended.
func (p *Past) ending() Ending {
	c := p.Container
	e := Ending{State: string(c.Status().State), At: p.Now, Started: c.Started != 0}
	begin := cmp.Or(c.Started, c.Created)
	if end := cmp.Or(c.Exited, c.Ended); end != 0 {
		e.At, e.Exited = end, true
		if c.Exited != 0 {
			e.Status = syscalls.StatusOf(int64(c.ExitStatus))
			e.Expected = e.Status.Signal == "" && e.Status.Code == 0
		}
	}
	if e.At > begin {
		e.Ran = time.Duration(e.At - begin)
	}
	return e
}

// last returns what the culprit did last, or all processes do now.
func (w *Why) last() (last []*Fact) {
	for _, f := range slices.Backward(w.past.Facts) {
		if len(last) == lastMax {
			break
		}
		ours := f.Process == w.Culprit || f.Process == w.past.Init()
		switch {
		case f.Lane == straceback.Runtime:
		case !w.Ending.Exited && f.Part == straceback.InFlight, w.Ending.Exited && f.Call.Unfinished && ours:
			last = append(last, f)
		}
	}
	slices.Reverse(last)
	return last
}

// end returns when the culprit ended, or the container.
func (w *Why) end() uint64 {
	if w.Culprit != nil && w.Culprit.Ended != 0 {
		return w.Culprit.Ended
	}
	return w.Ending.At
}

// code returns the exit code of the culprit, or of the container.
func (w *Why) code() int {
	if w.Culprit != nil && w.Culprit.Ended != 0 {
		return w.Culprit.Code()
	}
	return w.Ending.Status.Code
}

// inside reports whether a process on the host belongs to the container.
func (w *Why) inside(s *syscalls.Sender) bool {
	return s.Cgroup == w.past.Container.Cgroup && s.Cgroup != 0 ||
		slices.ContainsFunc(w.past.Processes, func(p *Process) bool { return p.PID == s.PID && !p.Runtime })
}

// mentions reports whether the output has a word.
func (w *Why) mentions(word string) bool {
	const short = 3
	return len(word) >= short && slices.ContainsFunc(w.output, func(l Line) bool {
		return strings.Contains(l.Text, word)
	})
}

// mentionLines is how many of the last lines of output may tell about the end.
const mentionLines = 40
