// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// answer returns the form for a cluster of a command that reads recordings: it fetches them from the nodes that have
// them, and answers here.
func (cs *clusterSettings) answer(verb func(reader) *cobra.Command) *cobra.Command {
	c := verb(cs)
	c.Long += `

All nodes are asked for their recordings, and the one that has it sends it.
node_namespace_pod and node_namespace_pod_container select a container on that node.`
	c.Example = strings.ReplaceAll(c.Example, "tracectl "+c.Name(), "tracectl cluster "+c.Name())
	cs.addRecorded(c)
	return c
}

// recorded lists the containers of all nodes that answer soon.
func (cs *clusterSettings) recorded(c *cobra.Command) ([]*labels.Container, error) {
	return cs.lister("straceback", "list", "--names")(c)
}

// read fetches the recording of a container from the node that has it.
func (cs *clusterSettings) read(c *cobra.Command, name string, previous int) (*straceback.Reading, error) {
	ctx, stop := untilSignal(c)
	defer stop()
	run, err := cs.open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer run.status.end()
	node, runs, err := run.recordedOn(ctx, name, cs.nameArgs(c, "straceback", "list", "--names"))
	if err != nil {
		return nil, err
	}
	if _, err := previousRun(runs, name, previous); err != nil {
		return nil, err
	}
	if older := len(runs) - 1 - previous; older > 0 {
		run.status.note(earlierRuns(older, previous))
	}
	r, err := run.fetch(ctx, node, append(cs.commonArgs("save", "--output=-"), runArgs(runs, previous)...))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", terminal.String(node.Name), err)
	}
	r.Node = node.Name
	return r, nil
}

// runArgs returns the arguments that select a run of a container on its node: by its ID, because the name may be that
// of other containers there, too. Runs of the same ID follow each other, the newest first.
func runArgs(runs []labels.Known, previous int) []string {
	id := runs[previous].ID
	later := 0
	for _, run := range runs[:previous] {
		if run.ID == id {
			later++
		}
	}
	var args []string
	if later > 0 {
		args = append(args, fmt.Sprintf("--previous=%d", later))
	}
	return append(args, "--", id)
}

// fetch runs the command of a node that writes a recording, and reads it.
func (run *clusterRun) fetch(ctx context.Context, node cluster.Node, args []string) (*straceback.Reading, error) {
	from, to := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := run.Copy(ctx, node, args, to)
		_ = to.CloseWithError(err) // it returns nil
		sent <- err
	}()
	r, err := readSaved(from, "the answer of node "+terminal.Cell(node.Name), run.status.note)
	_ = from.CloseWithError(err) // it returns nil
	if problem := <-sent; problem != nil && (err == nil || !errors.Is(problem, err)) {
		return nil, problem
	}
	return r, err
}
