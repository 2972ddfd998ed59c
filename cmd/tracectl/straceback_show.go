// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

const showLong = `Print the system calls of one container, in the order of time:

  00:00.063359811 cpu#1 pid 23855 [ls] newfstatat(dfd=AT_FDCWD, ...) = 0

The time counts from the container's creation; "tid N" stands behind the PID where the
thread is not the process's first one. IDs are those of the host. A call that others came
in between of is printed in two lines, "write(...)..." at its begin and "...write() = 20"
at its end. One that has not returned ends in <unfinished ...>.

NAME is, in this order: a container's ID; namespace/pod/container; namespace/pod or pod,
where the pod has one container; node_namespace_pod, whatever the node; the beginning
of a container's ID. Of a container that was restarted, the newest run is shown, and with
--previous the one before.

Where earlier calls were overwritten, or some lost, stderr says how many.`

var errNoSuchRun = errors.New("no such run")

// showRequest is what `tracectl straceback show` was asked for.
type showRequest struct {
	name      string
	previous  int
	failed    bool
	syscalls  []string
	pids      []uint
	wall      bool
	durations bool
	output    string
}

func newStracebackShow(s *settings) *cobra.Command {
	var r showRequest
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Print the system calls of a recording",
		Long:  showLong,
		Example: `  tracectl straceback show default/mypod
  tracectl straceback show mypod --failed
  tracectl straceback show 4f1c --syscall openat,execve --durations
  tracectl straceback show default/web/nginx --previous -o json`,
		Args:              exactly(1),
		ValidArgsFunction: s.completeNames,
	}
	flags := c.Flags()
	flags.IntVarP(&r.previous, "previous", "p", 0, "the run before the newest one, or so many before")
	flags.Lookup("previous").NoOptDefVal = "1"
	flags.BoolVarP(&r.failed, "failed", "x", false, "only calls that failed")
	flags.StringSliceVarP(&r.syscalls, "syscall", "e", nil, "only these calls: openat,execve")
	flags.UintSliceVar(&r.pids, "pid", nil, "only calls of these processes")
	flags.BoolVarP(&r.durations, "durations", "T", false, "behind each call, the seconds that it took")
	timestamps := addChoice(c, "timestamps", "t", "times since the container's creation, or of the wall clock", "relative", "wall")
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		r.name, r.wall, r.output = args[0], timestamps.word == "wall", output.word
		for i, name := range r.syscalls {
			r.syscalls[i] = strings.TrimPrefix(name, "trace=")
			if !isSyscall(r.syscalls[i]) {
				return &usageError{c, fmt.Errorf("there is no system call %q", r.syscalls[i])}
			}
		}
		if r.previous < 0 {
			return &usageError{c, fmt.Errorf("--previous=%d must not be negative", r.previous)}
		}
		return showRecording(s, &r, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// isSyscall tells whether any ABI of this machine has a call of that name.
func isSyscall(name string) bool {
	native := syscalls.NativeABI()
	abis := []syscalls.ABI{native, syscalls.CompatABI(native)}
	if native == syscalls.AMD64 {
		abis = append(abis, syscalls.X32)
	}
	const most = 1024 // above all numbers that there are
	for _, abi := range abis {
		for nr := range syscalls.Nr(most) {
			if call, ok := syscalls.Lookup(abi, nr); ok && call.Name == name {
				return true
			}
		}
	}
	return false
}

// completeNames offers the names of all recordings to the shell.
func (s *settings) completeNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	i, _, list, err := s.recordings()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer i.Close()
	var names []string
	for _, r := range list {
		if name := r.Name(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func showRecording(s *settings, request *showRequest, stdout, stderr io.Writer) error {
	i, directory, list, err := s.recordings()
	if err != nil {
		return err
	}
	defer i.Close()
	runs, err := straceback.Find(list, request.name)
	if err != nil {
		return explainName(err, request.name, directory)
	}
	if request.previous >= len(runs) {
		return fmt.Errorf("%q: %w: %d are recorded, and the newest but %d was asked for", request.name, errNoSuchRun, len(runs), request.previous)
	}
	run := runs[request.previous]
	if older := len(runs) - 1 - request.previous; older > 0 {
		fmt.Fprintf(stderr, "tracectl: earlier runs of this container: %d (--previous=%d)\n", older, request.previous+1)
	}
	boot, err := bootTime()
	if err != nil {
		return err
	}
	// In this order: a call that returns in between is in the recording then.
	inFlight, err := unfinished(i, run)
	if err != nil {
		return err
	}
	calls, err := run.Read()
	if err != nil {
		return err
	}
	timeline := straceback.NewTimeline(calls.Records, inFlight, request.filter())
	notes(stderr, calls, timeline)
	return request.print(stdout, timeline, run.Container.Created, boot)
}

// explainName says so where the container that is meant is known, but is not recorded.
func explainName(err error, name string, directory *labels.Directory) error {
	var known []*straceback.Recording
	for _, c := range directory.All() {
		known = append(known, &straceback.Recording{Container: c})
	}
	if found, other := straceback.Find(known, name); other == nil {
		c := found[0].Container
		reason := "its memory was used again for another container"
		switch {
		case c.Ring == 0 && c.Sandbox():
			reason = "pods' sandboxes are recorded only with record-sandboxes in the configuration"
		case c.Ring == 0:
			reason = "no recording was free when it was created (tracectl load --recordings)"
		}
		return fmt.Errorf("%w: the container is known, but %s", err, reason)
	}
	return err
}

// unfinished are the records of a recording's calls that have not returned.
func unfinished(i *bpf.Instance, run *straceback.Recording) ([][]byte, error) {
	calls, err := i.UnfinishedCalls()
	if err != nil {
		return nil, err
	}
	var records [][]byte
	for _, c := range calls {
		if int(c.Ring) == run.Index && c.RingGeneration == run.Generation {
			records = append(records, c.Record)
		}
	}
	return records, nil
}

// filter is nil where all calls are wanted.
func (r *showRequest) filter() func(*syscalls.Call) bool {
	if !r.failed && len(r.syscalls) == 0 && len(r.pids) == 0 {
		return nil
	}
	return func(c *syscalls.Call) bool {
		const maxErrno = 4095
		if r.failed && (c.Unfinished || c.Result >= 0 || c.Result < -maxErrno) {
			return false
		}
		if len(r.pids) > 0 && !slices.Contains(r.pids, uint(c.PID)) {
			return false
		}
		if len(r.syscalls) == 0 {
			return true
		}
		call := c.Syscall()
		return call != nil && slices.Contains(r.syscalls, call.Name)
	}
}

// notes says what is not there.
func notes(stderr io.Writer, calls *straceback.Calls, t *straceback.Timeline) {
	for _, n := range []struct {
		count uint64
		text  string
	}{
		{calls.Overwritten, "earlier calls were overwritten"},
		{calls.Lost, "calls were lost: they could not be written, or not whole"},
		{uint64(t.Malformed), "records could not be read"},
	} {
		if n.count > 0 {
			fmt.Fprintf(stderr, "tracectl: ... %d %s\n", n.count, n.text)
		}
	}
}

func (r *showRequest) print(stdout io.Writer, t *straceback.Timeline, start uint64, boot time.Time) error {
	f := straceback.Format{Start: start, Boot: boot, Wall: r.wall, Durations: r.durations}
	out := bufio.NewWriterSize(stdout, 256<<10)
	var line []byte
	var err error
	if r.output == "json" {
		for call, part := range t.Calls {
			if line, err = f.AppendJSON(line[:0], call, part); err != nil {
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return out.Flush()
	}
	for call, part := range t.Events {
		line = f.AppendLine(line[:0], call, part)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
