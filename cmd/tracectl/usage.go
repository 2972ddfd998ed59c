// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is an error in the command line.
type usageError struct {
	command *cobra.Command
	err     error
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%v (see %s --help)", e.err, e.command.CommandPath())
}

func (e *usageError) Unwrap() error { return e.err }

// flagError describes the error of a flag.
func flagError(c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		cause := invalid.Unwrap()
		if text, ok := accepted[flag.Value.Type()]; ok {
			cause = errors.New(text)
		}
		err = fmt.Errorf("--%s %q: %w", flag.Name, invalid.GetValue(), cause)
	case errors.As(err, &missing):
		err = fmt.Errorf("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if rest := unknown.GetSpecifiedShortnames(); rest != "" {
			err = fmt.Errorf("unknown flag %q", "-"+name)
			if hint := detached(c, []string{rest}); hint != "" {
				err = fmt.Errorf("%w; did you mean %s?", err, hint)
			}
			break
		}
		err = fmt.Errorf("unknown flag %q", "--"+name)
		if similar := similarFlag(c, name); similar != "" {
			err = fmt.Errorf("%w; did you mean %q?", err, "--"+similar)
		}
	default:
		err = errors.New(strings.Replace(err.Error(), "bad flag syntax: ", "unknown flag ", 1))
	}
	return &usageError{c, err}
}

// accepted describes valid values of flags that pflag parses, by type.
var accepted = map[string]string{
	"bool":     "must be true or false",
	"int":      "must be a whole number",
	"duration": "must be a time such as 15s or 10m",
}

// similarFlag returns a visible flag of the command that has the same first letters as name, "" if there is none.
func similarFlag(c *cobra.Command, name string) string {
	const beginning = 3
	var similar string
	visit := func(f *pflag.Flag) {
		if similar == "" && !f.Hidden && len(name) >= beginning && strings.HasPrefix(f.Name, name[:beginning]) {
			similar = f.Name
		}
	}
	c.LocalFlags().VisitAll(visit)
	c.InheritedFlags().VisitAll(visit)
	return similar
}

// exactly requires n arguments.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }

// atMost accepts up to n arguments.
func atMost(n int) cobra.PositionalArgs { return between(0, n) }

func between(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		var err error
		switch {
		case len(args) < least:
			err = fmt.Errorf("missing argument: %s", c.UseLine())
		case len(args) <= most:
			return nil
		case most == 0:
			err = fmt.Errorf("unexpected argument %q", args[0])
		default:
			err = fmt.Errorf("too many arguments: %q", args[most])
		}
		if hint := detached(c, args); hint != "" {
			err = fmt.Errorf("%w; did you mean %s?", err, hint)
		}
		return &usageError{c, err}
	}
}

// detached explains how to write a flag with an optional value, if an argument looks like that value.
func detached(c *cobra.Command, args []string) (hint string) {
	c.Flags().Visit(func(f *pflag.Flag) {
		before := f.Value.String()
		if before != f.NoOptDefVal || hint != "" {
			return // it has a value
		}
		for _, arg := range args {
			if f.Value.Set(arg) == nil {
				hint = "--" + f.Name + "=" + arg
			}
		}
	})
	return hint
}

// exclude forbids more than one of some flags.
func exclude(c *cobra.Command, flags ...string) {
	c.MarkFlagsMutuallyExclusive(flags...)
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		set := slices.DeleteFunc(slices.Clone(flags), func(name string) bool { return !c.Flags().Changed(name) })
		if len(set) > 1 {
			return &usageError{c, fmt.Errorf("--%s and --%s cannot be combined", set[0], set[1])}
		}
		if before != nil {
			return before(c, args)
		}
		return nil
	}
}

// noSubcommand rejects an unknown subcommand.
func noSubcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if similar := similarCommand(c, args[0]); similar != "" {
		err = fmt.Errorf("%w; did you mean %q?", err, similar)
	}
	return &usageError{c, err}
}

// similarCommand returns the name of a command below c with a similar name, or else the full name of one below another
// command.
func similarCommand(c *cobra.Command, name string) string {
	if strings.TrimSpace(name) == "" {
		return ""
	}
	if near := near(c, name); near != nil {
		return near.Name()
	}
	for level := []*cobra.Command{c.Root()}; len(level) > 0; {
		var below []*cobra.Command
		for _, parent := range level {
			if near := near(parent, name); near != nil {
				return near.CommandPath()
			}
			below = append(below, parent.Commands()...)
		}
		level = below
	}
	return ""
}

func near(c *cobra.Command, name string) *cobra.Command {
	if c.Name() == "completion" {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	similar := c.SuggestionsFor(name)
	for _, sub := range c.Commands() {
		if len(similar) > 0 && sub.Name() == similar[0] {
			return sub
		}
	}
	return nil
}

// newHelp returns the command that prints another command's help. Cobra's own ignores unknown commands.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(c *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if found, _, err := c.Root().Find(args); err == nil {
				for _, sub := range found.Commands() {
					if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), start) {
						names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noSubcommand(found, rest)
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// addCompletion adds cobra's commands that print scripts for shells, without arguments.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Args, c.RunE = noSubcommand, help
		for _, shell := range c.Commands() {
			shell.Args = exactly(0)
		}
	}
}
