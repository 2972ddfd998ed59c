// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

const showLong = `Print the system calls of one container, sorted by time:

  00:00.063359811 cpu#1 pid 23855 [ls] newfstatat(dfd=AT_FDCWD, ...) = 0

The time is relative to the container's creation. "tid N" follows the PID if the thread
is not the first one of its process. IDs are those of the host. If other calls started
or returned during a call, it is printed in two lines: "write(...)..." when it starts
and "...write() = 20" when it returns. A call that has not returned ends in
<unfinished ...>. A signal that a thread took is "--- SIGTERM {...} ---", with the process
on the host that sent it; the end of a thread is "+++ exited with 1 +++".

If calls were overwritten, a line "... from here on every call" says since when all are
there. Before it are only the calls that were new: <×36,012, last 100ms ago> follows a
call that came 36,012 times in all. If the container has ended, "before the end" stands
for "ago". <file "/a/b"> is what a call executed or entered, if its argument names it
differently; <pid 23856> is the process or thread that a call made, or for which it
waited. Calls of the container runtime itself are left out without --runtime.

A descriptor is followed by what it is: 3</etc/hosts>, 1<pipe:[123]>,
5<TCP:10.0.0.1:40000->10.0.0.2:5432>. It is a bare number if that is not certain, as for
files that were opened before every call was recorded, unless their process still runs.
"x" </srv/x> is the whole of a relative path.

Marks are never inside quotes. A trailing "..." means that text was truncated.
<unreadable> stands for memory that could not be read. <read late> follows text that was
read only when the call returned, because its page was not in memory before; the program
may have changed it meanwhile. "(enter not seen ...)" ends a call that did not reach the
kernel's code, for example because seccomp's rules decided it. Arguments that the call
does not use are left out.

A call is printed if it matches all flags that select calls. -e takes what strace's -e
trace= takes: names, classes (%file, %desc, %network, %process, %signal, %memory, %ipc,
%creds, %clock), /regular expressions, and "!" before the list for all other calls;
a later word that begins with "!" takes its calls out: -e '%file,!openat'. Signals and ends
of threads are printed unless -e names calls. --path takes names and patterns, in which "*"
matches slashes, too; without a slash, only the last name of a path counts. It compares the
paths that a call names, that its descriptors have, and that the kernel found. --address
takes an address or a network, with a port or without, or only a port, and compares the
addresses that a call names, and the peers of its sockets. --text looks into the memory
that was recorded of a call: what it read, wrote, named or executed. --last counts from
now, or from the container's end. --grep compares the line as it is printed, without
colors.

With --failed, a call is printed if it returned an error, if it did not reach the kernel's
code, or if a signal killed the thread in it or outside of any call. A call that has not
returned is left out.

With --follow, later calls are printed when they return, until the container ends or you
press Ctrl-C. Any number of commands can follow a container. If calls were overwritten
before they could be read, a line and stderr say how many.

On a terminal, failed calls are red, signals and ends of threads are yellow, addresses of
memory that is shown are left out, and a pager shows the output.

` + nameHelp + `
A pod must have only one container. "node_namespace_pod" is accepted too; the node is
ignored. If a container was restarted, its newest run is shown; --previous selects an
earlier one.

If calls were overwritten or lost, stderr says how many.`

