// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/hostns"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// addNodeCommands adds the commands for this machine.
func addNodeCommands(root *cobra.Command, s *settings) {
	root.AddCommand(
		newLoad(s), newUnload(s), newStatus(s), newContainers(s), newExec(s), newStraceback(s), newFind(s),
		newKeep(s), newRelease(s), newRemove(s),
		newAgent(s), newDoctor(s), newInstall(s), newUninstall(s),
	)
	for _, verb := range slices.Concat(answerVerbs, fileVerbs) {
		root.AddCommand(verb(s))
	}
}

// nodeExitCode returns the exit code for an error of these commands.
func nodeExitCode(err error) int {
	var onHost *hostns.ExitError
	switch {
	case errors.As(err, &onHost):
		return onHost.Code
	case errors.Is(err, bpf.ErrNotLoaded):
		return exitNotLoaded
	case errors.Is(err, errNoSuchRun), errors.Is(err, straceback.ErrReused):
		return exitNotFound
	case errors.Is(err, errKept), errors.Is(err, errInstalled):
		return exitKept
	}
	return exitFailure
}

// told reports whether an error needs no text: a failed process on the host has printed it, or the output says it.
func told(err error) bool {
	var onHost *hostns.ExitError
	return errors.As(err, &onHost) && onHost.Signal == 0 || errors.Is(err, errDiffers)
}

// builtPrograms identifies the programs that this tracectl loads.
func builtPrograms() string { return buildName(bpf.Build()) }
