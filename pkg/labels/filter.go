// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"fmt"
	"path"
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
		return fmt.Errorf("name %q: %w", text, err)
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
}

// Everything tells whether every container is wanted, even one that is not known any more.
func (f *Filter) Everything() bool {
	return f.Labels.Everything() && f.Namespace == "" && f.Pod == "" && f.Container == ""
}

// Matches tells whether a container is wanted. Of one that is not known any more, nil,
// nothing can be said: it is wanted only where all are.
func (f *Filter) Matches(c *Container) bool {
	if c == nil {
		return f.Everything()
	}
	return f.MatchesNames(c) && f.Labels.Matches(c.Labels)
}

// MatchesNames tells whether a container is wanted whatever its labels are.
func (f *Filter) MatchesNames(c *Container) bool {
	return f.Namespace.Matches(c.Namespace) && f.Pod.Matches(c.Pod) && f.Container.Matches(c.Name)
}