func newStracebackShow(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Print the system calls of a recording",
		Long:  showLong,
		Example: `  tracectl straceback show default/mypod
  tracectl straceback show mypod --failed
  tracectl straceback show 4f1c -e %file --errno ENOENT,EACCES
  tracectl straceback show mypod --path '/etc/*' -t -T
  tracectl straceback show mypod -e '!futex' --slower-than 10ms --follow
  tracectl straceback show default/web/nginx --previous -o json`,
		Args: exactly(1),
	}
	r := addShowFlags(c)
	source := &source{reader: s}
	source.addFrom(c)
	exclude(c, "previous", "from")
	exclude(c, "follow", "from")
	c.RunE = func(c *cobra.Command, args []string) error {
		if r.follow {
			return s.follow(c, args[0], r)
		}
		source.previous = r.previous
		reading, err := source.named(c, args)
		if err != nil {
			return err
		}
		return r.show(reading, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// show prints the calls of a recording that the request selects.
func (r *showRequest) show(reading *straceback.Reading, stdout, stderr io.Writer) error {
	timeline, format, _, err := r.choose(reading, stdout, stderr)
	if err != nil {
		return err
	}
	return r.page(stdout, func(to io.Writer) error { return r.write(to, format, timeline) })
}

// choose returns the calls of a recording that the request selects, and how they are shown. It reports what is missing.
func (r *showRequest) choose(reading *straceback.Reading, stdout, stderr io.Writer) (*straceback.Timeline,
	*straceback.Format, *straceback.Selection, error) {
	timeline, format, selection := reading.Timeline(r.descriptors), r.as(reading), r.selection()
	format.NoAddresses, format.Color = r.looks(stdout)
	selection.Select(timeline, format)
	if r.tail.set {
		timeline.Tail(int(r.tail.natural))
	}
	r.notes(stderr, reading.Calls, timeline)
	if timeline.Len() == 0 && !r.follow {
		if err := r.empty(stderr, reading, timeline); err != nil {
			return nil, nil, nil, err
		}
	}
	return timeline, format, selection, nil
}

// notes reports what is missing.
func (r *showRequest) notes(stderr io.Writer, calls *straceback.Calls, t *straceback.Timeline) {
	var runtime uint64
	if r.selected.Runtime {
		runtime = calls.RuntimeMissing
	}
	for _, n := range []struct {
		count      uint64
		what, text string
	}{
		{calls.Missing, "call", "overwritten: of the earlier calls, only new ones are left"},
		{runtime, "call", "of the container runtime dropped: only new ones are kept"},
		{calls.Lost, "call", "lost or truncated because they could not be written"},
		{uint64(t.Malformed), "record", "could not be read"},
	} {
		if n.count > 0 {
			fmt.Fprintf(stderr, "tracectl: %s %s\n", terminal.Count(n.count, n.what), n.text)
		}
	}
}

// empty explains why no calls are shown: without this, the container would seem to have made none.
func (r *showRequest) empty(stderr io.Writer, reading *straceback.Reading, t *straceback.Timeline) error {
	calls, inFlight, c := reading.Calls, reading.InFlight, reading.Container
	runtime := 0 // calls that are left out because they are the runtime's
	if !r.selected.Runtime {
		runtime = calls.Lanes[straceback.Runtime].Calls
		for i := range inFlight {
			if inFlight[i].Lane == straceback.Runtime {
				runtime++
			}
		}
	}
	switch n := len(calls.Records) + len(inFlight) - t.Malformed; {
	case n > runtime:
		fmt.Fprintf(stderr, "tracectl: none of the %d recorded calls matches\n", n-runtime)
	case n > 0:
		fmt.Fprintln(stderr, "tracectl: the container's program made no calls; --runtime prints those of the runtime")
	case calls.Missing+calls.Lost > 0 || t.Malformed > 0:
		return errors.New("the recording could not be read; try again")
	case c.State == abi.StateCreated, c.State == abi.StateRunning:
		fmt.Fprintln(stderr, "tracectl: no calls are recorded yet")
	default:
		fmt.Fprintln(stderr, "tracectl: no calls were recorded before the container ended")
	}
	return nil
}

// as returns how calls are shown.
func (r *showRequest) as(reading *straceback.Reading) *straceback.Format {
	c, calls := reading.Container, reading.Calls
	f := straceback.Format{Container: c.ID, Start: c.Created, Boot: reading.Boot,
		Times: timestamp.Style(r.timestamps.word), Durations: r.durations, ContainerPIDs: r.innerPIDs,
		Strace: r.format.word == "strace", Verbose: r.verbose, Missing: calls.Missing, Complete: calls.Complete(),
		Now: reading.Now}
	if r.delta {
		f.Times = timestamp.Delta
	}
	if end := max(c.Exited, c.Ended); end != 0 {
		f.Now, f.Ended = end, true
	}
	return &f
}

// write writes a timeline.
func (r *showRequest) write(to io.Writer, f *straceback.Format, t *straceback.Timeline) error {
	if r.output.word == "json" {
		return f.WriteJSON(to, t)
	}
	return f.WriteText(to, t)
}
