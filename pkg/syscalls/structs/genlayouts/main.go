// SPDX-License-Identifier: Apache-2.0

// Command genlayouts writes zz_layouts.txt: for each ABI and struct of structs.txt, its size, and for each member its
// offset, its type in C, the size of an element, and how many there are. It compiles the structs with the kernel's
// headers for user space, and reads what the compiler says of them.
package main

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls/structs"
)

// target is an ABI, and how to compile for it.
type target struct {
	abi, triple string
	include     string // Debian's folder of headers that are specific to the architecture
}

var targets = []target{
	{"amd64", "x86_64-linux-gnu", "/usr/include/x86_64-linux-gnu"},
	{"arm64", "aarch64-linux-gnu", "/usr/aarch64-linux-gnu/include"},
	{"i386", "i386-linux-gnu", "/usr/include/x86_64-linux-gnu"},
	{"arm", "arm-linux-gnueabihf", "/usr/arm-linux-gnueabihf/include"},
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "genlayouts:", err)
		os.Exit(1)
	}
}

func run(output string) error {
	dir, err := os.MkdirTemp("", "genlayouts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	headers := map[string][]structs.Source{} // two headers may not go together
	var order []string
	for _, s := range structs.Sources() {
		if headers[s.Header] == nil {
			order = append(order, s.Header)
		}
		headers[s.Header] = append(headers[s.Header], s)
	}
	var out bytes.Buffer
	for _, t := range targets {
		for i, header := range order {
			layouts, err := t.layouts(filepath.Join(dir, fmt.Sprintf("%s-%d", t.abi, i)), header, headers[header])
			if err != nil {
				return fmt.Errorf("%s: %s: %w", t.abi, header, err)
			}
			out.Write(layouts)
		}
	}
	return os.WriteFile(output, out.Bytes(), 0o644)
}

// layouts compiles the structs of one header, and returns their lines.
func (t *target) layouts(base, header string, sources []structs.Source) ([]byte, error) {
	var c strings.Builder
	if header != "" {
		fmt.Fprintf(&c, "#include <%s>\n", header)
	}
	for _, s := range sources {
		if !s.Has(t.abi) {
			continue
		}
		typ := s.Type
		if typ[0] == '{' {
			typ = "struct " + typ
		}
		fmt.Fprintf(&c, "typedef %s the_%s;\nthe_%s a_%s;\n", typ, s.Name, s.Name, s.Name)
	}
	if err := os.WriteFile(base+".c", []byte(c.String()), 0o600); err != nil {
		return nil, err
	}
	clang := exec.Command("clang-19", "-target", t.triple, "-g", "-c", "-nostdinc", "-isystem", t.include,
		"-isystem", "/usr/include", "-o", base+".o", base+".c")
	if text, err := clang.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	object, err := elf.Open(base + ".o")
	if err != nil {
		return nil, err
	}
	defer object.Close()
	types, err := typesOf(object)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, s := range sources {
		if !s.Has(t.abi) {
			continue
		}
		typ := types["the_"+s.Name]
		if typ == nil {
			return nil, fmt.Errorf("the compiler does not know %s", s.Name)
		}
		fmt.Fprintf(&out, "%s %s %d", t.abi, s.Name, typ.Size())
		for _, f := range s.Fields {
			place := placeOf(typ, f.Member)
			if place == "" && s.ABIs == nil && t.abi == "amd64" {
				return nil, fmt.Errorf("%s has no member %s", s.Name, f.Member)
			}
			if place == "" {
				place = "-"
			}
			out.WriteString(" " + place)
		}
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// typesOf returns the typedefs of an object file.
func typesOf(object *elf.File) (map[string]dwarf.Type, error) {
	data, err := object.DWARF()
	if err != nil {
		return nil, err
	}
	types := map[string]dwarf.Type{}
	for r := data.Reader(); ; {
		entry, err := r.Next()
		if err != nil || entry == nil {
			return types, err
		}
		if entry.Tag != dwarf.TagTypedef {
			continue
		}
		typ, err := data.Type(entry.Offset)
		if err != nil {
			return nil, err
		}
		if typedef, ok := typ.(*dwarf.TypedefType); ok {
			types[typedef.Name] = plain(typedef)
		}
	}
}

// plain removes typedefs and qualifiers of a type.
func plain(typ dwarf.Type) dwarf.Type {
	for {
		switch t := typ.(type) {
		case *dwarf.TypedefType:
			typ = t.Type
		case *dwarf.QualType:
			typ = t.Type
		default:
			return typ
		}
	}
}

var errNoMember = errors.New("no such member")

// placeOf describes a member, such as "24u4x0", or returns "" if there is none.
func placeOf(typ dwarf.Type, member string) string {
	offset := int64(0)
	for name := range strings.SplitSeq(member, ".") {
		if name == "" {
			break
		}
		field, at, err := find(typ, name)
		if err != nil {
			return ""
		}
		offset += at
		typ = plain(field)
	}
	count := int64(0)
	if array, ok := typ.(*dwarf.ArrayType); ok {
		count, typ = array.Count, plain(array.Type)
	}
	class := byte(structs.Unsigned)
	switch t := typ.(type) {
	case *dwarf.IntType, *dwarf.EnumType:
		class = structs.Signed
	case *dwarf.CharType:
		class = structs.Char
	case *dwarf.PtrType:
		class = structs.Pointer
	case *dwarf.StructType:
		class = structs.Compound
	case *dwarf.UcharType, *dwarf.UintType:
	default:
		panic(fmt.Sprintf("%s: %T", member, t))
	}
	return fmt.Sprintf("%d%c%dx%d", offset, class, typ.Size(), count)
}

// find returns a member of a struct, or of an anonymous struct or union in it.
func find(typ dwarf.Type, name string) (member dwarf.Type, offset int64, err error) {
	s, ok := typ.(*dwarf.StructType)
	if !ok {
		return nil, 0, errNoMember
	}
	for _, f := range s.Field {
		if f.Name == name {
			return f.Type, f.ByteOffset, nil
		}
		if f.Name == "" {
			if member, offset, err := find(plain(f.Type), name); err == nil {
				return member, f.ByteOffset + offset, nil
			}
		}
	}
	return nil, 0, errNoMember
}
