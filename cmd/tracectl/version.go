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
		Long: `Print the version of tracectl and that of the layout of the pinned maps. What was
loaded with one layout can only be read by a tracectl of the same layout.`,
		Example: "  tracectl version -o json",
		Args:    exactly(0),
	}
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		platform := runtime.GOOS + "/" + runtime.GOARCH
		if output.word == "json" {
			return printJSON(c.OutOrStdout(), struct {
				Version  string `json:"version"`
				Layout   int    `json:"layout"`
				Platform string `json:"platform"`
				Go       string `json:"go"`
			}{version, abi.ABIVersion, platform, runtime.Version()})
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "tracectl %s (layout %d, %s, %s)\n", version, abi.ABIVersion, platform, runtime.Version())
		return err
	}
	return c
}
