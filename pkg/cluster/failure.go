// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Failures holds the nodes that did not answer, or not in full. All other output was printed.
type Failures struct {
	total  int
	silent reasons
	left   map[string]*partial // by node
}

// reasons groups nodes by the reason of their failure: thousands may have the same.
type reasons struct {
	texts []string // in order of their first occurrence
	nodes map[string][]string
	count int
}

// NewFailures returns a Failures without failures, for a number of nodes.
func NewFailures(total int) *Failures { return &Failures{total: total, left: map[string]*partial{}} }

// Add records the failure of a node.
func (f *Failures) Add(node string, err error) {
	var p *partial
	if errors.As(err, &p) {
		if f.left[node] == nil {
			f.left[node] = &partial{}
		}
		f.left[node].add(p)
		return
	}
	f.silent.add(node, err.Error())
}

func (r *reasons) add(node, text string) {
	if r.nodes == nil {
		r.nodes = map[string][]string{}
	}
	if r.nodes[text] == nil {
		r.texts = append(r.texts, text)
	}
	r.nodes[text] = append(r.nodes[text], node)
	r.count++
}

// Count returns the number of failed nodes.
func (f *Failures) Count() int { return f.silent.count + len(f.left) }

// Err returns f, or nil if no node failed.
func (f *Failures) Err() error {
	if f.Count() == 0 {
		return nil
	}
	return f
}

// Error lists the nodes by reason.
func (f *Failures) Error() string {
	var parts []string
	if f.silent.count > 0 {
		parts = append(parts, f.text("did not answer"))
	}
	if len(f.left) > 0 {
		var left reasons
		for _, node := range slices.Sorted(maps.Keys(f.left)) {
			left.add(node, f.left[node].Error())
		}
		parts = append(parts, fmt.Sprintf("%d of %s did not answer in full:%s", left.count,
			terminal.Count(f.total, "node"), &left))
	}
	return strings.Join(parts, "\n")
}

// text describes the nodes that did not answer; did is the verb.
func (f *Failures) text(did string) string {
	return fmt.Sprintf("%d of %s %s:%s", f.silent.count, terminal.Count(f.total, "node"), did, &f.silent)
}

// mostReasons is the number of reasons that are printed in full.
const mostReasons = 20

// String puts a single reason on the same line, and several below it.
func (r *reasons) String() string {
	var lines []string
	rest := 0
	for i, text := range r.texts {
		nodes := slices.Clone(r.nodes[text])
		slices.Sort(nodes)
		if i >= mostReasons {
			rest += len(nodes)
			continue
		}
		lines = append(lines, names(nodes)+": "+text)
	}
	if rest > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, for other reasons", rest))
	}
	if len(lines) == 1 {
		return " " + lines[0]
	}
	return "\n  " + strings.Join(lines, "\n  ")
}

// names lists some names, and the number of the others.
func names(all []string) string {
	const most = 10
	shown := make([]string, 0, most)
	for _, name := range all[:min(len(all), most)] {
		shown = append(shown, terminal.String(name))
	}
	text := strings.Join(shown, ", ")
	if more := len(all) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
