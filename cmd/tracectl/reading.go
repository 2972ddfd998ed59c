// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/saved"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// reader reads the recordings of this machine, or of all nodes of a cluster.
type reader interface {
	// read reads the recording of a container's newest run, or of an earlier one.
	read(c *cobra.Command, name string, previous int) (*straceback.Reading, error)
	// recorded lists the containers that have recordings.
	recorded(c *cobra.Command) ([]*labels.Container, error)
}

// source is the recording that a command reads: one of those that there are, or a file's.
type source struct {
	reader
	previous natural // counts the runs of a container back
	from     string  // a file
}

// addSource adds --previous and --from. A command for a cluster does not read a file of this machine.
func addSource(c *cobra.Command, r reader) *source {
	source := &source{reader: r}
	addPrevious(c, &source.previous)
	if _, here := r.(*settings); here {
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

// named reads the recording that the arguments name, and reports what was not to be recorded.
func (s *source) named(c *cobra.Command, args []string) (*straceback.Reading, error) {
	r, err := s.choose(c, args)
	if err == nil {
		noteContents(c.ErrOrStderr(), r.Container)
	}
	return r, err
}

// noteContents reports what a container's recording lacks on purpose: otherwise it would seem to be empty.
func noteContents(stderr io.Writer, c *labels.Container) {
	if c != nil && c.Withheld() != "" {
		fmt.Fprintf(stderr, "tracectl: %s\n", c.Withheld())
	}
}

func (s *source) choose(c *cobra.Command, args []string) (*straceback.Reading, error) {
	if s.from == "" {
		return s.read(c, args[0], int(s.previous))
	}
	r, err := s.readFile(c.ErrOrStderr())
	if err != nil || len(args) == 0 {
		return r, err
	}
	search := labels.NewSearch(args[0], "recording of")
	search.Add(labels.Known{Container: r.Container})
	_, err = search.Runs()
	return r, err
}

// past reads the recording that the arguments name, for questions about it.
func (s *source) past(c *cobra.Command, args []string) (*answers.Past, error) {
	r, err := s.named(c, args)
	if err != nil {
		return nil, err
	}
	past := answers.New(sourceOf(r))
	past.Program = strings.TrimSuffix(c.CommandPath(), " "+c.Name())
	return past, nil
}

var errNoSuchRun = errors.New("no such run")

// previousRun returns the newest run of a container, or one that many runs back.
func previousRun[Run any](runs []Run, name string, previous int) (run Run, err error) {
	if previous >= len(runs) {
		return run, fmt.Errorf("%q: %w: only %s recorded; --previous=%d is out of range", name, errNoSuchRun,
			terminal.Count(len(runs), "run"), previous)
	}
	return runs[previous], nil
}

// earlierRuns says how many runs there are before the one that is shown.
func earlierRuns(n, previous int) string {
	return fmt.Sprintf("earlier runs of this container: %d (--previous=%d)", n, previous+1)
}

func sourceOf(r *straceback.Reading) answers.Source {
	s := answers.Source{Node: r.Node, Container: r.Container, Calls: r.Calls, Timeline: r.Timeline(true), Boot: r.Boot,
		Now: r.Now}
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
	r, err := readSaved(f, terminal.Cell(s.from), func(text string) { fmt.Fprintln(stderr, "tracectl:", text) })
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", terminal.Cell(s.from), err)
	}
	if here, ok := s.reader.(*settings); ok { // a file is only read here
		mask(r, here.secrets(stderr), stderr)
	}
	return r, nil
}

// readSaved reads a saved recording, and says what it lacks. name is safe for a terminal.
func readSaved(from io.Reader, name string, note func(string)) (*straceback.Reading, error) {
	r, damage, err := saved.Read(from)
	if err == nil && damage.Any() {
		note(fmt.Sprintf("%s is damaged: %v", name, damage))
	}
	return r, err
}
