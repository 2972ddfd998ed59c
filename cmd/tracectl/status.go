// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

func newStatus(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is loaded, how full it is, and what was dropped",
		Long: `Show what is loaded and since when, how much memory it takes, how many containers
and recordings there are, how far the log of execs goes back, and how often anything
was dropped, by reason. Where nothing is loaded, the exit code is 3.`,
		Example: `  tracectl status
  tracectl status -o json | jq .dropped`,
		Args: exactly(0),
	}
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		i, directory, err := s.open()
		if err != nil {
			return err
		}
		defer i.Close()
		clock, err := newClock()
		if err != nil {
			return err
		}
		status, err := readStatus(i, directory, clock)
		if err != nil {
			return err
		}
		if output.word == "json" {
			return printJSON(c.OutOrStdout(), status)
		}
		return status.print(c.OutOrStdout(), clock)
	}
	return c
}

// drops are the counters of what was dropped, in the order in which they are shown.
var drops = []struct {
	counter    int
	name, text string
}{
	{abi.CountPendingStale, "pendingStale", "containers not registered: the shim had announced them too long ago"},
	{abi.CountPendingElsewhere, "pendingElsewhere", "cgroups of an announced name, but at another path: not registered"},
	{abi.CountNoIdentity, "noIdentity", "containers not registered: all identities were in use"},
	{abi.CountNoRing, "noRing", "containers not recorded: all recordings were in use"},
	{abi.CountNoBinding, "noBinding", "cgroups not followed: the map of cgroups was full"},
	{abi.CountChildren, "children", "cgroups not followed: their container has too many"},
	{abi.CountNoStorage, "noStorage", "calls not recorded: no memory for their task"},
	{abi.CountBusy, "busy", "calls and execs not written: another was being written on the CPU"},
	{abi.CountStaleRing, "staleRing", "calls not written: their recording was over"},
	{abi.CountTorn, "torn", "times that a stalled writer was overtaken: readers leave out what it touched"},
}

func readStatus(i *bpf.Instance, directory *labels.Directory, clock clock) (*statusJSON, error) {
	s := &statusJSON{
		PinDir: i.Dir, Version: version, Layout: i.Layout.Version, Options: i.Pool(),
		Loaded: *clock.time(max(1, i.Layout.Loaded)), Replaced: clock.time(i.Layout.Replaced), Dropped: map[string]uint64{},
		Current: i.Current(),
	}
	if i.Layout.Build != 0 {
		s.Build = buildName(i.Layout.Build)
	}
	var err error
	if s.Memory, err = i.Memory(); err != nil {
		return nil, err
	}
	seen := directory.AgentSeen()
	s.Agent.Seen, s.Agent.Alive = clock.time(seen), seen != 0 && boottime.Now() < seen+uint64(execlog.AgentAlive)
	counters, err := i.Counters()
	if err != nil {
		return nil, err
	}
	for _, d := range drops {
		s.Dropped[d.name] = counters[d.counter]
	}
	for _, c := range directory.All() {
		switch c.State {
		case abi.StateCreated:
			s.Containers.Created++
		case abi.StateRunning:
			s.Containers.Running++
		case abi.StateExited:
			s.Containers.Exited++
		case abi.StateEnded:
			s.Containers.Ended++
		}
	}
	for index := range i.Pool().Rings {
		r, err := i.Ring(index)
		if err != nil {
			return nil, err
		}
		h := r.Header()
		s.Recordings.Syscalls += h.Written
		s.Recordings.Lost += h.Lost
		c, known := directory.Lookup(h.Identity, h.IdentityGeneration)
		switch {
		case h.Generation == 0:
			s.Recordings.Free++
		case known && c.State != abi.StateEnded:
			s.Recordings.Live++
		default:
			s.Recordings.Ended++
		}
	}
	if err := s.readExecLog(i, clock); err != nil {
		return nil, err
	}
	programs, err := i.Programs()
	if err != nil {
		return nil, err
	}
	for _, p := range programs {
		s.Programs = append(s.Programs, programJSON(p))
	}
	return s, nil
}

func (s *statusJSON) readExecLog(i *bpf.Instance, clock clock) error {
	log, err := i.ExecLog()
	if err != nil {
		return fmt.Errorf("opening the log of execs: %w", err)
	}
	h := log.Header()
	s.ExecLog.Used = min(h.Head, uint64(i.Pool().ExecLogSize))
	s.ExecLog.Execs, s.ExecLog.Lost = h.Written, h.Lost
	b, err := execlog.NewPastReader(log).Poll(true)
	if err != nil {
		return fmt.Errorf("reading the log of execs: %w", err)
	}
	for r := range b.Records() {
		s.ExecLog.Oldest = clock.time(r.Entry.Time)
		break
	}
	return nil
}

// programs says whose programs run.
func (s *statusJSON) programs(clock clock) string {
	const swap = "tracectl load --replace swaps them and keeps what was recorded"
	if s.Build == "" {
		return "of more than one build, since replacing them was interrupted: " + swap
	}
	text := "build " + s.Build
	if s.Replaced != nil {
		text += ", swapped in " + humanSpan(clock.now.Sub(*s.Replaced)) + " ago"
	}
	if !s.Current {
		text += "; this tracectl's is " + buildName(bpf.Build()) + ": " + swap
	}
	return text
}

// agent says whether labels of pods are brought.
func (s *statusJSON) agent(clock clock) string {
	switch {
	case s.Agent.Alive:
		return "alive"
	case s.Agent.Seen != nil:
		return "last alive " + humanSpan(clock.now.Sub(*s.Agent.Seen)) + " ago: labels of newer pods are not known"
	}
	return "none has run: labels are those of annotations (tracectl agent brings the others)"
}

func (s *statusJSON) print(w io.Writer, clock clock) error {
	o, c, r := s.Options, s.Containers, s.Recordings
	back := "empty"
	if s.ExecLog.Oldest != nil {
		back = "back to " + s.ExecLog.Oldest.Local().Format(time.DateTime)
	}
	used := float64(s.ExecLog.Used) * 100 / float64(o.ExecLogSize)
	fmt.Fprintf(w, "loaded       %s (%s), layout %d, below %s\n", s.Loaded.Local().Format(time.DateTime), humanSpan(clock.now.Sub(s.Loaded))+" ago", s.Layout, s.PinDir)
	fmt.Fprintf(w, "programs     %s\n", s.programs(clock))
	fmt.Fprintf(w, "memory       %s\n", mebibytes(s.Memory))
	fmt.Fprintf(w, "containers   %d running, %d created, %d exited, %d ended; %d names in all\n", c.Running, c.Created, c.Exited, c.Ended, o.Identities)
	fmt.Fprintf(w, "recordings   %d live, %d ended, %d free; %v each; %d system calls\n", r.Live, r.Ended, r.Free, o.RingSize, r.Syscalls)
	fmt.Fprintf(w, "exec log     %.0f%% of %v used, %s; %d execs\n", used, o.ExecLogSize, back, s.ExecLog.Execs)
	fmt.Fprintf(w, "agent        %s\n", s.agent(clock))
	fmt.Fprintf(w, "\ndropped\n")
	for _, d := range drops {
		fmt.Fprintf(w, "%11d  %s\n", s.Dropped[d.name], d.text)
	}
	fmt.Fprintf(w, "\nnot run, since the program was running on the CPU already\n")
	for _, p := range s.Programs {
		fmt.Fprintf(w, "%11d  %s\n", p.Missed, p.Name)
	}
	return nil
}
