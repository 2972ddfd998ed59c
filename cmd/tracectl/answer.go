// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// answerVerbs are the commands that answer a question about one recording, on a node and on a cluster.
var answerVerbs = []func(reader) *cobra.Command{newWhy, newSummary, newTree, newFiles, newNet, newIO}

// fileVerbs are the other commands that read recordings, on a node and on a cluster.
var fileVerbs = []func(reader) *cobra.Command{newDiff, newSave, newExport, newReportPage}

// screenFor returns how an answer is printed to an output.
func screenFor(to io.Writer) answers.Screen {
	width, lines := terminal.Size(to)
	return answers.Screen{Width: width, Lines: lines, Color: terminal.Colors(to)}
}

// addAnswer makes a command answer a question about one recording: as text, or as one JSON object.
func addAnswer(c *cobra.Command, r reader, text func(*answers.Past, io.Writer) error,
	object func(*answers.Past) (any, error)) {
	source := addSource(c, r)
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		past, err := source.past(c, args)
		if err != nil {
			return err
		}
		if output.word != "json" {
			return text(past, c.OutOrStdout())
		}
		j, err := object(past)
		if err != nil {
			return err
		}
		return printJSONOf(c.OutOrStdout(), past.Node, j)
	}
}
