// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// table is how a list of something is shown.
type table[T any] struct {
	columns []terminal.Column
	named   func(*T) bool // tells whether a row says whose it is without its image; nil: all do
	row     func(*T, time.Time) []string
	compare func(a, b *T) int // nil: in the order of their nodes
}

// listed is one of a list.
type listed[T any] struct {
	node  string
	value *T
}

// print prints a list as of a time, or with wide, all columns of it; nodes is whether to say which node's each is.
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
			row = append([]string{l.node}, row...)
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

// showImage shows the images if a row has no name, at any width if none has.
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
