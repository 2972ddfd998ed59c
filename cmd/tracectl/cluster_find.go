// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// searching is how much longer than other commands a node may be silent: it looks into all of its recordings first.
const searching = 4

func newClusterFind(cs *clusterSettings) *cobra.Command {
	c := newFindCommand(cs.findCalls)
	c.Short = "Find calls in the recordings of all nodes: by path, address, error or text"
	c.Long = strings.Replace(c.Long, "in all recordings of this node, and in the log of execs",
		"in all recordings of all nodes,\nand in their logs of execs", 1)
	c.Example = strings.ReplaceAll(c.Example, "tracectl find", "tracectl cluster find")
	addAllNamespaces(c)
	keep(c, "output")
	return c
}

// findCalls has all nodes look for calls, and prints the newest ones.
func (cs *clusterSettings) findCalls(c *cobra.Command, r *findRequest, query []string) error {
	ctx, stop := untilSignal(c)
	defer stop()
	run, err := cs.open(ctx, c)
	if err != nil {
		return err
	}
	run.Timeout *= searching
	run.Nothing = exitNotFound // no container matches the filter
	var all findTotals
	var found []foundCall
	var kept held
	failed := run.Lines(ctx, append(cs.nodeArgs(c, "find", "--output=json", "--totals"), operands(query)...),
		func(node string, line []byte) error {
			o, err := cluster.ParseObject(line)
			if err != nil {
				return err
			}
			f := foundCall{node: node}
			var totals findTotals
			if err := o.Decode(&f.MatchJSON); err != nil {
				return err
			}
			if f.Version == 0 {
				if err := o.Decode(&totals); err != nil {
					return err
				}
				all.add(totals)
				return nil
			}
			if f.ContainerID != "" && !identity.IsID(f.ContainerID) {
				return cluster.ErrLine
			}
			if err := kept.add(len(line)); err != nil {
				return err
			}
			found = append(found, f)
			if len(found) >= 2*int(r.limit) {
				found = newest(found, int(r.limit), &all)
			}
			return nil
		})
	run.status.end()
	found = newest(found, int(r.limit), &all)
	if err := r.print(c.OutOrStdout(), found); err != nil {
		return err
	}
	all.report(c.ErrOrStderr(), len(found), r.output.word)
	return failed
}

// newest sorts lines, the newest first, and leaves out those beyond a limit.
func newest(found []foundCall, limit int, all *findTotals) []foundCall {
	slices.SortStableFunc(found, func(a, b foundCall) int { return b.Time.Compare(a.Time) })
	if len(found) > limit {
		all.Older += len(found) - limit
		clear(found[limit:])
		found = found[:limit]
	}
	return found
}
