// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// containerJSON is the identity and state of a container. Names are stable.
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

	// Source of each label: annotation, docker, kubernetes, cri, or sandbox.
	LabelOrigins map[string]labels.Origin `json:"labelOrigins"`
	Unlabelled   bool                     `json:"unlabelled,omitempty"`      // further labels may not have arrived yet
	Truncated    bool                     `json:"labelsTruncated,omitempty"` // further labels did not fit

	Contents string       `json:"contents"` // how much is recorded: all, paths, none, or off
	CgroupID uint64       `json:"cgroupID"`
	State    labels.State `json:"state"`    // created, running, exited, or ended
	ExitCode *int         `json:"exitCode"` // null unless it exited by itself
	Signal   string       `json:"signal"`   // signal that killed it
	Created  *time.Time   `json:"created"`
	Started  *time.Time   `json:"started"`
	Exited   *time.Time   `json:"exited"`
	Ended    *time.Time   `json:"ended"` // when its cgroup was removed; null if processes of it live on outside
}

// newContainerJSON accepts nil for an unknown container.
func newContainerJSON(c *labels.Container, clock clock) containerJSON {
	if c == nil {
		return containerJSON{Labels: map[string]string{}, LabelOrigins: map[string]labels.Origin{}}
	}
	j := containerJSON{
		Namespace: c.Namespace, Pod: c.Pod, Container: c.Name, ContainerID: c.ID, PodUID: c.PodUID,
		SandboxID: c.SandboxID, Sandbox: c.Sandbox(), Image: c.Image, Engine: c.Engine, Labels: c.Labels,
		LabelOrigins: c.Origins, Unlabelled: c.Unlabelled, Truncated: c.Truncated, CgroupID: c.Cgroup,
		Contents: c.Contents().String(),
		Created:  clock.time(c.Created),
		Started:  clock.time(c.Started),
		Exited:   clock.time(c.Exited),
		Ended:    clock.time(c.Ended),
	}
	status := c.Status()
	j.State, j.Signal = status.State, status.Signal
	if status.State == labels.Exited && status.Signal == "" {
		j.ExitCode = &status.ExitCode
	}
	return j
}

// listedJSON is a known container in a list. Names are stable.
type listedJSON struct {
	containerJSON
	Init     uint32 `json:"init"`     // PID of its init, or 0
	Recorded string `json:"recorded"` // yes, no, or gone
	Adopted  bool   `json:"adopted"`  // it was running before it was registered
	Threads  uint32 `json:"threads"`
	Refused  uint32 `json:"refused"`     // times that there was no memory for one of its threads
	Left     uint32 `json:"left"`        // processes that moved to a cgroup outside of its own
	Beyond   uint64 `json:"execsBeyond"` // execs beyond the share of its pod of the log of execs
}

// The columns that identify a row's container. Containers without names are identified by ID and image.
var whose = []terminal.Column{{Name: "NAMESPACE", Names: true}, {Name: "POD", Names: true},
	{Name: "CONTAINER", Names: true}, {Name: "ID"}}

var containerColumns = append(slices.Clip(whose), []terminal.Column{
	{Name: "STATE"}, {Name: "ENGINE", Rank: 4}, {Name: "IMAGE", Rank: 3, Names: true}, {Name: "AGE", Rank: 1},
	{Name: "RECORDED", Rank: 2},
}...)

// containerTable lists containers by name; containers of the same name are listed newest first.
var containerTable = table[listedJSON]{
	columns: containerColumns,
	named:   func(j *listedJSON) bool { return j.named() },
	row:     (*listedJSON).row,
	compare: func(a, b *listedJSON) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container),
			later(a.Created, b.Created))
	},
}

// later orders later times first, and nil last.
func later(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return b.Compare(*a)
}

// named reports whether the container has more than an ID and an image.
func (j *containerJSON) named() bool { return j.Pod != "" || j.Container != "" }

// row returns the cells at a time.
func (j *listedJSON) row(now time.Time) []string {
	name := terminal.Cell(j.Container)
	if j.Sandbox {
		name = "<sandbox>"
	}
	recorded := j.Recorded
	if recorded == "yes" && j.Adopted {
		recorded = "adopted"
	}
	switch j.Contents {
	case identity.ContentsPaths.String(), identity.ContentsNone.String():
		recorded += ", " + j.Contents
	case identity.ContentsOff.String():
		recorded = j.Contents
	}
	return []string{
		terminal.Cell(j.Namespace), terminal.Cell(j.Pod), name, labels.ShortID(j.ContainerID), j.state(now), j.Engine,
		terminal.Cell(j.Image), age(j.Created, now), recorded,
	}
}

// state describes the container's state, with a mark if it crashed: "running", "exited (0) 5m ago", "! killed
// (SIGKILL) 2h ago".
func (j *containerJSON) state(now time.Time) string {
	mark := ""
	if j.status().Crashed() {
		mark = "! "
	}
	switch {
	case j.State == labels.Exited && j.Signal != "":
		return fmt.Sprintf("%skilled (%s) %s ago", mark, j.Signal, age(j.Exited, now))
	case j.State == labels.Exited && j.ExitCode != nil:
		return fmt.Sprintf("%sexited (%d) %s ago", mark, *j.ExitCode, age(j.Exited, now))
	case j.State == labels.Ended:
		return "ended " + age(j.Ended, now) + " ago"
	}
	return string(j.State)
}

// status returns its state, with times of the wall clock instead of CLOCK_BOOTTIME.
func (j *containerJSON) status() labels.Status {
	s := labels.Status{State: j.State, Signal: j.Signal}
	if j.ExitCode != nil {
		s.ExitCode = *j.ExitCode
	}
	since := j.Created
	switch j.State {
	case labels.Exited:
		since = j.Exited
	case labels.Ended:
		since = j.Ended
	case labels.Running:
		since = j.Started
	}
	if since != nil {
		s.Since = uint64(since.UnixNano())
	}
	return s
}

// age returns the time since an event: "5m".
func age(at *time.Time, now time.Time) string {
	if at == nil {
		return ""
	}
	return duration.HumanDuration(max(0, now.Sub(*at)))
}

// dropLabels drops the fields that use most of the memory.
func (j *containerJSON) dropLabels() { j.Labels, j.LabelOrigins = nil, nil }
