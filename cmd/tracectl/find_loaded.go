// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/saved"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

func newFind(s *settings) *cobra.Command {
	c := newFindCommand(func(c *cobra.Command, r *findRequest, _ []string) (err error) {
		if r.totals, err = c.Flags().GetBool("totals"); err != nil {
			return err
		}
		return s.findCalls(c.Context(), r, c.OutOrStdout(), c.ErrOrStderr())
	})
	c.Flags().Bool("totals", false, "also print, as the last object, what the answer lacks")
	if err := c.Flags().MarkHidden("totals"); err != nil { // a cluster's command gives it
		panic(err) // the flag has just been added
	}
	return c
}

// findCalls looks into the recordings one after the other, then into the log of execs.
func (s *settings) findCalls(ctx context.Context, r *findRequest, stdout, stderr io.Writer) error {
	i, directory, list, err := s.recordings(stderr)
	if err != nil {
		return err
	}
	defer i.Close()
	s.losses(i, stderr)()
	if list, err = chooseRecordings(stderr, list, directory, nil, r.filter, r.output.word); err != nil {
		return err
	}
	f := answers.Find{Selection: r.selection(), Limit: int(r.limit)}
	if f.Boot, err = boottime.Boot(); err != nil {
		return err
	}
	secrets := s.secrets(stderr)
	if err := searchRecordings(&f, i, list, secrets, stderr); err != nil {
		return err
	}
	if err := searchExecs(ctx, &f, i, directory, secrets, r.filter); err != nil {
		return err
	}
	var found []foundCall
	for _, m := range f.Matches() {
		found = append(found, foundCall{MatchJSON: m.JSON(f.Boot)})
	}
	if err := r.print(stdout, found); err != nil {
		return err
	}
	totals := findTotals{f.Recordings, f.Partial, f.Older, f.Lost}
	if r.totals {
		return printJSON(stdout, totals)
	}
	totals.report(stderr, len(found), r.output.word)
	return nil
}

// searchRecordings shows its progress on a terminal.
func searchRecordings(f *answers.Find, i *bpf.Instance, list []*straceback.Recording, secrets *redact.Table,
	stderr io.Writer) error {
	status := newStatusLine(stderr, "tracectl", "recordings")
	defer status.end()
	calls, err := i.UnfinishedCalls() // before the recordings, which then have those that returned meanwhile
	if err != nil {
		return err
	}
	for n, run := range list {
		status.progress(n, len(list))
		reading, err := readAny(run, calls, f.Boot, status.note)
		switch {
		case run.Archived != nil && (errors.Is(err, saved.ErrFormat) || errors.Is(err, os.ErrNotExist)):
			status.note(fmt.Sprintf("left out %s: %v", terminal.Cell(run.Name()), err))
			continue
		case errors.Is(err, straceback.ErrReused):
			continue // it is not of this container any more
		case errors.Is(err, ring.ErrUnsettled):
			status.note(fmt.Sprintf("left out %s: %v", terminal.Cell(run.Name()), err))
			continue
		case err != nil:
			return err
		}
		reading.Redact(secrets)
		if err := f.Recording(sourceOf(reading)); err != nil {
			return err
		}
	}
	return nil
}

// readAny reads a recording from memory or from the archive.
func readAny(run *straceback.Recording, calls []bpf.UnfinishedCall, boot time.Time,
	note func(string)) (*straceback.Reading, error) {
	if run.Archived != nil {
		return readArchived(run, note)
	}
	return readRecording(run, unfinishedOf(calls, run), boot, run.Read)
}

// searchExecs looks at the execs that the log keeps.
func searchExecs(ctx context.Context, f *answers.Find, i *bpf.Instance, directory *labels.Directory,
	secrets *redact.Table, filter *labels.Filter) error {
	log, err := i.ExecLog()
	if err != nil {
		return fmt.Errorf("opening the log of execs: %w", err)
	}
	reader := execlog.NewPastReader(log)
	reader.Secrets = secrets
	err = reader.Finish(ctx, func(b *execlog.Batch) error {
		for r := range b.Records() {
			container, _ := directory.Lookup(r.Identity, r.Generation)
			if filter.Everything() || container != nil && filter.Judge(container) == labels.Yes {
				f.Exec(r, container)
			}
		}
		f.Lost += b.Lost
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the log of execs: %w", err)
	}
	return nil
}
