// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/labels"
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
before that, only the calls that were new are kept. KEPT marks those that "tracectl keep"
keeps, and those that are not in memory any more, but in files of the archive
("archive" in the configuration). SYSCALLS is the number of calls kept,
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
	source := &source{reader: s}
	source.addFrom(c)
	names := c.Flags().Bool("names", false, "print only names that show accepts; quick: recordings are not read")
	output := addListOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		l := recordingList{stdout: c.OutOrStdout(), stderr: c.ErrOrStderr(), output: output.word, names: *names}
		if source.from == "" {
			return s.listLoaded(&l, args, filter)
		}
		return source.listFile(&l, args, filter)
	}
	return c
}

// recordingList prints recordings.
type recordingList struct {
	stdout, stderr io.Writer
	output         string
	names          bool // nothing but names
	clock          clock

	rows []listed[recordingJSON]
	last string // the last name that was printed
}

// listFile lists the recording of a file.
func (s *source) listFile(l *recordingList, args []string, filter *labels.Filter) error {
	r, err := s.readFile(l.stderr)
	if err != nil {
		return err
	}
	known := []*labels.Container{r.Container}
	if err := filter.Resolve(args, "recording of", known); err != nil {
		return err
	}
	choice := labels.Choice{Filter: filter}
	wanted := choice.Wants(r.Container)
	warnOfChoice(l.stderr, &choice, "recording")
	if !wanted {
		return nothing(l.stderr, filter, known, l.output)
	}
	l.clock = clock{r.Boot, time.Now()}
	recording := &straceback.Recording{Index: -1, Container: r.Container}
	if l.names {
		return l.name(recording)
	}
	survey := straceback.Survey{Calls: r.Calls, Kept: len(r.Calls.Records)}
	if err := l.add(recording, &survey); err != nil {
		return err
	}
	return l.print()
}

// of returns the clock of a recording.
func (l *recordingList) of(r *straceback.Recording) clock {
	if r.Archived != nil {
		return clock{r.Archived.Boot, l.clock.now}
	}
	return l.clock
}

// add adds a recording.
func (l *recordingList) add(r *straceback.Recording, s *straceback.Survey) error {
	j := newRecordingJSON(r, s, l.of(r))
	if l.output == "json" {
		return printJSON(l.stdout, j)
	}
	l.rows = append(l.rows, listed[recordingJSON]{value: &j})
	return nil
}

// print prints what was added and not printed yet.
func (l *recordingList) print() error {
	if l.output == "json" {
		return nil
	}
	return recordingTable.print(l.stdout, l.rows, l.clock.now, false, l.output == "wide")
}

// name prints the name of a recording, or nothing if it is that of the one before.
func (l *recordingList) name(r *straceback.Recording) error {
	if l.output == "json" {
		return printJSON(l.stdout, newNamedJSON(r, l.of(r)))
	}
	name := r.Name()
	if name == l.last || name == "" {
		return nil
	}
	l.last = name
	_, err := fmt.Fprintln(l.stdout, terminal.String(name))
	return err
}
