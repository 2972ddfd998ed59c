// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

func newContainers(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "containers",
		Short: "List the containers that are known",
		Long: `List the containers that runc-trace registered, by namespace, pod and container, the
newest first: those whose cgroup exists, or with --all also those that have ended
and whose name is still known. RECORDED is "yes" where there is a recording, "no"
where there never was one, as of a pod's sandbox, and "gone" where its memory was
used again.`,
		Example: `  tracectl containers
  tracectl containers --all -l 'app in (web,db)' -n 'team-*'
  tracectl containers -o json | jq .containerID`,
		Args: exactly(0),
	}
	filter := addFilter(c)
	all := c.Flags().BoolP("all", "a", false, "also the containers that have ended")
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return listContainers(c.OutOrStdout(), s, filter, *all, output.word)
	}
	return c
}

// containerJSON is who a container is and how it fares. Names are stable.
type containerJSON struct {
	Namespace   string            `json:"namespace"`
	Pod         string            `json:"pod"`
	Container   string            `json:"container"`
	ContainerID string            `json:"containerID"`
	PodUID      string            `json:"podUID"`
	SandboxID   string            `json:"sandboxID"`
	Sandbox     bool              `json:"sandbox"`
	Image       string            `json:"image"`
	Engine      string            `json:"engine"`
	Labels      map[string]string `json:"labels"`

	// Who said so, of each label: annotation, docker, kubernetes, cri, or sandbox.
	LabelOrigins map[string]labels.Origin `json:"labelOrigins"`
	Unlabelled   bool                     `json:"unlabelled,omitempty"` // there may be labels that nobody has told yet

	CgroupID uint64       `json:"cgroupID"`
	State    labels.State `json:"state"`    // created, running, exited, or ended
	ExitCode *int         `json:"exitCode"` // null unless it exited by itself
	Signal   string       `json:"signal"`   // that killed it
	Created  *time.Time   `json:"created"`
	Started  *time.Time   `json:"started"`
	Exited   *time.Time   `json:"exited"`
	Ended    *time.Time   `json:"ended"` // its cgroup was removed
}

// newContainerJSON takes nil for a container that is not known any more.
func newContainerJSON(c *labels.Container, clock clock) containerJSON {
	if c == nil {
		return containerJSON{Labels: map[string]string{}, LabelOrigins: map[string]labels.Origin{}}
	}
	j := containerJSON{
		Namespace: c.Namespace, Pod: c.Pod, Container: c.Name, ContainerID: c.ID, PodUID: c.PodUID,
		SandboxID: c.SandboxID, Sandbox: c.Sandbox(), Image: c.Image, Engine: c.Engine, Labels: c.Labels, LabelOrigins: c.Origins, Unlabelled: c.Unlabelled, CgroupID: c.Cgroup,
		Created: clock.time(c.Created), Started: clock.time(c.Started), Exited: clock.time(c.Exited), Ended: clock.time(c.Ended),
	}
	status := c.Status()
	j.State, j.Signal = status.State, status.Signal
	if status.State == labels.Exited && status.Signal == "" {
		j.ExitCode = &status.ExitCode
	}
	return j
}

func listContainers(stdout io.Writer, s *settings, filter *labels.Filter, all bool, output string) error {
	i, directory, err := s.open()
	if err != nil {
		return err
	}
	defer i.Close()
	clock, err := newClock()
	if err != nil {
		return err
	}
	list := directory.All()
	list = slices.DeleteFunc(list, func(c *labels.Container) bool {
		return !filter.Matches(c) || !all && c.State == abi.StateEnded
	})
	slices.SortFunc(list, func(a, b *labels.Container) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Name, b.Name),
			cmp.Compare(b.Created, a.Created))
	})
	var rows [][]string
	for _, c := range list {
		recorded := recorded(i, c)
		if output == "json" {
			err := printJSON(stdout, struct {
				containerJSON
				Init     uint32 `json:"init"`     // PID of its init, or 0
				Recorded string `json:"recorded"` // yes, no, or gone
				Adopted  bool   `json:"adopted"`  // it was running before it was registered
			}{newContainerJSON(c, clock), c.Init, recorded, c.Flags&abi.WhoAdopted != 0})
			if err != nil {
				return err
			}
			continue
		}
		name := c.Name
		if c.Sandbox() {
			name = "(sandbox)"
		}
		rows = append(rows, []string{
			c.Namespace, c.Pod, name, labels.ShortID(c.ID), clock.state(c.Status()), c.Engine, c.Image, clock.age(c.Created), recorded,
		})
	}
	if output == "json" {
		return nil
	}
	return printTable(stdout, []string{"NAMESPACE", "POD", "CONTAINER", "ID", "STATE", "ENGINE", "IMAGE", "AGE", "RECORDED"}, rows)
}

// recorded tells whether there is a recording of a container.
func recorded(i *bpf.Instance, c *labels.Container) string {
	if c.Ring == 0 {
		return "no"
	}
	r, err := i.Ring(int(c.Ring) - 1)
	if err != nil || r.Header().Generation != c.RingGen {
		return "gone"
	}
	return "yes"
}
