// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"errors"
	"path"
	"strings"
)

// Glob is a name or a pattern for names: * for any characters, ? for one, [a-z] for one of
// a range, \ before a character that is meant itself (path.Match, and no name holds a
// slash). The empty Glob matches every name. It can be the value of a command-line flag.
type Glob string

// Matches tells whether a name matches, as a whole.
func (g Glob) Matches(name string) bool {
	if g == "" || string(g) == name {
		return true
	}
	matched, err := path.Match(string(g), name)
	return err == nil && matched
}

// String is the pattern.
func (g Glob) String() string { return string(g) }

// Set takes a pattern from a flag and refuses one that is malformed.
func (g *Glob) Set(text string) error {
	if _, err := path.Match(text, ""); err != nil {
		return errors.New("is no pattern: a bracket is not closed, or nothing follows a backslash")
	}
	*g = Glob(text)
	return nil
}

// Type names the kind of value in a flag's help.
func (g *Glob) Type() string { return "name" }

// Filter says which containers are wanted: those that match all of it. Its zero value
// wants every one.
type Filter struct {
	Labels    Selector
	Namespace Glob
	Pod       Glob
	Container Glob
	// Target is what a name was found to mean: nil if none was given.
	Target *Target
}

// Everything tells whether every container is wanted, even one that is not known any more.
func (f *Filter) Everything() bool {
	return f.Labels.Everything() && f.Namespace == "" && f.Pod == "" && f.Container == "" && f.Target == nil
}

// Judge tells whether a container is wanted, as far as the names and labels that are known tell: Maybe if labels that found
// no room could decide it. What no source has told yet does not count: see Container.Unlabelled. A container that is not known
// any more, nil, is wanted only if all are.
func (f *Filter) Judge(c *Container) Verdict {
	if c == nil {
		if f.Everything() {
			return Yes
		}
		return No
	}
	if f.JudgeNames(c) != Yes {
		return No
	}
	return f.Labels.Judge(c)
}

// JudgeNames tells whether a container is wanted whatever its labels are: Maybe if its name decides it and is not known yet.
func (f *Filter) JudgeNames(c *Container) Verdict {
	if !f.Namespace.Matches(c.Namespace) || !f.matchesPod(c) {
		return No
	}
	verdict := Yes
	if t := f.Target; t != nil && !t.Includes(c) {
		if !t.MayInclude(c) {
			return No
		}
		verdict = Maybe
	}
	if !f.matchesContainer(c) {
		if !c.nameless() || isID(string(f.Container)) {
			return No
		}
		verdict = Maybe
	}
	return verdict
}

// Choose leaves what a name means among containers that the filter wants; what is looked for is for the error, a *NameError.
func (f *Filter) Choose(name, what string, among []*Container) error {
	search := NewSearch(name, what)
	for _, c := range among {
		if f.Judge(c) != No {
			search.Add(Known{Container: c})
		}
	}
	t, err := search.Target()
	if err == nil {
		f.Target = &t
	}
	return err
}

// matchesPod tells whether a container's pod has the name that was asked for, alone or behind its namespace.
func (f *Filter) matchesPod(c *Container) bool {
	return f.Pod.Matches(c.Pod) || c.Pod != "" && strings.Contains(string(f.Pod), "/") && f.Pod.Matches(c.Namespace+"/"+c.Pod)
}

// matchesContainer tells whether a container has the name, or the ID, or is the one of a pod, that was asked for.
func (f *Filter) matchesContainer(c *Container) bool {
	if f.Container.Matches(c.Name) {
		return true
	}
	switch meaning(string(f.Container), Known{Container: c}) {
	case byID, byName:
		return true
	case byPod:
		return strings.Contains(string(f.Container), "/")
	}
	return false
}

// AsksForID tells whether a filter asks for a container by what can only be its ID.
func (f *Filter) AsksForID() bool {
	const short = 12 // as engines show it
	return isID(string(f.Container)) && (len(f.Container) >= short || strings.Contains(string(f.Container), "://"))
}

// Unmet is the error for a filter that asks for a container by its name or its ID, not by a pattern, if nothing has it; nil if
// it does not.
func (f *Filter) Unmet() error {
	if f.Container == "" || strings.ContainsAny(string(f.Container), `*?[\`) {
		return nil
	}
	return &NameError{Name: string(f.Container), What: "container called"}
}
