// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Screen is how a Why is printed.
type Screen struct {
	Width   int  // columns
	Lines   int  // at most
	Explain bool // why each rule fired; then there can be more lines
	Color   bool // for a terminal
}

// The left column of a screen.
const (
	margin = 11
	indent = "           "
)

// Write prints the answer on one screen.
func (s *Screen) Write(to io.Writer, w *Why) error {
	lines := s.header(w.past, &w.Ending)
	for i := range w.Causes {
		lines = append(lines, s.cause(w, &w.Causes[i], i)...)
	}
	tail := s.tail(w)
	if room := s.Lines - len(tail); !s.Explain && len(lines) > room && room > 0 {
		lines = lines[:room]
	}
	for _, line := range append(lines, tail...) {
		if _, err := fmt.Fprintln(to, line); err != nil {
			return err
		}
	}
	return nil
}

// header says who it is, and how it ended.
func (s *Screen) header(p *Past, e *Ending) []string {
	c := p.Container
	first := p.shownName()
	if s.Color {
		first = "\x1b[1m" + first + "\x1b[m"
	}
	if c.Image != "" {
		first += "  " + terminal.Cell(c.Image)
	}
	if p.Node != "" {
		first += "  node " + terminal.Cell(p.Node)
	}
	how := p.how(e)
	if terminal.Width(first)+len("  ")+terminal.Width(how) > s.Width {
		return []string{s.cut(first), s.cut(indent + how), ""}
	}
	return []string{first + "  " + how, ""}
}

// how says how the container ended.
func (p *Past) how(e *Ending) string {
	at := p.at(e.At).Local().Format("15:04:05")
	ago := brief(time.Duration(p.Now-min(e.At, p.Now))) + " ago"
	ran := "ran " + brief(e.Ran)
	if !e.Started {
		ran = "its program was never started"
	}
	switch {
	case !e.Exited:
		return "has run for " + brief(e.Ran)
	case e.Status.Signal != "":
		return fmt.Sprintf("%s, killed by %s at %s (%s)", ran, e.Status.Signal, at, ago)
	case p.Container.Exited == 0:
		return fmt.Sprintf("%s, ended at %s (%s)", ran, at, ago)
	}
	return fmt.Sprintf("%s, exited with code %d%s at %s (%s)", ran, e.Status.Code, signalOf(e.Status.Code), at, ago)
}

// signalOf names the signal that an exit code may stand for.
func signalOf(code int) string {
	if code > 128 && code < 128+65 {
		return " (" + syscalls.StatusOf(int64(code-128)).Signal + ")"
	}
	return ""
}

func (s *Screen) cause(w *Why, c *Cause, i int) (lines []string) {
	label := "Perhaps"
	switch c.Certainty {
	case Certain:
		label = "Cause"
	case Likely:
		label = "Likely"
	}
	if i > 0 && label == "Cause" {
		label = "Also"
	}
	lines = append(lines, s.wrap(fmt.Sprintf("%-*s%s", margin, label, c.Title))...)
	for _, e := range c.Evidence {
		lines = append(lines, s.fact(w, e.Fact, e.Note)...)
	}
	if s.Explain {
		lines = append(lines, s.cut(fmt.Sprintf("%s(rule %s: %s)", indent, c.Rule, c.Because)))
	}
	return lines
}

// fact prints a call: one line, or two if it is long.
func (s *Screen) fact(w *Why, f *Fact, note string) []string {
	line := indent + w.past.at(f.Call.Time).Local().Format("15:04:05.000") + " " + name(f.Process) + " "
	text := f.AppendPart(nil, &syscalls.Strace{})
	if note != "" {
		note = "  " + note
	}
	if terminal.Width(line)+len(text)+terminal.Width(note) <= s.Width {
		return []string{line + string(text) + note}
	}
	call, outcome, _ := strings.Cut(string(text), ") = ")
	switch {
	case outcome != "":
		return []string{s.cut(line + call + ")"), s.cut(indent + "= " + outcome + note)}
	case note != "":
		return []string{s.cut(line + string(text)), s.cut(indent + strings.TrimSpace(note))}
	}
	return []string{s.cut(line + string(text))}
}

// tail has what the container said, and what it did at the end.
func (s *Screen) tail(w *Why) (lines []string) {
	label := "Last said"
	for _, l := range w.Lines {
		text := terminal.String(l.Text)
		if l.Cut {
			text += " ..."
		}
		if l.Times > 1 {
			text += fmt.Sprintf("  (%d times)", l.Times)
		}
		lines = append(lines, s.line(label, l.stream()+" | "+text))
		label = ""
	}
	label = "At the end"
	if !w.Ending.Exited {
		label = "Now"
	}
	for _, f := range w.Last {
		printed := s.fact(w, f, "")
		printed[0] = fmt.Sprintf("%-*s", margin, label) + strings.TrimPrefix(printed[0], indent)
		lines = append(lines, printed...)
		label = ""
	}
	lines = append(lines, s.line("Kept", w.past.kept()))
	more := w.past.Program + " straceback show " + w.past.shownName() + " --failed -t"
	if both := more + " | " + w.past.Program + " files " + w.past.shownName(); margin+terminal.Width(both) <= s.Width {
		more = both
	}
	return append(lines, s.line("More", more))
}

// kept says what the recording still has.
func (p *Past) kept() string {
	calls := p.Calls
	text := "every call"
	if complete := calls.Complete(); complete != 0 {
		text = fmt.Sprintf("every call of the last %s; before that, what was new",
			brief(time.Duration(max(calls.Newest, complete)-complete)))
	}
	lost := "nothing"
	if calls.Lost > 0 {
		lost = terminal.Count(calls.Lost, "call")
	}
	text += "; " + lost + " lost"
	if c := p.Container; c != nil && c.Withheld() != "" {
		text += "; " + c.Withheld()
	}
	return text
}

// line is a line with a label.
func (s *Screen) line(label, text string) string {
	return s.cut(fmt.Sprintf("%-*s%s", margin, label, text))
}

// wrap breaks a line at a blank, if it is wider than the screen. What does not fit in two lines is cut.
func (s *Screen) wrap(line string) []string {
	if terminal.Width(line) <= s.Width {
		return []string{line}
	}
	end := strings.LastIndexByte(s.cut(line), ' ')
	if end <= margin {
		return []string{s.cut(line)}
	}
	return []string{line[:end], s.cut(indent + line[end+1:])}
}

// cut shortens a line to the width of the screen.
func (s *Screen) cut(line string) string {
	if s.Width <= 0 || terminal.Width(line) <= s.Width {
		return line
	}
	width, end := 0, 0
	for i, r := range line {
		w := terminal.Width(string(r))
		if width+w > s.Width-1 {
			break
		}
		width, end = width+w, i+len(string(r))
	}
	return line[:end] + "…"
}
