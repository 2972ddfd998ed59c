// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const clusterExecLong = `Print execs of the selected containers on all nodes until interrupted, as "tracectl
exec" does on one node.

Execs of different nodes are sorted by time, according to the nodes' clocks, if they
arrive within half a second of each other; with --no-follow, all are sorted. Execs of
one node are always printed in the order in which they were logged.

While following, tracectl also follows nodes that join the cluster, and reconnects after
a failure. It then prints the execs that it missed, late. If some of them were already
overwritten, stderr says so.`

func newClusterExec(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "exec [NAME]",
		Short: "Print execs of containers on all nodes",
		Long:  clusterExecLong,
		Example: `  tracectl cluster exec --label myapp=app-one
  tracectl cluster exec -n prod --node 'worker-*' -T -w
  tracectl cluster exec --since 10m --no-follow --failed -o json`,
		Args: atMost(1),
	}
	r := addExecFlags(c)
	keep(c, "time", "timestamps", "wide", "output", "since")
	addAllNamespaces(c)
	completeContainers(c, cs.lister("containers", "--all"))
	c.RunE = func(c *cobra.Command, args []string) error {
		r.columns = r.shown(c)
		ctx, stop := untilSignal(c)
		defer stop()
		run, err := cs.open(ctx, c)
		if err != nil {
			return err
		}
		if len(args) == 0 && r.filter.AsksForID() {
			args = []string{r.filter.Container.String()}
		}
		if err := run.narrow(ctx, args, "container called", cs.nameArgs(c, "containers", "--all")); err != nil {
			return err
		}
		return run.execs(ctx, r, cs.nodeArgs(c, "exec", "--output=json"), args...)
	}
	return c
}

// execs prints the execs of all nodes. names has the name of a container, or nothing.
func (run *clusterRun) execs(ctx context.Context, r *execRequest, args []string, names ...string) error {
	defer run.status.end()
	text := execText{columns: r.columns, json: r.output.word == "json", width: len("NODE")}
	for _, node := range run.Nodes {
		text.width = max(text.width, utf8.RuneCountInString(node.Name))
	}
	out := bufio.NewWriterSize(run.stdout, 64<<10)
	if _, err := out.Write(text.header()); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if r.noFollow {
		if ago := r.since.ago(); ago > 0 {
			args = append(args, fmt.Sprintf("--since=%v", ago))
		}
		run.expectNothing(names, r.filter)
		err := run.Sorted(ctx, append(args, operands(names)...), func(node string, event cluster.Object) error {
			line, err := text.event(node, event)
			if err != nil {
				return err
			}
			_, err = out.Write(line)
			return err
		})
		if problem := out.Flush(); problem != nil {
			return problem
		}
		if err == nil {
			err = run.missing(names, "container called", r.filter)
		}
		return err
	}
	if run.status.terminal {
		run.status.note("waiting for execs; press Ctrl-C to stop")
	}
	return run.Follow(ctx, cluster.Following{
		Since: r.since.ago(),
		Args: func(since, heartbeat time.Duration) []string {
			all := append(args[:len(args):len(args)], fmt.Sprintf("--heartbeat=%v", heartbeat), "--until-eof")
			if since > 0 {
				all = append(all, fmt.Sprintf("--since=%v", since))
			}
			return append(all, operands(names)...)
		},
		Text: text.event,
		Write: func(text []byte) error {
			_, err := run.stdout.Write(text)
			return err
		},
		Find: run.find,
	})
}

// execText prints execs of many nodes.
type execText struct {
	columns execlog.Columns
	json    bool
	width   int // of the column NODE
}

func (t *execText) header() []byte {
	if t.json {
		return nil
	}
	return t.columns.AppendHeader(t.node(nil, "NODE"))
}

func (t *execText) event(node string, o cluster.Object) ([]byte, error) {
	if t.json {
		return o.AppendWithNode(nil, node), nil
	}
	var e execlog.Event
	if err := o.Decode(&e); err != nil {
		return nil, err
	}
	return t.columns.AppendText(t.node(nil, node), &e), nil
}

func (t *execText) node(dst []byte, name string) []byte {
	name = terminal.String(name)
	return fmt.Appendf(dst, "%s%s ", name, strings.Repeat(" ", max(0, t.width-utf8.RuneCountInString(name))))
}
