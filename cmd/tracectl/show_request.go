// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// showRequest holds the flags of `tracectl straceback show`.
type showRequest struct {
	previous natural
	callFlags
	tail     count
	follow   bool
	untilEOF bool

	durations, delta, innerPIDs   bool
	verbose, descriptors          bool
	addresses, noAddresses, plain bool // plain: without a pager

	timestamps, output, format, color *choice

	changed func(flag string) bool // whether a flag was given
}

// addShowFlags adds the flags that select calls, and that format them.
func addShowFlags(c *cobra.Command) *showRequest {
	var r showRequest
	flags := c.Flags()
	r.changed = flags.Changed
	addPrevious(c, &r.previous)
	r.add(c)
	flags.Var(&r.tail, "tail", "only this many of the selected calls, the last ones")
	flags.BoolVarP(&r.follow, "follow", "f", false, "go on with new calls, until the container ends")
	flags.BoolVar(&r.untilEOF, "until-eof", false, "with --follow, stop at the end of standard input")
	flags.BoolVar(&r.innerPIDs, "container-pids", false, "also the IDs of processes and threads that the container sees")
	flags.BoolVar(&r.addresses, "addresses", false,
		"also addresses of memory that is shown; default if the output is not a terminal")
	flags.BoolVar(&r.noAddresses, "no-addresses", false,
		"without addresses of memory that is shown; default on a terminal")
	flags.BoolVarP(&r.delta, "delta", "r", false, "short for --timestamps=delta")
	flags.BoolVar(&r.plain, "no-pager", false, "without a pager; otherwise, a terminal gets $PAGER, or less -R")
	flags.BoolVarP(&r.durations, "durations", "T", false, "append the duration of each call, in seconds")
	flags.BoolVar(&r.verbose, "verbose", false, "all members of structs, if load --verbose-structs recorded them")
	flags.BoolVarP(&r.descriptors, "descriptors", "y", true, "say what file descriptors are")
	r.timestamps = addTimestamps(c, timestamp.Relative, timestamp.Delta)
	flags.Lookup("timestamps").NoOptDefVal = string(timestamp.Wall)
	flags.Lookup("timestamps").Usage = "times: since the container's creation, none, RFC 3339 (local or UTC), " +
		"or since the line before; -t alone: wall"
	r.color = addChoice(c, "color", "", "colors; auto: on a terminal, unless NO_COLOR is set", "auto", "always", "never")
	exclude(c, "addresses", "no-addresses")
	exclude(c, "timestamps", "delta")
	exclude(c, "follow", "until")
	if err := flags.MarkHidden("until-eof"); err != nil { // see newExec
		panic(err) // the flag has just been added
	}
	r.output = addOutput(c)
	r.format = addChoice(c, "format", "", "form of lines: strace, as strace -f -tt -T writes them", "tracectl", "strace")
	exclude(c, "output", "format")
	nothingToComplete(c, "tail")
	return &r
}

// looks returns whether an output gets no addresses, and whether it gets colors: by default, only a terminal does.
func (r *showRequest) looks(output io.Writer) (noAddresses, color bool) {
	_, isTerminal := terminal.Is(output)
	color = r.color.word == "always" || r.color.word == "auto" && terminal.Colors(output)
	switch {
	case r.changed("addresses"):
		return !r.addresses, color
	case r.changed("no-addresses"):
		return r.noAddresses, color
	}
	return isTerminal, color
}

// page has text written to a pager, if the output is a terminal.
func (r *showRequest) page(output io.Writer, write func(io.Writer) error) error {
	if r.plain || r.follow || r.output.word == "json" {
		return write(output)
	}
	pager, err := terminal.NewPager(output)
	if err != nil {
		return err
	}
	return pager.Close(write(pager))
}
