// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Tree is the processes of a container.
type Tree struct {
	past   *Past
	ending Ending
	// Roots are the processes without a parent that is known, by their start, the init first. Those of which only the
	// container runtime's calls are known are left out.
	Roots []*Process

	above map[*Process]bool // those of the container runtime that made others
}

// Tree returns the processes of the container.
func (p *Past) Tree() *Tree {
	t := &Tree{past: p, ending: p.ending(), above: map[*Process]bool{}}
	for _, process := range p.Processes {
		if process.Runtime {
			continue
		}
		for q := process.Parent; q != nil && q.Runtime && !t.above[q]; q = q.Parent {
			t.above[q] = true
		}
	}
	for _, process := range p.Processes {
		if process.Parent == nil && t.has(process) {
			t.Roots = append(t.Roots, process)
		}
	}
	init := p.Init()
	slices.SortStableFunc(t.Roots, func(a, b *Process) int {
		switch {
		case a == init:
			return -1
		case b == init:
			return 1
		}
		return cmp.Compare(a.Began, b.Began)
	})
	return t
}

// has reports whether a process is in the tree.
func (t *Tree) has(p *Process) bool { return !p.Runtime || t.above[p] }

// outside reports whether a process was executed from outside of the container, after the init.
func (t *Tree) outside(p *Process) bool { return p.Outside && p != t.past.Init() }

// ran returns how long a process ran, or has run, and whether that is known: its end may not be kept.
func (t *Tree) ran(p *Process) (time.Duration, bool) {
	end := p.Ended
	if end == 0 && !t.ending.Exited {
		end = t.past.Now
	}
	return time.Duration(end - min(p.Began, end)), end != 0
}

// program returns the last program that a process executed, with its arguments, or nothing. It is hostile.
func (p *Process) program() []string {
	if len(p.Execs) == 0 {
		return nil
	}
	x := &p.Execs[len(p.Execs)-1]
	switch {
	case len(x.Args) > 0:
	case x.Path == "": // it was not to be recorded
		return []string{p.Comm}
	default:
		return []string{x.Path}
	}
	return x.Args
}

// commandLine returns the program that a process executed, without its directory, and its arguments, escaped and
// shortened. No argument can imitate the mark of a process that executed nothing.
func (p *Process) commandLine() string {
	if len(p.Execs) == 0 {
		return "<forked> " + terminal.Cell(p.Comm)
	}
	const longest = 256
	var text []byte
	for i, arg := range p.program() {
		if i == 0 {
			arg = cmp.Or(base(arg), arg)
		} else {
			text = append(text, ' ')
		}
		if len(text) > longest {
			return string(append(text, "…"...))
		}
		if len(arg) > longest {
			arg = arg[:longest] + "…"
		}
		text = terminal.AppendWord(text, arg)
	}
	return string(text)
}

// outcome says how a process ended.
func (t *Tree) outcome(p *Process) string {
	switch s := p.Status(); {
	case p.Ended == 0 && t.ending.Exited:
		return "end not kept"
	case p.Ended == 0:
		return "runs"
	case p.OutOfMemory:
		return "out of memory"
	case s.Signal != "":
		return s.Signal
	default:
		return "exited " + strconv.Itoa(s.Code)
	}
}

// A branch is a process in a tree, or several that did the same, one after the other.
type branch struct {
	processes []*Process
	depth     int
	last      bool // of those with the same parent
	command   string
}

// foldLeast is how many processes at least are folded into one row.
const foldLeast = 4

// walk calls visit with each branch, parents first. If fold is set, processes of one parent that executed the same
// program, have no children and ended in the same way are one branch.
func (t *Tree) walk(fold bool, visit func(b *branch)) {
	type level struct {
		branches []*branch
		depth    int
	}
	stack := []level{{t.branches(t.Roots, 0, fold), 0}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.branches) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		b := top.branches[0]
		top.branches = top.branches[1:]
		visit(b)
		if children := b.processes[0].Children; len(b.processes) == 1 && len(children) > 0 {
			stack = append(stack, level{t.branches(children, top.depth+1, fold), top.depth + 1})
		}
	}
}

// branches returns those of the processes of one parent.
func (t *Tree) branches(processes []*Process, depth int, fold bool) (all []*branch) {
	type likeness struct{ program, outcome string }
	like := map[likeness][]*Process{}
	of := func(p *Process) likeness {
		program := p.Comm
		if args := p.program(); len(args) > 0 {
			program = base(args[0])
		}
		return likeness{program, t.outcome(p)}
	}
	folds := func(p *Process) bool { return fold && len(p.Children) == 0 && p.Ended != 0 }
	for _, p := range processes {
		if folds(p) {
			like[of(p)] = append(like[of(p)], p)
		}
	}
	for _, p := range processes {
		if !t.has(p) {
			continue
		}
		b := &branch{processes: []*Process{p}, depth: depth, command: p.commandLine()}
		if same := like[of(p)]; folds(p) && len(same) >= foldLeast {
			if same[0] != p {
				continue
			}
			b.processes = same
			if slices.ContainsFunc(same, func(q *Process) bool { return q.commandLine() != b.command }) {
				b.command = terminal.Cell(of(p).program) + " …"
			}
		}
		all = append(all, b)
	}
	if len(all) > 0 {
		all[len(all)-1].last = true
	}
	return all
}

// inFlight returns the calls in which processes are.
func (p *Past) inFlight() map[*Process]*Fact {
	calls := map[*Process]*Fact{}
	for _, f := range p.Facts {
		if f.Part == straceback.InFlight && (calls[f.Process] == nil || f.Call.TID == f.Call.PID) {
			calls[f.Process] = f
		}
	}
	return calls
}
