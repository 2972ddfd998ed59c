// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

func newClusterContainers(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "containers [NAME]",
		Short: "List known containers on all nodes",
		Long: `List the containers that runc-trace registered on all nodes, by namespace, pod and
container, as "tracectl containers" does on one node. With -o json, they come in the
order in which nodes answer.`,
		Example: `  tracectl cluster containers -l app=web
  tracectl cluster containers --all -n 'team-*' -o json`,
		Args: atMost(1),
	}
	filter := addFilter(c)
	addAll(c)
	addAllNamespaces(c)
	l := listing[listedJSON]{output: addListOutput(c), filter: filter, what: "container called", table: &containerTable}
	keep(c, "output")
	completeContainers(c, cs.lister("containers", "--all"))
	c.RunE = func(c *cobra.Command, args []string) error {
		return l.print(c, cs, args, []string{"containers", "--all"}, "containers")
	}
	return c
}

func newClusterStraceback(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "straceback",
		Short: "Read recorded system calls on all nodes",
		Long: `Read recorded system calls of containers on any node, as "tracectl straceback" does on
one node.`,
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
		Long: `List the recordings on all nodes, the newest crash first, as "tracectl straceback list"
does on one node. With -o json, they come in the order in which nodes answer.`,
		Example: `  tracectl cluster straceback list -n default -l app=web
  tracectl cluster straceback list -o json | jq 'select(.exitCode != 0)'`,
		Args: atMost(1),
	}
	filter := addFilter(c)
	addAllNamespaces(c)
	l := listing[recordingJSON]{output: addListOutput(c), filter: filter, what: "recording of", table: &recordingTable}
	keep(c, "output")
	completeContainers(c, cs.recorded)
	c.RunE = func(c *cobra.Command, args []string) error {
		return l.print(c, cs, args, []string{"straceback", "list", "--names"}, "straceback", "list")
	}
	return c
}

// held counts the bytes of node output that are held in memory until all nodes have answered.
type held int

// add fails if the sum exceeds the maximum for a whole cluster: a hostile node could otherwise use all memory.
func (h *held) add(n int) error {
	const most = 256 << 20
	if *h += held(n); *h > most {
		return cluster.Enough(fmt.Sprintf("all nodes together sent more than %d bytes; the rest was left out (choose with --node, --namespace or --label)", most))
	}
	return nil
}

// listing is a list of objects of all nodes.
type listing[T any] struct {
	output *choice
	what   string // kind of object that names refer to: see labels.NewSearch
	filter *labels.Filter
	table  *table[T]
}

// print prints the output of a command of all nodes. Given names, it first finds their objects in the nodes' lists,
// and prints only those.
func (l *listing[T]) print(c *cobra.Command, cs *clusterSettings, names, list []string, command ...string) error {
	ctx, stop := untilSignal(c)
	defer stop()
	run, err := cs.open(ctx, c)
	if err != nil {
		return err
	}
	args := cs.nodeArgs(c, append(command, "--output=json")...)
	if list != nil {
		if err := run.narrow(ctx, names, l.what, cs.nameArgs(c, list...)); err != nil {
			return err
		}
		args = append(args, operands(names)...)
		run.expectNothing(names, l.filter)
	}
	var any bool
	if l.output.word == "json" {
		any, err = run.objects(ctx, args)
	} else {
		any, err = l.rows(ctx, run, c.OutOrStdout(), args)
	}
	if err != nil || any || l.filter == nil {
		return err
	}
	if err := run.missing(names, l.what, l.filter); err != nil || l.output.word == "json" || l.filter.Everything() {
		return err
	}
	_, err = fmt.Fprintln(c.ErrOrStderr(), "tracectl: no container matches")
	return err
}

// objects prints objects as they arrive, and reports whether any did.
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

// rows prints objects as rows, and reports whether there were any.
func (l *listing[T]) rows(ctx context.Context, run *clusterRun, stdout io.Writer, args []string) (any bool, err error) {
	var list []listed[T]
	var kept held
	failed := run.Lines(ctx, args, func(node string, line []byte) error {
		o, err := cluster.ParseObject(line)
		if err != nil {
			return err
		}
		one := listed[T]{node, new(T)}
		if err := o.Decode(one.value); err != nil {
			return err
		}
		if l, ok := interface{}(one.value).(interface{ dropLabels() }); ok {
			l.dropLabels() // no column shows them
		}
		if err := kept.add(len(line)); err != nil {
			return err
		}
		list = append(list, one)
		return nil
	})
	run.status.end()
	if err := l.table.print(stdout, list, time.Now(), true, l.output.word == "wide"); err != nil {
		return len(list) > 0, err
	}
	return len(list) > 0, failed
}
