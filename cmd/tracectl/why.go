// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
)

const whyLong = `Say why a container ended, or what it waits for, on one screen: how it ended, the most
likely causes, each with the calls that speak for it, the last lines that it wrote, and
what it did at the end.

"Cause" is what the kernel itself said: a signal and who sent it, or that memory ran out.
"Likely" and "Perhaps" are guesses, from the calls that failed, from what the container
wrote, and from the processes that failed before it. --explain says which rule made each
guess, and why. "Kept" says what the recording still has: if the cause is older, it may
be missing.

Times are local. IDs in brackets are those in the container, if they are known.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
explained; --previous selects an earlier one.`

func newWhy(r reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "why NAME",
		Short: "Say why a container ended, or what it waits for",
		Long:  whyLong,
		Example: `  tracectl why default/mypod
  tracectl why mypod --previous --explain
  tracectl why mypod -o json | jq -r '.causes[].title'`,
		Args: exactly(1),
	}
	explain := c.Flags().Bool("explain", false, "say of each cause which rule found it, and why")
	addAnswer(c, r, func(p *answers.Past, to io.Writer) error {
		screen := screenFor(to)
		screen.Explain = *explain
		return screen.Write(to, p.Why())
	}, func(p *answers.Past) (any, error) { return p.Why().JSON() })
	return c
}
