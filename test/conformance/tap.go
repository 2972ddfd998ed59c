// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ending holds the results of tests by file and name: "ok", "skipped" with the reason, or "failed" with the line.
// The failing line is part of the result: otherwise a test that cannot pass on a machine would hide changes by the
// shim.
type ending map[string]string

var (
	plan    = regexp.MustCompile(`^1\.\.(\d+)$`)
	verdict = regexp.MustCompile(`^(not )?ok \d+ (.*?)(?: # skip\b *(.*))?$`)
	place   = regexp.MustCompile(`in test file .*, line (\d+)`)
)

// parse reads the output of bats --tap for a file. A planned test without a result is an error.
func parse(file, tap string) (ending, error) {
	ends := ending{}
	var planned, failed string
	for line := range strings.Lines(tap) {
		line = strings.TrimRight(line, "\r\n")
		if m := plan.FindStringSubmatch(line); m != nil {
			planned = m[1]
		} else if m := verdict.FindStringSubmatch(line); m != nil {
			test := file + ": " + m[2]
			failed = ""
			switch {
			case strings.Contains(line, " # skip"):
				ends[test] = strings.TrimSpace("skipped " + m[3])
			case m[1] != "":
				ends[test] = "failed"
				failed = test
			default:
				ends[test] = "ok"
			}
		} else if m := place.FindStringSubmatch(line); m != nil && failed != "" {
			ends[failed] = "failed in line " + m[1]
			failed = ""
		}
	}
	if planned != fmt.Sprint(len(ends)) {
		return ends, fmt.Errorf("%s: %d tests ended, %q were planned:\n%s", file, len(ends), planned, tap)
	}
	return ends, nil
}

type counts struct{ passed, failed, skipped int }

func (e ending) count() counts {
	var n counts
	for _, how := range e {
		switch {
		case how == "ok":
			n.passed++
		case strings.HasPrefix(how, "skipped"):
			n.skipped++
		default:
			n.failed++
		}
	}
	return n
}

// String lists the tests that did not pass.
func (e ending) String() string {
	var b strings.Builder
	for _, test := range slices.Sorted(maps.Keys(e)) {
		if e[test] != "ok" {
			fmt.Fprintf(&b, "  %s: %s\n", test, e[test])
		}
	}
	return b.String()
}
