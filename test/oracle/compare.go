// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// verdict is how a recording shows what strace shows.
type verdict uint8

const (
	equal   verdict = iota // the same, or more
	partial                // a part of it
	bare                   // a pointer or a number instead of what it points to or means
	wrong                  // something else
	verdicts
)

func (v verdict) String() string { return [verdicts]string{"equal", "partial", "bare", "wrong"}[v] }

// finding is the comparison of one value.
type finding struct {
	verdict
	at string // the member in which they differ: ".st_mode", "[0].fd"
}

// worse returns the finding that says more.
func (f finding) worse(other finding) finding {
	if other.verdict > f.verdict {
		return other
	}
	return f
}

// compare compares what a recording shows with what strace shows.
func compare(strace, record *value) finding {
	if strace.kind != word && record.isPointer() {
		if strace.kind == group && len(strace.parts) == 0 || strace.kind == quoted && strace.text == "" {
			return finding{verdict: bare, at: " (empty)"}
		}
		return finding{verdict: bare}
	}
	if strace.isPointer() && record.kind != word {
		return finding{} // strace has not followed it
	}
	if strace.kind != record.kind {
		return compareKinds(strace, record)
	}
	switch strace.kind {
	case quoted:
		return compareText(strace, record)
	case group:
		if strace.open == '{' {
			return compareStruct(strace, record)
		}
		return compareArray(strace, record)
	case called:
		if strace.text != record.text {
			return finding{verdict: wrong}
		}
		return compareArray(strace, record)
	case series:
		return compareSeries(strace, record)
	case change:
		before, after := compare(strace.parts[0], record.parts[0]), compare(strace.parts[1], record.parts[1])
		after.at = "=>" + after.at
		return before.worse(after)
	}
	return compareWord(strace, record)
}

// compareKinds compares values that look different.
func compareKinds(strace, record *value) finding {
	switch {
	case strace.kind == word && strings.HasSuffix(strace.comment, " entries") && record.kind == group:
		if n := strconv.Itoa(len(record.parts)); strace.comment == n+" entries" || record.cut {
			return finding{}
		}
		return finding{verdict: wrong}
	case strace.kind != change && record.kind == quoted: // bytes instead of what they mean
		return finding{verdict: bare}
	case strace.kind == change: // the recording has only one of both
		for _, part := range strace.parts {
			if compare(part, record).verdict == equal {
				return finding{verdict: partial, at: "=>"}
			}
		}
		return finding{verdict: wrong, at: "=>"}
	case record.kind == change:
		return compare(strace, record.parts[1]).worse(compare(strace, record.parts[0])) // strace shows that none changed
	case strace.kind == quoted && record.kind == group:
		return finding{} // strace does not know what the bytes mean
	case strace.kind == series && record.kind == word && isOneOf(strace, record.text):
		return finding{}
	case strace.kind == group && record.kind == word && record.text == "...":
		return finding{verdict: partial}
	case record.kind == word && number(record.text) != nil:
		return finding{verdict: bare}
	case strace.kind == word && number(strace.text) != nil && (record.kind == called || record.kind == series):
		return finding{} // the recording has a name for a number
	}
	return finding{verdict: wrong}
}

// isOneOf reports whether strace shows several names that a number has, "BTRFS_IOC_CLONE or FICLONE", and this one.
func isOneOf(strace *value, name string) bool {
	return len(strace.parts) == 3 && strace.parts[1].text == "or" &&
		(strace.parts[0].text == name || strace.parts[2].text == name)
}

// isPointer reports whether a value is an address, and nothing is said of what is there.
func (v *value) isPointer() bool {
	return v.kind == word && strings.HasPrefix(v.text, "0x") && v.comment == ""
}

func compareText(strace, record *value) finding {
	s, r := strace.text, record.text
	switch {
	case s == r || strings.TrimRight(s, "\x00") == r: // strace shows it as bytes
		if record.cut && !strace.cut {
			return finding{verdict: partial}
		}
		return finding{}
	case strings.HasPrefix(r, s) && strace.cut:
		return finding{}
	case strings.HasPrefix(s, r) && record.cut:
		return finding{verdict: partial}
	}
	return finding{verdict: wrong}
}

// compareStruct compares the members that strace shows.
func compareStruct(strace, record *value) finding {
	if record.open != '{' {
		return finding{verdict: wrong}
	}
	var worst finding
	for i, part := range strace.parts {
		at := func(other *value) bool { return other.name == part.name }
		if part.name == "" {
			at = func(other *value) bool { return i < len(record.parts) && other == record.parts[i] }
		}
		name := "." + part.name
		if n := slices.IndexFunc(record.parts, at); n >= 0 {
			f := compare(part, record.parts[n])
			f.at = name + f.at
			worst = worst.worse(f)
		} else {
			worst = worst.worse(finding{verdict: partial, at: name + " missing"})
		}
	}
	if worst.verdict == equal && !strace.cut {
		for _, part := range record.parts {
			if !slices.ContainsFunc(strace.parts, func(other *value) bool { return other.name == part.name }) {
				return finding{verdict: wrong, at: "." + part.name + " added"}
			}
		}
	}
	return worst
}

// compareArray compares elements. If strace has cut the array, the recording may have more of them.
func compareArray(strace, record *value) finding {
	if strace.open != record.open || strace.inverse != record.inverse {
		return finding{verdict: wrong}
	}
	var worst finding
	for i, part := range strace.parts {
		if i >= len(record.parts) {
			if record.cut {
				return worst.worse(finding{verdict: partial, at: "[...]"})
			}
			return finding{verdict: wrong, at: "[...]"}
		}
		f := compare(part, record.parts[i])
		if strace.open == '[' {
			f.at = "[]" + f.at
		}
		worst = worst.worse(f)
	}
	switch {
	case len(record.parts) > len(strace.parts) && !strace.cut:
		return finding{verdict: wrong, at: "[...]"}
	case record.cut && !strace.cut:
		return worst.worse(finding{verdict: partial, at: "[...]"})
	}
	return worst
}

