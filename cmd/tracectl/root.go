// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

const rootLong = `Tracectl loads the eBPF programs that trace containers, and reads what they kept.

The programs stay in the kernel without any process: they log every exec of
every container that runc-trace started, and record the container's system
calls in a ring of its own, which outlives the container. Reading takes nothing
away from what is kept, nor from other readers.

Exit codes: 0 success, also where a signal ended a command that follows; 1
failure; 2 wrong usage; 3 nothing is loaded (run "tracectl load"); 4 no such
recording, or a name that means several; 5 uninstall kept what is still needed, or
--check found something.

Text that comes from a container is shown with control characters escaped. With
-o json each command prints one JSON object a line, with stable names.`

// newRoot makes the whole tree of commands. Man pages are made from it, too.
func newRoot() *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use:   "tracectl",
		Short: "Load the programs that trace containers, and read what they kept",
		Long:  rootLong,
		Args:  noSubcommand,
		RunE:  help,
	}
	asRoot(root, &s)
	addNodeCommands(root, &s)
	root.AddCommand(newCluster(&s), newVersion())
	return root
}

// asRoot makes a command the first one of a tree.
func asRoot(root *cobra.Command, s *settings) {
	root.SilenceErrors, root.SilenceUsage, root.DisableAutoGenTag = true, true, true
	root.Version = version
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{c, err} })
	flags := root.PersistentFlags()
	flags.StringVar(&s.pinDir, "pin-dir", "", fmt.Sprintf("directory of the pinned programs and maps (default: $%s, pin-dir of the configuration, or %s)", abi.PinDirEnv, abi.DefaultPinDir))
	flags.StringVar(&s.config, "config", "", fmt.Sprintf("configuration file (default: $%s, or %s)", config.PathEnv, config.DefaultPath))
}

// help is what a command does that only has subcommands.
func help(c *cobra.Command, _ []string) error { return c.Help() }

// usageError is a command line that is wrong.
type usageError struct {
	command *cobra.Command
	err     error
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%v (see %s --help)", e.err, e.command.CommandPath())
}

func (e *usageError) Unwrap() error { return e.err }

// exactly refuses any other number of arguments, and says which ones there are.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == n:
			return nil
		case n == 0:
			return &usageError{c, fmt.Errorf("takes no argument such as %q", args[0])}
		case len(args) < n:
			return &usageError{c, fmt.Errorf("an argument is missing: %s", c.UseLine())}
		}
		return &usageError{c, fmt.Errorf("one argument too many: %q", args[n])}
	}
}

// noSubcommand refuses a subcommand that does not exist.
func noSubcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("there is no command %q", args[0])
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		err = fmt.Errorf("%w; did you mean %q?", err, similar[0])
	}
	return &usageError{c, err}
}
