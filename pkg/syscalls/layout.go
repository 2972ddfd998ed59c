// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"fmt"

	"github.com/runc-trace/runc-trace/pkg/syscalls/structs"
)

// layout is a struct of one ABI, or a number.
type layout struct {
	name       string
	size       int // bytes
	begin, end int // of what is recorded
	fields     []field
	plain      bool // a number: its only field
}

// field is a member of a layout.
type field struct {
	name                string
	kind                Kind
	signed              bool
	verbose             bool
	filled              bool // by the call
	table               *flagTable
	of                  *layout
	offset, size, count int // of one element; count 0: it is not an array
	when                []structs.Condition
	test                []*field // the members that these compare
}

// fieldKinds are the types of members that are neither tables nor structs.
var fieldKinds = map[string]Kind{
	"hex": KindHex, "id": KindID, "mode": KindMode, "filemode": KindFileMode, "dev64": KindDevice, "fd": KindFD,
	"dirfd": KindDirFD, "sig": KindSignal, "sigset": KindSignals, "bytes": KindBytes, "fdset": KindFDs, "bits": KindBits,
	"ip": KindIP, "ip6": KindIP, "port": KindPort, "time": KindTime, "limit": KindLimit, "errno": KindErrno,
	"ptr": KindPointer,
	"int": KindInt, "uint": KindUint, "status": KindStatus, "text": KindString,
}

// layoutsOf returns the structs of an ABI. It panics if a table is malformed, which the tests exclude.
func layoutsOf(a ABI, flags map[string]*flagTable) map[string]*layout {
	all := structs.Of(map[ABI]string{AMD64: "amd64", ARM64: "arm64", I386: "i386", ARM: "arm"}[a])
	layouts := make(map[string]*layout, len(all))
	for name := range all {
		layouts[name] = &layout{}
	}
	for name, s := range all {
		*layouts[name] = makeLayout(s, layouts, flags)
	}
	return layouts
}

func makeLayout(s *structs.Struct, layouts map[string]*layout, flags map[string]*flagTable) layout {
	l := layout{name: s.Name, size: s.Size, begin: s.Begin, end: s.End, plain: s.Plain}
	l.fields = make([]field, len(s.Fields))
	for i, from := range s.Fields {
		f := field{name: from.Name, offset: from.Offset, size: from.Size, count: from.Count, when: from.If,
			signed: from.C == structs.Signed, verbose: from.Verbose, filled: from.Filled}
		kind, named := fieldKinds[from.Type]
		switch {
		case named:
			f.kind = kind
		case flags[from.Type] != nil:
			f.kind, f.table = KindFlags, flags[from.Type]
		case layouts[from.Type] != nil:
			f.kind, f.of = KindStruct, layouts[from.Type]
		case from.Type != "":
			panic(fmt.Sprintf("structs.txt: %s.%s: there is no type %s", s.Name, from.Name, from.Type))
		case from.C == structs.Signed:
			f.kind = KindInt
		case from.C == structs.Unsigned:
			f.kind = KindUint
		case from.C == structs.Pointer:
			f.kind = KindPointer
		case from.C == structs.Char:
			f.kind = KindString
		default:
			panic(fmt.Sprintf("structs.txt: %s.%s has no type", s.Name, from.Name))
		}
		if f.kind == KindString || f.kind == KindBytes || f.kind == KindIP {
			f.size, f.count = f.size*max(f.count, 1), 0 // one value
		}
		l.fields[i] = f
	}
	for i := range l.fields {
		f := &l.fields[i]
		for _, c := range f.when {
			test := l.field(c.Member)
			if test == nil {
				panic(fmt.Sprintf("structs.txt: %s has no member %s", s.Name, c.Member))
			}
			f.test = append(f.test, test)
		}
	}
	return l
}

// bytes reports whether it stands for any number of bytes.
func (l *layout) bytes() bool {
	return l.plain && (l.fields[0].kind == KindBytes || l.fields[0].kind == KindFDs || l.fields[0].kind == KindBits ||
		l.fields[0].kind == KindString)
}

