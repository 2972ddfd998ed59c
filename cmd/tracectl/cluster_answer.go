// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// answer returns the form for a cluster of one of the answers: it finds the node that has the recording, and runs the
// command there.
func (cs *clusterSettings) answer(verb func(*settings) *cobra.Command) *cobra.Command {
	c := verb(nil)
	c.Long += `

All nodes are asked for their recordings, and the one that has it answers.
node_namespace_pod and node_namespace_pod_container select a container on that node.`
	c.Example = strings.ReplaceAll(c.Example, "tracectl "+c.Name(), "tracectl cluster "+c.Name())
	cs.addRecorded(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := untilSignal(c)
		defer stop()
		run, err := cs.open(ctx, c)
		if err != nil {
			return err
		}
		defer run.status.end()
		node, err := run.recordedOn(ctx, args[0], cs.nameArgs(c, "straceback", "list", "--names"))
		if err != nil {
			return err
		}
		program := strings.TrimSuffix(c.CommandPath(), " "+c.Name())
		ask := append(cs.nodeArgs(c, c.Name()), "--program="+program, "--", args[0])
		return run.print(ctx, node, ask, c.Flag("output").Value.String() == "json",
			func(write func(io.Writer) error) error { return write(run.output) })
	}
	return c
}
