// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/hostns"
)

// pod holds the flags of commands that change a host, and can do so from a pod.
type pod struct {
	host           bool
	terminationLog string
}

// addPodFlags adds --host and --termination-log.
func addPodFlags(c *cobra.Command) *pod {
	var p pod
	c.Flags().BoolVar(&p.host, "host", false, "act on the host, from a privileged container that shares its PID namespace")
	c.Flags().StringVar(&p.terminationLog, "termination-log", "",
		"write a one-line result to this file in the container (Kubernetes: /dev/termination-log)")
	return &p
}

// run calls do, on the host if the user asked for that. A signal cancels ctx. do returns a summary of one line.
func (p *pod) run(c *cobra.Command, do func(ctx context.Context) (string, error)) error {
	var summary string
	var err error
	if p.elsewhere() {
		err = hostns.Run()
	} else {
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		summary, err = do(ctx)
		stop()
	}
	var exit *hostns.ExitError
	if p.terminationLog == "" || p.elsewhere() && (err == nil || errors.As(err, &exit) && exit.Signal == 0) {
		return err // the process on the host has written it
	}
	if err != nil {
		summary = err.Error()
	}
	if problem := terminationMessage(hostns.Path(p.terminationLog), summary); problem != nil {
		fmt.Fprintf(c.ErrOrStderr(), "tracectl: %v\n", problem)
	}
	return err
}

// elsewhere reports whether another process has to do the work.
func (p *pod) elsewhere() bool { return p.host && !hostns.Inside() }

// terminationMessage writes the message that Kubernetes shows of an ended container, cut to the length that it shows.
func terminationMessage(file, text string) error {
	const limit = 4096
	if len(text) >= limit {
		text = strings.ToValidUTF8(text[:limit-5], "") + "..."
	}
	// The file exists already, and may be writable even if its directory is not.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err == nil {
		_, err = f.WriteString(text + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("writing the termination log: %w", err)
	}
	return nil
}
