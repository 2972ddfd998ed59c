// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// execRequest is what `tracectl exec` was asked for, of this node or of many.
type execRequest struct {
	filter   *labels.Filter
	columns  execlog.Columns
	failed   bool
	runtime  bool
	since    since // none: all of the past, or none of it
	noFollow bool
	output   *choice

	timestamps *choice
	time       bool

	heartbeat span // 0: none
	untilEOF  bool
}

// addExecFlags adds the flags that say which execs are wanted, and how they are shown.
func addExecFlags(c *cobra.Command) *execRequest {
	flags := c.Flags()
	r := execRequest{filter: addFilter(c)}
	r.timestamps = addTimestamps(c, timestamp.None)
	flags.BoolVarP(&r.time, "time", "T", false, "short for --timestamps=wall")
	flags.BoolVarP(&r.columns.Pod, "wide", "w", false, "columns with namespace, pod and container, or on a host without pods, container and image")
	flags.BoolVarP(&r.failed, "failed", "x", false, "only those that failed")
	flags.BoolVar(&r.runtime, "runtime", false, "also the container runtime's own, before the container's program")
	flags.Var(&r.since, "since", "begin with the past, so long ago (10m, 1d) or at a date (\"2026-01-31 15:04\")")
	flags.BoolVar(&r.noFollow, "no-follow", false, "end with the last one of the past; without --since, begin with the first one")
	nothingToComplete(c, "since")
	r.output = addListOutput(c)
	return &r
}

// shown are the columns that are shown, besides those of names: of the past the time, unless it is said otherwise.
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

// past tells whether any of the past is wanted.
func (r *execRequest) past() bool { return r.noFollow || !r.since.at.IsZero() }

// untilSignal is a context that SIGINT or SIGTERM ends. A second signal kills, whatever goes on.
func untilSignal(c *cobra.Command) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
