// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

func newStatus(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is loaded, how full it is, and losses",
		Long: `Show what is loaded and since when, its memory, the number of containers and recordings,
how far back recordings and the log of execs go, which containers are not recorded in
full, and what was dropped, by reason. Containers that
runc-trace could not register since boot are counted by reason, too. If nothing is
loaded, the exit code is 3. If a pin is missing or wrong, it is named, and the exit code
is 1.`,
		Example: `  tracectl status
  tracectl status -o json | jq .dropped`,
		Args: exactly(0),
	}
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := s.directory()
		if err != nil {
			return err
		}
		damage, err := bpf.Examine(dir)
		if err != nil && !errors.Is(err, os.ErrPermission) { // printStatus reports it in more detail
			return err
		}
		err = s.printStatus(c.OutOrStdout(), damage, output.word)
		if len(damage) > 0 { // the likely cause if reading failed
			err = &bpf.DamageError{Dir: dir, Damage: damage}
		}
		return err
	}
	return c
}

// printStatus prints everything that can be read.
func (s *settings) printStatus(w io.Writer, damage []bpf.Damage, output string) error {
	i, directory, err := s.open()
	if err != nil {
		return err
	}
	defer i.Close()
	clock, err := newClock()
	if err != nil {
		return err
	}
	shown, err := readStatus(i, directory, clock)
	if err != nil {
		return err
	}
	for _, d := range damage {
		shown.Damage = append(shown.Damage, damageJSON(d))
	}
	if directory := s.archiveDirectory(); directory != "" {
		state, err := archive.ReadState(directory)
		if err != nil {
			return err
		}
		shown.Archive = &state
	}
	if output == "json" {
		return printJSON(w, shown)
	}
	return shown.print(w, clock)
}

func readStatus(i *bpf.Instance, directory *labels.Directory, clock clock) (*statusJSON, error) {
	read, err := readNamed(i, directory)
	if err != nil {
		return nil, err
	}
	if read.ProgramsErr != nil {
		return nil, read.ProgramsErr
	}
	failed, err := unregistered.Read()
	if err != nil {
		return nil, err
	}
	s := newStatusJSON(read, failed, clock)
	s.PinDir, s.Version = i.Dir, version
	s.Agent.Seen, s.Agent.Alive = clock.time(directory.AgentSeen()), agentAlive(directory)
	log, err := i.ExecLog()
	if err != nil {
		return nil, fmt.Errorf("opening the log of execs: %w", err)
	}
	b, err := execlog.NewPastReader(log).Poll(true)
	if err != nil {
		return nil, fmt.Errorf("reading the log of execs: %w", err)
	}
	for r := range b.Records() {
		s.ExecLog.Oldest = clock.time(r.Entry.Time)
		break
	}
	return s, nil
}

// readNamed reads the status, with the names of containers.
func readNamed(i *bpf.Instance, directory *labels.Directory) (*status.Status, error) {
	s, err := status.Read(i, i.Layout)
	if err != nil {
		return nil, err
	}
	for n := range s.Incomplete {
		if c, ok := directory.Lookup(s.Incomplete[n].Index, s.Incomplete[n].Generation); ok {
			s.Incomplete[n].Name = c.FullName()
		}
	}
	return s, nil
}

// programs describes the version of the running programs.
func (s *statusJSON) programs(clock clock) string {
	const swap = `"tracectl load --replace" replaces them and keeps all recordings`
	if s.Build == "" {
		return "of several builds, because replacing them was interrupted; " + swap
	}
	text := "build " + s.Build
	if s.Replaced != nil {
		text += ", swapped in " + timestamp.Brief(clock.now.Sub(*s.Replaced)) + " ago"
	}
	if !s.Current {
		text += "; this tracectl's is " + buildName(bpf.Build()) + ": " + swap
	}
	return text
}

// agent describes whether an agent brings labels of pods.
func (s *statusJSON) agent(clock clock) string {
	switch {
	case s.Agent.Alive:
		return "alive"
	case s.Agent.Seen != nil:
		return "last alive " + timestamp.Brief(clock.now.Sub(*s.Agent.Seen)) + " ago: labels of newer pods are unknown"
	}
	return "not run since loading: only labels from annotations are known (run \"tracectl agent\" for the others)"
}

