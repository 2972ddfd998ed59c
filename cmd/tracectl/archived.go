// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/saved"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// archiveDirectory returns the directory of the archive, or nothing if there is none. A mistake elsewhere in the
// configuration does not matter.
func (s *settings) archiveDirectory() string {
	c, _ := s.configuration()
	return c.Archive.Directory
}

// archived lists the recordings of the archive, the newest first, without those that are in memory, too. It returns the
// others if files are damaged.
func (s *settings) archived(memory []*straceback.Recording) ([]*straceback.Recording, error) {
	files, err := archive.List(s.archiveDirectory())
	if err != nil || len(files) == 0 {
		return nil, err
	}
	known := map[string]bool{}
	for _, r := range memory {
		if r.Container != nil {
			key, err := archiveKey(r.Container)
			if err != nil {
				return nil, err
			}
			known[key] = true
		}
	}
	describer, err := saved.NewDescriber()
	if err != nil {
		return nil, err
	}
	defer describer.Close()
	var list []*straceback.Recording
	damaged := 0
	for _, file := range files {
		if known[file.Key] {
			continue
		}
		r, err := describe(describer, file.Path)
		switch {
		case errors.Is(err, os.ErrNotExist): // it has just been removed
		case err != nil:
			damaged++
		default:
			list = append(list, r)
		}
	}
	if damaged > 0 {
		return list, fmt.Errorf("reading the archive: left out %s that cannot be read, in %s",
			terminal.Count(damaged, "file"), terminal.Cell(s.archiveDirectory()))
	}
	return list, nil
}

// archiveKey identifies a run of a container of this boot in the archive.
func archiveKey(c *labels.Container) (string, error) {
	boot, err := boottime.ID()
	return archive.Key(boot, c.ID, c.Created), err
}

// describe returns the recording of a file, without its calls.
func describe(d *saved.Describer, path string) (*straceback.Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a file of the archive: %w", err)
	}
	defer f.Close()
	r, records, err := d.Describe(f)
	if err != nil {
		return nil, fmt.Errorf("reading a file of the archive: %w", err)
	}
	return &straceback.Recording{Index: -1, Container: r.Container, Archived: &straceback.Archived{
		Path: path, Boot: r.Boot, Survey: straceback.Survey{Calls: r.Calls, Kept: records}}}, nil
}

// readArchived reads a recording of the archive.
func readArchived(run *straceback.Recording, note func(string)) (*straceback.Reading, error) {
	path := run.Archived.Path
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a file of the archive: %w", err)
	}
	defer f.Close()
	r, err := readSaved(f, terminal.Cell(path), note)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", terminal.Cell(path), err)
	}
	r.Now = uint64(time.Since(r.Boot)) // for people: how long ago it was
	return r, nil
}

// readUnloaded reads a recording of the archive if nothing is loaded; otherwise it returns the error.
func (s *settings) readUnloaded(err error, name string, previous int, stderr io.Writer) (*straceback.Reading, error) {
	if !errors.Is(err, bpf.ErrNotLoaded) {
		return nil, err
	}
	list, problem := s.archived(nil)
	if len(list) == 0 {
		return nil, errors.Join(err, problem)
	}
	if problem != nil {
		fmt.Fprintf(stderr, "tracectl: %v\n", problem)
	}
	runs, err := straceback.Find(list, name)
	if err != nil {
		return nil, err
	}
	run, err := previousRun(runs, name, previous)
	if err != nil {
		return nil, err
	}
	return s.fromArchive(run, stderr)
}

// fromArchive reads a recording of the archive, and says that it is not in memory.
func (s *settings) fromArchive(run *straceback.Recording, stderr io.Writer) (*straceback.Reading, error) {
	note := func(text string) { fmt.Fprintln(stderr, "tracectl:", text) }
	note(fmt.Sprintf("%s is from the archive: %s", runName(run.Container), terminal.Cell(run.Archived.Path)))
	r, err := readArchived(run, note)
	if err != nil {
		return nil, err
	}
	mask(r, s.secrets(stderr), stderr)
	return r, nil
}

// listUnloaded lists recordings of the archive if nothing is loaded; otherwise it returns the error.
func (s *settings) listUnloaded(l *recordingList, names []string, filter *labels.Filter, err error) error {
	if !errors.Is(err, bpf.ErrNotLoaded) {
		return err
	}
	list, problem := s.archived(nil)
	if len(list) == 0 {
		return errors.Join(err, problem)
	}
	if problem != nil {
		fmt.Fprintf(l.stderr, "tracectl: %v\n", problem)
	}
	fmt.Fprintf(l.stderr, "tracectl: %v: these are recordings of the archive\n", err)
	if err := filter.Resolve(names, "recording of", containersOf(list)); err != nil {
		return err
	}
	choice := labels.Choice{Filter: filter}
	list = slices.DeleteFunc(list, func(r *straceback.Recording) bool { return !choice.Wants(r.Container) })
	warnOfChoice(l.stderr, &choice, "recording")
	return l.all(list)
}

// unarchive removes the file of a run from the archive, if there is one.
func (s *settings) unarchive(r *straceback.Recording) error {
	if r.Archived != nil {
		return archive.Remove(archive.Entry{Path: r.Archived.Path})
	}
	files, err := archive.List(s.archiveDirectory())
	if err != nil {
		return err
	}
	key, err := archiveKey(r.Container)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.Key == key {
			return archive.Remove(file)
		}
	}
	return nil
}
