// SPDX-License-Identifier: Apache-2.0

// Tracectl loads the programs that trace containers, and reads their recordings.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = "unknown"

func main() {
	if plugin, args, ok := asPlugin(os.Args); ok {
		os.Exit(runRoot(plugin, args, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes, for scripts.
const (
	exitFailure   = 1
	exitUsage     = 2
	exitNotLoaded = 3
	exitNotFound  = 4
	exitKept      = 5
)

// run executes the program and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runRoot(newRoot(), args, stdin, stdout, stderr)
}

// runRoot executes a tree of commands. A command fails if its output could not be written, unless the reader of stdout
// closed it.
func runRoot(root *cobra.Command, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	signal.Ignore(syscall.SIGPIPE)
	root.SetArgs(args)
	root.SetIn(stdin)
	output := &terminal.Output{Writer: stdout}
	root.SetOut(output)
	root.SetErr(stderr)
	addCompletion(root)
	err := root.Execute()
	if err == nil || output.Err != nil && errors.Is(err, output.Err) {
		err = output.Err // without what the command was doing
	}
	if err == nil || errors.Is(err, syscall.EPIPE) && errors.Is(output.Err, syscall.EPIPE) {
		return 0
	}
	if !told(err) {
		fmt.Fprintf(terminal.NewWriter(stderr), "%s: %v\n", root.DisplayName(), err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage *usageError
	var name *labels.NameError
	var remote *cluster.ExitError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &name), errors.As(err, &remote) && remote.Code == exitNotFound:
		return exitNotFound
	}
	return nodeExitCode(err)
}
