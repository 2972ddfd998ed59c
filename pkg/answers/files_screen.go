// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// FilesScreen is how a Files is printed.
type FilesScreen struct {
	Screen
	All bool // all rows and columns, however much room they take
}

var fileColumns = []terminal.Column{
	{Name: "CALLS", Number: true, Rank: 2}, {Name: "READ", Number: true}, {Name: "WRITTEN", Number: true},
	{Name: "TIME", Number: true, Rank: 3}, {Name: "LAST", Extra: true}, {Name: "PATH", Names: true},
	{Name: "DID", Names: true}, {Name: "BY", Names: true, Rank: 1},
}

// Write prints on one screen what was done with files.
func (s *FilesScreen) Write(to io.Writer, f *Files) error {
	lines := s.header(f.past, &f.ending)
	tail := s.failures(f)
	if f.Unknown.moved() > 0 {
		tail = append(tail, s.line("Unknown", fmt.Sprintf("%s read, %s written by descriptors of which it is not known what they are",
			terminal.Count(f.Unknown.Read, "byte"), terminal.Number(f.Unknown.Written))))
	}
	tail = append(append(tail, s.covers(f.past, f.Covers)...), s.line("Kept", f.past.kept()))
	if !s.All {
		tail = append(tail, s.line("More", f.past.Program+" files "+f.past.shownName()+" --all | --sort last"))
	}
	rows := f.Files
	const frame = 3 // the heading, what is left out, and a blank line
	left := ""
	if room := max(leastRows, s.Lines-len(lines)-len(tail)-frame); len(rows) > room && !s.All {
		left = s.line("", "and "+terminal.Count(len(rows)-room, "more file")) + "\n"
		rows = rows[:room]
	}
	table := terminal.Table{Columns: fileColumns, Width: s.Width, Whole: s.All}
	for _, file := range rows {
		table.Rows = append(table.Rows, f.row(file))
	}
	var text bytes.Buffer
	if len(rows) == 0 {
		text.WriteString("no call that is kept names or uses a file\n")
	} else if _, err := table.WriteTo(&text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "%s\n%s%s\n%s\n", strings.Join(lines, "\n"), &text, left, strings.Join(tail, "\n"))
	return err
}

// row returns the cells of a file.
func (f *Files) row(file *FileUse) []string {
	return []string{terminal.Number(file.Calls), number(file.Read), number(file.Written),
		brief(time.Duration(file.Time)), f.past.at(file.Last).Local().Format("15:04:05.000"), file.shown(), file.summary(),
		users(file.By)}
}

// number returns a number, or nothing instead of 0.
func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return terminal.Number(n)
}

// shown returns the path of a file, escaped.
func (f *FileUse) shown() string {
	if f.Cut {
		return "…" + terminal.Cell(f.Path)
	}
	return terminal.Cell(f.Path)
}

// actions returns what was done with a file, in the order of allActions.
func (f *FileUse) actions() []Action {
	return slices.DeleteFunc(slices.Clone(allActions), func(a Action) bool { return f.Did[a] == 0 })
}

// summary says in words what was done with a file.
func (f *FileUse) summary() string {
	var words []string
	for _, e := range f.Errors {
		words = append(words, errorName(e.Errno)+times(e.Count))
	}
	for _, action := range f.actions() {
		word := cmp.Or(map[Action]string{MaybeCreated: "created?", Looked: "looked at"}[action], string(action))
		switch {
		case action == Opened && f.Did[Opened] == f.Did[MaybeCreated]+f.Did[Created]:
			continue
		case action == Renamed && f.RenamedTo != "":
			word += " to " + terminal.Cell(f.RenamedTo)
		case action == Replaced && f.RenamedFrom != "":
			word += " by " + terminal.Cell(f.RenamedFrom)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// times says how often something came, if more than once.
func times(n uint64) string {
	if n < 2 {
		return ""
	}
	return " ×" + terminal.Number(n)
}

// errorName returns the name of an error, or its number if it has none.
func errorName(errno int) string {
	return cmp.Or(syscalls.ErrnoName(errno), "error "+strconv.Itoa(errno))
}

// users names those who did something: the first ones, and how many others.
func users(by []*User) string {
	const shown = 2
	var names []string
	for _, u := range by[:min(len(by), shown)] {
		names = append(names, name(u.Process))
	}
	text := strings.Join(names, " ")
	if left := len(by) - shown; left > 0 {
		text += " +" + terminal.Number(left)
	}
	return text
}

// failures has a line for each of the last files for which a call failed, but for those that nobody needs, and those
// that were found or made later.
func (s *FilesScreen) failures(f *Files) (lines []string) {
	failed := slices.DeleteFunc(slices.Clone(f.Files), func(file *FileUse) bool {
		mended := len(file.Errors) == 1 && syscalls.ErrnoName(file.Errors[0].Errno) == "ENOENT" && !file.missing
		return len(file.Errors) == 0 || !s.All && (mended || matchesAny(ordinary, file.Path))
	})
	slices.SortStableFunc(failed, func(a, b *FileUse) int { return cmp.Compare(b.Last, a.Last) })
	label := "Failed"
	for i, file := range failed {
		if left := len(failed) - i; i+1 == errorLines && left > 1 && !s.All {
			return append(lines, s.line(label, "and "+terminal.Count(left, "more file")))
		}
		e := file.Errors[0]
		lines = append(lines, s.line(label, fmt.Sprintf("%s %s: %s (%s)%s by %s", e.Calls[0].Name, file.shown(),
			errorName(e.Errno), message(e.Errno), times(e.Count), users(file.By))))
		label = ""
	}
	return lines
}
