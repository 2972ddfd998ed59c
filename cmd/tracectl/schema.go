// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/straceback"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema call",
		Short: "Print the JSON Schema of an object",
		Long: `Print the JSON Schema of an object that tracectl prints with -o json: call, a line of
"straceback show". Each line has the version of its schema.`,
		Example:   "  tracectl schema call",
		ValidArgs: []string{"call"},
		Args:      cobra.MatchAll(exactly(1), cobra.OnlyValidArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), straceback.CallSchema)
			return err
		},
	}
}
