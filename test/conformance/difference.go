// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// difference is a test that ended differently with bare runc and with the shim.
type difference struct{ test, bare, shim string }

type differenceList []difference

// differences compares two runs. A test that only one of them has is a difference; its other result is "".
func differences(bare, shim ending) differenceList {
	all := maps.Clone(bare)
	maps.Copy(all, shim)
	var found differenceList
	for _, test := range slices.Sorted(maps.Keys(all)) {
		if bare[test] != shim[test] {
			found = append(found, difference{test, bare[test], shim[test]})
		}
	}
	return found
}

// files returns the files of the tests.
func (l differenceList) files() []string {
	var names []string
	for _, d := range l {
		file, _, _ := strings.Cut(d.test, ": ")
		names = append(names, file)
	}
	return slices.Compact(names) // the list is sorted
}

// dispute is a test on which two runs of the same round disagreed, with the number of times that it ended in each
// way.
type dispute struct {
	test, bare, shim string
	stands           bool // over a quarter of the rounds with the shim ended in a way unseen with bare runc
}

// disputes compares several runs of the same files, round by round.
func disputes(bare, shim []ending) []dispute {
	tests := map[string]bool{}
	for i := range bare {
		for _, d := range differences(bare[i], shim[i]) {
			tests[d.test] = true
		}
	}
	var found []dispute
	for _, test := range slices.Sorted(maps.Keys(tests)) {
		barely, shimmed := ways(bare, test), ways(shim, test)
		d := dispute{test: test, bare: tally(barely), shim: tally(shimmed)}
		// A test that fails once in a hundred times with either may fail with only one of them in ten rounds.
		for how, times := range shimmed {
			d.stands = d.stands || barely[how] == 0 && 4*times > len(shim)
		}
		found = append(found, d)
	}
	return found
}

// ways counts the results of a test; "" if a run does not have the test.
func ways(runs []ending, test string) map[string]int {
	all := map[string]int{}
	for _, run := range runs {
		all[run[test]]++
	}
	return all
}

func tally(ways map[string]int) string {
	var all []string
	for _, how := range slices.Sorted(maps.Keys(ways)) {
		all = append(all, fmt.Sprintf("%d times %q", ways[how], how))
	}
	return strings.Join(all, ", ")
}
