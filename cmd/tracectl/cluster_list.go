// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

func newClusterContainers(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "containers [NAME]",
		Short: "List the containers that are known on all nodes",
		Long: `List the containers that runc-trace registered on all nodes, by namespace, pod and
container, as "tracectl containers" does on one. With -o json they come in the order
in which the nodes answer.`,
		Example: `  tracectl cluster containers -l app=web
  tracectl cluster containers --all -n 'team-*' -o json`,
		Args: atMost(1),
	}
	filter := addFilter(c)
	addAll(c)
	addAllNamespaces(c)
	l := listing{output: addOutput(c), filter: filter, what: "container called", header: containersHeader, sorted: 3, row: func(o cluster.Object, now time.Time) ([]string, error) {
		var j listedJSON
		err := o.Decode(&j)
		return j.row(now), err
	}}
	keep(c, "output")
	c.RunE = func(c *cobra.Command, args []string) error {
		return l.print(c, cs, args, []string{"containers", "--all"}, "containers")
	}
	return c
}

func newClusterStraceback(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "straceback",
		Short: "Read the system calls of containers on all nodes",
		Long: `Read the system calls of containers out of the past, whichever node they ran on, as
"tracectl straceback" does on one.`,
		Example: `  tracectl cluster straceback list
  tracectl cluster straceback show default/mypod`,
		Args: noSubcommand,
		RunE: help,
	}
	c.AddCommand(newClusterStracebackList(cs), newClusterStracebackShow(cs))
	return c
}

func newClusterStracebackList(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the recordings on all nodes",
		Long: `List the recordings on all nodes by namespace, pod and container, as "tracectl
straceback list" does on one. With -o json they come in the order in which the nodes
answer.`,
		Example: `  tracectl cluster straceback list -n default -l app=web
  tracectl cluster straceback list -o json | jq 'select(.exitCode != 0)'`,
		Args: atMost(1),
	}
	filter := addFilter(c)
	addAllNamespaces(c)
	l := listing{output: addOutput(c), filter: filter, what: "recording of", header: recordingsHeader, sorted: 3, row: func(o cluster.Object, now time.Time) ([]string, error) {
		var j recordingJSON
		err := o.Decode(&j)
		return j.row(now), err
	}}
	keep(c, "output")
	c.RunE = func(c *cobra.Command, args []string) error {
		return l.print(c, cs, args, []string{"straceback", "list", "--names"}, "straceback", "list")
	}
	return c
}

// listing is a list of objects of all nodes.
type listing struct {
	output *choice
	what   string // that a name is looked for among: see labels.NewSearch
	filter *labels.Filter
	header []string
	sorted int // the rows are, by so many of the first cells, and then by node
	row    func(o cluster.Object, now time.Time) ([]string, error)
}

// print prints what a command prints on all nodes, or of what a name means among what the nodes list.
func (l *listing) print(c *cobra.Command, cs *clusterSettings, names, list []string, command ...string) error {
	ctx, stop := untilSignal(c)
	defer stop()
	run, err := cs.open(ctx, c)
	if err != nil {
		return err
	}
	args := cs.nodeArgs(c, append(command, "--output=json")...)
	if list != nil {
		name, err := run.narrow(ctx, names, l.what, cs.filterArgs(c, list...))
		if err != nil {
			return err
		}
		args = append(args, name...)
		if len(names) == 0 {
			run.Nothing = exitNotFound
		}
	}
	var any bool
	if l.output.word == "text" {
		any, err = run.table(ctx, args, l)
	} else {
		any, err = run.objects(ctx, args)
	}
	if err == nil && !any && l.filter != nil {
		return nothing(c.ErrOrStderr(), l.filter, l.output.word)
	}
	return err
}

// objects prints objects as they come, and tells whether any did.
func (run *clusterRun) objects(ctx context.Context, args []string) (any bool, err error) {
	defer run.status.end()
	err = run.Lines(ctx, args, func(node string, line []byte) error {
		any = true
		return run.printObject(node, line)
	})
	return any, err
}

func (run *clusterRun) printObject(node string, line []byte) error {
	o, err := cluster.ParseObject(line)
	if err != nil {
		return err
	}
	_, err = run.stdout.Write(o.AppendWithNode(nil, node))
	return err
}

// table prints objects as rows, and tells whether there are any.
func (run *clusterRun) table(ctx context.Context, args []string, l *listing) (any bool, err error) {
	var rows [][]string
	failed := run.Lines(ctx, args, func(node string, line []byte) error {
		o, err := cluster.ParseObject(line)
		if err != nil {
			return err
		}
		cells, err := l.row(o, time.Now())
		if err != nil {
			return err
		}
		rows = append(rows, append([]string{node}, cells...))
		return nil
	})
	run.status.end()
	slices.SortStableFunc(rows, func(a, b []string) int {
		return cmp.Or(slices.Compare(a[1:1+l.sorted], b[1:1+l.sorted]), cmp.Compare(a[0], b[0]))
	})
	if err := printTable(run.stdout, append([]string{"NODE"}, l.header...), rows); err != nil {
		return len(rows) > 0, err
	}
	return len(rows) > 0, failed
}