func (l *layout) field(name string) *field {
	for i := range l.fields {
		if l.fields[i].name == name {
			return &l.fields[i]
		}
	}
	return nil
}

// shown reports whether a struct, of which data begins at an offset, has the member.
func (f *field) shown(data []byte, begin int) bool {
	for i := range f.when {
		test := f.test[i]
		if at := test.offset - begin; at >= 0 && at+test.size <= len(data) &&
			f.when[i].Holds(number(data[at:], test.size, test.signed)) {
			return true
		}
	}
	return f.when == nil
}

// number returns a number of 1, 2, 4 or 8 bytes.
func number(data []byte, size int, signed bool) uint64 {
	switch size {
	case 1:
		if signed {
			return uint64(int8(data[0]))
		}
		return uint64(data[0])
	case 2:
		if v := binary.LittleEndian.Uint16(data); signed {
			return uint64(int16(v))
		} else {
			return uint64(v)
		}
	case 4:
		if v := binary.LittleEndian.Uint32(data); signed {
			return uint64(int32(v))
		} else {
			return uint64(v)
		}
	}
	return binary.LittleEndian.Uint64(data)
}

// addStruct adds a struct, or a number, of which data is there from an offset on. If data is too short for a member, it
// adds a KindMissing, and what is behind is left out.
func (t *tape) addStruct(name string, l *layout, data []byte, begin int, marks Marks) {
	if l.plain {
		t.addField(name, &l.fields[0], data, marks)
		return
	}
	index := t.open(Value{Kind: KindStruct, Name: name, Marks: marks})
	defer t.close(index)
	for i := range l.fields {
		f := &l.fields[i]
		at := f.offset - begin
		switch {
		case at < 0, f.verbose && !t.verbose:
			t.mark(index, Abridged)
		case f.filled && !t.after, !f.shown(data, begin):
		case at+f.size*max(f.count, 1) <= len(data):
			t.addField(f.name, f, data[at:], 0)
		case begin+len(data) >= l.end && f.offset >= l.end: // it is recorded only on demand
			t.mark(index, Abridged)
		default:
			t.values[index].Marks = t.values[index].Marks&^Abridged | Truncated
			t.add(Value{Kind: KindMissing})
			return
		}
	}
}

// addField adds a member whose bytes data begins with.
func (t *tape) addField(name string, f *field, data []byte, marks Marks) {
	if f.count == 0 {
		t.addElement(name, f, data, marks)
		return
	}
	index := t.open(Value{Kind: KindArray, Name: name, Marks: marks})
	for i := range f.count {
		t.addElement("", f, data[i*f.size:], 0)
	}
	t.close(index)
}

// addElement adds one element of a member.
func (t *tape) addElement(name string, f *field, data []byte, marks Marks) {
	if len(data) < f.size {
		t.add(Value{Kind: KindMissing, Name: name, Marks: marks | Truncated})
		return
	}
	data = data[:f.size]
	v := Value{Kind: f.kind, Name: name, Marks: marks, table: f.table}
	switch f.kind {
	case KindStruct:
		t.addStruct(name, f.of, data, 0, marks)
		return
	case KindString:
		v.Bytes, _ = cutNUL(data)
	case KindBytes, KindIP, KindBits, KindFDs:
		v.Bytes = data
	case KindPort:
		v.Number = uint64(binary.BigEndian.Uint16(data))
	case KindID:
		if v.Number = number(data, f.size, false); f.size == 2 && v.Number == 0xffff { // low2highuid
			v.Number = 0xffffffff
		}
	case KindLimit:
		v.Number, v.Bytes = number(data, f.size, false), data
	case KindFD, KindDirFD, KindInt: // some structs have unsigned ones
		v.Number = number(data, f.size, true)
	case KindFlags:
		v.Number = number(data, f.size, f.signed && f.table.long)
	default:
		v.Number = number(data, f.size, f.signed && f.kind != KindHex)
	}
	t.add(v)
}

// cutNUL returns the bytes before the first NUL, and whether there is one.
func cutNUL(data []byte) (text []byte, found bool) {
	for i, b := range data {
		if b == 0 {
			return data[:i], true
		}
	}
	return data, false
}
