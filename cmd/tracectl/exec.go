// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const execLong = `Print execs of the selected containers, including failed ones, until interrupted. With
--since or --no-follow, start with past execs, which are kept in a log of a fixed size.

` + nameHelp + `
A pod means all of its containers, including later ones.

PCOMM is the name of the process, after the exec if it succeeded. PID and PPID are those
of the host. RET is 0 or a negative error number. ARGS is the command line: the path,
then the arguments without args[0]. If the kernel runs an interpreter, as for a script,
ARGS is the interpreter's command line. If args[0] does not name the path, ARGS is all
arguments, then the path:

  /bin/sh /entrypoint.sh --flag "a b"
  cat /etc/passwd <path /proc/self/exe>

Every exec is one line. A name or argument is quoted if it is empty or contains blanks,
quotes, "<", ">" or invisible characters, so each word is one argument. A shell reads the
line differently, because ";", "|" and "$" have no meaning here: do not paste it into one.
A trailing "..." means that text was truncated; <unreadable> stands for text that could
not be read, <not recorded> for text of a container with contents = none. With -o json,
args has all arguments, and pcomm is the parent's name.

Past execs are shown with times by default. --timestamps selects the format: relative to
the container's creation, or RFC 3339 with nanoseconds and zone, as in "straceback show".

If execs were overwritten before they were read, stderr says how many were lost. If the
name of an exec's container is no longer kept, it is shown as <evicted>.

Labels of pods come from "tracectl agent", or on CRI-O from the pod's sandbox. With a
label selector, execs of a new container are held for up to 5 seconds until its labels
arrive. If an agent runs but the labels do not arrive in time, the held execs are shown,
with a warning. Otherwise, execs are left out if it is not known whether their container
has a label that decides, also with "!=", "notin" and "!", and stderr says how many. If a
container has more labels than can be kept, and the others could match, its execs are
shown, with a warning.