func (s *statusJSON) print(w io.Writer, clock clock) error {
	o, c, r := s.Options, s.Containers, s.Recordings
	back := "empty"
	if s.ExecLog.Oldest != nil {
		back = "back to " + s.ExecLog.Oldest.Local().Format(time.DateTime)
	}
	used := float64(s.ExecLog.Used) * 100 / float64(o.ExecLogSize)
	fmt.Fprintf(w, "loaded       %s (%s), layout %d, below %s\n", s.Loaded.Local().Format(time.DateTime),
		timestamp.Brief(clock.now.Sub(s.Loaded))+" ago", s.Layout, s.PinDir)
	fmt.Fprintf(w, "programs     %s\n", s.programs(clock))
	for _, d := range s.Damage {
		fmt.Fprintf(w, "damaged      %v\n", bpf.Damage(d))
	}
	fmt.Fprintf(w, "memory       %s, and %v for %s\n", mebibytes(s.Memory), config.Size(s.Threads),
		terminal.Count(c.Threads, "thread"))
	fmt.Fprintf(w, "containers   %d running, %d created, %d exited, %d ended; room for %s\n", c.Running, c.Created,
		c.Exited, c.Ended, terminal.Count(o.Identities, "name"))
	var less []string
	for _, contents := range []identity.Contents{identity.ContentsPaths, identity.ContentsNone, identity.ContentsOff} {
		if n := c.Contents[contents.String()]; n > 0 {
			less = append(less, fmt.Sprintf("%d %s", n, contents))
		}
	}
	if len(less) > 0 {
		fmt.Fprintf(w, "contents     not recorded in full, by configuration or annotation: %s\n", strings.Join(less, ", "))
	}
	kept := ""
	if r.Kept > 0 {
		kept = fmt.Sprintf(" (%d of them kept)", r.Kept)
	}
	fmt.Fprintf(w, "recordings   %d live, %d ended%s, %d free; %v each; %s\n", r.Live, r.Ended, kept, r.Free,
		o.RingSize, terminal.Count(r.Syscalls, "system call"))
	if reach := r.Reach; reach != nil {
		fmt.Fprintf(w, "last calls   %d of %d live recordings are full: they have every call of the last %s or more (median %s)\n",
			reach.Recordings, r.Live, timestamp.Brief(reach.Shortest), timestamp.Brief(reach.Median))
	}
	fmt.Fprintf(w, "exec log     %.0f%% of %v used, %s; %s\n", used, o.ExecLogSize, back,
		terminal.Count(s.ExecLog.Execs, "exec"))
	fmt.Fprintf(w, "agent        %s\n", s.agent(clock))
	s.printArchive(w)
	if len(s.Incomplete) > 0 {
		fmt.Fprintf(w, "\nnot recorded in full\n")
		for _, c := range s.Incomplete {
			reasons := status.Incomplete{Refused: c.Refused, Left: c.Left}
			fmt.Fprintf(w, "%11s  %s: %s\n", "", terminal.Cell(c.Name), reasons.Reasons())
		}
	}
	fmt.Fprintf(w, "\ndropped\n")
	for counter := range uint32(abi.CountersMax) {
		r := abi.ReasonOf(counter)
		if n, ok := s.Dropped[r.Name]; ok {
			fmt.Fprintf(w, "%11d  %s\n", n, r.Text)
		}
	}
	if len(s.Refusals) > 0 {
		fmt.Fprintf(w, "\nrefused: made a cgroup at the place of a container's\n")
		for _, r := range s.Refusals {
			who := fmt.Sprintf("%s, user %d, pid %d", terminal.Cell(r.Comm), r.UID, r.PID)
			if r.PID == 0 {
				who = fmt.Sprintf("user %d, before the container came", r.UID)
			}
			fmt.Fprintf(w, "%11s  %s: %s\n", timestamp.Brief(clock.now.Sub(r.Time))+" ago", who, terminal.Cell(r.Cgroup))
		}
	}
	if s.unregistered() > 0 {
		fmt.Fprintf(w, "\nnot registered by runc-trace, since boot\n")
		for _, r := range status.Unregistered {
			if n := s.Unregistered[r.Name]; n > 0 {
				fmt.Fprintf(w, "%11d  %s\n", n, r.Text)
			}
		}
	}
	fmt.Fprintf(w, "\nskipped because of recursion\n")
	for _, p := range s.Programs {
		fmt.Fprintf(w, "%11d  %s\n", p.Missed, p.Name)
	}
	return nil
}

