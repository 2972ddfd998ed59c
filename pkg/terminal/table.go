// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Column is a column of a Table.
type Column struct {
	Name string
	// Rank is the order in which columns are dropped from a table that is too wide: the highest rank first, 0
	// never.
	Rank int
	// Extra columns are printed in whole tables only.
	Extra bool
	// Names marks a column whose cells may be cut in the middle, if the table is still too wide.
	Names bool
}

// Table prints rows below a header of column names. Cells are escaped; empty cells are printed as "-".
type Table struct {
	Columns []Column
	Rows    [][]string
	// Width is the desired maximum of characters per line.
	Width int
	// Whole prints all columns at any width. Otherwise columns that are empty in all rows are left out.
	Whole bool
	// Cut allows cutting names to fit the width. Otherwise names may exceed it.
	Cut bool
}

// For fits the table to its output: the width of a terminal, or else 100 characters with uncut names.
func (t *Table) For(w io.Writer) *Table {
	const width = 100
	t.Width, t.Cut = width, false
	if file, ok := Is(w); ok {
		t.Cut = true
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			t.Width = columns
		}
	}
	return t
}

// Is reports whether a writer is a terminal, and returns its file.
func Is(w io.Writer) (*os.File, bool) {
	file, ok := w.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// Blanks between columns: fewer if the table would be too wide.
const gap, narrowGap = 3, 2

// WriteTo writes the table.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	columns, gap := t.columns()
	var text bytes.Buffer
	for n := -1; n < len(t.Rows); n++ {
		var line strings.Builder
		for i, c := range columns {
			cell := c.Name
			if n >= 0 {
				cell = c.cells[n]
			}
			line.WriteString(cell)
			if i < len(columns)-1 {
				line.WriteString(strings.Repeat(" ", c.width-utf8.RuneCountInString(cell)+gap))
			}
		}
		text.WriteString(line.String() + "\n")
	}
	return text.WriteTo(w)
}

// column is a Column with its cells.
type column struct {
	Column
	cells []string
	width int
	empty bool
}

// columns returns the columns to print, with cells that fit, and the number of blanks between them.
func (t *Table) columns() (all []*column, between int) {
	for i, c := range t.Columns {
		full := &column{Column: c, width: utf8.RuneCountInString(c.Name), empty: len(t.Rows) > 0}
		for _, row := range t.Rows {
			cell := "-"
			if row[i] != "" {
				cell = String(row[i])
				full.empty = false
			}
			full.cells = append(full.cells, cell)
			full.width = max(full.width, utf8.RuneCountInString(cell))
		}
		if t.Whole || !full.empty && !c.Extra {
			all = append(all, full)
		}
	}
	if t.Whole || width(all, gap) <= t.Width {
		return all, gap
	}
	for width(all, narrowGap) > t.Width {
		last := slices.MaxFunc(all, func(a, b *column) int { return a.Rank - b.Rank })
		if last.Rank == 0 {
			break
		}
		all = slices.DeleteFunc(all, func(c *column) bool { return c == last })
	}
	if width(all, gap) <= t.Width {
		return all, gap
	}
	for t.Cut && width(all, narrowGap) > t.Width {
		widest := slices.MaxFunc(all, func(a, b *column) int { return a.room() - b.room() })
		if widest.room() == 0 {
			break
		}
		widest.cut(widest.width - 1)
	}
	return all, narrowGap
}

func width(all []*column, gap int) int {
	total := 0
	for _, c := range all {
		total += c.width + gap
	}
	return total - gap
}

// room returns by how many characters the column can be cut.
func (c *column) room() int {
	const least = 12
	if !c.Names {
		return 0
	}
	return max(0, c.width-max(least, utf8.RuneCountInString(c.Name)))
}

// cut shortens each cell longer than width to its beginning and its end.
func (c *column) cut(width int) {
	c.width = width
	for i, cell := range c.cells {
		letters := []rune(cell)
		if len(letters) > width {
			head := (width - 1) / 2
			c.cells[i] = string(letters[:head]) + "…" + string(letters[len(letters)-(width-1-head):])
		}
	}
}
