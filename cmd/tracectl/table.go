// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// printTable prints rows below their columns' names, escaped; an empty cell as "-".
func printTable(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			if cell == "" {
				cell = "-"
			}
			fmt.Fprint(t, terminal.String(cell))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// printJSON prints a value on a line.
func printJSON(w io.Writer, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding JSON: %w", err)
	}
	_, err = w.Write(append(terminal.AppendJSON(nil, encoded), '\n'))
	return err
}

// clock turns times of CLOCK_BOOTTIME into those of the wall clock.
type clock struct{ boot, now time.Time }

// time is nil where nothing has happened yet.
func (c clock) time(ns uint64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := c.boot.Add(time.Duration(ns))
	return &t
}
