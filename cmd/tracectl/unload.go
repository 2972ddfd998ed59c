// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

func newUnload(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "unload",
		Short: "Stop tracing and delete all recordings",
		Long: `Detach the programs and remove all pins. All recordings and the log of execs are deleted;
containers keep running undisturbed. If nothing is loaded, nothing is done. This also
unloads programs of other versions.`,
		Example: `  tracectl unload
  tracectl unload --pin-dir /sys/fs/bpf/test`,
		Args: exactly(0),
	}
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := s.directory()
		if err != nil {
			return err
		}
		unloaded, err := bpf.Unload(dir)
		if err != nil {
			return fmt.Errorf("unloading: %w", needsRoot(err))
		}
		if output.word == "json" {
			return printJSON(c.OutOrStdout(), struct {
				PinDir   string `json:"pinDir"`
				Unloaded bool   `json:"unloaded"` // false if nothing was loaded
			}{dir, unloaded})
		}
		text := "unloaded from %s\n"
		if !unloaded {
			text = "nothing is loaded below %s\n"
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), text, dir)
		return err
	}
	return c
}
