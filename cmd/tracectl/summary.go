// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
)

const summaryLong = `Sum up the system calls of a container, on one screen: how many of each kind it made in
its whole life, how many failed, and how long they took, as strace -c does; the slowest
calls; and the errors.

The table counts every call, also those that are no longer kept, but not those of the
container runtime. The time is that from enter to exit, of all threads together, so a
call that waits takes long. All else can only be said of the calls that are kept: the
table of --by process, the slowest calls, and the errors. Of an error, those calls count,
too, that were not kept because such a call had been kept before. "Kept" says what the
recording still has.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
summed up; --previous selects an earlier one.`

func newSummary(r reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "summary NAME",
		Short: "Sum up the system calls of a container",
		Long:  summaryLong,
		Example: `  tracectl summary default/mypod
  tracectl summary mypod --sort errors --slowest 10
  tracectl summary mypod --by process
  tracectl summary mypod -o json | jq '.totals[] | select(.failed > 0)'`,
		Args: exactly(1),
	}
	order := addChoice(c, "sort", "", "the largest first, or by name", string(answers.ByTime), string(answers.ByCount),
		string(answers.ByErrors), string(answers.ByName))
	by := addChoice(c, "by", "", "a row for each kind of call, or for each process", "call", "process")
	slowest := natural(3)
	c.Flags().Var(&slowest, "slowest", "how many of the slowest calls are printed")
	nothingToComplete(c, "slowest")
	all := c.Flags().Bool("all", false, "print all rows and errors, not only one screen")
	sum := func(p *answers.Past) *answers.Summary { return p.Summary(answers.Order(order.word), int(slowest)) }
	addAnswer(c, r, func(p *answers.Past, to io.Writer) error {
		screen := answers.SummaryScreen{ByProcess: by.word == "process", All: *all,
			Screen: screenFor(to)}
		return screen.Write(to, sum(p))
	}, func(p *answers.Past) (any, error) { return sum(p).JSON() })
	return c
}
