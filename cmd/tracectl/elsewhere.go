// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// Containers run on Linux: on other systems, tracectl has only the commands for a cluster's nodes.

func addNodeCommands(*cobra.Command, *settings) {}

func (s *settings) recent(io.Writer) string { return "" }

func nodeExitCode(error) int { return exitFailure }

func told(error) bool { return false }

func builtPrograms() string { return "" }

func (s *settings) recorded(*cobra.Command) ([]*labels.Container, error) { return nil, errElsewhere }

func (s *settings) past(string, int, io.Writer) (*answers.Past, error) { return nil, errElsewhere }

var errElsewhere = errors.New("only Linux has recordings; ask its node: tracectl cluster")
