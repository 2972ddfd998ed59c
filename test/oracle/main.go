// SPDX-License-Identifier: Apache-2.0

// Command oracle compares recordings with strace's log. It runs programs in containers that are recorded and traced by
// strace, which is attached before a program's first instruction and stays outside of its container. It aligns both
// logs thread by thread, and compares calls, results, the meaning of each argument, descriptors, signals and ends. Then
// it runs each program without strace, which reads memory and so brings pages in that a recorder alone would not find.
//
// It prints a table and the most frequent differences, and fails below its floor.
//
// Usage: oracle [-programs pipeline,git] [-quick] [-floor-args 99] ...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	o := oracle{out: os.Stdout}
	only := flag.String("programs", "", "comma-separated `list` of programs (empty: all)")
	flag.BoolVar(&o.quick, "quick", false, "only programs that end within a second or two")
	flag.StringVar(&o.bin, "bin", "bin", "`directory` of runc-trace and tracectl")
	flag.StringVar(&o.keep, "keep", "", "keep the logs of both in this `directory`")
	flag.StringVar(&o.kept, "compare", "", "run nothing, but compare the logs that were kept in this `directory`")
	flag.IntVar(&o.most, "differences", 60, "`number` of the most frequent differences to print")
	o.floor = strict
	for _, f := range []struct {
		percent *float64
		name    string
	}{
		{&o.floor.present, "present"}, {&o.floor.results, "results"}, {&o.floor.args, "args"}, {&o.floor.calls, "calls"},
		{&o.floor.signals, "signals"}, {&o.floor.ends, "ends"}, {&o.floor.descriptors, "descriptors"},
	} {
		flag.Float64Var(f.percent, "floor-"+f.name, *f.percent, "smallest `percentage` of equal "+f.name)
	}
	flag.IntVar(&o.floor.wrong, "floor-wrong", 0, "largest `number` of wrong values")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

// oracle is a run of programs.
type oracle struct {
	out   io.Writer
	bin   string
	keep  string
	kept  string
	quick bool
	only  []string
	most  int
	floor floor
}

func (o *oracle) run(ctx context.Context) (err error) {
	r := newReport()
	var l lab
	if o.kept == "" {
		defer func() { err = errors.Join(err, l.close()) }()
		if err := l.open(o.bin); err != nil {
			return err
		}
	}
	for _, p := range programs() {
		if o.quick && !p.quick || o.only != nil && !slices.Contains(o.only, p.name) {
			continue
		}
		run := func() error { return o.program(ctx, &l, r, p) }
		if o.kept != "" {
			run = func() error { return o.compare(r, p) }
		}
		if failed := run(); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, failed))
		}
	}
	r.print(o.out, o.most)
	return errors.Join(err, o.floor.check(r))
}

// program runs a program with strace and without.
func (o *oracle) program(ctx context.Context, l *lab, r *report, p *program) error {
	c, err := l.prepare(p, "")
	if err != nil {
		return err
	}
	strace, record, err := c.traced(ctx)
	if o.keep != "" {
		err = errors.Join(err, c.keep(o.keep))
	}
	if err != nil {
		return err
	}
	r.add(p.name, strace, record)
	if c, err = l.prepare(p, "-alone"); err != nil {
		return err
	}
	if record, err = c.alone(ctx); err != nil {
		return err
	}
	if o.keep != "" {
		err = c.keep(o.keep)
	}
	r.alone(p.name, record)
	return err
}

// compare compares the logs of a program that were kept, if there are any.
func (o *oracle) compare(r *report, p *program) error {
	directory := filepath.Join(o.kept, p.name)
	strace, record, err := logs(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	r.add(p.name, strace, record)
	record, err = readLog(filepath.Join(directory+"-alone", "record"))
	r.alone(p.name, record)
	return err
}
