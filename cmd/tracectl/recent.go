// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// recentMax is how many recordings the overview shows.
const recentMax = 6

// recent returns the recordings of a few containers, the newest failure first, as text for a terminal, and the command
// that explains the first one. It is empty if nothing is recorded, or cannot be read.
func (s *settings) recent(output io.Writer) string {
	containers, err := s.inMemory()
	if err != nil || len(containers) == 0 {
		return ""
	}
	clock, err := newClock()
	if err != nil {
		return ""
	}
	return recentTable(containers, clock, output)
}

func recentTable(containers []*labels.Container, clock clock, output io.Writer) string {
	slices.SortStableFunc(containers, func(a, b *labels.Container) int { return a.Status().Compare(b.Status()) })
	table := terminal.Table{Columns: []terminal.Column{{Name: "RECORDED NOW", Names: true}, {Name: "STATE"}}}
	for _, c := range containers[:min(len(containers), recentMax)] {
		j := newContainerJSON(c, clock)
		table.Rows = append(table.Rows, []string{c.ShownName(), j.state(clock.now)})
	}
	var text strings.Builder
	if _, err := table.For(output).WriteTo(&text); err != nil {
		return ""
	}
	if more := len(containers) - recentMax; more > 0 {
		fmt.Fprintf(&text, "and %s more: tracectl straceback list\n", terminal.Number(more))
	}
	fmt.Fprintf(&text, "\nSay why it ended: tracectl why %s\n", containers[0].ShownName())
	return text.String()
}
