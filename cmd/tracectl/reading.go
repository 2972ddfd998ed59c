// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/saved"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// source is the recording that a command reads: one of those that are loaded, or a file's.
type source struct {
	*settings
	previous natural // counts the runs of a container back
	from     string  // a file
}

// addSource adds --previous and --from. A command for a cluster has no settings, and does not read a file of this
// machine.
func addSource(c *cobra.Command, s *settings) *source {
	source := &source{settings: s}
	addPrevious(c, &source.previous)
	if s != nil {
		source.addFrom(c)
		exclude(c, "previous", "from")
	}
	return source
}

// addPrevious adds --previous.
func addPrevious(c *cobra.Command, previous *natural) {
	c.Flags().VarP(previous, "previous", "p", "the previous run, or the one this many runs back")
	c.Flags().Lookup("previous").NoOptDefVal = "1"
	nothingToComplete(c, "previous")
}

// addFrom adds --from, which makes NAME optional.
func (s *source) addFrom(c *cobra.Command) {
	c.Flags().StringVar(&s.from, "from", "", "a file that tracectl save wrote; NAME is not needed then")
	completeContainers(c, s.recorded)
	needed := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if s.from != "" {
			needed = atMost(1)
		}
		return needed(c, args)
	}
}

// read reads the recording that the arguments name.
func (s *source) read(args []string, stderr io.Writer) (*straceback.Reading, error) {
	if s.from == "" {
		return s.readLoaded(args[0], int(s.previous), stderr)
	}
	r, err := s.readFile(stderr)
	if err != nil || len(args) == 0 {
		return r, err
	}
	search := labels.NewSearch(args[0], "recording of")
	search.Add(labels.Known{Container: r.Container})
	_, err = search.Runs()
	return r, err
}

// past reads the recording that the arguments name, for questions about it.
func (s *source) past(args []string, stderr io.Writer) (*answers.Past, error) {
	r, err := s.read(args, stderr)
	if err != nil {
		return nil, err
	}
	return answers.New(sourceOf(r)), nil
}

func sourceOf(r *straceback.Reading) answers.Source {
	s := answers.Source{Container: r.Container, Calls: r.Calls, Timeline: r.Timeline(true), Boot: r.Boot, Now: r.Now}
	if r.Container != nil {
		s.Name = r.Container.FullName()
	}
	return s
}

// readFile reads the recording of a file, and reports what the file lacks.
func (s *source) readFile(stderr io.Writer) (*straceback.Reading, error) {
	f, err := os.Open(s.from)
	if err != nil {
		return nil, fmt.Errorf("opening a saved recording: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("reading %s: %w", terminal.Cell(s.from), errors.New("it is a directory"))
	}
	r, damage, err := saved.Read(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", terminal.Cell(s.from), err)
	}
	if damage.Any() {
		fmt.Fprintf(stderr, "tracectl: %s is damaged: %v\n", terminal.Cell(s.from), damage)
	}
	return r, nil
}
