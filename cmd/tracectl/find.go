// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
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
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const findLong = `Find calls in all recordings of this node, and in the log of execs: which container
deleted a file, talked to an address, met an error.

QUERY stands for a flag: names of errors for --errno, an address or a network for
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
	totals bool // print what the answer lacks as an object
}

// newFindCommand returns a command that looks for calls by a function, without its examples.
func newFindCommand(look func(*cobra.Command, *findRequest, []string) error) *cobra.Command {
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
		return look(c, &r, args)
	}
	return c
}

// query takes a query for the value of a flag.
func (r *findRequest) query(query string) error {
	s := &r.selected
	switch {
	case query == "":
		return errors.New("must be an error, an address, a path or a text")
	case areErrnos(query):
		return s.Errnos.Add(query)
	case isAddress(query):
		return (*addresses)(&s.Addresses).Set(query)
	case strings.Contains(query, "/"):
		return (*patterns)(&s.Paths).Set(query)
	}
	s.Text = query
	return nil
}

// areErrnos reports whether a query is the name of an error, or several with commas.
func areErrnos(query string) bool {
	names := syscalls.ErrnoNames()
	for name := range strings.SplitSeq(query, ",") {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
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

// foundCall is a line of the answer.
type foundCall struct {
	answers.MatchJSON
	node string // of a cluster, or ""
}

// print prints lines.
func (r *findRequest) print(stdout io.Writer, found []foundCall) error {
	if r.output.word == "json" {
		for i := range found {
			if err := printJSONOf(stdout, found[i].node, found[i].MatchJSON); err != nil {
				return err
			}
		}
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	layout, today := "15:04:05.000", time.Now().Format(time.DateOnly)
	if slices.ContainsFunc(found, func(f foundCall) bool { return f.Time.Local().Format(time.DateOnly) != today }) {
		layout = "2006-01-02 " + layout
	}
	table := terminal.Table{Whole: r.output.word == "wide", Columns: []terminal.Column{{Name: "TIME"},
		{Name: "NODE", Names: true}, {Name: "CONTAINER", Names: true}, {Name: "PROCESS", Names: true},
		{Name: "TIMES", Rank: 1}, {Name: "CALL", Names: true}}}
	for i := range found {
		f := &found[i]
		container, times, call := "<evicted>", "", f.Summary
		if !f.Evicted {
			container = terminal.Cell(cmp.Or(f.Name, labels.ShortID(f.ContainerID)))
		}
		if f.Times > 1 {
			times = terminal.Number(f.Times)
		}
		if table.Whole {
			call = f.Text
		}
		table.Rows = append(table.Rows, []string{f.Time.Local().Format(layout), terminal.Cell(f.node), container,
			terminal.Escaped(f.Process), times, terminal.Escaped(call)})
	}
	_, err := table.For(stdout).WriteTo(stdout)
	return err
}

// findTotals says what an answer has, and what it lacks.
type findTotals struct {
	Recordings int    `json:"recordings"` // that were searched
	Partial    int    `json:"partial"`    // recordings of which calls are overwritten
	Older      int    `json:"older"`      // lines that --limit left out
	Lost       uint64 `json:"lost"`       // calls that could not be recorded
}

func (t *findTotals) add(more findTotals) {
	t.Recordings += max(0, more.Recordings)
	t.Partial += max(0, more.Partial)
	t.Older += max(0, more.Older)
	t.Lost += more.Lost
}

// report says on stderr what the answer lacks.
func (t *findTotals) report(stderr io.Writer, lines int, output string) {
	if lines == 0 && output != "json" {
		fmt.Fprintln(stderr, "tracectl: no call matches")
	}
	if t.Older > 0 {
		fmt.Fprintf(stderr, "tracectl: left out %s (--limit)\n", terminal.Count(t.Older, "older line"))
	}
	if t.Partial > 0 {
		fmt.Fprintf(stderr, "tracectl: of %s of %s, calls were overwritten: of the earlier calls, only new ones are left\n",
			terminal.Number(t.Partial), terminal.Count(t.Recordings, "recording"))
	}
	if t.Lost > 0 {
		fmt.Fprintf(stderr, "tracectl: %s lost or truncated because they could not be written\n",
			terminal.Count(t.Lost, "call"))
	}
}
