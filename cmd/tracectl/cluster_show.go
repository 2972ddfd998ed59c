// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const clusterShowLong = `Print the system calls of one container on any node, as "tracectl straceback show" does
on its node. All nodes are asked for their recordings.

` + nameHelp + `
A pod must have only one container. node_namespace_pod and node_namespace_pod_container
select a container on that node.`

func newClusterStracebackShow(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Print the system calls of a recording, from any node",
		Long:  clusterShowLong,
		Example: `  tracectl cluster straceback show default/mypod
  tracectl cluster straceback show worker-1_default_web-0 --failed
  tracectl cluster straceback show web-0 -n prod --previous -o json`,
		Args: exactly(1),
	}
	r := addShowFlags(c)
	cs.addRecorded(c, "addresses", "color", "no-pager")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := untilSignal(c)
		defer stop()
		run, err := cs.open(ctx, c)
		if err != nil {
			return err
		}
		show := cs.nodeArgs(c, "straceback", "show")
		if noAddresses, _ := r.looks(run.output); noAddresses && !r.noAddresses {
			show = append(show, "--no-addresses")
		}
		if r.follow {
			show = append(show, "--until-eof")
		}
		err = run.show(ctx, args[0], cs.nameArgs(c, "straceback", "list", "--names"), append(show, "--", args[0]), r)
		if r.follow && ctx.Err() != nil {
			return nil
		}
		return err
	}
	return c
}

// addRecorded adds the flags by which a command finds a recording on any node. They and those of here are not passed on
// to the node.
func (cs *clusterSettings) addRecorded(c *cobra.Command, here ...string) {
	var namespace labels.Glob
	addNamespace(c, &namespace)
	addAllNamespaces(c)
	keep(c, append(here, "namespace")...)
	completeContainers(c, cs.recorded)
}

// silence is for how long a container that is followed may make no calls.
const silence = 100 * 365 * 24 * time.Hour

// checkPlace compares the pod's node according to the API server with the node that claims the pod. A node may lie
// about itself, but must not claim a pod of another node.
func (run *clusterRun) checkPlace(ctx context.Context, k labels.Known, name string) error {
	if k.Pod == "" || run.place == nil || strings.HasPrefix(name, k.Node+"_") {
		return nil
	}
	at, err := run.place(ctx, k.Namespace, k.Pod)
	switch {
	case err != nil || at.UID == "" || at.Node == "" || at.Node == k.Node: // gone, or not readable by this user
	case at.UID == k.PodUID:
		return fmt.Errorf("node %s claims pod %s, which the API server has on node %s; to see it anyway, name it %s",
			terminal.Cell(k.Node), terminal.Cell(k.Namespace+"/"+k.Pod), terminal.Cell(at.Node),
			terminal.Cell(strings.Join([]string{k.Node, k.Namespace, k.Pod}, "_")))
	default:
		run.status.note(fmt.Sprintf("pod %s is on node %s now; showing an earlier pod of that name on node %s",
			terminal.Cell(k.Namespace+"/"+k.Pod), terminal.Cell(at.Node), terminal.Cell(k.Node)))
	}
	return nil
}

// show finds the node that has the named container, and prints its output.
func (run *clusterRun) show(ctx context.Context, name string, list, show []string, r *showRequest) error {
	defer run.status.end()
	node, _, err := run.recordedOn(ctx, name, list)
	if err != nil {
		return err
	}
	if r.follow {
		run.Timeout = silence
	}
	return run.print(ctx, node, show, r.output.word == "json", func(write func(io.Writer) error) error {
		return r.page(run.output, write)
	})
}

// recordedOn finds the node that has the recording of the named container, and the container's runs, the newest first.
func (run *clusterRun) recordedOn(ctx context.Context, name string, list []string) (node cluster.Node,
	runs []labels.Known, err error) {
	err = run.search(ctx, name, "recording of", list, func(s *labels.Search) (err error) {
		runs, err = s.Runs()
		return err
	})
	if err != nil {
		return node, nil, err
	}
	if err := run.checkPlace(ctx, runs[0], name); err != nil {
		return node, nil, err
	}
	run.status.note("recorded on node " + terminal.String(runs[0].Node))
	i := slices.IndexFunc(run.Nodes, func(n cluster.Node) bool { return n.Name == runs[0].Node })
	return run.Nodes[i], runs, nil
}

// print runs tracectl on a node, and prints its JSON objects, or its text as page passes it on.
func (run *clusterRun) print(ctx context.Context, node cluster.Node, args []string, json bool,
	page func(func(io.Writer) error) error) (err error) {
	if json {
		err = run.One(ctx, node, args, run.printObject)
	} else {
		err = page(func(to io.Writer) error {
			out := terminal.NewWriter(run.status.before(to))
			return cmp.Or(run.Copy(ctx, node, args, out), out.Close())
		})
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%s: %w", terminal.String(node.Name), err)
	}
	return err
}
