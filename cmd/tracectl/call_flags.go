// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// callFlags holds the flags that select calls.
type callFlags struct {
	selected     straceback.Selection // but for the fields that these flags set:
	since, until since
	last, slower span
	grep         expression
	flags        *pflag.FlagSet
}

// selection returns which calls are requested.
func (f *callFlags) selection() *straceback.Selection {
	s := f.selected
	s.Since, s.Until, s.Grep = f.since.at, f.until.at, f.grep.Regexp
	s.Last, s.Slower = f.last.Duration, f.slower.Duration
	return &s
}

// counting says which calls count for an answer from a recording.
func (f *callFlags) counting(p *answers.Past) answers.Selected {
	given := false
	f.flags.VisitAll(func(flag *pflag.Flag) { given = given || flag.Changed })
	if !given {
		return nil
	}
	selection, format := f.selection(), p.Format()
	return func(e *straceback.Event) bool { return selection.Has(e, format) }
}

// allABIs are those of all machines: a recording may come from another one.
var allABIs = []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.X32, syscalls.ARM64, syscalls.ARM}

// add adds the flags that select calls.
func (f *callFlags) add(c *cobra.Command) {
	s := &f.selected
	s.Syscalls.ABIs = allABIs
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.flags = flags
	flags.VarP(&nameList{&s.Syscalls, "call,..."}, "syscall", "e",
		"only these calls, as in strace: openat,execve or %file,%network or /^recv; '!futex': all but these; repeatable")
	flags.Var((*patterns)(&s.Paths), "path",
		"only calls that name this path, or opened such a file: /etc/hosts, '/var/*', hosts; repeatable")
	flags.Var((*addresses)(&s.Addresses), "address",
		"only calls that name this address, or take a socket connected to it: 10.0.0.9, 10.0.0.0/8:443, :53; repeatable")
	flags.StringVar(&s.Text, "text", "", "only calls that read, wrote, named or executed this text, as far as it was kept")
	flags.Var(&numbers[int32]{&s.FDs, 0, "fd,...", "must be file descriptors such as 3 or 1,2"}, "fd",
		"only calls that take or return these file descriptors")
	flags.Var(&nameList{&s.Errnos, "errno,..."}, "errno",
		"only calls that failed so: ENOENT,EACCES; '!EAGAIN': all but these; repeatable")
	flags.BoolVarP(&s.Failed, "failed", "x", false, "only calls that failed, were refused or were killed")
	flags.Var(&numbers[uint32]{&s.PIDs, 1, "pid,...", "must be process IDs such as 4711 or 4711,4712"}, "pid",
		"only calls of these processes or threads, by their IDs on the host or in the container")
	flags.Var((*patterns)(&s.Comms), "comm", "only calls of threads with this name: nginx, 'worker-*'; repeatable")
	flags.Var(&f.since, "since", "without calls that ended earlier: 10m ago, or a date such as \"2026-01-31 15:04\"")
	flags.Var(&f.until, "until", "without calls that began later: 10m ago, or a date")
	flags.Var(&f.last, "last", "only the last part of the recording, until now or the container's end: 5s")
	flags.Var(&f.slower, "slower-than", "only calls that took at least this long: 10ms")
	flags.Var(&f.grep, "grep", "only calls whose line matches this regular expression")
	flags.BoolVar(&s.Runtime, "runtime", false, "also calls of the container runtime itself")
	c.Flags().AddFlagSet(flags)
	completeWords(c, "syscall", func() []string { return append(syscalls.Classes(), syscalls.Names(allABIs...)...) })
	completeWords(c, "errno", syscalls.ErrnoNames)
	nothingToComplete(c, "pid", "path", "address", "text", "fd", "comm", "since", "until", "last", "slower-than", "grep")
}
