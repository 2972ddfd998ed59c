// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
)

const filesLong = `Print what a container did with files, on one screen: each path that it opened, read,
wrote, created, renamed, deleted, executed or only looked at, how often, how many bytes it
read and wrote, how long the calls took, and which processes did it. Descriptors are
followed, so that a read counts for the file that was opened.

A path is that of the file that the kernel found, if the call found one: those of symbolic
links are with it in JSON. "created?" marks a file that was opened with O_CREAT: it may
have been there. An error stands for calls that failed. "Failed" lists the last files of
which a call failed, without those that programs look for and do not need. "Unknown" is
what was read and written by descriptors of which it is not known what they are: files
that were opened before every call was recorded, or pipes and sockets. What is read and
written through memory maps and io_uring is not counted.

Of calls that are overwritten, only new ones are left: most opens, but few reads and
writes. Then "Covers" says how many are kept of all that the container made.

The flags that select calls are those of "straceback show". A file is printed for the
calls that match.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
shown; --previous selects an earlier one.`

func newFiles(r reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "files NAME",
		Short: "Print what a container did with files",
		Long:  filesLong,
		Example: `  tracectl files default/mypod
  tracectl files mypod --path '/data/*' --all
  tracectl files mypod --failed --sort last
  tracectl files mypod --comm postgres --last 1m --sort time
  tracectl files mypod -o json | jq '.files[] | select(.written > 0) | .path'`,
		Args: exactly(1),
	}
	order := addUsageOrder(c)
	all := c.Flags().Bool("all", false, "print all files and columns, not only one screen")
	var calls callFlags
	calls.add(c)
	files := func(p *answers.Past) *answers.Files {
		return p.Files(calls.counting(p), answers.UsageOrder(order.word))
	}
	addAnswer(c, r, func(p *answers.Past, to io.Writer) error {
		screen := answers.FilesScreen{All: *all,
			Screen: screenFor(to)}
		return screen.Write(to, files(p))
	}, func(p *answers.Past) (any, error) { return files(p).JSON(), nil })
	return c
}

// addUsageOrder adds --sort to a command that prints usages.
func addUsageOrder(c *cobra.Command) *choice {
	return addChoice(c, "sort", "", "the largest or latest first, or by name", string(answers.ByBytes),
		string(answers.ByLong), string(answers.ByCalls), string(answers.ByFails), string(answers.ByLast),
		string(answers.ByWhat))
}
