// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const rootLong = `Tracectl loads the eBPF programs that trace containers, and reads their recordings.

The programs stay in the kernel without any process. They log every exec of every
container that runc-trace started, and record the container's system calls in a ring
of its own, which outlives the container. Reading does not consume recordings: several
readers can read the same ones.

Exit codes: 0 success, also if a signal ended a command that follows; 1 failure;
2 wrong usage; 3 nothing is loaded (run "tracectl load"); 4 no or several containers
match a name; 5 uninstall kept files that are still needed, or --check found something
to remove.

Text from containers is printed with control and invisible characters escaped. With
-o json, each command prints one JSON object per line, with stable names.`

// newRoot returns the whole tree of commands. Man pages are generated from it, too.
func newRoot() *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use:   "tracectl",
		Short: "Trace containers with eBPF, and read their recordings",
		Long:  rootLong,
		Args:  noSubcommand,
		RunE:  s.overview,
	}
	asRoot(root, &s)
	addNodeCommands(root, &s)
	root.AddCommand(newCluster(&s), newSchema(), newVersion())
	group(root)
	return root
}

// groups lists the commands by purpose, in the order of the overview.
var groups = []struct {
	title    string
	commands []string
	brief    bool // the overview only names the commands
}{
	{"Read what containers did:", []string{"why", "find", "exec", "straceback", "containers", "status", "cluster"}, false},
	{"Set up tracing on this host:", []string{"install", "uninstall", "load", "agent", "doctor"}, false},
	{"More:", []string{"summary", "tree", "files", "net", "io", "diff", "save", "keep", "release", "rm", "export",
		"report", "unload", "completion", "schema", "version"}, true},
}

// group puts each command into its group.
func group(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range root.Commands() {
			if slices.Contains(g.commands, c.Name()) {
				c.GroupID = g.title
			}
		}
	}
	root.SetHelpCommandGroupID(groups[len(groups)-1].title)
	root.SetCompletionCommandGroupID(groups[len(groups)-1].title)
}

// overview prints help that fits into a terminal of 24 lines. On a terminal, it begins with what is recorded now.
func (s *settings) overview(root *cobra.Command, _ []string) error {
	text, recorded := root.Short+".\n", ""
	if _, isTerminal := terminal.Is(root.OutOrStdout()); isTerminal {
		recorded = s.recent(root.OutOrStdout())
	}
	if recorded != "" {
		text = recorded
	}
	for _, g := range groups {
		if g.brief || recorded != "" {
			text += "\n" + g.title + "\n" + wordList(g.commands)
			continue
		}
		text += "\n" + g.title + "\n"
		for _, name := range g.commands {
			if c, _, err := root.Find([]string{name}); err == nil && c != root {
				text += fmt.Sprintf("  %-11s %s\n", name, c.Short)
			}
		}
	}
	text += fmt.Sprintf("\n%[1]s COMMAND --help says more about a command, %[1]s --help about all.\n", root.DisplayName())
	_, err := io.WriteString(root.OutOrStdout(), text)
	return err
}

// wordList lists words in lines of at most 80 columns.
func wordList(words []string) string {
	const width = 80
	var lines strings.Builder
	line := " "
	for n, word := range words {
		if n < len(words)-1 {
			word += ","
		}
		if len(line)+1+len(word) > width {
			lines.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	return lines.String() + line + "\n"
}

// asRoot turns a command into the root of a tree.
func asRoot(root *cobra.Command, s *settings) {
	root.SilenceErrors, root.SilenceUsage, root.DisableAutoGenTag = true, true, true
	root.Version = version
	root.SetHelpCommand(newHelp())
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&s.pinDir, "pin-dir", "",
		fmt.Sprintf("directory of the pinned programs and maps (default: $%s, pin-dir of the configuration, or %s)",
			abi.PinDirEnv, abi.DefaultPinDir))
	flags.BoolVar(&s.noRedact, "no-redact", false, "show secrets that [redact] of the configuration masks")
	flags.StringVar(&s.config, "config", "",
		fmt.Sprintf("configuration file (default: $%s, or %s)", config.PathEnv, config.DefaultPath))
}

// help is the action of a command that only has subcommands.
func help(c *cobra.Command, _ []string) error { return c.Help() }
