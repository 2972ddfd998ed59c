// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// pluginName is the program that kubectl runs for "kubectl runc-trace".
const pluginName = "kubectl-runc_trace"

// asPlugin reports whether the program was called as kubectl's plugin, and if so returns its commands and arguments.
func asPlugin(argv []string) (*cobra.Command, []string, bool) {
	if len(argv) == 0 || strings.TrimSuffix(filepath.Base(argv[0]), ".exe") != pluginName {
		return nil, nil, false
	}
	return newPlugin(), argv[1:], true
}

// newPlugin returns the commands of kubectl's plugin: those of `tracectl cluster` under another name.
func newPlugin() *cobra.Command {
	var s settings
	root := newCluster(&s)
	asRoot(root, &s)
	root.Use = pluginName
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl runc-trace"}
	root.AddCommand(newVersion())
	rename := strings.NewReplacer("tracectl cluster", "kubectl runc-trace", "tracectl version",
		"kubectl runc-trace version")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.Example = rename.Replace(c.Example)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return root
}
