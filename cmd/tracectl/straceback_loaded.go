// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// listLoaded lists the loaded recordings that match the name, if one is given, and the filter.
func (s *settings) listLoaded(l *recordingList, args []string, filter *labels.Filter) error {
	i, list, err := s.chosenRecordings(l.stderr, args, filter, l.output)
	if err != nil {
		return s.listUnloaded(l, args, filter, err)
	}
	defer i.Close()
	return l.all(list)
}

// all lists recordings.
func (l *recordingList) all(list []*straceback.Recording) (err error) {
	if l.clock, err = newClock(); err != nil {
		return err
	}
	if l.names {
		for _, r := range list {
			if err := l.name(r); err != nil {
				return err
			}
		}
		return nil
	}
	for i, survey := range straceback.Surveys(list) {
		if errors.Is(survey.Err, straceback.ErrReused) {
			continue // the recording is not of this container any more
		}
		if errors.Is(survey.Err, ring.ErrUnsettled) {
			fmt.Fprintf(l.stderr, "tracectl: left out %s: %v\n", terminal.Cell(list[i].Name()), survey.Err)
			continue
		}
		if survey.Err != nil {
			return survey.Err
		}
		if err := l.add(list[i], &survey); err != nil {
			return err
		}
	}
	if n := evictedOf(list); n > 0 && l.output != "json" {
		const why = "recordings that show cannot find, because their names are no longer kept"
		fmt.Fprintf(l.stderr, "tracectl: %s: %d\n", why, n)
	}
	return l.print()
}

// chosenRecordings returns the recordings that match the name, if one is given, and the filter.
func (s *settings) chosenRecordings(stderr io.Writer, names []string, filter *labels.Filter,
	output string) (*bpf.Instance, []*straceback.Recording, error) {
	i, directory, list, err := s.recordings(stderr)
	if err != nil {
		return nil, nil, err
	}
	s.losses(i, stderr)()
	if list, err = chooseRecordings(stderr, list, directory, names, filter, output); err != nil {
		i.Close()
	}
	return i, list, err
}

func chooseRecordings(stderr io.Writer, list []*straceback.Recording, directory *labels.Directory, names []string,
	filter *labels.Filter, output string) ([]*straceback.Recording, error) {
	var recorded []*labels.Container
	for _, r := range list {
		if r.Container != nil {
			recorded = append(recorded, r.Container)
		}
	}
	err := filter.Resolve(names, "recording of", recorded)
	if name := (*labels.NameError)(nil); errors.As(err, &name) && name.Unlike == "" {
		err = explainName(err, names[0], directory, list)
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && output != "json" {
		fmt.Fprintln(stderr, "tracectl: nothing is recorded yet")
	}
	choice := labels.Choice{Filter: filter}
	list = slices.DeleteFunc(list, func(r *straceback.Recording) bool { return !choice.Wants(r.Container) })
	warnOfChoice(stderr, &choice, "recording")
	if len(list) == 0 {
		return nil, nothing(stderr, filter, directory.All(), output)
	}
	return list, nil
}
