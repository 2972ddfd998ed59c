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
	long    bool // as wide as a register, not 32 bits
	entries []flagEntry
}

type flagEntry struct {
	mask, bits uint64 // matches if value&mask == bits
	name       string
}

// append shows a value, such as "O_WRONLY|O_CREAT|0x80000000".
func (t *flagTable) append(dst []byte, value uint64) []byte {
	if !t.long {
		value = uint64(uint32(value))
	}
	if t.enum {
		for i := range t.entries {
			if t.entries[i].bits == value {
				return append(dst, t.entries[i].name...)
			}
		}
		return appendHex(dst, value)
	}
	start, rest, named := len(dst), value, uint64(0)
	for i := range t.entries {
		e := &t.entries[i]
		if rest&e.mask != e.bits || named&e.mask != 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '|')
		}
		dst = append(dst, e.name...)
		rest &^= e.mask
		if named |= e.mask; rest == 0 {
			return dst
		}
	}
	if len(dst) > start {
		dst = append(dst, '|')
	}
	return appendHex(dst, rest)
}

// index returns the index of the entry with a name, or -1 if t is nil or has none.
func (t *flagTable) index(name string) int {
	if t == nil {
		return -1
	}
	return slices.IndexFunc(t.entries, func(e flagEntry) bool { return e.name == name })
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
				}
				tables[name] = current
				own[name] = listed
			}
		}
		if current == nil {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			current.entries = append(current.entries, parseFlag(word, current))
		}
	}
	return tables
}

// parseFlag reads "NAME=bits" or "NAME=mask/bits".
func parseFlag(word string, t *flagTable) flagEntry {
	name, value, _ := strings.Cut(word, "=")
	mask, bits, masked := strings.Cut(value, "/")
	if !masked {
		bits = mask
	}
	e := flagEntry{name: name, mask: parseBits(word, mask), bits: parseBits(word, bits)}
	if !t.long {
		e.bits = uint64(uint32(e.bits))
	}
	if !masked && e.bits == 0 {
		e.mask = ^uint64(0)
	}
	return e
}

func parseBits(word, value string) uint64 {
	if n, err := strconv.ParseInt(value, 0, 64); err == nil {
		return uint64(n)
	}
	panic(fmt.Sprintf("flags.txt: %q has no value", word))
}
