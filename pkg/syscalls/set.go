// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	_ "embed" // for the table
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

//go:embed classes.txt
var classTable string

// classes returns the names of the calls of each class, by the name of the class: "%file".
var classes = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	last := ""
	for line := range strings.Lines(classTable) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if line[0] != '\t' {
			last, words = words[0], words[1:]
		}
		all[last] = append(all[last], words...)
	}
	return all
})

// Classes returns the names of all classes of calls, sorted: "%clock", "%creds" and so on.
func Classes() []string { return slices.Sorted(maps.Keys(classes())) }

// Names returns the names of all calls of some ABIs, sorted.
func Names(abis ...ABI) []string {
	var all []string
	for _, a := range abis {
		for _, s := range tableOf(a).calls {
			if s != nil {
				all = append(all, s.Name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Set is a set of system calls, as -e of strace describes it. The zero value has all calls, and knows no names.
type Set struct {
	ABIs []ABI // whose calls have names

	words        []string // as given, those with "!" last
	only, except map[string]bool
	restricted   bool // only the calls in `only`
}

// Add adds calls, in the syntax of strace: a list of names, %classes, /regular expressions, "all" and "none", separated
// by commas, behind an optional "trace=". If the list begins with "!", its calls are taken out; so is each later word
// that begins with "!". A "?" before a name permits that no ABI has such a call. A call without a name is
// syscall_0x1f3. After an error, the Set is unchanged.
func (s *Set) Add(list string) error {
	rest, found := strings.CutPrefix(list, "trace=")
	if name, _, other := strings.Cut(rest, "="); !found && other {
		return fmt.Errorf("of strace's expressions, a recording has only trace=, not %q", name+"=")
	}
	rest, inverted := strings.CutPrefix(rest, "!")
	next := Set{s.ABIs, slices.Clone(s.words), maps.Clone(s.only), maps.Clone(s.except), s.restricted}
	if next.only == nil {
		next.only, next.except = map[string]bool{}, map[string]bool{}
	}
	for word := range strings.SplitSeq(rest, ",") {
		bare, out := strings.CutPrefix(word, "!")
		names, err := s.named(bare)
		if err != nil {
			return err
		}
		next.add(bare, names, out || inverted)
	}
	*s = next
	return nil
}

// add adds what a word stands for, or takes it out.
func (s *Set) add(word string, names []string, out bool) {
	if out {
		s.words = append(s.words, "!"+word)
		s.restricted = s.restricted || word == "all"
		for _, name := range names {
			s.except[name] = true
		}
		return
	}
	s.words = slices.Insert(s.words, s.positive(), word)
	s.restricted = !slices.Contains(s.words, "all")
	for _, name := range names {
		s.only[name] = true
	}
}

// positive returns the number of words without "!".
func (s *Set) positive() int {
	n := slices.IndexFunc(s.words, func(word string) bool { return word[0] == '!' })
	if n < 0 {
		return len(s.words)
	}
	return n
}

// named returns the names of the calls that a word stands for.
func (s *Set) named(word string) ([]string, error) {
	known := Names(s.ABIs...)
	switch {
	case word == "all", word == "none":
		return nil, nil
	case strings.HasPrefix(word, "%"):
		if word == "%net" {
			word = "%network"
		}
		calls, ok := classes()[word]
		if !ok {
			if similar := terminal.DidYouMean(word, Classes()); similar != "" {
				return nil, fmt.Errorf("unknown class %q%s", word, similar)
			}
			return nil, fmt.Errorf("unknown class %q: the classes are %s", word, strings.Join(Classes(), ", "))
		}
		return calls, nil
	case strings.HasPrefix(word, "/"):
		pattern, err := regexp.Compile(word[1:])
		if err != nil {
			return nil, fmt.Errorf("not a regular expression: %w", err)
		}
		calls := slices.DeleteFunc(known, func(name string) bool { return !pattern.MatchString(name) })
		if len(calls) == 0 {
			return nil, fmt.Errorf("no system call matches %q", word)
		}
		return calls, nil
	}
	name, optional := strings.CutPrefix(word, "?")
	if _, ok := slices.BinarySearch(known, name); !ok && !optional && !isNumber(name) {
		if classes()["%"+name] != nil {
			return nil, fmt.Errorf("unknown system call %q; did you mean %%%s?", name, name)
		}
		return nil, fmt.Errorf("unknown system call %q%s", name, terminal.DidYouMean(name, known))
	}
	return []string{name}, nil
}

// unnamed begins the name of a call that has only a number.
const unnamed = "syscall_"

func isNumber(name string) bool {
	digits, ok := strings.CutPrefix(name, unnamed+"0x")
	_, err := strconv.ParseUint(digits, 16, 32)
	return ok && err == nil
}

// Has reports whether a call is in the set. Events, such as signals, are in each set that was only told what it lacks.
func (s *Set) Has(c *Call) bool {
	if len(s.words) == 0 || c.Event() {
		return !s.restricted
	}
	var name string
	if call := c.Syscall(); call != nil {
		name = call.Name
	} else if number, known := c.Number(); known {
		name = fmt.Sprintf("%s%#x", unnamed, number)
	}
	return (!s.restricted || s.only[name]) && !s.except[name]
}

// String returns a list that Add takes.
func (s *Set) String() string { return strings.Join(s.words, ",") }
