// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const clusterShowLong = `Print the system calls of one container, whichever node it ran on, as "tracectl
straceback show" does on that node. All nodes are asked what they have recorded.

NAME is, in this order: a container's ID; namespace/pod/container; namespace/pod or pod,
where the pod has one container; node_namespace_pod or node_namespace_pod_container;
the beginning of a container's ID. Where containers of several nodes have the name,
they are listed.`

func newClusterStracebackShow(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Print the system calls of a recording, of whichever node",
		Long:  clusterShowLong,
		Example: `  tracectl cluster straceback show default/mypod
  tracectl cluster straceback show worker-1_default_web-0 --failed
  tracectl cluster straceback show web-0 -n prod --previous -o json`,
		Args: exactly(1),
	}
	r := addShowFlags(c, []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.X32, syscalls.ARM64, syscalls.ARM})
	var namespace labels.Glob
	addNamespace(c, &namespace)
	addAllNamespaces(c)
	keep(c, "namespace")
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return cs.completeNames(c, args, namespace)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := untilSignal(c)
		defer stop()
		run, err := cs.open(ctx, c)
		if err != nil {
			return err
		}
		show := cs.nodeArgs(c, "straceback", "show")
		return run.show(ctx, args[0], cs.namesArgs(namespace), append(show, "--", args[0]), r.output.word)
	}
	return c
}

// namesArgs ask a node for the names of what it has recorded.
func (cs *clusterSettings) namesArgs(namespace labels.Glob) []string {
	args := []string{"straceback", "list", "--names", "--output=json"}
	if cs.node.pinDir != "" {
		args = append(args, "--pin-dir="+cs.node.pinDir)
	}
	if namespace != "" {
		args = append(args, "--namespace="+namespace.String())
	}
	return args
}

// show finds the node that has what a name means, and prints what it has.
func (run *clusterRun) show(ctx context.Context, name string, list, show []string, output string) error {
	defer run.status.end()
	search := straceback.NewSearch(name)
	failed := run.recordings(ctx, list, search.Add)
	run.status.end()
	var failures *cluster.Failures
	if failed != nil && !errors.As(failed, &failures) {
		return failed
	}
	found, err := search.Result()
	var other *straceback.NameError
	if errors.As(err, &other) && !other.Ambiguous && failures != nil {
		return fmt.Errorf("%w\n%s", failures, err) // nobody knows whether there is one
	}
	if failures != nil {
		run.status.note(failures.Error())
	}
	if err != nil {
		return err
	}
	node := run.Nodes[slices.IndexFunc(run.Nodes, func(n cluster.Node) bool { return n.Name == found[0].Node })]
	if output == "json" {
		err = run.One(ctx, node, show, run.printObject)
	} else {
		out := terminal.NewWriter(run.stdout)
		err = cmp.Or(run.Copy(ctx, node, show, out), out.Close())
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%s: %w", terminal.String(node.Name), err)
	}
	return err
}

// recordings hands over the names of all recordings, one at a time.
func (run *clusterRun) recordings(ctx context.Context, list []string, add func(*straceback.Recording)) error {
	return run.Lines(ctx, list, func(node string, line []byte) error {
		o, err := cluster.ParseObject(line)
		if err != nil {
			return err
		}
		var j namedJSON
		if err := o.Decode(&j); err != nil {
			return err
		}
		if r := j.recording(); r != nil {
			r.Node = node
			add(r)
		}
		return nil
	})
}

// recording is as much of it as finding it takes; nil where nobody knows whose it is.
func (j *namedJSON) recording() *straceback.Recording {
	if j.Evicted {
		return nil
	}
	c := &labels.Container{Namespace: j.Namespace, Pod: j.Pod, Name: j.Container, ID: j.ContainerID}
	if j.Sandbox {
		c.Flags = abi.WhoSandbox
	}
	if j.Created != nil {
		c.Created = uint64(j.Created.UnixNano())
	}
	return &straceback.Recording{Container: c}
}

// completeNames offers the names of all recordings to the shell.
func (cs *clusterSettings) completeNames(c *cobra.Command, args []string, namespace labels.Glob) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	run, err := cs.quick(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	// Names of the nodes that answer are better than none.
	_ = run.recordings(c.Context(), cs.namesArgs(namespace), func(r *straceback.Recording) {
		if name := r.Name(); name != "" && terminal.String(name) == name {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
