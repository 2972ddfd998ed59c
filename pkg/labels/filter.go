// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"errors"
	"path"
	"strings"
)

// Glob is a name or a pattern for names: * matches any characters, ? one, [a-z] one of a range, and \ escapes the
// next character (path.Match; no name holds a slash). The empty Glob matches every name. A Glob is a flag.Value of
// pflag.
type Glob string

// Matches reports whether the whole name matches.
func (g Glob) Matches(name string) bool {
	if g == "" || string(g) == name {
		return true
	}
	matched, err := path.Match(string(g), name)
	return err == nil && matched
}

// String returns the pattern.
func (g Glob) String() string { return string(g) }

// Set sets the pattern from a flag, and returns an error if it is malformed.
func (g *Glob) Set(text string) error {
	if _, err := path.Match(text, ""); err != nil {
		return errors.New("not a valid pattern: unclosed bracket or trailing backslash")
	}
	*g = Glob(text)
	return nil
}

// Type returns the kind of value for a flag's help.
func (g *Glob) Type() string { return "name" }

// Filter selects the containers that match all of its fields. The zero value selects every container.
type Filter struct {
	Labels    Selector
	Namespace Glob
	Pod       Glob
	Container Glob
	// Target is the result of resolving a name: nil if no name was given.
	Target *Target
}

// Everything reports whether every container is selected, even one that is no longer known.
func (f *Filter) Everything() bool {
	return f.Labels.Everything() && f.Namespace == "" && f.Pod == "" && f.Container == "" && f.Target == nil
}

// Judge reports whether a container is selected, according to its names and labels. Nil, a container that is no longer
// known, is selected only if all are.
func (f *Filter) Judge(c *Container) Verdict {
	if c == nil {
		if f.Everything() {
			return Yes
		}
		return No
	}
	return min(f.JudgeNames(c), f.Labels.Judge(c))
}

// JudgeNames reports whether a container is selected, without its labels. It returns Unknown if the container's name
// decides and is not known yet.
func (f *Filter) JudgeNames(c *Container) Verdict {
	if !f.Namespace.Matches(c.Namespace) || !f.matchesPod(c) {
		return No
	}
	verdict := Yes
	if t := f.Target; t != nil && !t.Includes(c) {
		if !t.MayInclude(c) {
			return No
		}
		verdict = Unknown
	}
	if !f.matchesContainer(c) {
		if !c.nameless() || isID(string(f.Container)) {
			return No
		}
		verdict = Unknown
	}
	return verdict
}

// Choose resolves a name among the selected containers and sets Target. what describes the name in an error, which
// is a *NameError.
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

// matchesPod reports whether a container's pod has the requested name, with or without its namespace.
func (f *Filter) matchesPod(c *Container) bool {
	return f.Pod.Matches(c.Pod) || c.Pod != "" && strings.Contains(string(f.Pod), "/") && f.Pod.Matches(c.Namespace+"/"+c.Pod)
}

// matchesContainer reports whether a container has the requested name or ID, or belongs to the requested pod.
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

// AsksForID reports whether the filter's container can only be an ID.
func (f *Filter) AsksForID() bool {
	const short = 12 // length of an ID as engines show it
	return isID(string(f.Container)) && (len(f.Container) >= short || strings.Contains(string(f.Container), "://"))
}

// Unmet returns the error for a container that does not exist, if the filter's container is a name or an ID; nil if it
// is a pattern or empty.
func (f *Filter) Unmet() error {
	if f.Container == "" || strings.ContainsAny(string(f.Container), `*?[\`) {
		return nil
	}
	return &NameError{Name: string(f.Container), What: "container called"}
}
