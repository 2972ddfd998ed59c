// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// known calls add with each container that the nodes list; add reports whether it keeps the container.
func (run *clusterRun) known(ctx context.Context, list []string, add func(labels.Known) bool) error {
	var kept held
	defer func(before int) {
		run.Nothing = before
		run.Without.Store(0)
	}(run.Nothing)
	run.Nothing = exitNotFound
	return run.Lines(ctx, list, func(node string, line []byte) error {
		o, err := cluster.ParseObject(line)
		if err != nil {
			return err
		}
		var j namedJSON
		if err := o.Decode(&j); err != nil {
			return err
		}
		if j.Evicted {
			return nil
		}
		if !identity.IsID(j.ContainerID) { // a search would find it by this text
			return fmt.Errorf("%q is not a container's ID: %w", j.ContainerID, cluster.ErrLine)
		}
		if add(labels.Known{Node: node, Container: j.container()}) {
			return kept.add(len(line))
		}
		return nil
	})
}

// container returns the fields that a search needs.
func (j *containerJSON) container() *labels.Container {
	c := &labels.Container{Namespace: j.Namespace, Pod: j.Pod, PodUID: j.PodUID, Name: j.Container,
		ID: j.ContainerID, Engine: j.Engine}
	if j.Sandbox {
		c.Flags = abi.WhoSandbox
	}
	if j.Created != nil {
		c.Created = uint64(j.Created.UnixNano())
	}
	return c
}

// search resolves a name among the containers that the nodes list; answer takes the result from the search.
func (run *clusterRun) search(ctx context.Context, name, what string, list []string,
	answer func(*labels.Search) error) error {
	search := labels.NewSearch(name, what)
	failed := run.known(ctx, list, search.Add)
	run.status.end()
	var failures *cluster.Failures
	if failed != nil && !errors.As(failed, &failures) {
		return failed
	}
	err := answer(search)
	var other *labels.NameError
	if errors.As(err, &other) && !other.Ambiguous && failures != nil {
		return fmt.Errorf("%w\n%s", failures, err) // a node that failed may have it
	}
	if failures != nil {
		run.status.note(failures.Error())
	}
	return err
}

// narrow reduces the nodes to the one that has the objects of a name, if there is a name.
func (run *clusterRun) narrow(ctx context.Context, names []string, what string, list []string) error {
	if len(names) == 0 {
		return nil
	}
	var target labels.Target
	err := run.search(ctx, names[0], what, list, func(s *labels.Search) (err error) {
		target, err = s.Target()
		return err
	})
	if err != nil {
		return err
	}
	leave := func(nodes []cluster.Node) []cluster.Node {
		return slices.DeleteFunc(slices.Clone(nodes), func(n cluster.Node) bool { return n.Name != target.Node })
	}
	find := run.find
	run.find = func(ctx context.Context) ([]cluster.Node, error) {
		nodes, err := find(ctx)
		return leave(nodes), err
	}
	run.Nodes = leave(run.Nodes)
	return nil
}

// operands returns the arguments that pass on names, which may begin with a dash.
func operands(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return append([]string{"--"}, names...)
}

// expectNothing lets nodes find nothing, without counting that as a failure. A name was found on a node before, so only
// labels can leave out its container.
func (run *clusterRun) expectNothing(names []string, filter *labels.Filter) {
	if len(names) == 0 || filter != nil && !filter.Labels.Everything() {
		run.Nothing = exitNotFound
	}
}

// missing returns the error for a name or a filter if all nodes found nothing.
func (run *clusterRun) missing(names []string, noun string, filter *labels.Filter) error {
	switch {
	case run.Nothing == 0 || int(run.Without.Load()) < len(run.Nodes):
		return nil
	case len(names) > 0:
		return filter.Unlike(names[0], noun)
	}
	return filter.Missing()
}

// nameArgs returns the arguments for a node's tracectl command that lists the containers which a name can mean. Labels
// do not decide that: they may be on their way.
func (cs *clusterSettings) nameArgs(c *cobra.Command, command ...string) []string {
	args := append(command, "--output=json")
	if cs.node.pinDir != "" {
		args = append(args, "--pin-dir="+cs.node.pinDir)
	}
	return append(args, given(c, "namespace", "pod", "container")...)
}

// given returns those of a command's flags that were given, as arguments.
func given(c *cobra.Command, flags ...string) []string {
	var args []string
	for _, name := range flags {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			args = append(args, "--"+name+"="+f.Value.String())
		}
	}
	return args
}

// lister lists the containers of all nodes that answer soon.
func (cs *clusterSettings) lister(command ...string) lister {
	return func(c *cobra.Command) ([]*labels.Container, error) {
		run, err := cs.quick(c)
		if err != nil {
			return nil, err
		}
		var all []*labels.Container
		_ = run.known(c.Context(), append(cs.nameArgs(c, command...), given(c, "label")...), func(k labels.Known) bool {
			all = append(all, k.Container)
			return true
		})
		return all, nil
	}
}
