// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// Origin is the source of a label.
type Origin string

// The origins.
const (
	FromKubernetes Origin = "kubernetes" // the API server: follows later changes
	FromCRI        Origin = "cri"        // the engine, when the pod was created
	FromSandbox    Origin = "sandbox"    // annotations of the pod's sandbox
	FromDocker     Origin = "docker"     // Docker: its API, or its file for the container
	FromAnnotation Origin = "annotation" // on the container, written by its engine or its owner
)

// sources holds the labels of one container by source. Nil is unknown.
type sources struct {
	own                     identity.Labels
	sandbox                 *identity.Labels
	kubernetes, cri, docker *abi.Labels
}

// layer is a set of labels of one origin. If several layers have the same key, the first one counts.
type layer struct {
	labels    map[string]string
	origin    Origin
	truncated bool
}

// join merges the labels of all sources into one set.
//
// For a pod, the API server has precedence, then the engine (CRI), then the annotations in which CRI-O passes
// labels on. Annotations that the operator's configuration turns into labels come next. Annotations that the pod's
// author may have written ("runc-trace.label/KEY") count only if none of the first three sources has told the pod's
// labels.
//
// Outside of a Kubernetes pod, the user who starts the container writes its annotations. They have precedence over
// the labels from Docker, which the author of the image may have written.
func (c *Container) join(s sources) {
	var layers []layer
	own := layer{s.own.Own, FromAnnotation, s.own.OwnIncomplete}
	owner := layer{s.own.Owner, FromAnnotation, s.own.OwnerIncomplete}
	told := func(l *abi.Labels, origin Origin) layer {
		text := l.Text[:min(int(l.Length), len(l.Text))]
		return layer{identity.DecodeLabels(text), origin, l.Flags&abi.LabelsTruncated != 0}
	}
	var pod *layer // the pod's labels, told by the agent
	switch {
	case s.kubernetes != nil:
		l := told(s.kubernetes, FromKubernetes)
		pod = &l
	case s.cri != nil:
		l := told(s.cri, FromCRI)
		pod = &l
	}
	c.Unlabelled, c.Pending, c.SandboxUnknown, c.provisional = false, false, false, false
	switch {
	case c.Engine == "docker":
		layers = append(layers, owner, own)
		switch {
		case s.docker != nil:
			layers = append(layers, told(s.docker, FromDocker))
		case s.own.Told != nil:
			layers = append(layers, layer{s.own.Told, FromDocker, s.own.ToldIncomplete})
		default:
			c.Unlabelled, c.Pending = true, true
		}
		if pod != nil {
			layers = append(layers, *pod)
		}
	case !c.InPod():
		c.Unlabelled = c.Engine == "podman"
		layers = append(layers, owner, own)
		if pod != nil {
			layers = append(layers, *pod)
		}
	default:
		c.Pending = pod == nil
		if pod == nil {
			pod = c.handedOn(s)
		}
		c.Unlabelled, c.provisional = pod == nil, pod == nil
		c.SandboxUnknown = pod == nil && s.sandbox == nil && c.SandboxID != "" && c.SandboxID != c.ID
		if pod != nil {
			layers = append(layers, *pod)
		}
		layers = append(layers, own)
		if s.sandbox != nil {
			layers = append(layers, layer{s.sandbox.Own, FromSandbox, s.sandbox.OwnIncomplete})
		}
		if pod == nil {
			layers = append(layers, owner)
			if s.sandbox != nil {
				layers = append(layers, layer{s.sandbox.Owner, FromSandbox, s.sandbox.OwnerIncomplete})
			}
		}
	}
	c.lay(layers)
}

// handedOn returns the pod's labels that its engine wrote into annotations, or nil.
func (c *Container) handedOn(s sources) *layer {
	origin := FromSandbox
	if c.Sandbox() {
		origin = FromAnnotation
	}
	switch {
	case s.sandbox != nil && s.sandbox.Told != nil:
		return &layer{s.sandbox.Told, FromSandbox, s.sandbox.ToldIncomplete}
	case s.own.Told != nil:
		return &layer{s.own.Told, origin, s.own.ToldIncomplete}
	}
	return nil
}

// InPod reports whether the container is in a Kubernetes pod, which has labels of its own. Podman's pods do not
// count.
func (c *Container) InPod() bool {
	return c.Engine != "podman" && (c.PodUID != "" || c.SandboxID != "")
}

// lay merges layers in descending precedence. It makes new maps, since the old ones may still be in use.
func (c *Container) lay(layers []layer) {
	c.Labels, c.Origins, c.Truncated, c.doubtful = map[string]string{}, map[string]Origin{}, false, nil
	for _, l := range layers {
		for key, value := range l.labels {
			if _, ok := c.Labels[key]; ok {
				continue
			}
			c.Labels[key], c.Origins[key] = value, l.origin
			if c.Truncated {
				if c.doubtful == nil {
					c.doubtful = map[string]bool{}
				}
				c.doubtful[key] = true
			}
		}
		c.Truncated = c.Truncated || l.truncated
	}
}
