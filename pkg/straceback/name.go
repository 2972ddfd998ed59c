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
//	the container's own name, where it is in no pod
//	node_namespace_pod or node_namespace_pod_container; the node does not count where it is this one
//	the beginning of an ID
//
// and the first form that fits any recording counts. A pod's sandbox counts where nothing
// else of the pod is recorded. The error is a *NameError.
func Find(list []*Recording, name string) ([]*Recording, error) {
	s := NewSearch(name)
	for _, r := range list {
		s.Add(r)
	}
	return s.Result()
}

// Search is Find among recordings that come one after another. It keeps only those that may be meant.
type Search struct {
	name    string
	forms   []func(*Recording) bool
	found   [][]*Recording // by form
	similar []string
}

// NewSearch returns a Search for a name among no recordings yet.
func NewSearch(name string) *Search {
	s := &Search{name: name, forms: forms(name)}
	s.found = make([][]*Recording, len(s.forms))
	return s
}

// Add adds a recording to those that may be meant.
func (s *Search) Add(r *Recording) {
	if r.Container == nil {
		return
	}
	for i, form := range s.forms {
		if form(r) {
			s.found[i] = append(s.found[i], r)
		}
	}
	s.addSimilar(r)
}

// Result is what Find returns.
func (s *Search) Result() ([]*Recording, error) {
	for _, found := range s.found {
		if len(found) > 0 {
			return one(found, s.name)
		}
	}
	slices.Sort(s.similar)
	return nil, &NameError{Name: s.name, Candidates: s.similar}
}

// forms are what a name may mean, the first one first.
func forms(name string) []func(*Recording) bool {
	slashes := strings.Split(name, "/")
	scores := strings.Split(name, "_")
	return []func(*Recording) bool{
		func(r *Recording) bool { return r.Container.ID == name },
		func(r *Recording) bool { return len(slashes) > 1 && named(r.Container, slashes) },
		func(r *Recording) bool { return r.Container.Pod != "" && r.Container.Pod == name },
		func(r *Recording) bool {
			return r.Container.Pod == "" && r.Container.Name != "" && r.Container.Name == name
		},
		func(r *Recording) bool {
			return len(scores) > 2 && (r.Node == "" || r.Node == scores[0]) && named(r.Container, scores[1:])
		},
		func(r *Recording) bool { return name != "" && strings.HasPrefix(r.Container.ID, name) },
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
		if n := r.fullName(); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) > 1 {
		slices.Sort(names)
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

// fullName is a name that means it among the recordings of many nodes.
func (r *Recording) fullName() string {
	c := r.Container
	switch {
	case r.Node == "":
		return r.Name()
	case c.Pod == "" || c.Name == "":
		return r.Name() + " (of node " + r.Node + ")"
	}
	return strings.Join([]string{r.Node, c.Namespace, c.Pod, c.Name}, "_")
}

// addSimilar notes names that hold the last part of the one that was asked for, or begin as it does.
func (s *Search) addSimilar(r *Recording) {
	const most, beginning = 8, 3
	part := s.name[strings.LastIndexAny(s.name, "/_")+1:]
	if len(part) < beginning || len(s.similar) == most {
		return
	}
	if n := r.Name(); strings.Contains(n, part) || strings.HasPrefix(r.Container.Pod, part[:beginning]) {
		if n = r.fullName(); !slices.Contains(s.similar, n) {
			s.similar = append(s.similar, n)
		}
	}
}
