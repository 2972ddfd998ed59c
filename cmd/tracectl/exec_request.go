// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// execRequest holds the flags of `tracectl exec`, for this node or for many.
type execRequest struct {
	filter   *labels.Filter
	columns  execlog.Columns
	failed   bool
	runtime  bool
	since    since // unset: all of the past, or none of it
	noFollow bool
	output   *choice

	timestamps *choice
	time       bool

	heartbeat span // 0: no heartbeats
	untilEOF  bool
}

// addExecFlags adds the flags that select execs, and that format them.
func addExecFlags(c *cobra.Command) *execRequest {
	flags := c.Flags()
	r := execRequest{filter: addFilter(c)}
	r.timestamps = addTimestamps(c, timestamp.None)
	flags.BoolVarP(&r.time, "time", "T", false, "short for --timestamps=wall")
	flags.BoolVarP(&r.columns.Pod, "wide", "w", false, "add columns: namespace, pod, container (without pods: container, image)")
	flags.BoolVarP(&r.failed, "failed", "x", false, "only failed execs")
	flags.BoolVar(&r.runtime, "runtime", false, "include the container runtime's own execs")
	flags.Var(&r.since, "since", "start this long ago (10m, 1d) or at a date (\"2026-01-31 15:04\")")
	flags.BoolVar(&r.noFollow, "no-follow", false, "print past execs and exit; without --since, all that are kept")
	nothingToComplete(c, "since")
	r.output = addListOutput(c)
	return &r
}

// shown returns the columns to show besides those of names. By default, the time is shown for past execs.
func (r *execRequest) shown(c *cobra.Command) execlog.Columns {
	columns := r.columns
	if r.output.word == "wide" {
		r.output.word = "text"
		columns.Pod, columns.Image = true, true
	}
	columns.Time = timestamp.Style(r.timestamps.word)
	if !c.Flags().Changed("timestamps") && (r.time || r.past() && !c.Flags().Changed("time")) {
		columns.Time = timestamp.Wall
	}
	return columns
}

// past reports whether past execs are requested.
func (r *execRequest) past() bool { return r.noFollow || r.since.set() }

// untilSignal returns a context that SIGINT or SIGTERM cancels, and the end of the reader of standard output: the next
// write, which would fail, may never come. A second signal kills the process.
func untilSignal(c *cobra.Command) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if output, ok := c.OutOrStdout().(*terminal.Output); ok {
		output.AfterClose(ctx, stop)
	}
	return ctx, stop
}
