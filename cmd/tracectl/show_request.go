// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// showRequest holds the flags of `tracectl straceback show`.
type showRequest struct {
	previous  natural
	failed    bool
	runtime   bool
	syscalls  calls
	pids      pids
	durations bool
	verbose   bool

	timestamps, output, format *choice
}

// addShowFlags adds the flags that select calls of some ABIs, and that format them.
func addShowFlags(c *cobra.Command, abis []syscalls.ABI) *showRequest {
	r := showRequest{syscalls: calls{abis: abis}}
	flags := c.Flags()
	flags.VarP(&r.previous, "previous", "p", "the previous run, or the one this many runs back")
	flags.Lookup("previous").NoOptDefVal = "1"
	flags.BoolVarP(&r.failed, "failed", "x", false, "only calls that failed, were refused or were killed")
	flags.BoolVar(&r.runtime, "runtime", false, "also calls of the container runtime itself")
	flags.VarP(&r.syscalls, "syscall", "e", "only these calls: openat,execve")
	flags.Var(&r.pids, "pid", "only calls of these processes")
	flags.BoolVarP(&r.durations, "durations", "T", false, "append the duration of each call, in seconds")
	flags.BoolVar(&r.verbose, "verbose", false, "all members of structs, if load --verbose-structs recorded them")
	r.timestamps = addTimestamps(c, timestamp.Relative)
	r.output = addOutput(c)
	r.format = addChoice(c, "format", "", "form of lines: strace, as strace -f -tt -T writes them", "tracectl", "strace")
	completeCalls(c, &r.syscalls)
	nothingToComplete(c, "pid", "previous")
	return &r
}

// nativeABIs returns the ABIs of this machine.
func nativeABIs() []syscalls.ABI {
	native := syscalls.NativeABI()
	if native == syscalls.AMD64 {
		return []syscalls.ABI{native, syscalls.CompatABI(native), syscalls.X32}
	}
	return []syscalls.ABI{native, syscalls.CompatABI(native)}
}
