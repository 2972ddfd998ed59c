// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Known is a container of a node.
type Known struct {
	Node string // empty: this one, whatever it is called
	*Container
}

// NameError says that a name means nothing, or several things.
type NameError struct {
	Name       string
	What       string // that was looked for: "recording of", "container called"
	Ambiguous  bool
	Candidates []string // names that mean one thing each; if nothing matched, similar ones
}

// Error lists the candidates, one a line, escaped for a terminal.
func (e *NameError) Error() string {
	var text string
	switch {
	case e.Ambiguous:
		text = fmt.Sprintf("%q means more than one container; name one of:", e.Name)
	case len(e.Candidates) > 0:
		text = fmt.Sprintf("no %s %q; similar ones are:", e.What, e.Name)
	default:
		return fmt.Sprintf("no %s %q", e.What, e.Name)
	}
	escaped := make([]string, len(e.Candidates))
	for i, candidate := range e.Candidates {
		escaped[i] = terminal.String(candidate)
	}
	return text + "\n  " + strings.Join(escaped, "\n  ")
}

// Target is what a name means: a pod, or a container with all its runs.
type Target struct {
	Node string
	thing
	ids []string // if it was named by its ID: only these runs
}

// thing is what a name can mean: a pod, or a container. One without a name is told by its ID.
type thing struct {
	node, engine, namespace, pod, name, id string
	isPod                                  bool
}

// thingOf is the container that a run is of.
func thingOf(k Known) thing {
	t := thing{node: k.Node, engine: k.Engine, namespace: k.Namespace, pod: k.Pod, name: k.Name}
	if k.Name == "" {
		t.id = k.ID
	}
	return t
}

// podOf is the pod that a container is in.
func podOf(k Known) thing {
	return thing{node: k.Node, namespace: k.Namespace, pod: k.Pod, isPod: true}
}

// Includes tells whether a container is meant, whichever node it is on.
func (t *Target) Includes(c *Container) bool {
	k := Known{t.node, c}
	switch {
	case t.isPod:
		return c.Pod != "" && podOf(k) == t.thing
	case t.ids != nil:
		return slices.Contains(t.ids, c.ID) && c.Engine == t.engine
	}
	return thingOf(k) == t.thing
}

// MayInclude tells whether a container has no name yet, and could be meant once it has.
func (t *Target) MayInclude(c *Container) bool {
	return t.ids == nil && !t.isPod && t.pod == "" && c.nameless() && c.Engine == t.engine
}

// nameless tells whether a container's name is on its way.
func (c *Container) nameless() bool { return c.Name == "" && c.Engine == "docker" && c.Unlabelled }

// match is how a name means a container.
type match uint8

const (
	noMatch match = iota
	byPod         // it is in the pod of that name
	byName        // it is called so
	byID          // its ID is that, or begins so
	byPart        // its name within its pod is that
	byHunch       // its ID begins so, which may well be by chance
)

// sureDigits is the number of hexadecimal digits that a name does not share by chance with one of thousands of IDs.
const sureDigits = 6

// meaning tells how a name means a container:
//
//	its ID, or engine://ID; the beginning of either
//	namespace/pod/container, namespace/pod, pod
//	the container's own name
//	node_namespace_pod or node_namespace_pod_container; the node does not count if it is this one
func meaning(name string, k Known) match {
	slashes, scores := strings.Split(name, "/"), strings.Split(name, "_")
	local := k.Node == "" || k.Node == scores[0]
	switch {
	case name == "":
		return noMatch
	case meansID(name, k.Container):
		return byID
	case k.Pod != "" && (name == k.Pod || len(slashes) == 2 && k.in(slashes) || len(scores) == 3 && local && k.in(scores[1:])):
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
		return byHunch
	}
	return noMatch
}

// in tells whether a container is in a pod: a namespace and a name, and what follows.
func (k *Known) in(parts []string) bool {
	return k.Pod != "" && k.Namespace == parts[0] && k.Pod == parts[1]
}

// meansID tells whether a name is a container's ID: engine://ID or the beginning of one, such as runc://ID for one of no
// engine; an ID; or so many of its first digits that it is no chance.
func meansID(name string, c *Container) bool {
	if engine, id, ok := strings.Cut(name, "://"); ok {
		return id != "" && strings.HasPrefix(c.ID, id) && engine == cmp.Or(c.Engine, "runc")
	}
	return name == c.ID || isID(name) && strings.HasPrefix(c.ID, name)
}

// isID tells whether a name is so much of an ID that it is no chance if one begins so.
func isID(name string) bool {
	return len(name) >= sureDigits && strings.Trim(name, "0123456789abcdef") == "" || strings.Contains(name, "://")
}

