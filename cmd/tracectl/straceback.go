// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/spf13/cobra"

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
