// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"errors"
	"fmt"
	"path"
	"slices"
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

// literal returns the name, or an empty Glob if it is a pattern.
func (g Glob) literal() Glob {
	if strings.ContainsAny(string(g), `*?[\`) {
		return ""
	}
	return g
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
	// exact is set if Container is the whole name or ID of a known container: then it is not the beginning of others.
	exact bool
}

// Everything reports whether every container is selected, even one that is no longer known.
func (f *Filter) Everything() bool {
	return f.Labels.Everything() && f.Namespace == "" && f.Pod == "" && f.Container == "" && f.Target == nil
}

// Sought returns what must be known of a container: "labels", or "names" if no label is requested.
func (f *Filter) Sought() string {
	if f.Labels.Everything() {
		return "names"
	}
	return "labels"
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

// Resolve settles what the filter means among known containers. If Container is one's whole name or ID, it is not the
// beginning of another's ID. If there is a name, which is the only element of names, Target is what it means. noun
// describes the name in an error, which is a *NameError.
func (f *Filter) Resolve(names []string, noun string, known []*Container) error {
	if f.Container != "" {
		f.exact = slices.ContainsFunc(known, func(c *Container) bool {
			m := meaning(string(f.Container), Known{Container: c})
			return m == byID || m == byName || m == byPart
		})
	}
	if len(names) == 0 {
		return nil
	}
	name := names[0]
	chosen, all := NewSearch(name, noun), NewSearch(name, noun)
	for _, c := range known {
		k := Known{Container: c}
		if all.Add(k) && f.JudgeNames(c) != No {
			chosen.Add(k)
		}
	}
	if len(chosen.best()) == 0 && len(all.best()) > 0 {
		return &NameError{Name: name, What: noun, Unlike: f.place()}
	}
	if len(all.best()) == 0 {
		chosen = all // for its similar names
	}
	t, err := chosen.Target()
	if err != nil {
		return err
	}
	f.Target = &t
	if !slices.ContainsFunc(known, func(c *Container) bool { return f.Judge(c) != No }) {
		return f.Unlike(name, noun)
	}
	return nil
}

// Unlike returns the error for a name of containers that are known and do not have the labels.
func (f *Filter) Unlike(name, noun string) error {
	return &NameError{Name: name, What: noun, Unlike: fmt.Sprintf("--label %q", f.Labels)}
}

// place returns the flags that restrict names, with their values.
func (f *Filter) place() string {
	var flags []string
	for _, flag := range []struct {
		name  string
		value Glob
	}{{"--namespace", f.Namespace}, {"--pod", f.Pod}, {"--container", f.Container}} {
		if flag.value != "" {
			flags = append(flags, fmt.Sprintf("%s %q", flag.name, flag.value))
		}
	}
	return strings.Join(flags, " ")
}

// matchesPod reports whether a container's pod has the requested name, with or without its namespace.
func (f *Filter) matchesPod(c *Container) bool {
	return f.Pod.Matches(c.Pod) ||
		c.Pod != "" && strings.Contains(string(f.Pod), "/") && f.Pod.Matches(c.Namespace+"/"+c.Pod)
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
	case byShortID, byBeginning:
		return !f.exact && isID(string(f.Container))
	}
	return false
}

// AsksForID reports whether the filter's container can only be an ID.
func (f *Filter) AsksForID() bool {
	return isID(string(f.Container)) && (len(f.Container) >= shortID || strings.Contains(string(f.Container), "://"))
}

// Unmet returns the error for a namespace, pod or container that is requested without a pattern, if none of the known
// containers is in it; nil if one is.
func (f *Filter) Unmet(known []*Container) error {
	literal := Filter{
		Namespace: f.Namespace.literal(), Pod: f.Pod.literal(), Container: f.Container.literal(), exact: f.exact,
	}
	missing := literal.Missing()
	if missing == nil || slices.ContainsFunc(known, func(c *Container) bool { return literal.JudgeNames(c) != No }) {
		return nil
	}
	return missing
}

// Missing returns the error for the namespace, pod and container that are requested without patterns, if nothing
// matches them; nil if there are only patterns.
func (f *Filter) Missing() error {
	e := &NameError{What: "container"}
	for _, part := range []struct {
		word string
		name Glob
	}{{"called", f.Container}, {"in pod", f.Pod}, {"in namespace", f.Namespace}} {
		if part.name = part.name.literal(); part.name == "" {
			continue
		}
		if e.Name != "" {
			e.What += fmt.Sprintf(" %q", e.Name)
		}
		e.What, e.Name = e.What+" "+part.word, string(part.name)
	}
	if e.Name == "" {
		return nil
	}
	return e
}
