// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

func newClusterStatus(cs *clusterSettings) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is loaded on all nodes, and losses",
		Long: `Show for each node when the programs were loaded, if they are those of its tracectl, if
its agent is alive, how many containers run and are recorded, how many execs and system
calls were logged and lost, and how many events were dropped. For the reasons, use
"tracectl status" or -o json.`,
		Example: `  tracectl cluster status
  tracectl cluster status -o json | jq 'select(.dropped.noRing > 0).node'`,
		Args: exactly(0),
	}
	l := listing[statusJSON]{output: addOutput(c), table: &statusTable}
	keep(c, "output")
	c.RunE = func(c *cobra.Command, _ []string) error { return l.print(c, cs, nil, nil, "status") }
	return c
}

// statusTable lists nodes.
var statusTable = table[statusJSON]{
	columns: []terminal.Column{
		{Name: "VERSION"}, {Name: "LOADED"}, {Name: "PROGRAMS"}, {Name: "AGENT"}, {Name: "RUNNING"},
		{Name: "RECORDINGS"}, {Name: "SYSCALLS"}, {Name: "EXECS"}, {Name: "LOST"}, {Name: "DROPPED"},
	},
	row: (*statusJSON).row,
}

// row returns the cells of a node at a time.
func (s *statusJSON) row(now time.Time) []string {
	programs := "current"
	switch {
	case s.Build == "":
		programs = "mixed"
	case !s.Current:
		programs = "other"
	}
	agent := "never"
	switch {
	case s.Agent.Alive:
		agent = "alive"
	case s.Agent.Seen != nil:
		agent = age(s.Agent.Seen, now) + " ago"
	}
	dropped := s.unregistered()
	for _, n := range s.Dropped {
		dropped += n
	}
	r := s.Recordings
	return []string{
		s.Version, age(&s.Loaded, now) + " ago", programs, agent, fmt.Sprint(s.Containers.Running),
		fmt.Sprintf("%d/%d", r.Live+r.Ended, r.Live+r.Ended+r.Free), fmt.Sprint(r.Syscalls), fmt.Sprint(s.ExecLog.Execs),
		fmt.Sprint(r.Lost + s.ExecLog.Lost), fmt.Sprint(dropped),
	}
}
