// SPDX-License-Identifier: Apache-2.0

package answers

import "time"

// treeVersion is that of TreeJSON: it grows if a field changes its meaning or goes.
const treeVersion = 1

// TreeJSON is a Tree in machine-readable form. Names are stable.
type TreeJSON struct {
	Version int `json:"version"`
	AboutJSON
	Processes []TreeProcessJSON `json:"processes"` // parents before their children
	Kept      KeptJSON          `json:"kept"`
}

// TreeProcessJSON is a process of a tree.
type TreeProcessJSON struct {
	ID     int  `json:"id"`               // in this tree, because PIDs are used again
	Parent *int `json:"parent,omitempty"` // by its ID; absent if it has none in the container, or none is known
	ProcessJSON
	Init          bool       `json:"init,omitempty"`          // its end is that of the container
	Outside       bool       `json:"outside,omitempty"`       // executed from outside of the container, after the init
	ParentGuessed bool       `json:"parentGuessed,omitempty"` // the call that made the process is not kept
	Threads       int        `json:"threads"`                 // that are known
	Start         time.Time  `json:"start"`                   // of its first call that is kept, if startGuessed is set
	StartGuessed  bool       `json:"startGuessed,omitempty"`
	End           *time.Time `json:"end"`            // null if it runs, or its end is not kept
	Ran           *int64     `json:"ran"`            // ns, until now if it runs; null if that is not known
	Call          string     `json:"call,omitempty"` // in which a process is that runs
	Execs         []ExecJSON `json:"execs"`
}

// ExecJSON is a program that a process executed.
type ExecJSON struct {
	Time time.Time `json:"time"`
	Path string    `json:"path"`
	Args []string  `json:"args"` // as far as they were recorded
}

// JSON returns the tree in machine-readable form.
func (t *Tree) JSON() (*TreeJSON, error) {
	j := &TreeJSON{Version: treeVersion, AboutJSON: t.past.about(&t.ending), Processes: []TreeProcessJSON{},
		Kept: t.past.keptJSON()}
	ids := map[*Process]int{}
	calls, init := t.past.inFlight(), t.past.Init()
	t.walk(false, func(b *branch) {
		p := b.processes[0]
		ids[p] = len(ids) + 1
		one := TreeProcessJSON{ID: ids[p], ProcessJSON: newProcessJSON(p), Init: p == init, Outside: t.outside(p),
			ParentGuessed: p.Guessed, Threads: p.Threads, Start: t.past.at(p.Began),
			StartGuessed: p.Parent != nil && !p.Made, Execs: []ExecJSON{}}
		if id, ok := ids[p.Parent]; ok {
			one.Parent = &id
		}
		if p.Ended != 0 {
			end := t.past.at(p.Ended)
			one.End = &end
		} else if call := calls[p]; call != nil {
			one.Call = string(call.Call.AppendName(nil))
		}
		if d, ok := t.ran(p); ok {
			ran := int64(d)
			one.Ran = &ran
		}
		for _, x := range p.Execs {
			one.Execs = append(one.Execs, ExecJSON{t.past.at(x.At), x.Path, append([]string{}, x.Args...)})
		}
		j.Processes = append(j.Processes, one)
	})
	return j, nil
}
