// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"
	"slices"
	"strings"
)

// form describes an argument while all its conditions hold.
type form struct {
	when []condition
	arg  *Arg // nil: the call does not take the argument, and its register is meaningless
	kept bool // strace's form has the register all the same
}

// condition tests another argument: it must match one of the values or, with none, no value.
type condition struct {
	arg  uint8
	none bool
	wide bool // compare the whole register, not its lower 32 bits
	any  []flagEntry
}

func (c *Call) meets(when []condition) bool {
	for i := range when {
		w := &when[i]
		v := c.word(c.Args[w.arg])
		if !w.wide {
			v = uint64(uint32(v))
		}
		found := false
		for j := range w.any {
			if v&w.any[j].mask == w.any[j].bits {
				found = true
				break
			}
		}
		if found == w.none {
			return false
		}
	}
	return true
}

// form returns an argument as this call takes it, or nil if the call does not take it.
func (c *Call) form(a *Arg) *Arg {
	arg, _ := c.formOf(a)
	return arg
}

// formOf is form; kept is true if strace shows an argument all the same that the call does not take.
func (c *Call) formOf(a *Arg) (arg *Arg, kept bool) {
	for i := range a.forms {
		if f := &a.forms[i]; c.meets(f.when) {
			return f.arg, f.kept
		}
	}
	return a, false
}

// addForms reads a line below a signature: "conditions: changes", each separated by blanks.
func (s *Syscall) addForms(line string, flags map[string]*flagTable, layouts map[string]*layout) {
	left, right, _ := strings.Cut(line, ": ")
	var when []condition
	for word := range strings.FieldsSeq(left) {
		when = append(when, s.parseCondition(word))
	}
	for word := range strings.FieldsSeq(right) {
		target, f := s.parseChange(word, flags, layouts)
		f.when = when
		target.forms = append(target.forms, f)
		if f.arg != nil {
			s.take(f.arg, s.index(target.Name), when)
		}
	}
}

// hot describes which successes of a call are not new: those for which the bits of mask in an argument are 0.
type hot struct {
	arg  uint8
	mask uint32
}

// parseHot reads " unless argument&mask", or nothing.
func (s *Syscall) parseHot(text string) *hot {
	argument, ok := strings.CutPrefix(text, " unless ")
	if !ok {
		return &hot{}
	}
	name, mask, masked := strings.Cut(argument, "&")
	h := &hot{arg: uint8(slices.Index(s.names(), s.argument(name).Name)), mask: ^uint32(0)}
	if masked {
		h.mask = uint32(parseBits(text, mask))
	}
	return h
}

// parseCondition reads "argument=VALUE|VALUE" or "argument!=VALUE", optionally with "&mask" after the argument. A value
// is a name of the argument's flags, or a number.
func (s *Syscall) parseCondition(word string) condition {
	left, right, _ := strings.Cut(word, "=")
	left, none := strings.CutSuffix(left, "!")
	name, mask, masked := strings.Cut(left, "&")
	a := s.argument(name)
	on := condition{arg: uint8(slices.Index(s.names(), name)), none: none, wide: a.wide()}
	for value := range strings.SplitSeq(right, "|") {
		e, known, ok := a.flags.named(value)
		if known && !ok {
			continue
		}
		if !known {
			if e.bits = parseBits(word, value); !on.wide {
				e.bits = uint64(uint32(e.bits))
			}
		}
		if !known || a.flags.enum {
			e.mask = ^uint64(0)
		}
		if masked {
			e.mask = parseBits(word, mask)
		}
		on.any = append(on.any, e)
	}
	return on
}

// wide reports whether the argument takes a whole register, not its lower 32 bits.
func (a *Arg) wide() bool {
	switch a.kind {
	case kindFlags:
		return a.flags.long
	case kindInt, kindUint, kindHex32, kindFD, kindRing, kindDirFD, kindSignal, kindID, kindID16, kindMode, kindFileMode,
		kindDev:
		return false
	}
	return true
}

// parseChange reads "-argument", "~argument", "argument:type" or "argument=name:type".
func (s *Syscall) parseChange(word string, flags map[string]*flagTable, layouts map[string]*layout) (
	target *Arg, f form) {
	if name, left := strings.CutPrefix(word, "-"); left {
		return s.argument(name), f
	}
	if name, left := strings.CutPrefix(word, "~"); left {
		f.kept = true
		return s.argument(name), f
	}
	name, typ, _ := strings.Cut(word, ":")
	name, other, renamed := strings.Cut(name, "=")
	if !renamed {
		other = name
	}
	a, length := parseArg(other+":"+typ, flags, layouts)
	if length != "" {
		panic(fmt.Sprintf("signatures.txt: %s: %q has a length", s.Name, word))
	}
	return s.argument(name), form{arg: &a}
}

// argument returns the argument with a name.
func (s *Syscall) argument(name string) *Arg {
	return &s.Args[s.index(name)]
}

func (s *Syscall) index(name string) int {
	i := slices.Index(s.names(), name)
	if i < 0 {
		panic(fmt.Sprintf("signatures.txt: %s has no argument %q", s.Name, name))
	}
	return i
}

func (s *Syscall) names() []string {
	var names []string
	for i := range s.Args {
		names = append(names, s.Args[i].Name)
	}
	return names
}
