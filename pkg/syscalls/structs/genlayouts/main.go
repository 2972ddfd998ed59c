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

	"github.com/runc-trace/runc-trace/pkg/syscalls/headers"
	"github.com/runc-trace/runc-trace/pkg/syscalls/structs"
)

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
	if err := headers.WriteStubs(dir); err != nil {
		return err
	}
	byHeader := map[string][]structs.Source{} // two headers may not go together
	var order []string
	for _, s := range structs.Sources() {
		if byHeader[s.Header] == nil {
			order = append(order, s.Header)
		}
		byHeader[s.Header] = append(byHeader[s.Header], s)
	}
	var out bytes.Buffer
	for i := range headers.Targets {
		t := &headers.Targets[i]
		for _, header := range order {
			layouts, err := layouts(t, dir, header, byHeader[header])
			if err != nil {
				return fmt.Errorf("%s: %s: %w", t.ABI, header, err)
			}
			out.Write(layouts)
		}
	}
	return os.WriteFile(output, out.Bytes(), 0o644)
}

// layouts compiles the structs of one header, and returns their lines.
func layouts(t *headers.Target, dir, header string, sources []structs.Source) ([]byte, error) {
	source, output := filepath.Join(dir, "layouts.c"), filepath.Join(dir, "layouts.o")
	var c strings.Builder
	if header != "" {
		fmt.Fprintf(&c, "#include <%s>\n", header)
	}
	for _, s := range sources {
		if !s.Has(t.ABI) {
			continue
		}
		typ := s.Type
		if typ[0] == '{' {
			typ = "struct " + typ
		}
		fmt.Fprintf(&c, "typedef %s the_%s;\nthe_%s a_%s;\n", typ, s.Name, s.Name, s.Name)
	}
	if err := os.WriteFile(source, []byte(c.String()), 0o600); err != nil {
		return nil, err
	}
	clang := exec.Command("clang-19", append(t.Args(dir), "-g", "-c", "-o", output, source)...)
	if text, err := clang.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	object, err := elf.Open(output)
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
		if !s.Has(t.ABI) {
			continue
		}
		typ := types["the_"+s.Name]
		if typ == nil {
			return nil, fmt.Errorf("the compiler does not know %s", s.Name)
		}
		fmt.Fprintf(&out, "%s %s %d", t.ABI, s.Name, typ.Size())
		for _, f := range s.Fields {
			place := placeOf(typ, f.Member)
			if place == "" && s.ABIs == nil && t.ABI == "amd64" {
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
