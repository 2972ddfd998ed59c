// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"io"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// titles are the headings of the kinds of deeds.
var titles = map[Kind]string{Program: "Programs", File: "Files", Address: "Addresses", Failure: "Failures", End: "Ends"}

// WriteDiff prints a difference: for each kind, lines that begin with "-" for what only the first run did, then those
// that begin with "+" for what only the second one did. Of each run and kind, most lines are printed; 0: all.
func (s *Screen) WriteDiff(to io.Writer, d *Diff, most int) error {
	var lines []string
	for _, side := range d.sides() {
		past := &side.run.Run
		ending := past.ending()
		lines = append(lines, s.cut(strings.Repeat(side.sign, 3)+" "+past.shownName()+"  "+past.how(&ending)))
	}
	for _, kind := range Kinds {
		titled := false
		for _, side := range d.sides() {
			n := 0
			for _, deed := range side.only {
				if deed.Kind != kind {
					continue
				}
				if !titled {
					lines, titled = append(lines, "", titles[kind]), true
				}
				if n++; most == 0 || n <= most {
					lines = append(lines, s.deed(side.sign, deed))
				}
			}
			if most > 0 && n > most {
				lines = append(lines, fmt.Sprintf("%s ... and %s more (--all)", side.sign, terminal.Number(n-most)))
			}
		}
	}
	if d.Empty() {
		lines = append(lines, "", "No difference was found.")
	}
	lines = append(lines, "")
	for _, side := range d.sides() {
		kept := side.run.Run.kept()
		if side.run.more {
			kept += "; it did more than could be compared"
		}
		lines = append(lines, s.cut(fmt.Sprintf("Kept of %s  %s", side.sign, kept)))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(to, line); err != nil {
			return err
		}
	}
	return nil
}

// deed prints a deed on one line, with the process that did it at the right.
func (s *Screen) deed(sign string, d *Deed) string {
	color := map[string]string{"-": "\x1b[31m", "+": "\x1b[32m"}[sign]
	by := "  " + d.Process
	if d.Times > 1 {
		by += " ×" + terminal.Number(d.Times)
	}
	left := Screen{Width: max(s.Width-terminal.Width(by), 20)}
	line := left.cut(sign+" "+d.What) + by
	if !s.Color {
		return line
	}
	return color + line + "\x1b[m"
}
