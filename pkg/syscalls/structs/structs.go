// SPDX-License-Identifier: Apache-2.0

// Package structs describes the structs that arguments of system calls point to: the members that are shown
// (structs.txt), and their places in memory for each ABI (zz_layouts.txt, from the kernel's headers).
package structs

import (
	_ "embed" // for the two tables
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:generate go run ./genlayouts zz_layouts.txt

//go:embed structs.txt
var text string

//go:embed zz_layouts.txt
var layouts string

// Struct is a struct of one ABI.
type Struct struct {
	Name   string
	Fields []Field
	Size   int  // bytes
	Plain  bool // it is a number: its only field

	// Begin and End are those of the bytes that are recorded, unless the whole struct is.
	Begin, End int
}

// Field is a member of a struct.
type Field struct {
	Name    string
	Type    string      // as in structs.txt; "" for what the headers say
	Verbose bool        // shown only on demand
	Filled  bool        // the call fills it in: shown only after the call
	If      []Condition // one of them has to hold, if there are any

	Offset, Size int  // of one element, bytes
	Count        int  // of elements; 0: it is not an array
	C            byte // its type in C: Signed, Unsigned, Pointer, Char, or Compound
}

// Types of fields in C.
const (
	Signed   = 'i'
	Unsigned = 'u'
	Pointer  = 'p'
	Char     = 'c'
	Compound = 's'
)

// Condition holds if one of the values is that of another field under a mask; or none of them, if None is true.
type Condition struct {
	Member string
	Mask   uint64
	Values []uint64
	None   bool
}

// Holds reports whether the condition holds for a number.
func (c *Condition) Holds(v uint64) bool { return slices.Contains(c.Values, v&c.Mask) != c.None }

// Source is what structs.txt says of a struct, of any ABI.
type Source struct {
	Name   string
	ABIs   []string // that have it; nil: all
	Type   string   // in C: "struct stat", "long", or "{ declarations }"
	Header string   // that has it, such as "linux/stat.h"; or ""
	Plain  bool
	Fields []SourceField
}

// SourceField is a Field, and which member it is.
type SourceField struct {
	Field
	Member string // such as "a.b"
}

// Sources reads structs.txt. It panics if the table is malformed, which tests exclude.
func Sources() []Source {
	var all []Source
	joined := strings.Builder{}
	for line := range strings.Lines(text) {
		if line[0] == '#' || strings.TrimSpace(line) == "" {
			continue
		}
		joined.WriteString(line)
	}
	lines := strings.Split(strings.TrimSuffix(joined.String(), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line[0] == '\t' {
			s := &all[len(all)-1]
			for word := range strings.FieldsSeq(line) {
				s.Fields = append(s.Fields, parseField(s.Name, word))
			}
			continue
		}
		for strings.Count(line, "{") > strings.Count(line, "}") {
			i++
			line += " " + strings.TrimSpace(lines[i])
		}
		all = append(all, parseHead(line))
	}
	for i := range all {
		s := &all[i]
		if s.Plain = !strings.HasPrefix(s.Type, "{") && !strings.HasPrefix(s.Type, "struct "); !s.Plain {
			continue
		}
		if len(s.Fields) > 1 {
			panic(fmt.Sprintf("structs.txt: %s: a number has no members", s.Name))
		}
		field := SourceField{}
		if len(s.Fields) == 1 {
			field.Type = s.Fields[0].Name
		}
		s.Fields = []SourceField{field}
	}
	return all
}

// parseHead reads "@abi name: type <header>".
func parseHead(line string) Source {
	var s Source
	for strings.HasPrefix(line, "@") {
		word, rest, _ := strings.Cut(line, " ")
		s.ABIs, line = append(s.ABIs, word[1:]), rest
	}
	name, rest, ok := strings.Cut(line, ": ")
	if !ok {
		panic(fmt.Sprintf("structs.txt: %q is not a struct", line))
	}
	s.Name = name
	if typ, header, ok := strings.Cut(rest, " <"); ok {
		s.Header, rest = strings.TrimSuffix(header, ">"), typ
	}
	s.Type = rest
	return s
}

// parseField reads "!>name=member?other&mask=VALUE|VALUE?other=VALUE:type".
func parseField(of, word string) SourceField {
	var f SourceField
	rest, verbose := strings.CutPrefix(word, "!")
	rest, filled := strings.CutPrefix(rest, ">")
	f.Verbose, f.Filled = verbose, filled
	rest, f.Type, _ = strings.Cut(rest, ":")
	words := strings.Split(rest, "?")
	for _, word := range words[1:] {
		f.If = append(f.If, parseCondition(of, word))
	}
	rest = words[0]
	f.Name, f.Member, _ = strings.Cut(rest, "=")
	if f.Member == "" {
		f.Member = f.Name
	}
	return f
}

func parseCondition(of, word string) Condition {
	left, right, _ := strings.Cut(word, "=")
	left, none := strings.CutSuffix(left, "!")
	member, mask, masked := strings.Cut(left, "&")
	c := Condition{Member: member, Mask: ^uint64(0), None: none}
	if masked {
		c.Mask = parseNumber(of, mask)
	}
	for value := range strings.SplitSeq(right, "|") {
		c.Values = append(c.Values, parseNumber(of, value))
	}
	return c
}

func parseNumber(of, word string) uint64 {
	n, err := strconv.ParseUint(word, 0, 64)
	if err != nil {
		panic(fmt.Sprintf("structs.txt: %s: %q is not a number", of, word))
	}
	return n
}

// Has reports whether an ABI has the struct.
func (s *Source) Has(abi string) bool {
	return s.ABIs == nil || slices.Contains(s.ABIs, abi)
}

// Of returns the structs of an ABI by name: "amd64", "arm64", "i386" or "arm". It panics if a table is malformed, which
// tests exclude.
func Of(abi string) map[string]*Struct {
	places := make(map[string][]string)
	for line := range strings.Lines(layouts) {
		if words := strings.Fields(line); words[0] == abi {
			places[words[1]] = words[2:]
		}
	}
	all := make(map[string]*Struct, len(places))
	for _, source := range Sources() {
		if source.Has(abi) {
			all[source.Name] = source.of(places[source.Name])
		}
	}
	return all
}

// of adds the places of the members to a struct: a size, and for each member "offset:type" as layouts has it, or "-".
func (s *Source) of(words []string) *Struct {
	if len(words) != 1+len(s.Fields) {
		panic(fmt.Sprintf("zz_layouts.txt: %s is out of date: run make generate", s.Name))
	}
	t := &Struct{Name: s.Name, Plain: s.Plain}
	t.Size = int(parseNumber(s.Name, words[0]))
	t.Begin = t.Size
	for i, f := range s.Fields {
		if words[i+1] == "-" {
			continue
		}
		field := f.Field
		if _, err := fmt.Sscanf(words[i+1], "%d%c%dx%d", &field.Offset, &field.C, &field.Size, &field.Count); err != nil {
			panic(fmt.Sprintf("zz_layouts.txt: %s: %q: %v", s.Name, words[i+1], err))
		}
		t.Fields = append(t.Fields, field)
		if !field.Verbose {
			t.Begin = min(t.Begin, field.Offset)
			t.End = max(t.End, field.Offset+field.Size*max(field.Count, 1))
		}
	}
	return t
}
