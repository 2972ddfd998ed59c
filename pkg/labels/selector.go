// SPDX-License-Identifier: Apache-2.0

// Package labels identifies and selects containers: it merges the data that the kernel keeps about a container with
// the labels of its pod, and selects containers by labels and names.
//
// It reads identities through an interface and does not import eBPF, so tests and fuzzing run anywhere.
package labels

import (
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Selector is a Kubernetes label selector with the syntax of kubectl: "a=b,c!=d,e in (f,g),h notin (i),j,!k,n>5".
// As in kubectl, all requirements must be met, and != and notin are met if it is known that the label does not
// exist. The zero value selects everything. A Selector is a flag.Value of pflag.
type Selector struct {
	requirements labels.Selector
}

// ParseSelector parses a selector. An empty one selects everything.
func ParseSelector(text string) (Selector, error) {
	var s Selector
	if err := s.Set(text); err != nil {
		return Selector{}, fmt.Errorf("label selector %q: %w", text, err)
	}
	return s, nil
}

// Set adds the requirements of a selector, so a flag that is repeated selects what meets all of its values. Its errors
// do not repeat the text.
func (s *Selector) Set(text string) error {
	parsed, err := labels.Parse(text)
	if err != nil {
		return fmt.Errorf(`%w; write it as in "app=web,tier!=db,env in (dev,test),!canary"`, mistake(text))
	}
	if s.requirements != nil {
		earlier, _ := s.requirements.Requirements()
		parsed = parsed.Add(earlier...)
	}
	s.requirements = parsed
	return nil
}

// Matches reports whether the selector matches a complete set of labels.
func (s Selector) Matches(set map[string]string) bool {
	return s.requirements == nil || s.requirements.Matches(labels.Set(set))
}

// Verdict says whether a container is selected, as far as its known labels tell.
type Verdict int

// The verdicts. The verdict of several requirements is the lowest one.
const (
	No      Verdict = iota // not selected, regardless of unknown labels
	Unknown                // depends on labels, or a name, that no source has told
	Maybe                  // depends on labels that were told, but truncated
	Yes                    // selected, regardless of unknown labels
)

// Judge reports whether a container is selected. Each requirement is about one key. If the container has a label of
// that key for certain, the requirement is met or not. If some labels of the container are not known, a label that
// seems to be missing may exist, with any value: a requirement for the key, for its absence (!key), or for a value
// or its absence (=, !=, in, notin, >, <) may be met. If a label is known, but a truncated source of a higher
// precedence may have another one, the key exists, and may have any value. If no source has told the labels, a label
// from the container's annotations counts if it meets the requirement, and decides nothing if it does not.
func (s Selector) Judge(c *Container) Verdict {
	if s.requirements == nil {
		return Yes
	}
	verdict := Yes
	requirements, _ := s.requirements.Requirements()
	for _, r := range requirements {
		_, known := c.Labels[r.Key()]
		switch met := r.Matches(labels.Set(c.Labels)); {
		case c.Unlabelled && (!known || !met && c.provisional):
			verdict = min(verdict, Unknown)
		case !known && c.Truncated:
			verdict = min(verdict, Maybe)
		case c.doubtful[r.Key()] && r.Operator() != selection.Exists && r.Operator() != selection.DoesNotExist:
			verdict = min(verdict, Maybe)
		case !met:
			return No
		}
	}
	return verdict
}

// Everything reports whether the selector selects everything.
func (s Selector) Everything() bool {
	return s.requirements == nil || s.requirements.Empty()
}

// String returns the selector in its normal form, which ParseSelector accepts.
func (s Selector) String() string {
	if s.requirements == nil {
		return ""
	}
	return s.requirements.String()
}

// Type returns the kind of value for a flag's help.
func (s *Selector) Type() string { return "selector" }
