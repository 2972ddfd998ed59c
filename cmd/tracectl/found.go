// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// found is the recording that a name identifies.
type found struct {
	*bpf.Instance
	directory *labels.Directory
	run       *straceback.Recording
	boot      time.Time
	losses    func() // reports events that are not recorded
	secrets   *redact.Table
	stderr    io.Writer
}

// recordings opens the loaded maps and lists their recordings, and then those of the archive. Problems of the archive
// are only reported.
func (s *settings) recordings(stderr io.Writer) (*bpf.Instance, *labels.Directory, []*straceback.Recording, error) {
	i, directory, err := s.open()
	if err != nil {
		return nil, nil, nil, err
	}
	list, err := straceback.List(i, directory)
	if err == nil {
		err = markKept(i, list)
	}
	if err != nil {
		i.Close()
		return nil, nil, nil, err
	}
	more, err := s.archived(list)
	if err != nil {
		fmt.Fprintf(stderr, "tracectl: %v\n", err)
	}
	return i, directory, append(list, more...), nil
}

// markKept marks the recordings that are kept.
func markKept(i *bpf.Instance, list []*straceback.Recording) error {
	kept, err := i.Kept()
	for _, r := range list {
		r.Kept = kept[r.Index]
	}
	return err
}

// inMemory lists the containers that have recordings in memory.
func (s *settings) inMemory() ([]*labels.Container, error) {
	i, directory, err := s.open()
	if err != nil {
		return nil, err
	}
	defer i.Close()
	list, err := straceback.List(i, directory)
	return containersOf(list), err
}

// recorded lists the containers that have recordings.
func (s *settings) recorded(*cobra.Command) ([]*labels.Container, error) {
	i, _, list, err := s.recordings(io.Discard)
	if err != nil {
		return nil, err
	}
	defer i.Close()
	return containersOf(list), nil
}

func containersOf(list []*straceback.Recording) (all []*labels.Container) {
	for _, r := range list {
		if r.Container != nil {
			all = append(all, r.Container)
		}
	}
	return all
}

// find opens the recording of a container's newest run, or of an earlier one. The caller closes it.
func (s *settings) find(name string, previous int, stderr io.Writer) (*found, error) {
	i, directory, list, err := s.recordings(stderr)
	if err != nil {
		return nil, err
	}
	f := &found{Instance: i, directory: directory, losses: s.losses(i, stderr), secrets: s.secrets(stderr),
		stderr: stderr}
	f.losses()
	if err := f.choose(list, name, previous, stderr); err != nil {
		i.Close()
		return nil, err
	}
	return f, nil
}

func (f *found) choose(list []*straceback.Recording, name string, previous int, stderr io.Writer) (err error) {
	runs, err := straceback.Find(list, name)
	if err != nil {
		return explainName(err, name, f.directory, list)
	}
	if f.run, err = previousRun(runs, name, previous); err != nil {
		return err
	}
	if older := len(runs) - 1 - previous; older > 0 {
		fmt.Fprintln(stderr, "tracectl:", earlierRuns(older, previous))
	}
	f.boot, err = boottime.Boot()
	return err
}

// read reads the recording of a container's newest run, or of an earlier one.
func (s *settings) read(c *cobra.Command, name string, previous int) (*straceback.Reading, error) {
	stderr := c.ErrOrStderr()
	f, err := s.find(name, previous, stderr)
	if err != nil {
		return s.readUnloaded(err, name, previous, stderr)
	}
	defer f.Close()
	if f.run.Archived != nil {
		return s.fromArchive(f.run, stderr)
	}
	return f.read(f.run.Read)
}

// read reads the recording, its calls by a function.
func (f *found) read(calls func() (*straceback.Calls, error)) (*straceback.Reading, error) {
	inFlight, err := unfinished(f.Instance, f.run)
	if err != nil {
		return nil, err
	}
	r, err := readRecording(f.run, inFlight, f.boot, calls)
	if err != nil {
		return nil, err
	}
	mask(r, f.secrets, f.stderr)
	return r, nil
}

// readRecording reads a recording, its calls by a function. inFlight are its calls that had not returned before: so the
// recording contains a call that returned in between, and one that changed a descriptor.
func readRecording(run *straceback.Recording, inFlight []straceback.Record, boot time.Time,
	calls func() (*straceback.Calls, error)) (*straceback.Reading, error) {
	r := &straceback.Reading{Container: run.Container, InFlight: inFlight, Boot: boot}
	if c := run.Container; c == nil || c.Contents() < identity.ContentsNone { // otherwise, no path is to be known
		r.Live = straceback.Open(inFlight, boottime.Now)
	}
	var err error
	if r.Calls, err = calls(); err != nil {
		return nil, err
	}
	r.Now = boottime.Now()
	return r, nil
}

// unfinished returns records of a recording's calls that have not returned.
func unfinished(i *bpf.Instance, run *straceback.Recording) ([]straceback.Record, error) {
	calls, err := i.UnfinishedCalls()
	return unfinishedOf(calls, run), err
}

// unfinishedOf returns records of those calls that are of a recording.
func unfinishedOf(calls []bpf.UnfinishedCall, run *straceback.Recording) (records []straceback.Record) {
	for _, c := range calls {
		if int(c.Ring) == run.Index && c.RingGeneration == run.Generation {
			records = append(records, straceback.Record{Bytes: c.Record, Lane: straceback.Lane(c.Lane)})
		}
	}
	return records
}

// explainName returns the error for a name that matches no recording: it says why a known container has none, or that
// recordings have lost their names.
func explainName(err error, name string, directory *labels.Directory, list []*straceback.Recording) error {
	var first, other *labels.NameError
	if !errors.As(err, &first) || first.Ambiguous {
		return err
	}
	known := directory.All()
	search := labels.NewSearch(name, "container called")
	for _, c := range known {
		search.Add(labels.Known{Container: c})
	}
	target, problem := search.Target()
	if errors.As(problem, &other) {
		if other.Ambiguous {
			return problem
		}
		if n := evictedOf(list); n > 0 && len(first.Candidates) == 0 {
			return fmt.Errorf("%w; recordings whose names are no longer kept: %d", err, n)
		}
		return err
	}
	var newest *labels.Container
	for _, c := range known {
		if target.Includes(c) && (newest == nil || newest.Sandbox() && !c.Sandbox() ||
			newest.Sandbox() == c.Sandbox() && c.Created > newest.Created) {
			newest = c
		}
	}
	bare := &labels.NameError{Name: name, What: first.What} // similar names do not matter: this one is known
	return fmt.Errorf("%w: %s", bare, notRecorded(newest))
}

// notRecorded says why a container has no recording.
func notRecorded(c *labels.Container) string {
	switch {
	case c.Contents() == identity.ContentsOff:
		return "a rule of the configuration or an annotation says so (contents = off)"
	case c.Ring != 0:
		return "it was removed, or its memory was reused for another container"
	case c.Sandbox():
		return "pod sandboxes are not recorded (set record-sandboxes in the configuration)"
	}
	return "none was free when it was created (tracectl load --recordings)"
}

// evictedOf counts the recordings of containers that are no longer known.
func evictedOf(list []*straceback.Recording) int {
	n := 0
	for _, r := range list {
		if r.Container == nil {
			n++
		}
	}
	return n
}
