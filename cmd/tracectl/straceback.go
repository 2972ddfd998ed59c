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
		Long: `Every system call of a recorded container is kept in a ring of a fixed size, from the
container runtime's last steps before the container's program until its end. When the
ring is full, the oldest calls are overwritten and counted. A recording outlives its
container. It is reused for another container only if no other recording is free.`,
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
	list, err := straceback.List(i, i.Pool().Rings, directory)
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
