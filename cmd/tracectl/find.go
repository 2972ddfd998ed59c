// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const findLong = `Find calls in all recordings of this node, and in the log of execs: which container
deleted a file, talked to an address, met an error.

QUERY stands for a flag: the name of an error for --errno, an address or a network for
--address, a path or a pattern with a slash for --path, anything else for --text.

  tracectl find /var/lib/app/data -e '/^(unlink|rename|rmdir|truncate)'
  tracectl find 10.0.0.9:5432
  tracectl find ENOSPC

Each line is one kind of call of one process: the same call for the same file or address,
with the same error. It shows the newest of these calls with what it is about; TIMES is
how many there were. Lines are sorted by the time of that call, the newest first. IDs in
brackets are those in the container, if they are known.

The flags that select calls are those of "straceback show"; a call is found if it matches
all of them. --path and --address also find calls that use a file or a socket by its
descriptor, and --errno finds the getsockopt that told how a connection failed. --text
looks into what was recorded of buffers and arguments: by default, the beginning of each.
--last counts from now, or from the end of each container.

Lines are cut to the width of the terminal, or to 100 characters; -o wide prints whole
lines, and calls with all arguments. If recordings lack calls that were overwritten, stderr
says how many do.`

// findMost is the largest --limit: matches are held in memory.
const findMost = 1_000_000

// findRequest holds the flags of `tracectl find`.
type findRequest struct {
	callFlags
	filter *labels.Filter
	limit  natural
	output *choice
}

func newFind(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "find [QUERY]",
		Short: "Find calls in all recordings: by path, address, error or text",
		Long:  findLong,
		Example: `  tracectl find /data/orders.db -e '/^(unlink|rename)'
  tracectl find 10.0.0.0/8:443 -n shop
  tracectl find --errno ENOSPC,EDQUOT --since 1h
  tracectl find "connection refused" -o json | jq -r .name`,
		Args: atMost(1),
	}
	r := findRequest{limit: 100}
	r.add(c)
	r.filter = addFilter(c)
	c.Flags().Var(&r.limit, "limit", "at most this many lines, the newest ones")
	nothingToComplete(c, "limit")
	r.output = addListOutput(c)
	c.ValidArgsFunction = cobra.NoFileCompletions
	c.RunE = func(c *cobra.Command, args []string) error {
		if r.limit < 1 || r.limit > findMost {
			return &usageError{c, fmt.Errorf("--limit must be 1 to %d", findMost)}
		}
		for _, query := range args {
			if err := r.query(query); err != nil {
				return &usageError{c, fmt.Errorf("invalid argument %q: %w", query, err)}
			}
		}
		if !r.asks(c) {
			return &usageError{c, errors.New("missing argument: QUERY, or a flag that selects calls")}
		}
		return s.findCalls(c.Context(), &r, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// query takes a query for the value of a flag.
func (r *findRequest) query(query string) error {
	s := &r.selected
	switch {
	case query == "":
		return errors.New("must be an error, an address, a path or a text")
	case slices.Contains(syscalls.ErrnoNames(), query):
		return s.Errnos.Add(query)
	case isAddress(query):
		return (*addresses)(&s.Addresses).Set(query)
	case strings.Contains(query, "/"):
		return (*patterns)(&s.Paths).Set(query)
	}
	s.Text = query
	return nil
}

// isAddress reports whether a query is an address. A number behind a colon is also a usual text.
func isAddress(query string) bool {
	_, err := straceback.NewAddress(query)
	if host, port, ok := strings.Cut(query, ":"); ok && host == "" {
		_, wrong := strconv.ParseUint(port, 10, 16)
		_, six := netip.ParseAddr(query)
		return err == nil && (wrong == nil || six == nil)
	}
	return err == nil
}

// asks reports whether anything selects calls: otherwise, all calls of all containers would match.
func (r *findRequest) asks(c *cobra.Command) bool {
	s := &r.selected
	if len(s.Paths)+len(s.Addresses)+len(s.Text) > 0 || s.Errnos.String() != "" {
		return true
	}
	flags := []string{"syscall", "failed", "pid", "fd", "comm", "slower-than", "grep"}
	return slices.ContainsFunc(flags, c.Flags().Changed)
}

// findCalls looks into the recordings one after the other, then into the log of execs.
func (s *settings) findCalls(ctx context.Context, r *findRequest, stdout, stderr io.Writer) error {
	i, directory, list, err := s.recordings()
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
	if err := searchRecordings(&f, i, list, stderr); err != nil {
		return err
	}
	if err := searchExecs(ctx, &f, i, directory, r.filter); err != nil {
		return err
	}
	if err := r.print(stdout, &f); err != nil {
		return err
	}
	reportFound(stderr, &f, r.output.word)
	return nil
}

// searchRecordings shows its progress on a terminal.
func searchRecordings(f *answers.Find, i *bpf.Instance, list []*straceback.Recording, stderr io.Writer) error {
	status := newStatusLine(stderr, "tracectl", "recordings")
	defer status.end()
	calls, err := i.UnfinishedCalls() // before the recordings, which then have those that returned meanwhile
	if err != nil {
		return err
	}
	for n, run := range list {
		status.progress(n, len(list))
		reading, err := readRecording(run, unfinishedOf(calls, run), f.Boot, run.Read)
		switch {
		case errors.Is(err, straceback.ErrReused):
			continue // it is not of this container any more
		case errors.Is(err, ring.ErrUnsettled):
			status.note(fmt.Sprintf("left out %s: %v", terminal.Cell(run.Name()), err))
			continue
		case err != nil:
			return err
		}
		if err := f.Recording(sourceOf(reading)); err != nil {
			return err
		}
	}
	return nil
}

// searchExecs looks at the execs that the log keeps.
func searchExecs(ctx context.Context, f *answers.Find, i *bpf.Instance, directory *labels.Directory,
	filter *labels.Filter) error {
	log, err := i.ExecLog()
	if err != nil {
		return fmt.Errorf("opening the log of execs: %w", err)
	}
	err = execlog.NewPastReader(log).Finish(ctx, func(b *execlog.Batch) error {
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

// print prints the matches.
func (r *findRequest) print(stdout io.Writer, f *answers.Find) error {
	matches := f.Matches()
	if r.output.word == "json" {
		for _, m := range matches {
			if err := printJSON(stdout, m.JSON(f.Boot)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(matches) == 0 {
		return nil
	}
	layout, today := "15:04:05.000", time.Now().Format(time.DateOnly)
	at := func(m *answers.Match) time.Time { return f.Boot.Add(time.Duration(m.At)).Local() }
	if slices.ContainsFunc(matches, func(m *answers.Match) bool { return at(m).Format(time.DateOnly) != today }) {
		layout = "2006-01-02 " + layout
	}
	table := terminal.Table{Whole: r.output.word == "wide", Columns: []terminal.Column{{Name: "TIME"},
		{Name: "CONTAINER", Names: true}, {Name: "PROCESS", Names: true}, {Name: "TIMES", Rank: 1},
		{Name: "CALL", Names: true}}}
	for _, m := range matches {
		container, times := "<evicted>", ""
		if m.Container != nil {
			container = m.Container.ShownName()
		}
		if m.Times > 1 {
			times = terminal.Number(m.Times)
		}
		call := m.Call
		if table.Whole {
			call = m.Whole
		}
		table.Rows = append(table.Rows, []string{at(m).Format(layout), container, m.Process, times, call})
	}
	_, err := table.For(stdout).WriteTo(stdout)
	return err
}

// reportFound says what the answer lacks.
func reportFound(stderr io.Writer, f *answers.Find, output string) {
	if len(f.Matches()) == 0 && output != "json" {
		fmt.Fprintln(stderr, "tracectl: no call matches")
	}
	if f.Older > 0 {
		fmt.Fprintf(stderr, "tracectl: left out %s (--limit)\n", terminal.Count(f.Older, "older line"))
	}
	if f.Partial > 0 {
		fmt.Fprintf(stderr, "tracectl: of %d of %s, calls were overwritten: of the earlier calls, only new ones are left\n",
			f.Partial, terminal.Count(f.Recordings, "recording"))
	}
	if f.Lost > 0 {
		fmt.Fprintf(stderr, "tracectl: %s lost or truncated because they could not be written\n",
			terminal.Count(f.Lost, "call"))
	}
}
