// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// NameError says that a name means no recording, or several containers' recordings.
type NameError struct {
	Name       string
	Ambiguous  bool
	Candidates []string // names that mean one container each; where nothing matched, similar ones
}

// Error lists the candidates, one a line, escaped for a terminal.
func (e *NameError) Error() string {
	var text string
	switch {
	case e.Ambiguous:
		text = fmt.Sprintf("%q means more than one container; name one of:", e.Name)
	case len(e.Candidates) > 0:
		text = fmt.Sprintf("no recording of %q; similar ones are:", e.Name)
	default:
		return fmt.Sprintf("no recording of %q", e.Name)
	}
	escaped := make([]string, len(e.Candidates))
	for i, candidate := range e.Candidates {
		escaped[i] = terminal.String(candidate)
	}
	return text + "\n  " + strings.Join(escaped, "\n  ")
}

// Find returns the recordings of the one container that a name means, the newest run
// first: a container that was restarted has several. A name is, in this order,
//
//	an ID
//	namespace/pod/container, or namespace/pod where the pod has one container
//	pod, where it has one container and no other namespace has a pod of that name
//	node_namespace_pod or node_namespace_pod_container; the node does not count
//	the beginning of an ID
//
// and the first form that fits any recording counts. A pod's sandbox counts where nothing
// else of the pod is recorded. The error is a *NameError.
func Find(list []*Recording, name string) ([]*Recording, error) {
	for _, form := range forms(name) {
		var found []*Recording
		for _, r := range list {
			if r.Container != nil && form(r.Container) {
				found = append(found, r)
			}
		}
		if len(found) > 0 {
			return one(found, name)
		}
	}
	return nil, &NameError{Name: name, Candidates: similar(list, name)}
}

// forms are what a name may mean, the first one first.
func forms(name string) []func(*labels.Container) bool {
	slashes := strings.Split(name, "/")
	scores := strings.Split(name, "_")
	return []func(*labels.Container) bool{
		func(c *labels.Container) bool { return c.ID == name },
		func(c *labels.Container) bool { return len(slashes) > 1 && named(c, slashes) },
		func(c *labels.Container) bool { return c.Pod != "" && c.Pod == name },
		func(c *labels.Container) bool { return c.Pod == "" && c.Name != "" && c.Name == name },
		func(c *labels.Container) bool { return len(scores) > 2 && named(c, scores[1:]) },
		func(c *labels.Container) bool { return name != "" && strings.HasPrefix(c.ID, name) },
	}
}

// named tells whether a container is of a namespace, a pod and, if there is a third part, of that name.
func named(c *labels.Container, parts []string) bool {
	switch len(parts) {
	case 2:
		return c.Pod != "" && c.Namespace == parts[0] && c.Pod == parts[1]
	case 3:
		return c.Pod != "" && c.Namespace == parts[0] && c.Pod == parts[1] && c.Name == parts[2]
	}
	return false
}

// one leaves the recordings of one container.
func one(found []*Recording, name string) ([]*Recording, error) {
	if slices.ContainsFunc(found, func(r *Recording) bool { return !r.Container.Sandbox() }) {
		found = slices.DeleteFunc(found, func(r *Recording) bool { return r.Container.Sandbox() })
	}
	var names []string
	for _, r := range found {
		if n := r.Name(); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) > 1 {
		return nil, &NameError{Name: name, Ambiguous: true, Candidates: names}
	}
	slices.SortStableFunc(found, func(a, b *Recording) int {
		if a.Container.Created > b.Container.Created {
			return -1
		}
		return 1
	})
	return found, nil
}

// Name is the name under which Find finds the recording: namespace/pod/container, or the
// container's own name where it is in no pod, or its ID where it has no name or is the pod's sandbox. It is empty where it is not
// known whose recording it is.
func (r *Recording) Name() string {
	if r.Container == nil {
		return ""
	}
	return r.Container.FullName()
}

// similar lists names that hold the last part of the one that was asked for, or begin as it does.
func similar(list []*Recording, name string) []string {
	const most, beginning = 8, 3
	part := name[strings.LastIndexAny(name, "/_")+1:]
	var names []string
	for _, r := range list {
		n := r.Name()
		if n == "" || slices.Contains(names, n) || len(names) == most {
			continue
		}
		alike := len(part) >= beginning &&
			(strings.Contains(n, part) || strings.HasPrefix(r.Container.Pod, part[:beginning]))
		if alike {
			names = append(names, n)
		}
	}
	return names
}
