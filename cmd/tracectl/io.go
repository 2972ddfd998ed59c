// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const ioLong = `Print what a container read and wrote, put together in the order of time: what went to a
file, came from a pipe, or went over a connection.

  15:04:05.000 nc[7] write 3<TCP:->10.0.0.1:80>
  | GET / HTTP/1.1
  <512 bytes not recorded>

A line says which process read or wrote which descriptor. Below it are the bytes, each
line after "| ", with control and invisible characters escaped. Marks in angle brackets
say where bytes are missing: by default, the first 128 bytes of each call are recorded,
and 1 KiB of standard output and error. Of calls that are overwritten, only the first ones
are left. What programs move through memory maps and io_uring is not there.

--fd selects a descriptor, --path a file, --address a connection, --read and --write a
direction. --stdout and --stderr select what the container began with as its standard
output and error, by whatever descriptor a process writes there. The other flags that
select calls are those of "straceback show". --raw writes only the bytes, without escapes,
to a pipe or a file; stderr says how many are missing.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
shown; --previous selects an earlier one.`

var errRawOnTerminal = errors.New("io: raw bytes can do anything to a terminal: leave --raw out, or write to a pipe or file")

func newIO(r reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "io NAME",
		Short: "Print what a container read and wrote",
		Long:  ioLong,
		Example: `  tracectl io default/mypod --stderr
  tracectl io mypod --fd 3 --read
  tracectl io mypod --path /etc/app.conf
  tracectl io mypod --address 10.0.0.9:5432 --last 5s
  tracectl io mypod --path '/var/log/*' --write --raw > log`,
		Args: exactly(1),
	}
	var counts answers.Transfers
	c.Flags().BoolVar(&counts.Reads, "read", false, "only what was read or received")
	c.Flags().BoolVar(&counts.Writes, "write", false, "only what was written or sent")
	c.Flags().BoolVar(&counts.Stdout, "stdout", false, "only what was written to the container's standard output")
	c.Flags().BoolVar(&counts.Stderr, "stderr", false, "only what was written to the container's standard error")
	raw := c.Flags().Bool("raw", false, "only the bytes, without escapes; not to a terminal")
	var calls callFlags
	calls.add(c)
	moved := func(p *answers.Past) *answers.IO {
		counts.FDs, counts.Paths = calls.selected.FDs, calls.selected.Paths
		return p.IO(calls.counting(p), counts)
	}
	addAnswer(c, r, func(p *answers.Past, to io.Writer) error {
		if *raw {
			return writeRaw(to, c.ErrOrStderr(), p, moved(p))
		}
		screen := screenFor(to)
		pager, err := terminal.NewPager(to)
		if err != nil {
			return err
		}
		return pager.Close(screen.WriteIO(pager, moved(p)))
	}, func(p *answers.Past) (any, error) { return moved(p).JSON(), nil })
	exclude(c, "raw", "output")
	return c
}

// writeRaw writes bytes as they were, and reports what is missing.
func writeRaw(to, stderr io.Writer, p *answers.Past, o *answers.IO) error {
	if _, is := terminal.Is(to); is {
		return errRawOnTerminal
	}
	if o.Lacks > 0 {
		fmt.Fprintf(stderr, "tracectl: %s of %s not recorded\n", terminal.Number(o.Lacks), terminal.Count(o.Size, "byte"))
	}
	if p.Calls.Missing > 0 {
		fmt.Fprintf(stderr, "tracectl: %s overwritten: earlier bytes may be missing\n",
			terminal.Count(p.Calls.Missing, "call"))
	}
	return o.WriteRaw(to)
}
