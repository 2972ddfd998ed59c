// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Limits on the lines of standard error that are kept.
const (
	mostRemarks   = 64
	longestRemark = 1 << 10
)

const prefix = "tracectl: "

// remarks collects a node's standard error.
type remarks struct {
	lines []string // escaped, without the program's name
	more  int      // number of lines left out

	cut  splitter
	last int // index of the last line that began with the program's name
}

func (r *remarks) Write(text []byte) (int, error) {
	if r.cut.handle == nil {
		r.cut = splitter{longest: longestLine, handle: r.add}
	}
	return r.cut.Write(text)
}

func (r *remarks) add(line []byte) error {
	text, named := remark(line)
	if len(r.lines) == mostRemarks { // keep room: the last line may be the reason of a failure
		r.lines = r.lines[:mostRemarks-1]
		r.more++
	}
	if named || r.last > len(r.lines) {
		r.last = len(r.lines)
	}
	r.lines = append(r.lines, text)
	return nil
}

// remark makes a line of standard error safe to print, and reports whether it began with the program's name.
func remark(line []byte) (text string, named bool) {
	rest, named := strings.CutPrefix(string(line[:min(len(line), longestRemark)]), prefix)
	return terminal.Escaped(rest), named
}

// close handles a last line that has no newline. Handling it only stores it, so there is no error.
func (r *remarks) close() { _ = r.cut.end() }

// reason removes the last message, which is the reason of tracectl's failure, and returns it.
func (r *remarks) reason() string {
	said := r.lines[r.last:]
	r.lines = r.lines[:r.last]
	for i := range said {
		said[i] = strings.TrimSpace(said[i])
	}
	return strings.Join(said, "; ")
}