Execs of the container runtime itself, before the container's program starts, are left
out unless --runtime is given.`

func newExec(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "exec [NAME]",
		Short: "Print execs of containers, live or past",
		Long:  execLong,
		Example: `  tracectl exec --label myapp=app-one
  tracectl exec -n default --pod 'web-*' -T -w
  tracectl exec prod/web-0
  tracectl exec --since 10m --no-follow --failed
  tracectl exec -l 'app in (web,db),!canary' -o json`,
		Args: atMost(1),
	}
	r := addExecFlags(c)
	completeContainers(c, s.known)
	c.Flags().Var(&r.heartbeat, "heartbeat", "with -o json, also print an object with the time, at the start and at this interval")
	// For "tracectl cluster exec": engines do not otherwise tell a process that its connection is gone.
	c.Flags().BoolVar(&r.untilEOF, "until-eof", false, "stop at the end of standard input")
	nothingToComplete(c, "heartbeat")
	if err := c.Flags().MarkHidden("until-eof"); err != nil {
		panic(err) // the flag has just been added
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if r.heartbeat.Duration > 0 && r.output.word != "json" {
			return &usageError{c, errors.New("--heartbeat needs --output=json")}
		}
		r.columns = r.shown(c)
		ctx, stop := untilSignal(c)
		defer stop()
		if r.untilEOF {
			go func() {
				_, _ = io.Copy(io.Discard, c.InOrStdin())
				stop()
			}()
		}
		return printExecs(ctx, s, args, r, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func printExecs(ctx context.Context, s *settings, names []string, request *execRequest,
	stdout, stderr io.Writer) error {
	i, directory, err := s.open()
	if err != nil {
		return err
	}
	defer i.Close()
	losses := s.losses(i, stderr)
	losses()
	log, err := i.ExecLog()
	if err != nil {
		return fmt.Errorf("opening the log of execs: %w", err)
	}
	known := directory.All()
	if err := chooseExecs(stderr, known, names, request); err != nil {
		return err
	}
	request.columns = request.columns.Named(known)
	p := execPrinter{
		execRequest: request, log: i.Layout.Loaded, out: bufio.NewWriterSize(stdout, 64<<10), stderr: stderr,
		first: len(known) == 0,
	}
	p.selection = execlog.Selection{
		Directory: directory, Filter: request.filter, Settled: request.noFollow && request.filter.Target != nil,
		Emit: p.emit, Doubt: p.warn, Now: boottime.Now,
	}
	if request.past() {
		p.reader = execlog.NewPastReader(log)
	} else {
		p.reader = execlog.NewReader(log)
	}
	p.reader.Secrets = s.secrets(stderr)
	if err := p.begin(); err != nil {
		return err
	}
	if !request.noFollow {
		alive, problem := watch(i, losses)
		if problem != nil {
			return problem
		}
		err = p.reader.Follow(ctx, func(b *execlog.Batch) error {
			if err := p.print(b); err != nil {
				return err
			}
			return alive()
		})
	} else {
		err = p.reader.Finish(ctx, p.print)
		for err == nil && p.selection.Waiting() && ctx.Err() == nil {
			time.Sleep(labelPoll)
			err = p.release(false)
		}
	}
	if err == nil {
		err = p.release(true)
	}
	if err != nil {
		return fmt.Errorf("reading the log of execs: %w", err)
	}
	warnOfGone(stderr, p.selection.Unknown, "exec")
	if n := p.selection.LeftOut; n > 0 {
		fmt.Fprintf(stderr, "tracectl: left out %s of containers without known %s (%s)\n", terminal.Count(n, "exec"),
			request.filter.Sought(), p.remedy)
	}
	return nil
}

// chooseExecs resolves names among the known containers. Later containers may match a name, label or pattern, but
// their IDs are always new.
func chooseExecs(stderr io.Writer, known []*labels.Container, names []string, r *execRequest) error {
	err := r.filter.Resolve(names, "container called", known)
	var name *labels.NameError
	if errors.As(err, &name) && len(name.Candidates) == 0 && name.Unlike == "" && !r.noFollow {
		return fmt.Errorf("%w; to wait for one, use --container, --pod or --label", err)
	}
	if err != nil {
		return err
	}
	wanted := func(c *labels.Container) bool { return r.filter.Judge(c) != labels.No }
	if r.filter.Everything() || slices.ContainsFunc(known, wanted) || !r.noFollow && !r.filter.AsksForID() {
		return nil
	}
	return nothing(stderr, r.filter, known, r.output.word)
}

// labelPoll is the interval of looking for labels that have not arrived.
const labelPoll = 50 * time.Millisecond

// watch returns a function that does what Instance.Follow does, and calls losses, at most once a second.
func watch(i *bpf.Instance, losses func()) (func() error, error) {
	follow, err := i.Follow()
	next := time.Now()
	return func() error {
		if time.Now().Before(next) {
			return nil
		}
		next = time.Now().Add(time.Second)
		losses()
		return follow()
	}, err
}

// heartbeatJSON says that all events that were logged before a time have been printed. The first one says only when
// the command began. Names are stable.
type heartbeatJSON struct {
	Time time.Time `json:"heartbeat"`
}

// execPrinter prints batches of execs.
type execPrinter struct {
	*execRequest
	log       uint64 // when the log was loaded, which identifies it
	reader    *execlog.Reader
	selection execlog.Selection
	out       *bufio.Writer
	stderr    io.Writer

	since  uint64    // ns of CLOCK_BOOTTIME
	beat   time.Time // time of the last heartbeat
	polled time.Time // earlier than the next poll
	read   time.Time // all execs that were logged earlier have been read
	boot   time.Time // boot time by the current wall clock, which may have been set
	began  bool
	first  bool // no container was known yet, so the first one decides which columns name containers
	line   []byte

	remedy string // told to the user for execs left out because labels are unknown; empty: none were
}

// begin prints the header. It tells the user that no later exec will be missed.
func (p *execPrinter) begin() error {
	if ago := p.execRequest.since.ago(); ago > 0 {
		boot, err := boottime.Boot()
		if err != nil {
			return err
		}
		if up := time.Since(boot); up > ago {
			p.since = uint64(up - ago)
		}
	}
	if p.output.word == "text" {
		p.out.Write(p.columns.AppendHeader(nil))
	}
	if _, ok := terminal.Is(p.stderr); ok && !p.noFollow {
		fmt.Fprintln(p.stderr, "tracectl: waiting for execs; press Ctrl-C to stop")
	}
	p.read = time.Now()
	return p.flush()
}

// complete returns the time before which all logged execs have been printed. Those held back for labels have not.
func (p *execPrinter) complete() time.Time {
	if held, ok := p.selection.Oldest(); ok {
		if t := p.boot.Add(time.Duration(held)); t.Before(p.read) {
			return t
		}
	}
	return p.read
}

// flush prints pending output, and a heartbeat if one is due. A heartbeat tells remote readers how far the output has
// come, and fails if the reader is gone.
func (p *execPrinter) flush() error {
	if now := time.Now(); p.heartbeat.Duration > 0 && now.Sub(p.beat) >= p.heartbeat.Duration {
		p.beat = now
		if err := printJSON(p.out, heartbeatJSON{p.complete().UTC()}); err != nil {
			return err
		}
	}
	p.polled = time.Now()
	return p.out.Flush()
}

func (p *execPrinter) print(b *execlog.Batch) error {
	var err error
	if p.boot, err = boottime.Boot(); err != nil {
		return err
	}
	if err := p.selection.Release(false); err != nil {
		return err
	}
	if !b.More {
		p.read = p.polled
	}
	for record := range b.Records() {
		if b.More {
			p.read = p.boot.Add(time.Duration(record.Entry.Time))
		}
		p.noteBeginning(record)
		if record.Entry.Time < p.since || p.failed && record.Result == 0 || !p.runtime && record.Runtime() {
			continue
		}
		if err := p.selection.Take(record); err != nil {
			return err
		}
	}
	if b.Overwritten > 0 {
		fmt.Fprintf(p.stderr, "tracectl: %s of containers that execute many programs were overwritten\n",
			terminal.Count(b.Overwritten, "exec"))
	}
	if b.Lost > 0 {
		fmt.Fprintf(p.stderr, "tracectl: lost %s\n", terminal.Count(b.Lost, "exec"))
	}
	if b.Malformed > 0 {
		fmt.Fprintf(p.stderr, "tracectl: left out %s that could not be read\n", terminal.Count(b.Malformed, "record"))
	}
	return p.flush()
}

// release prints execs whose containers' labels have arrived, or if all is set, every waiting exec.
func (p *execPrinter) release(all bool) error {
	if err := p.selection.Release(all); err != nil {
		return err
	}
	return p.out.Flush()
}

func (p *execPrinter) emit(record *execlog.Record, container *labels.Container) error {
	event := execlog.NewEvent(record, container, p.boot)
	event.Log = p.log
	var err error
	if p.output.word == "text" {
		p.decide(container)
		p.line = p.columns.AppendText(p.line[:0], &event)
	} else if p.line, err = event.AppendJSON(p.line[:0]); err != nil {
		return err
	}
	_, err = p.out.Write(p.line)
	return err
}

// decide replaces the columns that name containers by those that the first container needs, below a new header.
func (p *execPrinter) decide(container *labels.Container) {
	if !p.first || container == nil {
		return
	}
	p.first = false
	if columns := p.columns.Named([]*labels.Container{container}); columns != p.columns {
		p.columns = columns
		p.out.Write(p.columns.AppendHeader(nil))
	}
}

// warn reports that a container may or may not be selected. Of the omitted containers, it names only the first:
// without an agent, there may be many.
func (p *execPrinter) warn(c *labels.Container, doubt execlog.Doubt) {
	var text string
	switch doubt {
	case execlog.LabelsLate:
		text = "no %s for %s yet; showing its execs anyway (check the agent with \"tracectl status\")"
	case execlog.LabelsTruncated:
		text = "some %s of %s are unknown and could match; showing its execs anyway"
	case execlog.LabelsUnknown:
		if p.remedy != "" {
			return
		}
		p.remedy = labelRemedy(c.Engine)
		text = "no %s for %s: leaving out its execs, and those of similar containers (" + p.remedy + ")"
	}
	what := p.filter.Sought()
	if what == "names" {
		what = "name" // it has one
	}
	fmt.Fprintf(p.stderr, "tracectl: "+text+"\n", what, c.ShownName())
}

// noteBeginning reports that the log begins after the requested time.
func (p *execPrinter) noteBeginning(first *execlog.Record) {
	if p.began {
		return
	}
	p.began = true
	if p.past() && first.Sequence > 0 && first.Entry.Time > p.since {
		fmt.Fprintf(p.stderr, "tracectl: the log starts at %s; %s overwritten\n",
			p.boot.Add(time.Duration(first.Entry.Time)).Local().Format(time.DateTime),
			terminal.Count(p.reader.First(), "earlier exec"))
	}
}
