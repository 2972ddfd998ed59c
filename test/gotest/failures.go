// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Limits of what is kept of a failed test, so that the log of an engine cannot hide its messages.
const (
	messageLines  = 15 // of each message
	firstMessages = 6
	lastMessages  = 6
)

// failures collects the messages of failed tests: parts of tests too, but no test that failed only by a part of it.
type failures struct {
	output map[string][]string // lines of each test that runs, by package and name
	tests  []failure
}

type failure struct {
	pkg, test string // test is empty if the package failed in another way
	excerpt   []string
}

func (f *failures) add(e event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		f.output[key] = append(f.output[key], e.Output)
	case "pass", "skip":
		delete(f.output, key)
	case "fail":
		f.fail(e, f.output[key])
		delete(f.output, key)
	}
}

// fail adds a test that failed, or a package in which tests were still running or no test failed.
func (f *failures) fail(e event, output []string) {
	if e.Test != "" {
		byPart := slices.ContainsFunc(f.tests, func(t failure) bool {
			return t.pkg == e.Package && strings.HasPrefix(t.test, e.Test+"/")
		})
		if found := messages(output); len(found) > 0 || !byPart {
			f.tests = append(f.tests, failure{e.Package, e.Test, found})
		}
		return
	}
	for key, lines := range f.output {
		if test, ok := strings.CutPrefix(key, e.Package+" "); ok && test != "" {
			f.tests = append(f.tests, failure{e.Package, test, messages(lines)})
			delete(f.output, key)
		}
	}
	if !slices.ContainsFunc(f.tests, func(t failure) bool { return t.pkg == e.Package }) {
		output = append(f.output[e.FailedBuild+" "], output...)
		f.tests = append(f.tests, failure{e.Package, "", output[max(0, len(output)-messageLines):]})
	}
}

var (
	// The first line of a message of package testing, and of a crash. A message's other lines are indented deeper.
	messageBegins = regexp.MustCompile(`^ *[\w.-]+\.go:\d+: `)
	crashBegins   = regexp.MustCompile(`^(panic: |fatal error: |WARNING: DATA RACE|SIG[A-Z]+: )`)
	messageGoesOn = regexp.MustCompile(`^(        .*)?\n$`)
)

// messages returns the beginnings of a test's messages: the first and the last ones, if there are many.
func messages(output []string) []string {
	var all [][]string
	crashed := false
	for _, line := range output {
		begins := messageBegins.MatchString(line)
		switch {
		case !crashed && crashBegins.MatchString(line):
			crashed = true
			all = append(all, []string{line})
		case begins:
			crashed = false
			all = append(all, []string{line})
		case len(all) > 0 && (crashed || messageGoesOn.MatchString(line)):
			all[len(all)-1] = append(all[len(all)-1], line)
		}
	}
	var found []string
	for i, lines := range all {
		switch left := len(all) - firstMessages - lastMessages; {
		case i >= firstMessages && i < firstMessages+left:
			if i == firstMessages {
				found = append(found, fmt.Sprintf("    [%d messages]\n", left))
			}
		case len(lines) > messageLines:
			found = append(append(found, lines[:messageLines]...), fmt.Sprintf("        [%d lines]\n", len(lines)-messageLines))
		default:
			found = append(found, lines...)
		}
	}
	return found
}

// text returns the failures for a person.
func (f *failures) text() string {
	var text strings.Builder
	for _, t := range f.tests {
		fmt.Fprintln(&text, strings.TrimSpace(strings.TrimPrefix(t.pkg, module)+" "+t.test))
		for _, line := range t.excerpt {
			text.WriteString(line)
		}
	}
	return text.String()
}
