// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// follow prints the calls of a loaded recording and goes on with new ones.
func (s *settings) follow(c *cobra.Command, name string, request *showRequest) error {
	ctx, stop := untilSignal(c)
	defer stop()
	if request.untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, c.InOrStdin())
			stop()
		}()
	}
	stdout, stderr := c.OutOrStdout(), c.ErrOrStderr()
	found, err := s.find(name, int(request.previous), stderr)
	if err != nil {
		return err
	}
	defer found.Close()
	if found.run.Archived != nil {
		return fmt.Errorf("%s ended long ago: leave out --follow", runName(found.run.Container))
	}
	reader, err := found.run.NewReader()
	if err != nil {
		return err
	}
	reading, err := found.read(func() (*straceback.Calls, error) { return reader.Poll(false) })
	if err != nil {
		return err
	}
	noteContents(stderr, reading.Container)
	timeline, format, selection, err := request.choose(reading, stdout, stderr)
	if err != nil {
		return err
	}
	if err := request.write(stdout, format, timeline); err != nil {
		return err
	}
	selection.Last = 0 // it says where to begin
	alive, err := watch(found.Instance, found.losses)
	if err != nil {
		return err
	}
	ended := func() (bool, error) { return over(found.directory, reading.Container), alive() }
	return reader.Follow(ctx, ended, func(calls *straceback.Calls) error {
		calls.Redact(found.secrets)
		timeline = timeline.Next(calls.Records)
		if request.descriptors && calls.Missing > 0 {
			timeline.Descriptors = straceback.Follow(calls, straceback.Snapshot{})
		}
		format.Missing, format.Complete = calls.Missing, calls.Complete()
		if !format.Ended {
			format.Now = boottime.Now()
		}
		selection.Select(timeline, format)
		request.notes(stderr, calls, timeline)
		return request.write(stdout, format, timeline)
	})
}

// over reports whether a container can make no more calls.
func over(directory *labels.Directory, c *labels.Container) bool {
	now, ok := directory.Lookup(c.Index, c.Generation)
	return !ok || now.State == abi.StateEnded || now.State == abi.StateExited && now.Threads == 0
}
