// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// SummaryScreen is how a Summary is printed.
type SummaryScreen struct {
	Screen
	ByProcess bool // a row for each process, from the calls that are kept
	All       bool // all rows and errors, however many lines they take
}

// How many lines the errors and the rows take on one screen.
const (
	errorLines = 3
	leastRows  = 3
)

// Write prints the summary on one screen.
func (s *SummaryScreen) Write(to io.Writer, m *Summary) error {
	lines := s.header(m.past, &m.ending)
	tail := append(s.slowest(m), s.errors(m)...)
	more := m.past.Program + " summary " + m.past.shownName() + " --all"
	if !s.ByProcess {
		more += " | --by process"
	}
	tail = append(tail, s.line("Kept", m.past.kept()), s.line("More", more))

	rows, columns := m.calls()
	if s.ByProcess {
		rows, columns = m.processes()
		lines[len(lines)-1] = s.line("Covers", fmt.Sprintf("only what is kept: %s; of %s only the totals are left",
			terminal.Count(sum(rows, "").Count, "call"), terminal.Count(m.past.Calls.Missing, "call")))
	}
	total := sum(rows, "total")
	const frame = 4 // the heading, what is left out, the total, and a blank line
	if room := max(leastRows, s.Lines-len(lines)-len(tail)-frame); len(rows) > room && !s.All {
		rest := rows[room:]
		rows = append(rows[:room:room], sum(rest, "and "+terminal.Number(len(rest))+" more"))
	}
	table := terminal.Table{Columns: columns, Width: s.Width, Whole: s.All}
	for _, r := range append(rows, total) {
		table.Rows = append(table.Rows, r.cells(total.Time)[:len(columns)])
	}
	var text bytes.Buffer
	if _, err := table.WriteTo(&text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "%s\n%s\n%s\n", strings.Join(lines, "\n"), &text, strings.Join(tail, "\n"))
	return err
}

// A tallyRow is a row of a table: a tally, whose name is escaped, and a text behind it.
type tallyRow struct {
	Tally
	more string
}

// cells returns the cells of a row, if all calls of the table took some ns.
func (r *tallyRow) cells(whole uint64) []string {
	failed := ""
	if r.Failed > 0 {
		failed = terminal.Number(r.Failed)
	}
	const percent, second, microsecond = 100, 1e9, 1e3
	return []string{
		fmt.Sprintf("%.2f", percent*float64(r.Time)/float64(max(whole, 1))), fmt.Sprintf("%.6f", float64(r.Time)/second),
		terminal.Number(r.Mean() / microsecond), terminal.Number(r.Count), failed, r.Name, r.more,
	}
}

// sum adds rows up to one.
func sum(rows []tallyRow, name string) tallyRow {
	total := tallyRow{Tally: Tally{Name: name}}
	for _, r := range rows {
		total.Count += r.Count
		total.Failed += r.Failed
		total.Time += r.Time
	}
	return total
}

// tallyColumns returns the columns of strace -c, and others behind them.
func tallyColumns(more ...terminal.Column) []terminal.Column {
	return append([]terminal.Column{
		{Name: "% TIME", Number: true}, {Name: "SECONDS", Number: true}, {Name: "USECS/CALL", Number: true},
		{Name: "CALLS", Number: true}, {Name: "ERRORS", Number: true},
	}, more...)
}

// calls returns a row for each kind of call.
func (m *Summary) calls() (rows []tallyRow, columns []terminal.Column) {
	for _, c := range m.Calls {
		rows = append(rows, tallyRow{c, ""})
	}
	return rows, tallyColumns(terminal.Column{Name: "SYSCALL"})
}

// processes returns a row for each process.
func (m *Summary) processes() (rows []tallyRow, columns []terminal.Column) {
	for _, p := range m.Processes {
		const shown = 3
		var mostly []string
		for _, c := range p.Calls[:min(len(p.Calls), shown)] {
			mostly = append(mostly, c.Name)
		}
		rows = append(rows, tallyRow{p.Tally, strings.Join(mostly, ", ")})
	}
	return rows, tallyColumns(terminal.Column{Name: "PROCESS", Names: true},
		terminal.Column{Name: "MOSTLY IN", Names: true})
}

// slowest has a line for each of the slowest calls.
func (s *SummaryScreen) slowest(m *Summary) (lines []string) {
	var strace syscalls.Strace
	label := "Slowest"
	for i := range m.Slowest {
		t := &m.Slowest[i]
		lines = append(lines, s.line(label, fmt.Sprintf("%6s  %s %s %s", brief(t.Took),
			m.past.at(t.Call.Time).Local().Format("15:04:05.000"), name(t.Process), t.AppendPart(nil, &strace))))
		label = ""
	}
	return lines
}

// errors has a line for each of the most frequent errors.
func (s *SummaryScreen) errors(m *Summary) (lines []string) {
	label := "Errors"
	if m.past.Calls.Missing > 0 && len(m.Errors) > 0 {
		rows, _ := m.calls()
		lines = append(lines, s.line(label, fmt.Sprintf("%s failed in all; of those kept, with their repeats:",
			terminal.Count(sum(rows, "").Failed, "call"))))
		label = ""
	}
	for i, t := range m.Errors {
		if left := len(m.Errors) - i; i+1 == errorLines && left > 1 && !s.All {
			return append(lines, s.line(label, "and "+terminal.Count(left, "error")+" more"))
		}
		var calls []string
		for _, c := range t.Calls {
			calls = append(calls, c.Name+" "+terminal.Number(c.Count))
		}
		lines = append(lines, s.line(label, fmt.Sprintf("%6s  %s: %s", terminal.Number(t.Count), errorName(t.Errno),
			strings.Join(calls, ", "))))
		label = ""
	}
	return lines
}
