// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"

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
	// Names marks a column of names, which may be cut in the middle. Names longer than 32 characters are cut before
	// columns are dropped, others only if no column can be dropped.
	Names bool
	// Number columns are aligned at the right.
	Number bool
}

// Table prints rows below a header of column names. Control characters in cells are escaped. Empty cells are printed as
// "-". Cells of Names columns are texts from Cell, or marks such as "<sandbox>".
type Table struct {
	Columns []Column
	Rows    [][]string
	// Width is the desired maximum of characters per line.
	Width int
	// Whole prints all columns, and uncut names, at any width. Otherwise columns that are empty in all rows are left
	// out.
	Whole bool
}

// For fits the table to its output: the width of a terminal, or else 100 characters.
func (t *Table) For(w io.Writer) *Table {
	t.Width, _ = Size(w)
	return t
}

// Size returns the columns and lines of a terminal, or for another output 100 and 24.
func Size(w io.Writer) (columns, lines int) {
	if file, ok := Is(w); ok {
		if columns, lines, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 && lines > 0 {
			return columns, lines
		}
	}
	return 100, 24
}

// Is reports whether a writer is a terminal, and returns its file.
func Is(w io.Writer) (*os.File, bool) {
	if o, ok := w.(*Output); ok {
		w = o.Writer
	}
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
				cell = middle(c.cells[n], c.width)
			}
			room := strings.Repeat(" ", max(0, c.width-Width(cell)))
			if c.Number {
				room, cell = "", room+cell
			}
			line.WriteString(cell)
			if i < len(columns)-1 {
				line.WriteString(room + strings.Repeat(" ", gap))
			}
		}
		text.WriteString(line.String() + "\n")
	}
	return text.WriteTo(w)
}

// column is a Column with its cells.
type column struct {
	Column
	cells  []string
	widest int // width of the widest cell
	width  int // of the column; longer cells are cut
	empty  bool
}

// columns returns the columns to print, with cells that fit, and the number of blanks between them.
func (t *Table) columns() (all []*column, between int) {
	for i, c := range t.Columns {
		full := &column{Column: c, widest: Width(c.Name), empty: len(t.Rows) > 0}
		for _, row := range t.Rows {
			cell := "-"
			if row[i] != "" {
				cell = String(row[i])
				if c.Names {
					cell = Escaped(row[i])
				}
				full.empty = false
			}
			full.cells = append(full.cells, cell)
			full.widest = max(full.widest, Width(cell))
		}
		full.width = full.widest
		if t.Whole || !full.empty && !c.Extra {
			all = append(all, full)
		}
	}
	if t.Whole || lineWidth(all, gap) <= t.Width {
		return all, gap
	}
	for t.cutNames(all, longName) > t.Width {
		last := slices.MaxFunc(all, func(a, b *column) int { return a.Rank - b.Rank })
		if last.Rank == 0 {
			break
		}
		all = slices.DeleteFunc(all, func(c *column) bool { return c == last })
	}
	if lineWidth(all, gap) <= t.Width {
		return all, gap
	}
	t.cutNames(all, shortName)
	return all, narrowGap
}

// Names are cut to no less than the first width to keep a column, and to no less than the second one to fit the width.
const longName, shortName = 32, 12

// cutNames makes the columns of the widest names narrower, until the table fits or no name is wider than least. It
// returns the table's width.
func (t *Table) cutNames(all []*column, least int) int {
	for _, c := range all {
		c.width = c.widest
	}
	for lineWidth(all, narrowGap) > t.Width {
		widest := slices.MaxFunc(all, func(a, b *column) int { return a.room(least) - b.room(least) })
		if widest.room(least) == 0 {
			break
		}
		widest.width--
	}
	return lineWidth(all, narrowGap)
}

func lineWidth(all []*column, gap int) int {
	total := 0
	for _, c := range all {
		total += c.width + gap
	}
	return total - gap
}

// room returns by how many characters the column can be cut if its names keep least characters.
func (c *column) room(least int) int {
	if !c.Names {
		return 0
	}
	return max(0, c.width-max(least, Width(c.Name)))
}
