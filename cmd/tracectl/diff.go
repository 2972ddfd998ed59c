// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const diffLong = `Compare what two containers did, or two runs of one, such as a good and a bad one: the
programs that they executed, the files that they used, the addresses to which they
connected, the calls that failed, and how their processes ended.

A line that begins with "-" is what only the first one did, one that begins with "+" what
only the second one did; in each group, lines are sorted by time. At the right of a line
is the process that did it first, and how often it came. With only one name, its newest
run is compared with the one before (--previous), or with an earlier one (--previous=N).

What differs from run to run is replaced by "*" before runs are compared: IDs of
processes, hexadecimal numbers, numbers of 5 or more digits, UUIDs, dates, times, names
of temporary files, ports that the kernel chose, and the IDs and the pod's name of the
container. This is a guess: two files may become the same. -o json also has an example of
each as it was.

If calls of a run are no longer kept, it may have done more than it seems to: "Kept" says
what each recording still has. By default, 20 lines of each kind and run are printed.

` + nameHelp

// diffLines is how many lines of each kind and run are printed without --all.
const diffLines = 20

// errDiffers means that runs that were compared are not the same. It is not printed.
var errDiffers = errors.New("the runs differ")

func newDiff(from reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "diff NAME [NAME]",
		Short: "Say what one run of a container did, and another did not",
		Long:  diffLong,
		Example: `  tracectl diff web-good web-bad
  tracectl diff default/mypod --previous
  tracectl diff a b -o json | jq '.changes[] | select(.kind == "failure")'`,
		Args: between(1, 2),
	}
	completeContainers(c, from.recorded)
	var previous natural
	addPrevious(c, &previous)
	c.Flags().Lookup("previous").Usage = "compare with the previous run, or the one this many runs back"
	all := c.Flags().BoolP("all", "a", false, "print all lines")
	code := c.Flags().Bool("exit-code", false, "exit with 1 if there is a difference")
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == 2 && previous > 0:
			return &usageError{c, errors.New("--previous needs one name only")}
		case len(args) == 1 && previous == 0:
			return &usageError{c, errors.New("missing argument: a second name, or --previous")}
		}
		a, err := deeds(c, from, args[0], int(previous))
		if err != nil {
			return err
		}
		b, err := deeds(c, from, args[len(args)-1], 0)
		if err != nil {
			return err
		}
		d := answers.NewDiff(a, b)
		if output.word == "json" {
			err = printJSON(c.OutOrStdout(), d.JSON())
		} else {
			screen := screenFor(c.OutOrStdout())
			most := diffLines
			if *all {
				most = 0
			}
			err = screen.WriteDiff(c.OutOrStdout(), d, most)
		}
		if err == nil && *code && !d.Empty() {
			return fmt.Errorf("comparing %s: %w", terminal.String(args[0]), errDiffers)
		}
		return err
	}
	return c
}

// deeds reads what a run did.
func deeds(c *cobra.Command, from reader, name string, previous int) (*answers.Deeds, error) {
	r, err := from.read(c, name, previous)
	if err != nil {
		return nil, err
	}
	return answers.NewDeeds(sourceOf(r)), nil
}
