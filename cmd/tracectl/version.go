// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

func newVersion() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version of tracectl, the layout of its pinned maps, and the build of the
programs that it loads. A tracectl can only read maps of its own layout. status shows
the build of the programs that run.`,
		Example: "  tracectl version -o json",
		Args:    exactly(0),
	}
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		build := builtPrograms()
		platform := runtime.GOOS + "/" + runtime.GOARCH
		if output.word == "json" {
			return printJSON(c.OutOrStdout(), struct {
				Version  string `json:"version"`
				Layout   int    `json:"layout"`
				Build    string `json:"build"`
				Platform string `json:"platform"`
				Go       string `json:"go"`
			}{version, abi.ABIVersion, build, platform, runtime.Version()})
		}
		if build != "" {
			build = "build " + build + ", "
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "tracectl %s (layout %d, %s%s, %s)\n", version, abi.ABIVersion, build,
			platform, runtime.Version())
		return err
	}
	return c
}

// buildName formats the result of bpf.Build.
func buildName(build uint64) string { return fmt.Sprintf("%016x", build) }
