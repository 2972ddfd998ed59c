// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

func newStraceback(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "straceback",
		Short: "Read recorded system calls of containers",
		Long: `Every system call of a container is recorded, from the container runtime's last steps
before its program until its end. A recording has a fixed size, in six parts, each of
which overwrites only its own oldest calls:

  recent    the last calls, without a gap
  first     calls that were new in the beginning; they are never overwritten
  files     calls that were new later, and looked for a file
  distinct  other calls that were new later: of another kind, address or error
  said      what the container wrote to its standard output and error
  runtime   calls of the container runtime itself

A recording outlives its container. If none is free, a new container takes over that of
an ended one, in its own namespace or in one that has more recordings: of the pod that has
the most, the oldest.`,
		Example: `  tracectl straceback list
  tracectl straceback show default/mypod`,
		Args:       noSubcommand,
		SuggestFor: []string{"strace", "trace", "logs"},
		RunE:       help,
	}
	c.AddCommand(newStracebackList(s), newStracebackShow(s))
	return c
}

// recordings opens the loaded maps and lists their recordings.
func (s *settings) recordings() (*bpf.Instance, *labels.Directory, []*straceback.Recording, error) {
	i, directory, err := s.open()
	if err != nil {
		return nil, nil, nil, err
	}
	list, err := straceback.List(i, directory)
	if err != nil {
		i.Close()
		return nil, nil, nil, err
	}
	return i, directory, list, nil
}

// recorded lists the containers that have recordings.
func (s *settings) recorded(*cobra.Command) ([]*labels.Container, error) {
	i, _, list, err := s.recordings()
	if err != nil {
		return nil, err
	}
	defer i.Close()
	var all []*labels.Container
	for _, r := range list {
		if r.Container != nil {
			all = append(all, r.Container)
		}
	}
	return all, nil
}
