// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// table describes how to print a list.
type table[T any] struct {
	columns []terminal.Column
	named   func(*T) bool // reports whether a row can be identified without its image; nil: always
	row     func(*T, time.Time) []string
	compare func(a, b *T) int // nil: in the order of the nodes
}

// listed is an element of a list, with its node.
type listed[T any] struct {
	node  string
	value *T
}

// print prints a list at a time. nodes adds the column of nodes, and wide prints all columns.
func (t *table[T]) print(w io.Writer, list []listed[T], now time.Time, nodes, wide bool) error {
	slices.SortStableFunc(list, func(a, b listed[T]) int {
		order := 0
		if t.compare != nil {
			order = t.compare(a.value, b.value)
		}
		return cmp.Or(order, cmp.Compare(a.node, b.node))
	})
	text := terminal.Table{Columns: slices.Clone(t.columns), Whole: wide}
	for _, l := range list {
		row := t.row(l.value, now)
		if nodes {
			row = append([]string{terminal.Cell(l.node)}, row...)
		}
		text.Rows = append(text.Rows, row)
	}
	if t.named != nil {
		t.showImage(text.Columns, list)
	}
	if nodes {
		text.Columns = append([]terminal.Column{{Name: "NODE", Names: true}}, text.Columns...)
	}
	_, err := text.For(w).WriteTo(w)
	return err
}

// showImage shows the image column if a row has no name. If no row has one, it shows the column at any width.
func (t *table[T]) showImage(columns []terminal.Column, list []listed[T]) {
	image := slices.IndexFunc(columns, func(c terminal.Column) bool { return c.Name == "IMAGE" })
	named := func(l listed[T]) bool { return t.named(l.value) }
	if len(list) > 0 && !slices.ContainsFunc(list, named) {
		columns[image].Extra, columns[image].Rank = false, 0
	}
	for _, l := range list {
		columns[image].Extra = columns[image].Extra && named(l)
	}
}

// printJSON prints a value on one line.
func printJSON(w io.Writer, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding JSON: %w", err)
	}
	_, err = w.Write(append(terminal.AppendJSON(nil, encoded), '\n'))
	return err
}

// printJSONOf is printJSON with the name of the node, if there is one, as the first member.
func printJSONOf(w io.Writer, node string, value any) error {
	if node == "" {
		return printJSON(w, value)
	}
	var line bytes.Buffer
	if err := printJSON(&line, value); err != nil {
		return err
	}
	_, err := w.Write(cluster.Object(bytes.TrimSpace(line.Bytes())).AppendWithNode(nil, node))
	return err
}

// clock converts times of CLOCK_BOOTTIME to wall clock times.
type clock struct{ boot, now time.Time }

// time returns nil for 0, which stands for an event that has not happened.
func (c clock) time(ns uint64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := c.boot.Add(time.Duration(ns))
	return &t
}
