// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// showRequest holds the flags of `tracectl straceback show`.
type showRequest struct {
	previous     natural
	selected     straceback.Selection // but for the fields that these flags set:
	since, until since
	last, slower span
	grep         expression
	tail         count
	follow       bool
	untilEOF     bool

	durations, delta, innerPIDs   bool
	verbose, descriptors          bool
	addresses, noAddresses, plain bool // plain: without a pager

	timestamps, output, format, color *choice

	changed func(flag string) bool // whether a flag was given
}

// selection returns which calls are requested.
func (r *showRequest) selection() *straceback.Selection {
	s := r.selected
	s.Since, s.Until, s.Grep = r.since.at, r.until.at, r.grep.Regexp
	s.Last, s.Slower = r.last.Duration, r.slower.Duration
	return &s
}

// addShowFlags adds the flags that select calls of some ABIs, and that format them.
func addShowFlags(c *cobra.Command, abis []syscalls.ABI) *showRequest {
	r := showRequest{selected: straceback.Selection{Syscalls: syscalls.Set{ABIs: abis}}}
	s := &r.selected
	flags := c.Flags()
	r.changed = flags.Changed
	flags.VarP(&r.previous, "previous", "p", "the previous run, or the one this many runs back")
	flags.Lookup("previous").NoOptDefVal = "1"
	flags.VarP(&nameList{&s.Syscalls, "call,..."}, "syscall", "e",
		"only these calls, as in strace: openat,execve or %file,%network or /^recv; '!futex': all but these; repeatable")
	flags.Var((*patterns)(&s.Paths), "path",
		"only calls that name this path, or opened such a file: /etc/hosts, '/var/*', hosts; repeatable")
	flags.Var(&numbers[int32]{&s.FDs, 0, "fd,...", "must be file descriptors such as 3 or 1,2"}, "fd",
		"only calls that take or return these file descriptors")
	flags.Var(&nameList{&s.Errnos, "errno,..."}, "errno",
		"only calls that failed so: ENOENT,EACCES; '!EAGAIN': all but these; repeatable")
	flags.BoolVarP(&s.Failed, "failed", "x", false, "only calls that failed, were refused or were killed")
	flags.Var(&numbers[uint32]{&s.PIDs, 1, "pid,...", "must be process IDs such as 4711 or 4711,4712"}, "pid",
		"only calls of these processes or threads, by their IDs on the host or in the container")
	flags.Var((*patterns)(&s.Comms), "comm", "only calls of threads with this name: nginx, 'worker-*'; repeatable")
	flags.Var(&r.since, "since", "without calls that ended earlier: 10m ago, or a date such as \"2026-01-31 15:04\"")
	flags.Var(&r.until, "until", "without calls that began later: 10m ago, or a date")
	flags.Var(&r.last, "last", "only the last part of the recording, until now or the container's end: 5s")
	flags.Var(&r.slower, "slower-than", "only calls that took at least this long: 10ms")
	flags.Var(&r.grep, "grep", "only calls whose line matches this regular expression")
	flags.Var(&r.tail, "tail", "only this many of the selected calls, the last ones")
	flags.BoolVar(&s.Runtime, "runtime", false, "also calls of the container runtime itself")
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
	completeWords(c, "syscall", func() []string { return append(syscalls.Classes(), syscalls.Names(abis...)...) })
	completeWords(c, "errno", syscalls.ErrnoNames)
	nothingToComplete(c, "pid", "previous", "path", "fd", "comm", "since", "until", "last", "slower-than", "grep",
		"tail")
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

// nativeABIs returns the ABIs of this machine.
func nativeABIs() []syscalls.ABI {
	native := syscalls.NativeABI()
	if native == syscalls.AMD64 {
		return []syscalls.ABI{native, syscalls.CompatABI(native), syscalls.X32}
	}
	return []syscalls.ABI{native, syscalls.CompatABI(native)}
}
