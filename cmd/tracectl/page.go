// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/report"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const pageLong = `Write all that a recording knows of its container into one HTML page: why it ended, a
timeline of its threads, every call that is kept in a table to search and to filter, the
tree of its processes, its files and addresses, its output, and the totals of all calls.

The page needs no network and no other file: send it to those who were not there, and
open it in a browser of 2023 or later. It runs its own program only, and shows what comes
from the container as text.

The page has all that the recording has, secrets as well: passwords and tokens that the
container read, wrote or sent. Only you can read the file that is written. Its size is
about a tenth of the recording's.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
reported; --previous selects an earlier one.`

var errPageOnTerminal = errors.New("report: this is a page for a browser: write it into a file, as with -o page.html")

func newReportPage(from reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "report NAME",
		Short: "Write a page for a browser with all that is known of a container",
		Long:  pageLong,
		Example: `  tracectl report default/mypod -o mypod.html
  tracectl report mypod --previous > mypod.html`,
		Args: exactly(1),
	}
	source := addSource(c, from)
	file := c.Flags().StringP("output", "o", "-", "file to write; - is stdout")
	if err := c.MarkFlagFilename("output", "html"); err != nil {
		panic(err) // the flag has just been added
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, is := terminal.Is(c.OutOrStdout()); is && *file == "-" {
			return errPageOnTerminal
		}
		past, err := source.past(c, args)
		if err != nil {
			return err
		}
		return toFile(*file, c.OutOrStdout(), func(to io.Writer) error { return report.Write(to, past, time.Now()) })
	}
	return c
}
