// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Of what a node says on standard error, so much is kept.
const (
	mostRemarks   = 64
	longestRemark = 1 << 10
)

const prefix = "tracectl: "

// remarks collects what a node says on standard error. It takes text as it comes.
type remarks struct {
	lines []string // escaped, without the program's name in front
	more  int      // lines that were left out

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
	if len(r.lines) == mostRemarks { // the last one may say why tracectl failed
		r.lines = r.lines[:mostRemarks-1]
		r.more++
	}
	if named || r.last > len(r.lines) {
		r.last = len(r.lines)
	}
	r.lines = append(r.lines, text)
	return nil
}

// remark makes a line of standard error fit to be shown, and tells whether it began with the program's name.
func remark(line []byte) (text string, named bool) {
	rest, named := strings.CutPrefix(string(line[:min(len(line), longestRemark)]), prefix)
	return terminal.Escaped(rest), named
}

// close takes a last line that has no newline.
func (r *remarks) close() { _ = r.cut.end() } // which is kept, and no more

// reason takes what was said last, which is why tracectl failed, out of the remarks.
func (r *remarks) reason() string {
	said := r.lines[r.last:]
	r.lines = r.lines[:r.last]
	for i := range said {
		said[i] = strings.TrimSpace(said[i])
	}
	return strings.Join(said, "; ")
}
