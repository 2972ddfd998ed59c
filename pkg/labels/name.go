// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Known is a container on a node.
type Known struct {
	Node string // empty: this node, regardless of its name
	*Container
}

// NameError is returned for a name that matches nothing, or more than one object.
type NameError struct {
	Name       string
	What       string // the kind of object: "recording of", "container called"
	Ambiguous  bool
	Unlike     string   // if the name is known: flags that leave out all that it matches, with their values
	Candidates []string // names that match one object each, as tables show them; if nothing matched, similar names
}

// Error lists the candidates, one per line.
func (e *NameError) Error() string {
	var text string
	switch {
	case e.Ambiguous:
		text = fmt.Sprintf("%q matches several containers; use one of:", e.Name)
	case e.Unlike != "":
		return fmt.Sprintf("%q is known, but does not match %s", e.Name, e.Unlike)
	case len(e.Candidates) > 0:
		text = fmt.Sprintf("no %s %q; similar names:", e.What, e.Name)
	default:
		return fmt.Sprintf("no %s %q", e.What, e.Name)
	}
	return text + "\n  " + strings.Join(e.Candidates, "\n  ")
}

// Target is the result of resolving a name: a pod, or a container with all its runs.
type Target struct {
	Node string
	object
	ids []string // if the name is an ID: only these runs
}

// object is a pod or a container that a name can match. If it has no name, its ID identifies it.
type object struct {
	node, engine, namespace, pod, name, id string
	isPod                                  bool
}

// objectOf returns the container that a run belongs to.
func objectOf(k Known) object {
	t := object{node: k.Node, engine: k.Engine, namespace: k.Namespace, pod: k.Pod, name: k.Name}
	if k.Name == "" {
		t.id = k.ID
	}
	return t
}

// podOf returns the pod that a container belongs to.
func podOf(k Known) object {
	return object{node: k.Node, namespace: k.Namespace, pod: k.Pod, isPod: true}
}

// Includes reports whether the target includes a container, on any node.
func (t *Target) Includes(c *Container) bool {
	k := Known{t.node, c}
	switch {
	case t.isPod:
		return c.Pod != "" && podOf(k) == t.object
	case t.ids != nil:
		return slices.Contains(t.ids, c.ID) && c.Engine == t.engine
	}
	return objectOf(k) == t.object
}

// MayInclude reports whether the target could include a container whose name is not known yet.
func (t *Target) MayInclude(c *Container) bool {
	return t.ids == nil && !t.isPod && t.pod == "" && c.nameless() && c.Engine == t.engine
}

// nameless reports whether a container's name is yet to come.
func (c *Container) nameless() bool { return c.Name == "" && c.Engine == "docker" && c.Unlabelled }

// match is the way in which a name matches a container.
type match uint8

const (
	noMatch     match = iota
	byPod             // the name is that of its pod
	byName            // the name is its own
	byID              // the name is its ID
	byShortID         // the name is so long a beginning of its ID as engines show it
	byPart            // the name is its name within its pod
	byBeginning       // the name is a shorter beginning of its ID, and may be one by chance
)

const (
	shortID = 12 // digits of an ID as engines show it
	// sureDigits is the number of hexadecimal digits after which a beginning does not match one of thousands of IDs by
	// chance.
	sureDigits = 6
)

// meaning returns how a name matches a container:
//
//	its ID, or engine://ID; the beginning of either
//	namespace/pod/container, namespace/pod, pod
//	the container's own name
//	node_namespace_pod or node_namespace_pod_container; the node is ignored if it is this one
func meaning(name string, k Known) match {
	slashes, scores := strings.Split(name, "/"), strings.Split(name, "_")
	local := k.Node == "" || k.Node == scores[0]
	engine, id, hasEngine := strings.Cut(name, "://")
	switch {
	case name == "":
		return noMatch
	case hasEngine:
		switch {
		case engine != cmp.Or(k.Engine, "runc") || id == "" || !strings.HasPrefix(k.ID, id):
			return noMatch
		case id == k.ID:
			return byID
		}
		return byShortID
	case name == k.ID:
		return byID
	case len(name) >= shortID && isID(name) && strings.HasPrefix(k.ID, name):
		return byShortID
	case k.Pod != "" && (name == k.Pod || len(slashes) == 2 && k.in(slashes) ||
		len(scores) == 3 && local && k.in(scores[1:])):
		return byPod
	case k.Name == "":
	case k.Pod == "" && name == k.Name,
		len(slashes) == 3 && k.in(slashes) && slashes[2] == k.Name,
		len(scores) == 4 && local && k.in(scores[1:]) && scores[3] == k.Name:
		return byName
	case name == k.Name:
		return byPart
	}
	if strings.HasPrefix(k.ID, name) {
		return byBeginning
	}
	return noMatch
}

// in reports whether a container is in the pod that parts begin with: a namespace and a name.
func (k *Known) in(parts []string) bool {
	return k.Pod != "" && k.Namespace == parts[0] && k.Pod == parts[1]
}

// isID reports whether a name is long enough a beginning of an ID to rule out chance.
func isID(name string) bool {
	return len(name) >= sureDigits && strings.Trim(name, "0123456789abcdef") == "" || strings.Contains(name, "://")
}

// Search resolves a name among containers that are added one by one. It keeps only those that may match.
type Search struct {
	name, what string
	found      [byBeginning + 1][]Known // by the kind of match
	similar    []string
}

