// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"strings"
)

// difference is a test that ended in one way by bare runc and in another by the shim.
type difference struct{ test, bare, shim string }

type differenceList []difference

// differences compares two runs. A test that only one of them has is a difference, and has ended as "" by the other.
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

// files are those that the tests are in.
func (l differenceList) files() []string {
	var names []string
	for _, d := range l {
		file, _, _ := strings.Cut(d.test, ": ")
		names = append(names, file)
	}
	return slices.Compact(names) // they are sorted
}

// standing compares several runs of the same files: what stands is a test that by the shim has ended at least once in a
// way in which by bare runc it never has. A test that is as changeable by bare runc is none.
func standing(bare, shim []ending) differenceList {
	all := map[string]bool{}
	for _, run := range slices.Concat(bare, shim) {
		for test := range run {
			all[test] = true
		}
	}
	var found differenceList
	for _, test := range slices.Sorted(maps.Keys(all)) {
		barely, shimmed := ways(bare, test), ways(shim, test)
		if slices.ContainsFunc(shimmed, func(how string) bool { return !slices.Contains(barely, how) }) {
			found = append(found, difference{test, strings.Join(barely, ", or "), strings.Join(shimmed, ", or ")})
		}
	}
	return found
}

// ways are those in which a test has ended, each once; "" where a run has no such test.
func ways(runs []ending, test string) []string {
	var all []string
	for _, run := range runs {
		all = append(all, run[test])
	}
	slices.Sort(all)
	return slices.Compact(all)
}
