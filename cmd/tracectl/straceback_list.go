// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

func newStracebackList(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the recordings",
		Long: `List the recordings by namespace, pod and container, and of a container that was
restarted the newest run first. SPAN is the time between the first and the last call
that is kept; SYSCALLS and OVERWRITTEN are how many calls are kept, and how many
earlier ones are not any more.`,
		Example: `  tracectl straceback list
  tracectl straceback list -n default -l app=web
  tracectl straceback list -o json | jq 'select(.exitCode != 0)'`,
		Args: exactly(0),
	}
	filter := addFilter(c)
	names := c.Flags().Bool("names", false, "only the names, as show takes them, which is quick: the recordings are not read")
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *names {
			return listNames(c.OutOrStdout(), c.ErrOrStderr(), s, filter, output.word)
		}
		return listRecordings(c.OutOrStdout(), c.ErrOrStderr(), s, filter, output.word)
	}
	return c
}

func listRecordings(stdout, stderr io.Writer, s *settings, filter *labels.Filter, output string) error {
	i, _, list, err := s.recordings()
	if err != nil {
		return err
	}
	defer i.Close()
	clock, err := newClock()
	if err != nil {
		return err
	}
	choice := labels.Choice{Filter: filter}
	var rows [][]string
	for n, r := range list {
		list[n] = nil // and with it, later, its copy of what was recorded
		if !choice.Wants(r.Container) {
			continue
		}
		calls, err := r.Read()
		if errors.Is(err, straceback.ErrReused) {
			continue // it is no recording of this container any more
		}
		if errors.Is(err, ring.ErrUnsettled) {
			fmt.Fprintf(stderr, "tracectl: left out %s: %v\n", terminal.String(r.Name()), err)
			continue
		}
		if err != nil {
			return err
		}
		j := newRecordingJSON(r, calls, clock)
		if output == "text" {
			rows = append(rows, j.row(clock.now))
		} else if err := printJSON(stdout, j); err != nil {
			return err
		}
	}
	warnOfChoice(stderr, &choice)
	if output != "text" {
		return nil
	}
	if len(list) == 0 {
		fmt.Fprintln(stderr, "tracectl: nothing is recorded yet")
	}
	return printTable(stdout, recordingsHeader, rows)
}

// listNames prints whose recordings there are, without reading them.
func listNames(stdout, stderr io.Writer, s *settings, filter *labels.Filter, output string) error {
	i, _, list, err := s.recordings()
	if err != nil {
		return err
	}
	defer i.Close()
	clock, err := newClock()
	if err != nil {
		return err
	}
	choice := labels.Choice{Filter: filter}
	last := ""
	for _, r := range list {
		if !choice.Wants(r.Container) {
			continue
		}
		if output == "json" {
			err = printJSON(stdout, newNamedJSON(r, clock))
		} else if name := r.Name(); name != last {
			_, err = fmt.Fprintln(stdout, terminal.String(name))
			last = name
		}
		if err != nil {
			return err
		}
	}
	warnOfChoice(stderr, &choice)
	return nil
}
