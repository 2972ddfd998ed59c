// SPDX-License-Identifier: Apache-2.0

// Command genabi writes package abi from the BTF of bpf/contract.c, and from its texts of counters.
//
// Usage: genabi OBJECT OUTPUT
package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"go/format"
	"os"
	"strings"

	"github.com/cilium/ebpf/btf"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: genabi OBJECT OUTPUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "genabi:", err)
		os.Exit(1)
	}
}

func run(object, output string) error {
	spec, err := btf.LoadSpec(object)
	if err != nil {
		return fmt.Errorf("loading BTF of %s: %w", object, err)
	}
	var contract *btf.Struct
	if err := spec.TypeByName("contract", &contract); err != nil {
		return err
	}
	g := generator{done: make(map[string]bool)}
	g.printf("// SPDX-License-Identifier: Apache-2.0\n\n// Code generated from bpf/contract.h; DO NOT EDIT.\n\npackage abi\n")
	for _, m := range contract.Members {
		if err := g.declare(m.Type); err != nil {
			return err
		}
	}
	if err := g.declareReasons(spec, object); err != nil {
		return err
	}
	src, err := format.Source(g.Bytes())
	if err != nil {
		return fmt.Errorf("formatting: %w", err)
	}
	return os.WriteFile(output, src, 0o644)
}

type generator struct {
	bytes.Buffer
	done map[string]bool
}

func (g *generator) printf(format string, args ...any) { fmt.Fprintf(&g.Buffer, format, args...) }

// declare writes a struct or an enum. Structs follow those that they contain.
func (g *generator) declare(t btf.Type) error {
	switch t := t.(type) {
	case *btf.Enum:
		if g.done[t.Name] {
			return nil
		}
		g.done[t.Name] = true
		g.printf("\n// enum %s\nconst (\n", t.Name)
		for _, v := range t.Values {
			g.printf("%s = %#x\n", camel(strings.ToLower(v.Name)), v.Value)
		}
		g.printf(")\n")
		return nil
	case *btf.Struct:
		return g.declareStruct(t)
	case *btf.Array:
		return g.declare(t.Type)
	default:
		return nil
	}
}

func (g *generator) declareStruct(t *btf.Struct) error {
	if g.done[t.Name] {
		return nil
	}
	g.done[t.Name] = true
	var body bytes.Buffer
	var end uint32
	for _, m := range t.Members {
		if a, ok := m.Type.(*btf.Array); ok && a.Nelems == 0 {
			continue // the data after a header
		}
		if err := g.declare(m.Type); err != nil {
			return err
		}
		if m.Offset.Bytes() != end {
			return fmt.Errorf("struct %s has a hole before %s", t.Name, m.Name)
		}
		name, err := goType(m.Type)
		if err != nil {
			return fmt.Errorf("struct %s, field %s: %w", t.Name, m.Name, err)
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return err
		}
		end += uint32(size)
		fmt.Fprintf(&body, "%s %s\n", camel(m.Name), name)
	}
	if end != t.Size {
		return fmt.Errorf("struct %s has a hole at its end", t.Name)
	}
	name := camel(t.Name)
	g.printf("\n// %s is struct %s.\ntype %s struct {\n%s}\n", name, t.Name, name, body.String())
	g.printf("\n// Sizeof%s is the size of struct %s in bytes.\nconst Sizeof%s = %d\n", name, t.Name, name, t.Size)
	return nil
}

// declareReasons writes what the section "counters" of the object says of enum counter: name, text and remedy of each.
func (g *generator) declareReasons(spec *btf.Spec, object string) error {
	var counters *btf.Enum
	if err := spec.TypeByName("counter", &counters); err != nil {
		return err
	}
	file, err := elf.Open(object)
	if err != nil {
		return err
	}
	defer file.Close()
	section := file.Section("counters")
	if section == nil {
		return errors.New("no section counters")
	}
	data, err := section.Data()
	if err != nil {
		return err
	}
	texts := strings.Split(string(data), "\x00")
	g.printf("\n// Reasons has the texts of bpf/counters.h, by enum counter.\nvar Reasons = [Counters]Reason{\n")
	for n := range len(texts) / 3 {
		t := texts[3*n:]
		g.printf("%s: {\n%q,\n%q,\n%q,\n},\n", camel(strings.ToLower(counters.Values[n].Name)), t[0], t[1], t[2])
	}
	g.printf("}\n")
	return nil
}

func goType(t btf.Type) (string, error) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Int:
		if t.Encoding == btf.Char || t.Name == "char" {
			return "byte", nil
		}
		prefix := "u"
		if t.Encoding == btf.Signed {
			prefix = ""
		}
		return fmt.Sprintf("%sint%d", prefix, t.Size*8), nil
	case *btf.Array:
		elem, err := goType(t.Type)
		return fmt.Sprintf("[%d]%s", t.Nelems, elem), err
	case *btf.Struct:
		return camel(t.Name), nil
	default:
		return "", fmt.Errorf("type %v has no counterpart in Go", t)
	}
}

// camel turns a C name into an exported Go name: ring_generation to RingGeneration.
func camel(name string) string {
	initialisms := map[string]string{"id": "ID", "pid": "PID", "tid": "TID", "ppid": "PPID", "uid": "UID", "cpu": "CPU",
		"abi": "ABI", "x32": "X32"}
	var b strings.Builder
	for _, word := range strings.Split(name, "_") {
		if s, ok := initialisms[word]; ok {
			b.WriteString(s)
		} else if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
