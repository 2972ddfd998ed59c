// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

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
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return listRecordings(c.OutOrStdout(), c.ErrOrStderr(), s, filter, output.word)
	}
	return c
}

// recordingJSON is a recording. Names are stable.
type recordingJSON struct {
	Name string `json:"name"` // as `straceback show` takes it
	containerJSON
	Evicted     bool       `json:"evicted,omitempty"` // whose it is is not known any more
	Syscalls    int        `json:"syscalls"`          // kept
	Overwritten uint64     `json:"overwritten"`
	Lost        uint64     `json:"lost"`
	Oldest      *time.Time `json:"oldest"` // begin of the first call that is kept
	Newest      *time.Time `json:"newest"` // end of the last one
	Ring        int        `json:"ring"`
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
	var rows [][]string
	for _, r := range list {
		if !filter.Matches(r.Container) {
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
		if output == "text" {
			rows = append(rows, recordingRow(r, calls, clock))
			continue
		}
		err = printJSON(stdout, recordingJSON{
			Name: r.Name(), containerJSON: newContainerJSON(r.Container, clock), Evicted: r.Container == nil,
			Syscalls: len(calls.Records), Overwritten: calls.Overwritten, Lost: calls.Lost,
			Oldest: clock.time(calls.Oldest), Newest: clock.time(calls.Newest), Ring: r.Index,
		})
		if err != nil {
			return err
		}
	}
	if output != "text" {
		return nil
	}
	if len(list) == 0 {
		fmt.Fprintln(stderr, "tracectl: nothing is recorded yet")
	}
	return printTable(stdout, []string{"NAMESPACE", "POD", "CONTAINER", "ID", "STATE", "SPAN", "SYSCALLS", "OVERWRITTEN"}, rows)
}

func recordingRow(r *straceback.Recording, calls *straceback.Calls, clock clock) []string {
	row := []string{"<evicted>", "<evicted>", "<evicted>", "", ""}
	if c := r.Container; c != nil {
		row = []string{c.Namespace, c.Pod, c.Name, labels.ShortID(c.ID), clock.state(c.Status())}
	}
	span := time.Duration(calls.Newest - calls.Oldest)
	return append(row, humanSpan(span), strconv.Itoa(len(calls.Records)), strconv.FormatUint(calls.Overwritten, 10))
}

// humanSpan shows a time in two or three digits.
func humanSpan(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return duration.HumanDuration(d)
}
