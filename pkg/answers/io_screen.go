// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// WriteIO prints what was read and written. Chunks of a stream that follow each other are put together under a line
// that says what it is:
//
//	15:04:05.000 nc[7] write 3<TCP:->10.0.0.1:80>
//	| GET / HTTP/1.1
//
// Only lines that begin with "| " are of the container.
func (s *Screen) WriteIO(to io.Writer, o *IO) error {
	w := &ioWriter{Writer: bufio.NewWriter(to), past: o.past, color: s.Color}
	for _, line := range s.header(o.past, &o.ending) {
		w.print(line + "\n")
	}
	for i := range o.Chunks {
		w.chunk(&o.Chunks[i])
	}
	w.endLine()
	if len(o.Chunks) == 0 {
		w.print("no call that is kept and selected moved bytes\n")
	}
	w.print("\n" + s.line("Moved", terminal.Count(o.Size, "byte")+o.lacks()) + "\n")
	for _, line := range append(s.covers(o.past, o.Covers), s.line("Kept", o.past.kept())) {
		w.print(line + "\n")
	}
	return w.Flush()
}

// lacks says how many bytes were not recorded.
func (o *IO) lacks() string {
	if o.Lacks == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of them not recorded", terminal.Number(o.Lacks))
}

// ioWriter prints chunks. Its writer keeps the first error.
type ioWriter struct {
	*bufio.Writer
	past   *Past
	color  bool
	stream *Stream // of the line
	next   int64   // the offset at which the next bytes follow, or -1
	inside bool    // of a line of the container
}

func (w *ioWriter) print(text string) { _, _ = w.WriteString(text) }

// chunk prints what a call moved.
func (w *ioWriter) chunk(c *Chunk) {
	if c.Stream != w.stream {
		w.heading(c)
		w.stream, w.next = c.Stream, -1
	} else if c.Address != "" {
		w.mark(c.named())
	}
	if c.Doubt {
		w.mark("calls may be missing here: they were overwritten")
	}
	if c.Offset >= 0 && c.Offset != w.next {
		w.mark("at offset " + strconv.FormatInt(c.Offset, 10))
	}
	w.next = c.Offset
	for _, piece := range c.pieces {
		w.data(piece.data)
		if piece.lacks > 0 {
			w.mark(terminal.Count(piece.lacks, "byte") + " not recorded")
		}
		if w.next >= 0 {
			w.next += int64(uint64(len(piece.data)) + piece.lacks)
		}
	}
}

// named says which address a call named.
func (c *Chunk) named() string {
	if c.Writes {
		return "to " + terminal.Cell(c.Address)
	}
	return "from " + terminal.Cell(c.Address)
}

// heading prints which stream follows.
func (w *ioWriter) heading(c *Chunk) {
	w.endLine()
	at := w.past.at(c.At).Local().Format("15:04:05.000")
	line := fmt.Sprintf("%s %s %s %d", at, name(c.Process), c.direction(), c.FD)
	if c.Is != nil {
		line = string(c.Is.AppendText([]byte(line)))
	}
	if c.Address != "" {
		line += " " + c.named()
	}
	w.print(w.painted(line))
}

// mark prints a remark.
func (w *ioWriter) mark(text string) {
	w.endLine()
	w.print(w.painted("<" + text + ">"))
}

func (w *ioWriter) painted(line string) string {
	if w.color {
		return "\x1b[2m" + line + "\x1b[m\n"
	}
	return line + "\n"
}

// data prints bytes of the container, escaped but for tabs.
func (w *ioWriter) data(data []byte) {
	for line := range bytes.Lines(data) {
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		if !w.inside {
			w.print("| ")
		}
		for i, part := range strings.Split(string(text), "\t") {
			if i > 0 {
				w.print("\t")
			}
			w.print(terminal.String(part))
		}
		if w.inside = !ended; ended {
			w.print("\n")
		}
	}
}

// endLine ends a line of the container that has not ended.
func (w *ioWriter) endLine() {
	if w.inside {
		w.print("\n")
		w.inside = false
	}
}
