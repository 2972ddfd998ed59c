// SPDX-License-Identifier: Apache-2.0

// Package labels says which container is which: it joins what the kernel keeps of a
// container with the labels of its pod, and selects containers by labels and names.
//
// It takes identities from whoever has them and imports no eBPF, so that it is tested
// and fuzzed anywhere.
package labels

import (
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Selector is a label selector of Kubernetes, with all that kubectl knows:
// "a=b,c!=d,e in (f,g),h notin (i),j,!k,n>5". As with kubectl's, requirements are joined by
// and, and one that a label be different is met if there is no such label. The zero
// value selects everything. It can be the value of a command-line flag.
type Selector struct {
	requirements labels.Selector
}

// ParseSelector reads a selector. An empty one selects everything.
func ParseSelector(text string) (Selector, error) {
	var s Selector
	if err := s.Set(text); err != nil {
		return Selector{}, fmt.Errorf("label selector %q: %w", text, err)
	}
	return s, nil
}

// Set is ParseSelector for a flag. Its errors do not repeat the text.
func (s *Selector) Set(text string) error {
	parsed, err := labels.Parse(text)
	if err != nil {
		return fmt.Errorf(`%w; write it as in "app=web,tier!=db,env in (dev,test),!canary"`, err)
	}
	s.requirements = parsed
	return nil
}

// Matches tells whether labels are selected, if there are no others.
func (s Selector) Matches(set map[string]string) bool {
	return s.requirements == nil || s.requirements.Matches(labels.Set(set))
}

// Verdict says whether something is wanted, as far as what is known tells.
type Verdict int

// The verdicts. Of several requirements the least verdict counts.
const (
	No    Verdict = iota // it is not, whatever else there may be
	Maybe                // it depends on what is not known
	Yes                  // it is, whatever else there may be
)

// Judge tells whether a container is selected. Each requirement speaks of one key. If the container has a label of
// that key for certain, the requirement is met or not. If some labels of the container are not known, then one that
// seems to be missing may be there, with any value: whether the requirement asks for the key, for its absence (!key),
// or for a value or the lack of one (=, !=, in, notin, >, <), it may be met. If a label is known, but a source that
// counts more may have another one, the key is there, and its value may be any.
func (s Selector) Judge(c *Container) Verdict {
	if s.requirements == nil {
		return Yes
	}
	verdict := Yes
	requirements, _ := s.requirements.Requirements()
	for _, r := range requirements {
		_, known := c.Labels[r.Key()]
		switch met := r.Matches(labels.Set(c.Labels)); {
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

// Everything tells whether the selector selects everything.
func (s Selector) Everything() bool {
	return s.requirements == nil || s.requirements.Empty()
}

// String is the selector in its normal form, as ParseSelector reads it.
func (s Selector) String() string {
	if s.requirements == nil {
		return ""
	}
	return s.requirements.String()
}

// Type names the kind of value in a flag's help.
func (s *Selector) Type() string { return "selector" }
