// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
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
	case strace.kind == group && record.kind == word && record.text == "...":
		return finding{verdict: partial}
	case record.kind == word && number(record.text) != nil:
		return finding{verdict: bare}
	case strace.kind == word && number(strace.text) != nil && (record.kind == called || record.kind == series):
		return finding{} // the recording has a name for a number
	}
	return finding{verdict: wrong}
}

// isPointer reports whether a value is an address, and nothing is said of what is there.
func (v *value) isPointer() bool {
	return v.kind == word && strings.HasPrefix(v.text, "0x") && v.comment == ""
}

func compareText(strace, record *value) finding {
	s, r := strace.text, record.text
	switch {
	case s == r:
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
	if strace.note != "" && strace.note != record.note {
		if record.note == "" {
			return finding{verdict: bare, at: "<>"}
		}
		return finding{verdict: wrong, at: "<>"}
	}
	if strace.text == record.text {
		return finding{}
	}
	if a, b := number(strace.text), number(record.text); a != nil && b != nil {
		if *a == *b {
			return finding{}
		}
		return finding{verdict: wrong}
	}
	zero := false // a name for no bit is only in one of both
	// without counts the names and the numbers of a that b lacks, but not those that stand for no bit.
	without := func(a, b []string) (numbers, names int) {
		for _, flag := range a {
			switch {
			case slices.Contains(b, flag):
			case slices.Contains(zeros, flag):
				zero = true
			case number(flag) == nil:
				names++
			case *number(flag) != 0:
				numbers++
			}
		}
		return numbers, names
	}
	a, b := flags(strace.text), flags(record.text)
	bits, names := without(a, b)
	recordBits, recordNames := without(b, a)
	switch {
	case names == 0 && (bits > 0 || number(strace.text) != nil) && recordNames > 0:
		return finding{} // names for strace's number
	case names > 0 && recordNames == 0 && (recordBits > 0 || number(record.text) != nil):
		return finding{verdict: bare, at: "|"}
	case bits+names+recordBits+recordNames > 0:
	case zero:
		return finding{verdict: bare, at: "|"}
	default:
		return finding{}
	}
	return finding{verdict: wrong}
}

// zeros are names of flags that stand for no bit.
var zeros = []string{"AT_STATX_SYNC_AS_STAT", "O_RDONLY", "PROT_NONE", "MAP_FILE"}

// flags splits a set of flags. Numbers in it get one form.
func flags(text string) []string {
	all := strings.Split(text, "|")
	for i, flag := range all {
		if n := number(flag); n != nil {
			all[i] = strconv.FormatUint(*n, 10)
		}
	}
	return all
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
