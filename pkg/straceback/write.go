// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bufio"
	"fmt"
	"io"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const bufferSize = 256 << 10 // bytes

// WriteText writes a timeline as lines of text. If calls are missing, a line says from where on all are there.
func (f *Format) WriteText(to io.Writer, t *Timeline) error {
	out := bufio.NewWriterSize(to, bufferSize)
	gap := f.Missing > 0 && t.Len() > 0 && !f.Strace
	mark := func() {
		fmt.Fprintf(out, "... from here on every call; before, only what was new: %s not shown\n",
			terminal.Count(f.Missing, "call"))
		gap = false
	}
	var line []byte
	for event := range t.Events {
		if gap && event.until() >= f.Complete {
			mark()
		}
		line = f.AppendLine(line[:0], event)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if gap {
		mark()
	}
	return out.Flush()
}

// WriteJSON writes the calls of a timeline as lines of JSON.
func (f *Format) WriteJSON(to io.Writer, t *Timeline) error {
	out := bufio.NewWriterSize(to, bufferSize)
	var line []byte
	for event := range t.Calls {
		var err error
		if line, err = f.AppendJSON(line[:0], event); err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
