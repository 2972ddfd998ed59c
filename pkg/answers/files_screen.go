// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"io"
	"slices"
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
	{Name: "DID", Names: true}, {Name: "BY", Names: true},
}

// Write prints on one screen what was done with files.
func (s *FilesScreen) Write(to io.Writer, f *Files) error {
	tail := s.failures(f)
	if f.Unknown.bytes() > 0 {
		tail = append(tail, s.line("Unknown", fmt.Sprintf("%s read, %s written by descriptors that are not known",
			terminal.Count(f.Unknown.Read, "byte"), terminal.Number(f.Unknown.Written))))
	}
	tail = append(append(tail, s.covers(f.past, f.Covers)...), s.line("Kept", f.past.kept()))
	if !s.All {
		tail = append(tail, s.line("More", f.past.Program+" files "+f.past.shownName()+" --all | --sort last"))
	}
	table := usageTable{columns: fileColumns, nouns: "files", none: "no call that is kept names or uses a file"}
	for _, file := range f.Files {
		table.rows = append(table.rows, f.row(file))
	}
	return table.write(to, &s.Screen, s.header(f.past, &f.ending), tail, s.All)
}

// row returns the cells of a file.
func (f *Files) row(file *FileUse) []string {
	return []string{terminal.Number(file.Calls), number(file.Read), number(file.Written),
		brief(time.Duration(file.Time)), f.past.at(file.Last).Local().Format("15:04:05.000"), file.Shown(), file.Summary(),
		users(file.By)}
}

// Shown returns the path of a file, escaped.
func (f *FileUse) Shown() string {
	if f.Cut {
		return "…" + terminal.Cell(f.Path)
	}
	return terminal.Cell(f.Path)
}

// Summary says in words what was done with a file.
func (f *FileUse) Summary() string {
	words := f.failures()
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

// failures has a line for each of the last files for which a call failed, but for those that nobody needs, and those
// that were made later, or found in another place.
func (s *FilesScreen) failures(f *Files) []string {
	var failed []failedUse
	for _, file := range f.Files {
		if len(file.Errors) > 0 && (s.All || !f.mended(file) && !matchesAny(ordinary, file.Path)) {
			failed = append(failed, failedUse{file.Shown(), &file.Usage})
		}
	}
	return s.failed(failed, s.All)
}

// mended reports whether a file that was not there was made later, or one of that name was found by a process that
// looked for it.
func (f *Files) mended(file *FileUse) bool {
	if len(file.Errors) > 1 || syscalls.ErrnoName(file.Errors[0].Errno) != "ENOENT" {
		return false
	}
	return !file.missing || slices.ContainsFunc(file.By, func(u *User) bool {
		at, ok := f.past.reached[wish{u.Process, stem(file.Path)}]
		return ok && at >= file.Last
	})
}