// agentAlive reports whether an agent runs.
func agentAlive(directory *labels.Directory) bool {
	seen := directory.AgentSeen()
	return seen != 0 && boottime.Now() < seen+uint64(execlog.AgentAlive)
}

// printArchive prints what the archive has, and what it lacks.
func (s *statusJSON) printArchive(w io.Writer) {
	a := s.Archive
	if a == nil {
		return
	}
	fmt.Fprintf(w, "archive      %s, %s, in %s; %d saved, %d removed, %d left out\n", terminal.Count(a.Files, "recording"),
		mebibytes(uint64(a.Bytes)), terminal.Cell(a.Directory), a.Saved, a.Removed, a.Limited)
	if a.Pending > 0 {
		fmt.Fprintf(w, "             %d wait for the bucket, %d copied\n", a.Pending, a.Copied)
	}
	for _, problem := range a.Problems() {
		fmt.Fprintf(w, "             %s\n", problem)
	}
}

func newStatusJSON(read *status.Status, failed [unregistered.Reasons]uint64, clock clock) *statusJSON {
	s := &statusJSON{
		Layout:       read.Layout,
		Loaded:       *clock.time(max(1, read.Loaded)),
		Current:      read.Current,
		Replaced:     clock.time(read.Replaced),
		Memory:       read.Memory,
		Options:      read.Pool,
		Dropped:      map[string]uint64{},
		Unregistered: map[string]uint64{},
		Incomplete:   []incompleteJSON{},
		Refusals:     []refusalJSON{},
		Damage:       []damageJSON{},
	}
	if read.Build != 0 {
		s.Build = buildName(read.Build)
	}
	i, r, e := read.Identities, read.Recordings, read.ExecLog
	s.Containers.Created, s.Containers.Running, s.Containers.Exited, s.Containers.Ended = i.Created,
		i.Running, i.Exited, i.Ended
	s.Containers.Contents = map[string]int{}
	for contents, n := range i.Contents {
		s.Containers.Contents[identity.Contents(contents).String()] = n
	}
	s.Containers.Threads, s.Threads = i.Threads, i.ThreadMemory()
	s.Recordings.Live, s.Recordings.Ended, s.Recordings.Free = r.Live, r.Ended, r.Free
	s.Recordings.Kept = r.Kept
	s.Recordings.Syscalls, s.Recordings.Lost = r.Syscalls, r.Lost
	if r.Reach.Recordings > 0 {
		reach := reachesJSON(r.Reach)
		s.Recordings.Reach = &reach
	}
	s.ExecLog.Used, s.ExecLog.Execs, s.ExecLog.Lost = e.Used, e.Execs, e.Lost
	for _, c := range read.Incomplete {
		s.Incomplete = append(s.Incomplete, incompleteJSON{c.Name, c.ID, c.Refused, c.Left})
	}
	for _, r := range read.Refusals {
		s.Refusals = append(s.Refusals, refusalJSON{*clock.time(r.Time), r.UID, r.PID, identity.String(r.Comm[:]),
			identity.String(r.Path[:])})
	}
	for _, d := range read.Dropped {
		s.Dropped[d.Name] = d.Count
	}
	for n, reason := range status.Unregistered {
		s.Unregistered[reason.Name] = failed[n]
	}
	for _, p := range read.Programs {
		s.Programs = append(s.Programs, programJSON(p))
	}
	return s
}
