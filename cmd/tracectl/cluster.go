// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

const clusterLong = `Ask the agents on all nodes of a Kubernetes cluster, or on selected nodes, and merge
their answers. Each command takes the same flags and prints the same as on a node, with
the node's name in front.

The cluster is selected as in kubectl, with the same flags and environment. Commands run
in the agents' containers, as with kubectl exec. The ClusterRole runc-trace-reader
grants the necessary rights.

Nodes that fail are listed at the end, with reasons, and the exit code is 1. Answers of
the other nodes are printed anyway.

The same commands are available as a kubectl plugin: "kubectl runc-trace".`

// clusterSettings holds the flags of all commands for a cluster.
type clusterSettings struct {
	node           *settings // flags that are passed on to the nodes
	connection     connection
	agentNamespace string
	nodes          globs
	timeout        span
}

func newCluster(s *settings) *cobra.Command {
	cs := clusterSettings{node: s, timeout: span{15 * time.Second}}
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Ask all nodes of a Kubernetes cluster",
		Long:  clusterLong,
		Example: `  tracectl cluster exec -l app=web
  tracectl cluster straceback show default/mypod
  tracectl cluster status`,
		Args: noSubcommand,
		RunE: help,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := cs.connection.check(); err != nil {
				return &usageError{c, err}
			}
			return nil
		},
	}
	flags := c.PersistentFlags()
	cs.connection.addFlags(flags)
	flags.StringVar(&cs.agentNamespace, "agent-namespace", cluster.DefaultNamespace, "namespace of the agents")
	flags.Var(&cs.nodes, "node", "only nodes with this name or pattern; repeatable")
	flags.Var(&cs.timeout, "timeout", "give up on a node that sends nothing for this long")
	complete(c, "node", cs.completeNodes)
	nothingToComplete(c, "timeout", "agent-namespace")
	c.AddCommand(newClusterStatus(&cs), newClusterContainers(&cs), newClusterExec(&cs), newClusterStraceback(&cs),
		newClusterFind(&cs))
	for _, verb := range slices.Concat(answerVerbs, fileVerbs) {
		c.AddCommand(cs.answer(verb))
	}
	return c
}

// globs holds names or patterns from a repeatable flag.
type globs []labels.Glob

func (g *globs) String() string {
	var all []string
	for _, glob := range *g {
		all = append(all, glob.String())
	}
	return strings.Join(all, ",")
}

func (g *globs) Type() string { return "name" }

func (g *globs) Set(text string) error {
	var glob labels.Glob
	if err := glob.Set(text); err != nil {
		return err
	}
	*g = append(*g, glob)
	return nil
}

// matching returns the requested nodes. It returns an error if no node matches a name or pattern.
func (g globs) matching(nodes []cluster.Node) ([]cluster.Node, error) {
	if len(g) == 0 {
		return nodes, nil
	}
	matched := make([]bool, len(g))
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(node cluster.Node) bool {
		wanted := false
		for i, glob := range g {
			if glob.Matches(node.Name) {
				wanted, matched[i] = true, true
			}
		}
		return !wanted
	})
	if i := slices.Index(matched, false); i >= 0 {
		return nil, fmt.Errorf("no node %q has an agent", g[i])
	}
	return nodes, nil
}

// open finds the nodes to query.
func (cs *clusterSettings) open(ctx context.Context, c *cobra.Command) (*clusterRun, error) {
	config, err := cs.connection.config()
	if err != nil {
		return nil, err
	}
	remote, err := cluster.NewRemote(config)
	if err != nil {
		return nil, err
	}
	find := func(ctx context.Context) ([]cluster.Node, error) {
		nodes, err := remote.Nodes(ctx, cs.agentNamespace)
		if err != nil {
			return nil, err
		}
		return cs.nodes.matching(nodes)
	}
	run, err := newClusterRun(ctx, remote, find, cs.timeout.Duration, c.OutOrStdout(), c.ErrOrStderr(),
		c.Root().DisplayName())
	if err == nil {
		run.place = func(ctx context.Context, namespace, pod string) (cluster.Place, error) {
			ctx, stop := context.WithTimeout(ctx, cs.timeout.Duration)
			defer stop()
			return remote.Place(ctx, namespace, pod)
		}
	}
	return run, err
}

// clusterRun is one run of a command.
type clusterRun struct {
	cluster.Cluster
	output io.Writer // of the command
	find   func(context.Context) ([]cluster.Node, error)
	place  func(ctx context.Context, namespace, pod string) (cluster.Place, error) // nil if unavailable
	stdout io.Writer                                                               // output, without the status line
	status *statusLine
}

func newClusterRun(ctx context.Context, runner cluster.Runner, find func(context.Context) ([]cluster.Node, error),
	timeout time.Duration, stdout, stderr io.Writer, program string) (*clusterRun, error) {
	looking, stop := context.WithTimeout(ctx, 4*timeout) // the list may have many pages
	defer stop()
	nodes, err := find(looking)
	if err != nil {
		return nil, err
	}
	status := newStatusLine(stderr, program, "nodes")
	run := &clusterRun{output: stdout, find: find, stdout: status.before(stdout), status: status}
	run.Runner, run.Nodes, run.Timeout = runner, nodes, timeout
	run.Note, run.Progress = status.note, status.progress
	return run, nil
}

// commonArgs returns the arguments for a node's tracectl: its command, and those given flags that all commands have.
func (cs *clusterSettings) commonArgs(command ...string) []string {
	args := slices.Clone(command)
	if cs.node.pinDir != "" {
		args = append(args, "--pin-dir="+cs.node.pinDir)
	}
	if cs.node.config != "" {
		args = append(args, "--config="+cs.node.config)
	}
	if cs.node.noRedact {
		args = append(args, "--no-redact")
	}
	return args
}

// nodeArgs returns the arguments for a node's tracectl: its command, and those given flags that apply to it.
func (cs *clusterSettings) nodeArgs(c *cobra.Command, command ...string) []string {
	args := cs.commonArgs(command...)
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Annotations[ownFlag] != nil {
			return
		}
		values := []string{f.Value.String()}
		if repeated, ok := f.Value.(interface{ GetSlice() []string }); ok {
			values = repeated.GetSlice()
		}
		for _, value := range values {
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}

// ownFlag marks flags that are not passed on to the nodes.
const ownFlag = "runc-trace-own"

// keep marks flags that are not passed on.
func keep(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.Flags().SetAnnotation(name, ownFlag, []string{"true"}); err != nil {
			panic(err) // the flag exists
		}
	}
}

// addAllNamespaces adds -A, as kubectl has it.
func addAllNamespaces(c *cobra.Command) {
	c.Flags().BoolP("all-namespaces", "A", false, "pods in all namespaces (the default)")
	exclude(c, "all-namespaces", "namespace")
	keep(c, "all-namespaces")
}

// completeNodes offers the names of nodes to the shell.
func (cs *clusterSettings) completeNodes(c *cobra.Command, _ []string,
	typed string) ([]string, cobra.ShellCompDirective) {
	nodes, err := cs.quick(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, node := range nodes.Nodes {
		names = append(names, node.Name)
	}
	return offer(names, typed)
}

// quick is a variant of open for completion: it has a short timeout, and prints no notes.
func (cs *clusterSettings) quick(c *cobra.Command) (*clusterRun, error) {
	const patience = 3 * time.Second
	cs.timeout.Duration = min(cs.timeout.Duration, patience)
	run, err := cs.open(c.Context(), c)
	if err == nil {
		run.Note, run.Progress = func(string) {}, func(int, int) {}
	}
	return run, err
}