// Search finds out what a name means among containers that come one after another. It keeps only those that may be meant.
type Search struct {
	name, what string
	found      [byHunch + 1][]Known // by how they match
	similar    []string
}

// NewSearch returns a Search for a name among none yet; what it is that is looked for is for the error.
func NewSearch(name, what string) *Search { return &Search{name: name, what: what} }

// Add adds a run of a container to those that may be meant, and tells whether it is one.
func (s *Search) Add(k Known) bool {
	m := meaning(s.name, k)
	if m != noMatch {
		s.found[m] = append(s.found[m], k)
	}
	s.addSimilar(k)
	return m != noMatch
}

// Target is the one pod or container that is meant. The error is a *NameError.
func (s *Search) Target() (Target, error) {
	found := s.best()
	var all []named
	for _, k := range s.found[byPod] {
		all = add(all, named{podOf(k), k})
	}
	pods := all
	for _, k := range found {
		if !slices.ContainsFunc(pods, func(n named) bool { return n.thing == podOf(k) }) {
			all = add(all, named{thingOf(k), k})
		}
	}
	if err := s.one(all); err != nil {
		return Target{}, err
	}
	t := Target{Node: found[0].Node, thing: all[0].thing}
	if !t.isPod && len(s.found[byName])+len(s.found[byPart]) == 0 {
		for _, k := range found {
			t.ids = append(t.ids, k.ID)
		}
	}
	return t, nil
}

// Runs are the runs of the one container that is meant, the newest first. A pod means its container if it has one; its
// sandbox counts if nothing else of the pod is there. The error is a *NameError.
func (s *Search) Runs() ([]Known, error) {
	runs := slices.DeleteFunc(s.best(), func(k Known) bool {
		return k.Sandbox() && slices.Contains(s.found[byPod], k) && slices.ContainsFunc(s.found[byPod], func(other Known) bool {
			return !other.Sandbox() && podOf(other) == podOf(k)
		})
	})
	var all []named
	for _, k := range runs {
		all = add(all, named{thingOf(k), k})
	}
	if err := s.one(all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(runs, func(a, b Known) int { return cmp.Compare(b.Created, a.Created) })
	return runs, nil
}

// best are the runs that the name means in the best way. A name, a pod and an ID count alike, so that none of them hides
// another: one that a container's owner chose must not stand in for somebody else's. Names within pods count if there is none
// of these, or on other nodes than these: a node must not stand in for another one, either. Beginnings of IDs that are so
// short that chance may have made them count last.
func (s *Search) best() []Known {
	found := slices.Concat(s.found[byPod], s.found[byName], s.found[byID])
	whole := len(found)
	for _, k := range s.found[byPart] {
		if whole == 0 || !slices.ContainsFunc(found[:whole], func(other Known) bool { return other.Node == k.Node }) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		found = slices.Clone(s.found[byHunch])
	}
	return found
}

// one fails unless there is one thing.
func (s *Search) one(things []named) error {
	switch len(things) {
	case 1:
		return nil
	case 0:
		slices.Sort(s.similar)
		return &NameError{Name: s.name, What: s.what, Candidates: s.similar}
	}
	return s.ambiguous(things)
}

// named is something with one of its containers.
type named struct {
	thing
	of Known
}

func add(all []named, n named) []named {
	if slices.ContainsFunc(all, func(other named) bool { return other.thing == n.thing }) {
		return all
	}
	return append(all, n)
}

// ambiguous lists names of several things: each means that one only.
func (s *Search) ambiguous(things []named) error {
	e := &NameError{Name: s.name, What: s.what, Ambiguous: true}
	count := map[string]int{}
	for _, n := range things {
		count[n.text()]++
	}
	for _, n := range things {
		text := n.text()
		if text == s.name || count[text] > 1 {
			text = n.of.onNode(cmp.Or(n.engine, "runc") + "://" + n.of.ID)
		}
		e.Candidates = append(e.Candidates, text)
	}
	slices.Sort(e.Candidates)
	return e
}

func (n *named) text() string {
	if n.isPod {
		if n.node == "" {
			return n.namespace + "/" + n.pod
		}
		return strings.Join([]string{n.node, n.namespace, n.pod}, "_")
	}
	return n.of.text()
}

// text is a name that means a container among those of many nodes.
func (k Known) text() string {
	if k.Node == "" || k.Pod == "" || k.Name == "" {
		return k.onNode(k.FullName())
	}
	return strings.Join([]string{k.Node, k.Namespace, k.Pod, k.Name}, "_")
}

// onNode says of a name which node's it is.
func (k Known) onNode(name string) string {
	if k.Node == "" {
		return name
	}
	return name + " (of node " + k.Node + ")"
}

// addSimilar notes names that hold the last part of the one that was asked for, or begin as it does.
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
