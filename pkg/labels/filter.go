// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"errors"
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
}

// Everything tells whether every container is wanted, even one that is not known any more.
func (f *Filter) Everything() bool {
	return f.Labels.Everything() && f.Namespace == "" && f.Pod == "" && f.Container == ""
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
	switch {
	case !f.Namespace.Matches(c.Namespace) || !f.Pod.Matches(c.Pod):
		return No
	case f.Container.Matches(c.Name):
		return Yes
	case c.Name == "" && c.Engine == "docker" && c.Unlabelled:
		return Maybe
	}
	return No
}
