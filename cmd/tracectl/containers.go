// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

func newContainers(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "containers [NAME]",
		Short: "List known containers",
		Long: `List the containers that runc-trace registered, by namespace, pod and container, the
newest first. A container is listed if its cgroup exists; with --all, ended containers
are listed too, as long as their names are kept. RECORDED is "yes" if there is a
recording; "adopted" if the recording starts in the middle, because the container was
registered later; "no" if there never was one, as for a pod's sandbox; and "gone" if
its memory was reused.

Columns that are empty in all rows are left out. If lines would be longer than 100
characters or the terminal's width, long names are cut ("…"), and some columns are left
out. -o wide prints all columns, and names as they are.

` + nameHelp + `
With NAME, ended containers are included.`,
		Example: `  tracectl containers
  tracectl containers --all -l 'app in (web,db)' -n 'team-*'
  tracectl containers 4f1c0ffee4f1
  tracectl containers -o json | jq .containerID`,
		Args:       atMost(1),
		SuggestFor: []string{"ps", "pods", "ls"},
	}
	filter := addFilter(c)
	completeContainers(c, s.known)
	all := addAll(c)
	output := addListOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return listContainers(c.OutOrStdout(), c.ErrOrStderr(), s, args, filter, *all, output.word)
	}
	return c
}

func listContainers(stdout, stderr io.Writer, s *settings, names []string, filter *labels.Filter,
	all bool, output string) error {
	i, directory, err := s.open()
	if err != nil {
		return err
	}
	defer i.Close()
	s.losses(i, stderr)()
	clock, err := newClock()
	if err != nil {
		return err
	}
	known := directory.All()
	if err := filter.Resolve(names, "container called", known); err != nil {
		return err
	}
	all = all || len(names) > 0
	choice, ended := labels.Choice{Filter: filter}, 0
	var list []*labels.Container
	for _, c := range known {
		switch {
		case !all && c.State == abi.StateEnded:
			if filter.Judge(c) >= labels.Maybe {
				ended++
			}
		case choice.Wants(c):
			list = append(list, c)
		}
	}
	warnOfChoice(stderr, &choice, "container")
	switch {
	case len(list) > 0:
	case ended > 0:
		fmt.Fprintf(stderr, "tracectl: no running container matches; --all lists %s\n",
			terminal.Count(ended, "ended container"))
	default:
		if err := nothing(stderr, filter, known, output); err != nil {
			return err
		}
	}
	generations := map[uint32]uint32{} // of recordings, by index + 1
	err = i.RecordingHeaders(func(index int, h ring.Header) { generations[uint32(index)+1] = h.Generation })
	if err != nil {
		return err
	}
	var rows []listed[listedJSON]
	for _, c := range list {
		j := listedJSON{
			containerJSON: newContainerJSON(c, clock), Init: c.Init, Recorded: recorded(c, generations),
			Adopted: c.Flags&abi.WhoAdopted != 0,
			Threads: c.Threads, Refused: c.Refused, Left: c.Left, Beyond: c.Beyond,
		}
		rows = append(rows, listed[listedJSON]{value: &j})
	}
	if output != "json" {
		return containerTable.print(stdout, rows, clock.now, false, output == "wide")
	}
	slices.SortFunc(rows, func(a, b listed[listedJSON]) int { return containerTable.compare(a.value, b.value) })
	for _, row := range rows {
		if err := printJSON(stdout, row.value); err != nil {
			return err
		}
	}
	return nil
}

// known lists all known containers.
func (s *settings) known(*cobra.Command) ([]*labels.Container, error) {
	i, directory, err := s.open()
	if err != nil {
		return nil, err
	}
	defer i.Close()
	return directory.All(), nil
}

// recorded says whether a container has a recording, by the present generations of recordings.
func recorded(c *labels.Container, generations map[uint32]uint32) string {
	switch {
	case c.Ring == 0:
		return "no"
	case generations[c.Ring] != c.RingGen:
		return "gone"
	}
	return "yes"
}
