// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Coverage tells how many calls of some kinds are kept, of those that the container made in its whole life.
type Coverage struct {
	Calls      string // their kind, in words
	Kept, Made uint64 // Made is exact
}

// coverages are the names of the calls of which a Coverage tells.
var coverages = map[string]func(name string) bool{
	"opens":    func(name string) bool { return actionOf[name] == Opened },
	"reads":    func(name string) bool { m, ok := movements[name]; return ok && m.reads != nowhere },
	"writes":   func(name string) bool { m, ok := movements[name]; return ok && m.writes != nowhere },
	"connects": func(name string) bool { return name == "connect" },
	"accepts":  func(name string) bool { return name == "accept" || name == "accept4" },
}

// coverage tells how many calls of some kinds are kept.
func (p *Past) coverage(kinds ...string) []Coverage {
	all := make([]Coverage, len(kinds))
	for i, kind := range kinds {
		all[i].Calls = kind
		for _, t := range p.Calls.Totals {
			name := t.Syscall
			if _, bare, ok := strings.Cut(name, ":"); ok {
				name = bare // of a 32-bit ABI
			}
			if coverages[kind](name) {
				all[i].Made += t.Count
			}
		}
	}
	for e := range p.Timeline.Calls {
		s := e.Call.Syscall()
		if s == nil || e.Call.Event() || e.Lane == straceback.Runtime || e.Part == straceback.InFlight {
			continue
		}
		for i, kind := range kinds {
			if coverages[kind](s.Name) {
				all[i].Kept++
			}
		}
	}
	for i := range all {
		all[i].Made = max(all[i].Made, all[i].Kept) // the totals may be a moment older
	}
	return all
}

// covers says what an answer covers, if calls are missing: a line, or none.
func (s *Screen) covers(p *Past, covers []Coverage) []string {
	if p.Calls.Missing == 0 {
		return nil
	}
	var parts []string
	for _, c := range covers {
		if c.Made > 0 {
			parts = append(parts, fmt.Sprintf("%s of %s %s", terminal.Number(c.Kept), terminal.Number(c.Made), c.Calls))
		}
	}
	return []string{s.line("Covers", "what is kept: "+strings.Join(parts, ", "))}
}
