// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
)

const treeLong = `Print the processes of a container as a tree: what each one executed, its IDs in the
container and on the host, when it started after the container was created, for how long
it ran, and how it ended. Of a process that runs, the call that it is in follows.

"<forked>" marks a process that executed no program, "<from outside>" one that was
executed from outside of the container, such as an exec probe, and "?" one whose parent
is guessed, because the call that made it is not kept. "≤" marks a start of which only
the first call is known that is kept. Processes of one parent that executed the same
program and ended in the same way are one line with their number ("<×12>"), the first
start and the longest time; --all prints each of them.

A process of which no call is kept is missing. "Kept" says what the recording still has.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
shown; --previous selects an earlier one.`

func newTree(r reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "tree NAME",
		Short: "Print the processes of a container as a tree",
		Long:  treeLong,
		Example: `  tracectl tree default/mypod
  tracectl tree mypod --all
  tracectl tree mypod -o json | jq '.processes[] | select(.exitCode != 0) | .execs'`,
		Args: exactly(1),
	}
	all := c.Flags().Bool("all", false, "print each process, also those that did the same")
	addAnswer(c, r, func(p *answers.Past, to io.Writer) error {
		screen := answers.TreeScreen{All: *all,
			Screen: screenFor(to)}
		return screen.Write(to, p.Tree())
	}, func(p *answers.Past) (any, error) { return p.Tree().JSON() })
	return c
}
