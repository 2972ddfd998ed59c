// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// TreeScreen is how a Tree is printed.
type TreeScreen struct {
	Screen
	All bool // a line for each process: those that did the same are not folded
}

var treeColumns = []terminal.Column{
	{Name: "PID", Number: true}, {Name: "HOST PID", Number: true}, {Name: "START", Number: true},
	{Name: "RAN", Number: true}, {Name: "END"}, {Name: "PROCESS", Names: true},
}

// Write prints the tree.
func (s *TreeScreen) Write(to io.Writer, t *Tree) error {
	lines := s.header(t.past, &t.ending)
	table := terminal.Table{Columns: treeColumns, Width: s.Width}
	var guessed, folded bool
	calls := t.past.inFlight()
	var rails []string // stand before the processes of each depth
	t.walk(!s.All, func(b *branch) {
		p := b.processes[0]
		folded = folded || len(b.processes) > 1
		guessed = guessed || p.Guessed
		rails = append(rails[:min(len(rails), b.depth)], "│  ")
		if b.last {
			rails[b.depth] = "   "
		}
		table.Rows = append(table.Rows, t.row(b, calls[p], twig(rails[:b.depth], b)))
	})
	var text bytes.Buffer
	if _, err := table.WriteTo(&text); err != nil {
		return err
	}
	tail := []string{s.line("Kept", t.past.kept())}
	if guessed {
		tail = append(tail, s.line("Guessed", "the parents of those with \"?\": the calls that made them are not kept"))
	}
	if folded {
		tail = append(tail, s.line("More", t.past.Program+" tree "+t.past.shownName()+" --all"))
	}
	_, err := fmt.Fprintf(to, "%s\n%s\n%s\n", strings.Join(lines, "\n"), &text, strings.Join(tail, "\n"))
	return err
}

// deepest is the depth from which on processes are not indented further.
const deepest = 16

// twig returns what stands before a process: lines from its ancestors and its parent.
func twig(rails []string, b *branch) string {
	if b.depth == 0 {
		return ""
	}
	corner := "├─ "
	switch guessed := b.processes[0].Guessed; {
	case b.last && guessed:
		corner = "└? "
	case guessed:
		corner = "├? "
	case b.last:
		corner = "└─ "
	}
	before := rails[1:]
	if len(before) > deepest {
		return strings.Join(before[:deepest], "") + "… " + corner
	}
	return strings.Join(before, "") + corner
}

// row returns the cells of a branch. call is the one that its process is in, if any.
func (t *Tree) row(b *branch, call *Fact, before string) []string {
	p := b.processes[0]
	inner, ran, end := "", "", t.outcome(p)
	if p.Inner != 0 {
		inner = strconv.FormatUint(uint64(p.Inner), 10)
	}
	var longest time.Duration
	known := false
	for _, p := range b.processes {
		if d, ok := t.ran(p); ok {
			longest, known = max(longest, d), true
		}
	}
	if known {
		ran = brief(longest)
	}
	if call != nil && p.Ended == 0 {
		end += " (" + string(call.Call.AppendName(nil)) + ")"
	}
	start := brief(time.Duration(p.Began - min(p.Began, t.past.Container.Created)))
	if p.Parent != nil && !p.Made {
		start = "≤" + start // when its first call came that is kept
	}
	command := b.command
	if n := len(b.processes); n > 1 {
		command += " <×" + terminal.Number(n) + ">"
	}
	if p.Threads > 1 {
		command += " <" + terminal.Count(p.Threads, "thread") + ">"
	}
	if t.outside(p) {
		command += " <from outside>"
	} else if p.Parent == nil && p != t.past.Init() {
		command += " <parent not known>"
	}
	return []string{inner, strconv.FormatUint(uint64(p.PID), 10), start, ran, end, before + command}
}