func compareSeries(strace, record *value) finding {
	if len(strace.parts) != len(record.parts) {
		return finding{verdict: wrong}
	}
	var worst finding
	for i := range strace.parts {
		worst = worst.worse(compare(strace.parts[i], record.parts[i]))
	}
	return worst
}

// compareWord compares numbers, names and sets of flags. A name in the place of strace's number is equal: the recorder
// knows names that are younger than strace.
func compareWord(strace, record *value) finding {
	if number(strace.text) == nil && record.text == "..." {
		return finding{verdict: partial}
	}
	if strace.comment != "" && strings.HasSuffix(strace.comment, "vars") && strace.comment != record.comment {
		if record.comment == "" {
			return finding{verdict: bare}
		}
		return finding{verdict: wrong}
	}
	if strace.text == record.text || strace.comment == record.text {
		return finding{}
	}
	if a, b := number(strace.text), number(record.text); a != nil && b != nil {
		if *a == *b || strings.HasPrefix(strace.text, "-") && uint32(*a) == uint32(*b) {
			return finding{}
		}
		return finding{verdict: wrong}
	}
	return compareFlags(flags(strace.text), flags(record.text))
}

// flagSet are names of flags, and the bits that are shown as numbers.
type flagSet struct {
	names []string
	bits  uint64
}

// compareFlags compares sets of flags. A set with names for bits that the other one shows as a number says more.
func compareFlags(strace, record flagSet) finding {
	if strace.bits <= math.MaxUint32 { // it shows only these
		record.bits = uint64(uint32(record.bits))
	}
	missing, zero := strace.without(record)
	more, _ := record.without(strace)
	switch {
	case missing == 0 && (more == 0 && record.bits == strace.bits || more > 0 && within(record.bits, strace.bits)):
		if zero {
			return finding{verdict: bare, at: "|"}
		}
		return finding{}
	case missing > 0 && more == 0 && within(strace.bits, record.bits):
		return finding{verdict: bare, at: "|"}
	}
	return finding{verdict: wrong}
}

// within reports whether a number has all the bits of another one, and more.
func within(bits, all uint64) bool { return bits&^all == 0 && bits != all }

// without counts the names that another set lacks, and says whether it lacks one that stands for no bit.
func (f flagSet) without(other flagSet) (names int, zero bool) {
	for _, name := range f.names {
		if !slices.Contains(other.names, name) {
			if slices.Contains(zeros, name) {
				zero = true
			} else {
				names++
			}
		}
	}
	return names, zero
}

// zeros are names of flags that stand for no bit.
var zeros = []string{"AT_STATX_SYNC_AS_STAT", "O_RDONLY", "PROT_NONE", "MAP_FILE", "MPOL_DEFAULT", "FUTEX2_SIZE_U8"}

// aliases are other names for the same bits.
var aliases = map[string]string{"SO_RCVTIMEO_OLD": "SO_RCVTIMEO", "SO_SNDTIMEO_OLD": "SO_SNDTIMEO",
	"SO_TIMESTAMP_OLD": "SO_TIMESTAMP", "SO_TIMESTAMPNS_OLD": "SO_TIMESTAMPNS",
	"SO_TIMESTAMPING_OLD": "SO_TIMESTAMPING", "PTRACE_PEEKUSER": "PTRACE_PEEKUSR", "PTRACE_POKEUSER": "PTRACE_POKEUSR",
	"PR_SYS_DISPATCH_ON": "PR_SYS_DISPATCH_EXCLUSIVE_ON", "O_NOTIFICATION_PIPE": "O_EXCL"}

// flags splits a set of flags.
func flags(text string) (f flagSet) {
	for flag := range strings.SplitSeq(text, "|") {
		n := number(flag)
		if digits, ok := strings.CutSuffix(flag, "_HUGE_SHIFT"); ok { // 21<<MAP_HUGE_SHIFT
			if digits, _, ok = strings.Cut(digits, "<<"); ok {
				if n = number(digits); n != nil {
					*n <<= 26
				}
			}
		}
		switch {
		case n != nil:
			f.bits |= *n
		case aliases[flag] != "":
			f.names = append(f.names, aliases[flag])
		case flag != "":
			f.names = append(f.names, flag)
		}
	}
	return f
}

// number returns the value of a decimal, octal or hexadecimal number as 64 bits, or nil.
func number(text string) *uint64 {
	if text == "NULL" {
		return new(uint64)
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return new(uint64(n))
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return &n
	}
	return nil
}

// String returns the value in short, for a table.
func (v *value) String() string {
	name := ""
	if v.name != "" {
		name = v.name + "="
	}
	var parts []string
	for _, part := range v.parts {
		parts = append(parts, part.String())
	}
	if v.cut && v.kind != quoted && v.text != "..." {
		parts = append(parts, "...")
	}
	text := v.text
	switch v.kind {
	case quoted:
		text = fmt.Sprintf("%q", text)
		if v.cut {
			text += "..."
		}
	case group:
		text = string(v.open) + strings.Join(parts, ", ") + string(closing[v.open])
		if v.inverse {
			text = "~" + text
		}
	case called:
		text += "(" + strings.Join(parts, ", ") + ")"
	case series:
		text = strings.Join(parts, " ")
	case change:
		text = strings.Join(parts, " => ")
	}
	if v.note != "" {
		text += "<" + v.note + ">"
	}
	if v.comment != "" {
		text += " /* " + v.comment + " */"
	}
	return name + text
}
