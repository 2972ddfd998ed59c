// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// execRequest is what `tracectl exec` was asked for, of this node or of many.
type execRequest struct {
	filter   *labels.Filter
	columns  execlog.Columns
	failed   bool
	runtime  bool
	since    time.Duration // 0: all of the past, or none of it
	noFollow bool
	output   *choice

	heartbeat time.Duration // 0: none
	untilEOF  bool
}

// addExecFlags adds the flags that say which execs are wanted, and how they are shown.
func addExecFlags(c *cobra.Command) *execRequest {
	flags := c.Flags()
	r := execRequest{filter: addFilter(c)}
	flags.BoolVarP(&r.columns.Time, "time", "T", false, "a column with the time")
	flags.BoolVarP(&r.columns.Pod, "wide", "w", false, "columns with namespace, pod and container")
	flags.BoolVarP(&r.failed, "failed", "x", false, "only those that failed")
	flags.BoolVar(&r.runtime, "runtime", false, "also the container runtime's own, before the container's program")
	flags.DurationVar(&r.since, "since", 0, "begin with the past, so long ago: 10m")
	flags.BoolVar(&r.noFollow, "no-follow", false, "end with the last one of the past; without --since, begin with the first one")
	r.output = addOutput(c)
	return &r
}

// check refuses flags that make no sense.
func (r *execRequest) check(c *cobra.Command) error {
	if c.Flags().Changed("since") && r.since <= 0 {
		return &usageError{c, fmt.Errorf("--since %v must be a time ago, such as 10m", r.since)}
	}
	return nil
}

// past tells whether any of the past is wanted.
func (r *execRequest) past() bool { return r.noFollow || r.since > 0 }

// untilSignal is a context that SIGINT or SIGTERM ends. A second signal kills, whatever goes on.
func untilSignal(c *cobra.Command) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
