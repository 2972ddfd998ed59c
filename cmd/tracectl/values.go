// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// span is a flag that accepts a positive duration.
type span struct{ time.Duration }

func (s *span) Type() string { return "time" }

func (s *span) String() string {
	if s.Duration == 0 {
		return ""
	}
	return s.Duration.String()
}

func (s *span) Set(text string) (err error) {
	s.Duration, err = timestamp.Span(text)
	return err
}

// since is a flag that accepts a past time. The zero value is unset.
type since struct {
	at   time.Time
	text string
}

func (s *since) String() string { return s.text }
func (s *since) Type() string   { return "time" }

// Set keeps a span as it was given, and of a date the moment: another node may have another time zone.
func (s *since) Set(text string) (err error) {
	s.at, err = timestamp.Since(text, time.Now())
	s.text = text
	if _, problem := timestamp.Span(text); problem != nil {
		s.text = s.at.Format(time.RFC3339Nano)
	}
	return err
}

// set reports whether a time was given. It may be the zero time.Time.
func (s *since) set() bool { return s.text != "" }

// ago returns the time since then, 100 years at most, so that sums do not overflow; 0 if unset.
func (s *since) ago() time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	if !s.set() {
		return 0
	}
	return min(max(time.Since(s.at), 1), most)
}

// natural is a flag that accepts a non-negative integer.
type natural int

func (n *natural) String() string { return strconv.Itoa(int(*n)) }
func (n *natural) Type() string   { return "number" }

func (n *natural) Set(text string) error {
	number, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return errors.New("must be a whole number, 0 or more")
	}
	*n = natural(number)
	return nil
}

// count is a natural that may be unset.
type count struct {
	natural
	set bool
}

func (c *count) String() string {
	if !c.set {
		return ""
	}
	return c.natural.String()
}

func (c *count) Set(text string) error {
	c.set = true
	return c.natural.Set(text)
}

// numbers is a flag that accepts numbers from a least one on.
type numbers[N uint32 | int32] struct {
	all            *[]N
	least          N
	kind, accepted string
}

func (n *numbers[N]) Type() string { return n.kind }

func (n *numbers[N]) String() string {
	var words []string
	for _, number := range *n.all {
		words = append(words, strconv.FormatInt(int64(number), 10))
	}
	return strings.Join(words, ",")
}

func (n *numbers[N]) Set(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		number, err := strconv.ParseInt(word, 10, 64)
		if err != nil || number < int64(n.least) || int64(N(number)) != number {
			return errors.New(n.accepted)
		}
		*n.all = append(*n.all, N(number))
	}
	return nil
}

// nameList is a flag that accepts a list of names, for a set that knows them.
type nameList struct {
	set interface {
		Add(list string) error
		String() string
	}
	kind string
}

func (n *nameList) String() string        { return n.set.String() }
func (n *nameList) Type() string          { return n.kind }
func (n *nameList) Set(text string) error { return n.set.Add(text) }

// patterns is a flag that accepts a pattern, and may be repeated.
type patterns []straceback.Glob

func (p *patterns) String() string { return strings.Join(p.GetSlice(), ",") }
func (p *patterns) Type() string   { return "pattern" }

func (p *patterns) Set(text string) error {
	pattern, err := straceback.NewGlob(text)
	if err == nil {
		*p = append(*p, pattern)
	}
	return err
}

// GetSlice returns the values of the repeated flag.
func (p *patterns) GetSlice() []string {
	all := make([]string, len(*p))
	for i, pattern := range *p {
		all[i] = string(pattern)
	}
	return all
}

// addresses is a flag that accepts a pattern of addresses, and may be repeated.
type addresses []straceback.Address

func (a *addresses) String() string { return strings.Join(a.GetSlice(), ",") }
func (a *addresses) Type() string   { return "address" }

func (a *addresses) Set(text string) error {
	address, err := straceback.NewAddress(text)
	if err == nil {
		*a = append(*a, address)
	}
	return err
}

// GetSlice returns the values of the repeated flag.
func (a *addresses) GetSlice() []string {
	all := make([]string, len(*a))
	for i, address := range *a {
		all[i] = address.String()
	}
	return all
}

// expression is a flag that accepts a regular expression.
type expression struct{ *regexp.Regexp }

func (e *expression) Type() string { return "regexp" }

func (e *expression) String() string {
	if e.Regexp == nil {
		return ""
	}
	return e.Regexp.String()
}

func (e *expression) Set(text string) (err error) {
	e.Regexp, err = regexp.Compile(text)
	return err
}
