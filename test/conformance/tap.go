// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ending is how the tests of some files ended, by file and name: "ok", "skipped" and why, or "failed" and where. That
// the same line fails is part of it: or else a test that a machine cannot pass would hide what the shim does to it.
type ending map[string]string

var (
	plan    = regexp.MustCompile(`^1\.\.(\d+)$`)
	verdict = regexp.MustCompile(`^(not )?ok \d+ (.*?)(?: # skip\b *(.*))?$`)
	place   = regexp.MustCompile(`in test file .*, line (\d+)`)
)

// parse reads what bats prints with --tap for a file. A test that was planned and has no line is an error.
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

// String lists what has not passed.
func (e ending) String() string {
	var b strings.Builder
	for _, test := range slices.Sorted(maps.Keys(e)) {
		if e[test] != "ok" {
			fmt.Fprintf(&b, "  %s: %s\n", test, e[test])
		}
	}
	return b.String()
}
