// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"io"

	"github.com/spf13/cobra"
)

// Containers run on Linux: on other systems, tracectl has only the commands for a cluster's nodes.

func addNodeCommands(*cobra.Command, *settings) {}

func (s *settings) recent(io.Writer) string { return "" }

func nodeExitCode(error) int { return exitFailure }

func told(error) bool { return false }

func builtPrograms() string { return "" }