// NewSearch returns an empty Search for a name. what is the kind of object for an error: see NameError.
func NewSearch(name, what string) *Search { return &Search{name: name, what: what} }

// Add adds a run of a container, if it may match, and reports whether it may.
func (s *Search) Add(k Known) bool {
	m := meaning(s.name, k)
	if m != noMatch {
		s.found[m] = append(s.found[m], k)
	}
	s.addSimilar(k)
	return m != noMatch
}

// Target returns the one pod or container that the name matches. The error is a *NameError.
func (s *Search) Target() (Target, error) {
	found := s.best()
	var all []named
	for _, k := range s.found[byPod] {
		all = add(all, named{podOf(k), k})
	}
	pods := all
	for _, k := range found {
		if !slices.ContainsFunc(pods, func(n named) bool { return n.object == podOf(k) }) {
			all = add(all, named{objectOf(k), k})
		}
	}
	if err := s.one(all); err != nil {
		return Target{}, err
	}
	t := Target{Node: found[0].Node, object: all[0].object}
	if !t.isPod && len(s.found[byName])+len(s.found[byPart]) == 0 {
		for _, k := range found {
			t.ids = append(t.ids, k.ID)
		}
	}
	return t, nil
}

// Runs returns the runs of the one container that the name matches, the newest first. A pod stands for its
// container; it stands for its sandbox only if it has no other container. The error is a *NameError.
func (s *Search) Runs() ([]Known, error) {
	runs := slices.DeleteFunc(s.best(), func(k Known) bool {
		return k.Sandbox() && slices.Contains(s.found[byPod], k) &&
			slices.ContainsFunc(s.found[byPod], func(other Known) bool {
				return !other.Sandbox() && podOf(other) == podOf(k)
			})
	})
	var all []named
	for _, k := range runs {
		all = add(all, named{objectOf(k), k})
	}
	if err := s.one(all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(runs, func(a, b Known) int { return cmp.Compare(b.Created, a.Created) })
	return runs, nil
}

// best returns the runs with the best match. Names, pods and IDs have the same rank, so that none hides another: a
// name that a container's owner chose must not stand in for another's. IDs as engines show them, shortened, have this
// rank too unless the name is a whole ID. Names within pods have it on nodes that have no pod of that name: a node must
// not stand in for another one, either. Shorter beginnings of IDs rank last.
func (s *Search) best() []Known {
	found := slices.Concat(s.found[byPod], s.found[byName], s.found[byID])
	if len(s.found[byID]) == 0 {
		found = append(found, s.found[byShortID]...)
	}
	for _, k := range s.found[byPart] {
		if !slices.ContainsFunc(s.found[byPod], func(other Known) bool { return other.Node == k.Node }) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		found = slices.Clone(s.found[byBeginning])
	}
	return found
}

// one returns an error unless there is exactly one object.
func (s *Search) one(objects []named) error {
	switch len(objects) {
	case 1:
		return nil
	case 0:
		slices.Sort(s.similar)
		return &NameError{Name: s.name, What: s.what, Candidates: s.similar}
	}
	return s.ambiguous(objects)
}

// named is an object with one of its containers.
type named struct {
	object
	of Known
}

func add(all []named, n named) []named {
	if slices.ContainsFunc(all, func(other named) bool { return other.object == n.object }) {
		return all
	}
	return append(all, n)
}

// ambiguous returns an error that lists a name for each of the objects, which matches no other.
func (s *Search) ambiguous(objects []named) error {
	e := &NameError{Name: s.name, What: s.what, Ambiguous: true}
	count := map[string]int{}
	for _, n := range objects {
		count[n.text()]++
	}
	for _, n := range objects {
		text := n.text()
		if text == terminal.Cell(s.name) || count[text] > 1 {
			text = n.of.onNode(cmp.Or(n.engine, "runc") + "://" + n.of.ID)
		}
		e.Candidates = append(e.Candidates, text)
	}
	slices.Sort(e.Candidates)
	return e
}

// text returns a name of the object as tables show it.
func (n *named) text() string {
	if n.isPod {
		if n.node == "" {
			return terminal.Cell(n.namespace + "/" + n.pod)
		}
		return terminal.Cell(strings.Join([]string{n.node, n.namespace, n.pod}, "_"))
	}
	return n.of.text()
}

// text returns a name of a container that identifies it among those of many nodes, as tables show it.
func (k Known) text() string {
	if k.Node == "" || k.Pod == "" || k.Name == "" {
		return k.onNode(k.FullName())
	}
	return terminal.Cell(strings.Join([]string{k.Node, k.Namespace, k.Pod, k.Name}, "_"))
}

// onNode returns a name as tables show it, and its node.
func (k Known) onNode(name string) string {
	if name = terminal.Cell(name); k.Node == "" {
		return name
	}
	return name + " (of node " + terminal.Cell(k.Node) + ")"
}

// addSimilar records names that contain the last part of the requested name, or share its beginning.
func (s *Search) addSimilar(k Known) {
	const most, beginning = 8, 3
	part := s.name[strings.LastIndexAny(s.name, "/_")+1:]
	if len(part) < beginning || len(s.similar) == most {
		return
	}
	if n := k.FullName(); strings.Contains(n, part) || strings.HasPrefix(k.Pod, part[:beginning]) {
		if n = k.text(); !slices.Contains(s.similar, n) {
			s.similar = append(s.similar, n)
		}
	}
}
