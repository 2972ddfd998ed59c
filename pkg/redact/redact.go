// SPDX-License-Identifier: Apache-2.0

// Package redact overwrites secrets in text that containers chose: what matches a table of regular expressions.
//
// A table looks for literal texts first, one of which each match of a pattern contains, in one pass over the bytes.
// Only if one of them is there, the pattern itself is tried.
package redact

import (
	"errors"
	"fmt"
	"regexp"
)

// PatternsMax is the number of patterns that a table has at most, with the built-in ones.
const PatternsMax = 64

// Fill is in place of each byte of a secret.
const Fill = '*'

// Table finds and overwrites secrets. The zero value, and nil, finds none. Several goroutines may use one.
type Table struct {
	patterns []*regexp.Regexp
	always   uint64 // patterns of which no literal is known, a bit each
	scanner  *scanner
}

// New returns a table of patterns: if builtin is set, of those of Builtin, too. The error names each pattern that is
// not valid; the Table has all others.
func New(builtin bool, patterns []string) (*Table, error) {
	var t Table
	var literals []literal
	var problems []error
	if builtin {
		patterns = append(Builtin(), patterns...)
	}
	for _, text := range patterns {
		pattern, err := regexp.Compile(text)
		if err == nil && len(t.patterns) == PatternsMax {
			err = fmt.Errorf("more than %d patterns", PatternsMax)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("redact.patterns has an invalid pattern %q: %w", text, err))
			continue
		}
		index := len(t.patterns)
		t.patterns = append(t.patterns, pattern)
		needed := needs(text)
		if len(needed) == 0 {
			t.always |= 1 << index
		}
		for _, text := range needed {
			literals = append(literals, literal{text, index})
		}
	}
	if scanner, ok := newScanner(literals); ok && len(literals) > 0 {
		t.scanner = scanner
	} else {
		t.always = 1<<len(t.patterns) - 1
	}
	return &t, errors.Join(problems...)
}

// May reports whether data may have a secret. It takes one pass, and does not try the patterns.
func (t *Table) May(data []byte) bool { return t != nil && t.candidates(data) != 0 }

func (t *Table) candidates(data []byte) uint64 {
	if t.scanner == nil {
		return t.always
	}
	return t.always | t.scanner.find(data)
}

// Mask overwrites the secrets in data, and returns how many there were: of each match of a pattern, what its groups
// match, or the whole of it if the pattern has no groups. The length stays. It does not allocate unless something may
// match.
func (t *Table) Mask(data []byte) (n int) {
	if t == nil || len(data) == 0 {
		return 0
	}
	found := t.candidates(data)
	if found == 0 {
		return 0
	}
	for i, pattern := range t.patterns {
		if found&(1<<i) == 0 {
			continue
		}
		for _, at := range pattern.FindAllSubmatchIndex(data, -1) {
			groups := at[2:]
			if len(groups) == 0 {
				groups = at
			}
			masked := false
			for g := 0; g < len(groups); g += 2 {
				masked = fill(data, groups[g], groups[g+1]) || masked
			}
			if masked {
				n++
			}
		}
	}
	return n
}

// MaskString returns text without its secrets, and how many there were.
func (t *Table) MaskString(text string) (string, int) {
	if t == nil || text == "" {
		return text, 0
	}
	data := []byte(text)
	n := t.Mask(data)
	if n == 0 {
		return text, 0
	}
	return string(data), n
}

// fill overwrites data[from:to], and reports whether that changed it. A NUL stays, because it ends a string.
func fill(data []byte, from, to int) (changed bool) {
	for i := max(from, 0); i < to; i++ {
		if data[i] != Fill && data[i] != 0 {
			data[i] = Fill
			changed = true
		}
	}
	return changed
}
