// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"cmp"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

func newContainers(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "containers [NAME]",
		Short: "List the containers that are known",
		Long: `List the containers that runc-trace registered, by namespace, pod and container, the
newest first: those whose cgroup exists, or with --all also those that have ended
and whose name is still known. RECORDED is "yes" where there is a recording,
"adopted" where that begins in the middle, since the container ran before it was
registered, "no" where there never was one, as of a pod's sandbox, and "gone" where
its memory was used again.

` + nameHelp + ` With a NAME,
containers that have ended are listed as well.`,
		Example: `  tracectl containers
  tracectl containers --all -l 'app in (web,db)' -n 'team-*'
  tracectl containers 4f1c0ffee4f1
  tracectl containers -o json | jq .containerID`,
		Args:       atMost(1),
		SuggestFor: []string{"ps", "pods", "ls"},
	}
	filter := addFilter(c)
	all := addAll(c)
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return listContainers(c.OutOrStdout(), c.ErrOrStderr(), s, args, filter, *all, output.word)
	}
	return c
}

func listContainers(stdout, stderr io.Writer, s *settings, names []string, filter *labels.Filter, all bool, output string) error {
	i, directory, err := s.open()
	if err != nil {
		return err
	}
	defer i.Close()
	clock, err := newClock()
	if err != nil {
		return err
	}
	known := directory.All()
	for _, name := range names {
		if err := filter.Choose(name, "container called", known); err != nil {
			return err
		}
		all = true
	}
	choice := labels.Choice{Filter: filter}
	list := slices.DeleteFunc(known, func(c *labels.Container) bool {
		return !all && c.State == abi.StateEnded || !choice.Wants(c)
	})
	warnOfChoice(stderr, &choice)
	if len(list) == 0 {
		if err := nothing(stderr, filter, output); err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(a, b *labels.Container) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Name, b.Name),
			cmp.Compare(b.Created, a.Created))
	})
	var rows [][]string
	for _, c := range list {
		j := listedJSON{newContainerJSON(c, clock), c.Init, recorded(i, c), c.Flags&abi.WhoAdopted != 0}
		if output == "text" {
			rows = append(rows, j.row(clock.now))
		} else if err := printJSON(stdout, j); err != nil {
			return err
		}
	}
	if output != "text" {
		return nil
	}
	return printTable(stdout, containersHeader, rows)
}

// recorded tells whether there is a recording of a container.
func recorded(i *bpf.Instance, c *labels.Container) string {
	if c.Ring == 0 {
		return "no"
	}
	r, err := i.Ring(int(c.Ring) - 1)
	if err != nil || r.Header().Generation != c.RingGen {
		return "gone"
	}
	return "yes"
}
