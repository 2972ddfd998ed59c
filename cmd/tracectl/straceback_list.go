// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

func newStracebackList(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the recordings",
		Long: `List the recordings: crashed containers first, then the others; in each group, the newest
first. "!" marks a crash: an exit code other than 0, or a signal other than those that
ask a program to end. SPAN is the time from the first to the last call that is kept.
If calls were overwritten, RECENT is the last part of it, of which every call is kept;
before that, only the calls that were new are kept. SYSCALLS is the number of calls kept,
and OVERWRITTEN the number of those that are gone.

<evicted> marks a recording whose container is no longer known: "show" cannot find it,
because its name is gone. If a name or a filter is given, such recordings are left out,
and stderr says how many.

With -o wide, FILES, DISTINCT, SAID and RUNTIME say how far back these parts of a
recording reach if calls of them were overwritten: see "tracectl straceback --help". LOST
is the number of calls that could not be written.

Columns that are empty in all rows are left out. If lines would be longer than 100
characters or the terminal's width, long names are cut ("…"), and some columns are left
out. -o wide prints all columns, and names as they are. With -o json, recordings are
sorted by namespace, pod and container.

` + nameHelp,
		Example: `  tracectl straceback list
  tracectl straceback list -n default -l app=web -o wide
  tracectl straceback list -o json | jq 'select(.exitCode != 0)'`,
		Args: atMost(1),
	}
	filter := addFilter(c)
	completeContainers(c, s.recorded)
	names := c.Flags().Bool("names", false, "print only names that show accepts; quick: recordings are not read")
	output := addListOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		i, list, err := s.chosenRecordings(c.ErrOrStderr(), args, filter, output.word)
		if err != nil {
			return err
		}
		defer i.Close()
		if *names {
			return listNames(c.OutOrStdout(), list, output.word)
		}
		return listRecordings(c.OutOrStdout(), c.ErrOrStderr(), list, output.word)
	}
	return c
}

// chosenRecordings returns the recordings that match the name, if one is given, and the filter.
func (s *settings) chosenRecordings(stderr io.Writer, names []string, filter *labels.Filter,
	output string) (*bpf.Instance, []*straceback.Recording, error) {
	i, directory, list, err := s.recordings()
	if err != nil {
		return nil, nil, err
	}
	s.losses(i, stderr)()
	if list, err = chooseRecordings(stderr, list, directory, names, filter, output); err != nil {
		i.Close()
	}
	return i, list, err
}

func chooseRecordings(stderr io.Writer, list []*straceback.Recording, directory *labels.Directory, names []string,
	filter *labels.Filter, output string) ([]*straceback.Recording, error) {
	var recorded []*labels.Container
	for _, r := range list {
		if r.Container != nil {
			recorded = append(recorded, r.Container)
		}
	}
	err := filter.Resolve(names, "recording of", recorded)
	if name := (*labels.NameError)(nil); errors.As(err, &name) && name.Unlike == "" {
		err = explainName(err, names[0], directory, list)
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && output != "json" {
		fmt.Fprintln(stderr, "tracectl: nothing is recorded yet")
	}
	choice := labels.Choice{Filter: filter}
	list = slices.DeleteFunc(list, func(r *straceback.Recording) bool { return !choice.Wants(r.Container) })
	warnOfChoice(stderr, &choice, "recording")
	if len(list) == 0 {
		return nil, nothing(stderr, filter, directory.All(), output)
	}
	return list, nil
}

func listRecordings(stdout, stderr io.Writer, list []*straceback.Recording, output string) error {
	clock, err := newClock()
	if err != nil {
		return err
	}
	evicted := evictedOf(list)
	var rows []listed[recordingJSON]
	for i, s := range straceback.Surveys(list) {
		r := list[i]
		if errors.Is(s.Err, straceback.ErrReused) {
			continue // the recording is not of this container any more
		}
		if errors.Is(s.Err, ring.ErrUnsettled) {
			fmt.Fprintf(stderr, "tracectl: left out %s: %v\n", terminal.Cell(r.Name()), s.Err)
			continue
		}
		if s.Err != nil {
			return s.Err
		}
		j := newRecordingJSON(r, &s, clock)
		if output != "json" {
			rows = append(rows, listed[recordingJSON]{value: &j})
		} else if err := printJSON(stdout, j); err != nil {
			return err
		}
	}
	if output == "json" {
		return nil
	}
	if evicted > 0 {
		const why = "recordings that show cannot find, because their names are no longer kept"
		fmt.Fprintf(stderr, "tracectl: %s: %d\n", why, evicted)
	}
	return recordingTable.print(stdout, rows, clock.now, false, output == "wide")
}

// listNames prints the containers of the recordings without reading the recordings.
func listNames(stdout io.Writer, list []*straceback.Recording, output string) error {
	clock, err := newClock()
	if err != nil {
		return err
	}
	last := ""
	for _, r := range list {
		if output == "json" {
			err = printJSON(stdout, newNamedJSON(r, clock))
		} else if name := r.Name(); name != last && name != "" {
			_, err = fmt.Fprintln(stdout, terminal.String(name))
			last = name
		}
		if err != nil {
			return err
		}
	}
	return nil
}
