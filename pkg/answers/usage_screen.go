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

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// usageTable is a table of usages.
type usageTable struct {
	columns []terminal.Column
	rows    [][]string
	nouns   string // for the rows
	none    string // is printed if there are no rows
}

// write prints a table between other lines: as many rows as have room on a screen, or all of them.
func (t *usageTable) write(to io.Writer, s *Screen, head, tail []string, all bool) error {
	rows, left := t.rows, ""
	const frame = 3 // the heading, what is left out, and a blank line
	if room := max(leastRows, s.Lines-len(head)-len(tail)-frame); len(rows) > room && !all {
		left = s.line("", "and "+terminal.Number(len(rows)-room)+" more "+t.nouns) + "\n"
		rows = rows[:room]
	}
	var text bytes.Buffer
	table := terminal.Table{Columns: t.columns, Rows: rows, Width: s.Width, Whole: all}
	if len(rows) == 0 {
		text.WriteString(t.none + "\n")
	} else if _, err := table.WriteTo(&text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "%s\n%s%s\n%s\n", strings.Join(head, "\n"), &text, left, strings.Join(tail, "\n"))
	return err
}

// failedUse is a usage of which a call failed.
type failedUse struct {
	what string // escaped
	*Usage
}

// failed has a line for each of the usages of which a call failed, the last one first, or only for some.
func (s *Screen) failed(list []failedUse, all bool) (lines []string) {
	slices.SortStableFunc(list, func(a, b failedUse) int { return cmp.Compare(b.Last, a.Last) })
	label := "Failed"
	for i, u := range list {
		if left := len(list) - i; i+1 == errorLines && left > 1 && !all {
			return append(lines, s.line(label, "and "+terminal.Number(left)+" more"))
		}
		e := u.Errors[0]
		lines = append(lines, s.line(label, fmt.Sprintf("%s %s: %s (%s)%s by %s", e.Calls[0].Name, u.what,
			errorName(e.Errno), message(e.Errno), times(e.Count), users(u.failed()))))
		label = ""
	}
	return lines
}

// number returns a number, or nothing instead of 0.
func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return terminal.Number(n)
}

// failures names the errors of calls, with how often they came.
func (u *Usage) failures() (names []string) {
	for _, e := range u.Errors {
		names = append(names, errorName(e.Errno)+times(e.Count))
	}
	return names
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
