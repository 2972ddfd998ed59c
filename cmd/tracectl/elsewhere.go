// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// Containers run on Linux: on other systems, tracectl has only the commands for a cluster's nodes, and those that read
// saved recordings.

func addNodeCommands(root *cobra.Command, s *settings) {
	root.AddCommand(newStraceback(s))
	for _, verb := range slices.Concat(answerVerbs, fileVerbs) {
		root.AddCommand(verb(s))
	}
}

func (s *settings) recent(io.Writer) string { return "" }

func nodeExitCode(error) int { return exitFailure }

func told(err error) bool { return errors.Is(err, errDiffers) }

func builtPrograms() string { return "" }

var errElsewhere = errors.New("only Linux has recordings: read a file with --from, or ask a node with tracectl cluster")

func (*settings) recorded(*cobra.Command) ([]*labels.Container, error) { return nil, nil }

func (*settings) read(*cobra.Command, string, int) (*straceback.Reading, error) {
	return nil, errElsewhere
}

func (*settings) listLoaded(*recordingList, []string, *labels.Filter) error { return errElsewhere }

func (*settings) follow(*cobra.Command, string, *showRequest) error { return errElsewhere }
