// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	_ "embed" // for flags.txt
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed flags.txt
var flagsText string

// flagTable names the bits, or the values, of an argument.
type flagTable struct {
	enum    bool // compare the whole value
	decimal bool // show other values in decimal
	long    bool // an argument is as wide as a register, not 32 bits
	shifted bool // strace shows the names as numbers of bits: 1<<CAP_CHOWN
	octal   bool // show bits without a name in octal: they are permissions
	zeros   int  // how many entries there are up to the last one that names bits which are 0
	entries []flagEntry
	ioctls  *ioctls // if the values are those of ioctls: their names; entries are those with a struct
}

type flagEntry struct {
	mask, bits uint64 // matches if value&mask == bits
	name       string
	of         string // the struct that goes with it, if it is the name of an option or of an ioctl
}

// entry returns the entry of an enum with a value, or nil if t is nil or has none.
func (t *flagTable) entry(value uint64) *flagEntry {
	if t == nil {
		return nil
	}
	for i := range t.entries {
		if t.entries[i].bits == value {
			return &t.entries[i]
		}
	}
	return nil
}

// masked returns the name of the entry that a value has under a mask, or "".
func (t *flagTable) masked(value, mask uint64) string {
	for i := range t.entries {
		if e := &t.entries[i]; e.mask == mask && e.bits == value&mask {
			return e.name
		}
	}
	return ""
}

// appendName appends the name of a value of an enum, or returns false if it has none.
func (t *flagTable) appendName(dst []byte, value uint64) (_ []byte, ok bool) {
	if e := t.entry(value); e != nil {
		return append(dst, e.name...), true
	}
	if t.ioctls != nil {
		return t.ioctls.append(dst, value)
	}
	return dst, false
}

// append shows a value, such as "O_WRONLY|O_CREAT|0x80000000".
func (t *flagTable) append(dst []byte, value uint64) []byte {
	if t.enum {
		if named, ok := t.appendName(dst, value); ok {
			return named
		}
		if t.decimal {
			return strconv.AppendInt(dst, int64(value), 10)
		}
		return appendHex(dst, value)
	}
	start := len(dst)
	rest := t.split(value, func(name string) {
		if len(dst) > start {
			dst = append(dst, '|')
		}
		dst = append(dst, name...)
	})
	if rest == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, '|')
	}
	if t.octal && rest != 0 {
		return appendMode(dst, rest)
	}
	return appendHex(dst, rest)
}

// appendJSON appends the names of the flags in a value as an array. What has no name is a number in hexadecimal.
func (t *flagTable) appendJSON(dst []byte, value uint64) []byte {
	dst = append(dst, '[')
	comma := func() {
		if dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
	}
	rest := t.split(value, func(name string) {
		comma()
		dst = append(append(append(dst, '"'), name...), '"')
	})
	if rest != 0 {
		comma()
		dst = append(appendHex(append(dst, '"'), rest), '"')
	}
	return append(dst, ']')
}

// split calls a function with the names of the flags in a value, and returns the bits that have none.
func (t *flagTable) split(value uint64, named func(name string)) (rest uint64) {
	rest = value
	taken := uint64(0)
	for i := range t.entries {
		e := &t.entries[i]
		if rest&e.mask != e.bits || taken&e.mask != 0 {
			continue
		}
		named(e.name)
		rest &^= e.mask
		if taken |= e.mask; rest == 0 && i+1 >= t.zeros {
			break
		}
	}
	return rest
}

// named returns the entry with a name. It is not known if t is nil or has none, and not ok if only other ABIs have it.
func (t *flagTable) named(name string) (e flagEntry, known, ok bool) {
	switch {
	case t == nil:
		return e, false, false
	case t.ioctls != nil:
		return t.ioctls.named(name)
	}
	n := slices.IndexFunc(t.entries, func(e flagEntry) bool { return e.name == name })
	if n < 0 {
		return e, false, false
	}
	return t.entries[n], true, true
}

// parseFlags reads the tables of flags.txt that apply to an ABI.
func parseFlags(a ABI) map[string]*flagTable {
	tables := make(map[string]*flagTable, 128)
	own := make(map[string]bool)
	var current *flagTable // nil if the table belongs to another ABI
	for line := range strings.Lines(flagsText) {
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		if line[0] != '\t' {
			rest, listed, holds := cutABIs(line, a)
			head, entries, _ := strings.Cut(rest, ":")
			name, attributes, _ := strings.Cut(head, " ")
			line, current = entries, nil
			if holds && !own[name] {
				current = &flagTable{
					enum: strings.Contains(attributes, "enum"), long: strings.Contains(attributes, "long"),
					decimal: strings.Contains(attributes, "decimal"), shifted: strings.Contains(attributes, "shifted"),
					octal: strings.Contains(attributes, "octal"),
				}
				tables[name] = current
				own[name] = listed
			}
		}
		if current == nil {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			e, ok := parseFlag(word, current, a)
			if !ok {
				continue
			}
			if current.entries = append(current.entries, e); e.bits == 0 {
				current.zeros = len(current.entries)
			}
		}
	}
	return tables
}

// parseFlag reads "NAME=bits" or "NAME=mask/bits", and ":struct" behind it. Of several values between "|", the second
// one is that of i386, and the last one that of arm; the third one of four is that of arm64. It returns false if the
// value is "-": the ABI lacks the name.
func parseFlag(word string, t *flagTable, a ABI) (_ flagEntry, ok bool) {
	name, value, _ := strings.Cut(word, "=")
	value, of, _ := strings.Cut(value, ":")
	if strings.Contains(value, "|") {
		values := strings.Split(value, "|")
		switch {
		case a == I386:
			value = values[1]
		case a == ARM:
			value = values[len(values)-1]
		case a == ARM64 && len(values) == 4:
			value = values[2]
		default:
			value = values[0]
		}
	}
	if value == "-" {
		return flagEntry{}, false
	}
	mask, bits, masked := strings.Cut(value, "/")
	if !masked {
		bits = mask
	}
	e := flagEntry{name: name, of: of, mask: parseBits(word, mask), bits: parseBits(word, bits)}
	if !t.long {
		e.bits = uint64(uint32(e.bits))
	}
	if !masked && e.bits == 0 {
		e.mask = ^uint64(0)
	}
	return e, true
}

func parseBits(word, value string) uint64 {
	if n, err := strconv.ParseInt(value, 0, 64); err == nil {
		return uint64(n)
	}
	panic(fmt.Sprintf("flags.txt: %q has no value", word))
}
