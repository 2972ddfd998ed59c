// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// warnOfChoice lists the containers that may or may not match the filter. noun is what the list has of each container.
func warnOfChoice(stderr io.Writer, c *labels.Choice, noun string) {
	named := map[string]bool{}
	for _, container := range c.Truncated {
		if name := container.ShownName(); !named[name] {
			named[name] = true
			fmt.Fprintf(stderr, "tracectl: some labels of %s are unknown and could match; showing it anyway\n", name)
		}
	}
	if c.Unknown > 0 {
		fmt.Fprintf(stderr, "tracectl: left out %s without known %s (%s)\n", terminal.Count(c.Unknown, "container"),
			c.Filter.Sought(), labelRemedy(c.Engine))
	}
	warnOfGone(stderr, c.Gone, noun)
}

// warnOfGone says how many execs or recordings a filter left out, because their containers are no longer known.
func warnOfGone(stderr io.Writer, n int, noun string) {
	if n > 0 {
		fmt.Fprintf(stderr, "tracectl: left out %s of containers that are no longer known and cannot be selected\n",
			terminal.Count(n, noun))
	}
}

// labelRemedy says how the names and labels of an engine's containers become known.
func labelRemedy(engine string) string {
	if engine == "podman" {
		return "Podman tells none: use --annotation runc-trace.label/KEY=VALUE"
	}
	return "check the agent with \"tracectl status\""
}

// nothing reports that a filter matches none of the known containers. If it names a namespace, pod or container that
// does not exist, it returns an error.
func nothing(stderr io.Writer, filter *labels.Filter, known []*labels.Container, output string) error {
	if err := filter.Unmet(known); err != nil {
		return err
	}
	if output != "json" && !filter.Everything() {
		fmt.Fprintln(stderr, "tracectl: no container matches")
	}
	return nil
}
