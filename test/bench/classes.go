// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// benchClasses measures what calls of different classes cost in a recorded container, in time and in bytes: each class
// has other memory to record.
func benchClasses(rounds int, old string) (err error) {
	timed := slices.Concat(plain[:1], classes)
	sizes := make(map[string]float64)
	for _, w := range timed {
		if sizes[w.name], err = bytesACall(w); err != nil {
			return fmt.Errorf("recording %s: %w", w.name, err)
		}
	}
	s, err := newStand(old)
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	groups := [][]*variant{
		{{name: nothing + inContainer, worker: s.insider}},
		s.builds(variant{name: recorded, worker: s.insider}),
	}
	columns := []string{nothing + inContainer, s.recorders[0].name + recorded}
	if s.traced != nil {
		groups = append(groups, []*variant{{name: underStrace, worker: s.traced, calls: batchCalls / 10}})
		columns = append(columns, underStrace)
	}
	t, err := s.compare(cmp.Or(rounds, 40), timed, groups)
	if err != nil {
		return err
	}
	t.printClasses(s.recorders, columns, sizes)
	return nil
}

// printClasses prints a row for each workload: nanoseconds in each column, their ratios, and bytes.
func (t *table) printClasses(builds []*recorder, columns []string, sizes map[string]float64) {
	fmt.Print("| |")
	for _, c := range columns {
		fmt.Printf(" %s, ns |", c)
	}
	fmt.Print(" recorded / not |")
	if len(builds) > 1 {
		fmt.Print(" recorded / old build |")
	}
	fmt.Printf(" bytes a call |\n|%s\n", strings.Repeat("---|", len(columns)+1+len(builds)+1))
	for _, w := range t.workloads {
		fmt.Printf("| %s |", w.name)
		for _, c := range columns {
			fmt.Printf(" %.0f |", t.of(c, w.name))
		}
		fmt.Printf(" %.2f |", t.of(columns[1], w.name)/t.of(columns[0], w.name))
		if len(builds) > 1 {
			fmt.Printf(" %.2f |", t.of(columns[1], w.name)/t.of(builds[1].name+recorded, w.name))
		}
		fmt.Printf(" %.1f |\n", sizes[w.name])
	}
}

// bytesACall returns how many bytes of the lane `recent` a call takes, on average.
func bytesACall(w workload) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	n, err := kept([]string{self, "worker", w.name, "40000"})
	return float64(keptBytes) / float64(n), err
}
