// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
)

// answerVerbs are the commands that answer a question about one recording, on a node and on a cluster.
var answerVerbs = []func(*settings) *cobra.Command{newWhy, newSummary, newTree, newFiles, newNet}

// addAnswer makes a command answer a question about one recording: as text, or as one JSON object.
func addAnswer(c *cobra.Command, s *settings, text func(*answers.Past, io.Writer) error,
	object func(*answers.Past) (any, error)) {
	source := addSource(c, s)
	output := addOutput(c)
	program := c.Flags().String("program", "tracectl", "by which the answer names further commands")
	_ = c.Flags().MarkHidden("program") // it exists; a cluster's command gives it
	c.RunE = func(c *cobra.Command, args []string) error {
		past, err := source.past(args, c.ErrOrStderr())
		if err != nil {
			return err
		}
		past.Program = *program
		if output.word != "json" {
			return text(past, c.OutOrStdout())
		}
		j, err := object(past)
		if err != nil {
			return err
		}
		return printJSON(c.OutOrStdout(), j)
	}
}
