// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"strconv"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// This file has the calls that strace shows in a way of their own.

func isClone(c *Call) bool {
	s := c.Syscall()
	return s != nil && s.Name == "clone"
}

// appendClone appends clone's arguments, which strace names and orders in its own way: those that it shows before the
// call returns, or the others.
func (s *Strace) appendClone(dst []byte, c *Call, before bool) []byte {
	one := func(name, as string) {
		Each(s.tape.values, func(v *Value, parts []Value) {
			if v.Name == name {
				dst = s.appendArgument(append(dst, as...), c, v, parts)
			}
		})
	}
	if before {
		one("newsp", "child_stack=")
		one("clone_flags", ", flags=")
		return dst
	}
	one("parent_tidptr", ", parent_tid=")
	one("tls", ", tls=")
	one("child_tidptr", ", child_tidptr=")
	return dst
}

// appendParent appends the ID that clone3 wrote to memory of the parent: the result.
func appendParent(dst []byte, c *Call, v *Value, parts []Value) []byte {
	const parentSetTID = 0x00100000 // CLONE_PARENT_SETTID
	if v.Name != "uargs" || len(parts) < 2 || parts[1].Number&parentSetTID == 0 || c.Result <= 0 || c.Unfinished {
		return dst
	}
	dst = strconv.AppendInt(append(dst, " => {parent_tid=["...), c.Result, 10)
	return append(dst, "]}"...)
}

// returns reports whether strace shows the output of a call behind its result, if the call overwrites its input.
func (s *Strace) returns(c *Call) bool {
	call := c.Syscall()
	if call == nil {
		return false
	}
	switch call.Name {
	case "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64":
		return true
	}
	return false
}

// appendEmpty appends a pointer to which nothing was recorded.
func (s *Strace) appendEmpty(dst []byte, c *Call, v *Value) []byte {
	a := c.Syscall()
	if a == nil || c.Result != 0 || c.Unfinished {
		return appendPointer(dst, v.Number)
	}
	for i := range a.Args {
		if arg := c.form(&a.Args[i]); arg == nil || arg.Name != v.Name {
			continue
		} else if arg.kind == kindOut {
			return append(dst, `""`...)
		} else if v.Name == "dirent" {
			return append(appendPointer(dst, v.Number), " /* 0 entries */"...)
		} else if arg.kind == kindPtr && arg.array && len(arg.rows) > 0 && arg.rows[0].Moment == abi.AtPositive {
			return append(dst, "[]"...)
		}
	}
	return appendPointer(dst, v.Number)
}

// isOpaque reports whether strace shows only the address of the structs that a call takes.
func isOpaque(c *Call) bool {
	s := c.Syscall()
	return s != nil && (s.Name == "set_robust_list" || s.Name == "rseq")
}

// isBefore reports whether strace shows numbers that a call changes only as they were before.
func isBefore(c *Call) bool {
	s := c.Syscall()
	return s != nil && (s.Name == "copy_file_range" || s.Name == "splice")
}

// isOffset reports whether strace shows a number that a call changes in two pairs of brackets.
func isOffset(c *Call) bool {
	s := c.Syscall()
	return s != nil && (s.Name == "sendfile" || s.Name == "sendfile64")
}

// appendEntries appends how many entries of a directory there are, if all were recorded.
func appendEntries(dst []byte, parts []Value) []byte {
	if parts[0].Kind != KindArray || parts[0].Marks&Truncated != 0 {
		return dst
	}
	n := 0
	Each(parts[1:], func(*Value, []Value) { n++ })
	dst = strconv.AppendInt(append(dst, " /* "...), int64(n), 10)
	return append(dst, " entries */"...)
}

// specialTime returns the name of a time that utimensat takes for another one, such as UTIME_NOW, or "".
func specialTime(parts []Value) string {
	if len(parts) == 2 && parts[1].Name == "tv_nsec" && parts[1].Kind == KindFlags {
		if e := parts[1].table.entry(parts[1].Number); e != nil {
			return e.name
		}
	}
	return ""
}

// appendShifted appends a set of capabilities: 1<<CAP_CHOWN|1<<CAP_KILL.
func appendShifted(dst []byte, v *Value) []byte {
	start := len(dst)
	rest := v.table.split(v.Number, func(name string) {
		if len(dst) > start {
			dst = append(dst, '|')
		}
		dst = append(append(dst, "1<<"...), name...)
	})
	if rest == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, '|')
	}
	return appendHex(dst, rest)
}

// appendResult appends a result in the form that a call's results have.
func (s *Strace) appendResult(dst []byte, c *Call, name string) []byte {
	switch name {
	case "umask":
		return appendMode3(dst, uint64(c.Result))
	case "fcntl", "fcntl64":
		const getFD, getFlags = 1, 3
		table, ok := (*flagTable)(nil), false
		switch uint32(c.Args[1]) {
		case getFD:
			table, ok = tableOf(c.ABI).cloexec, true
		case getFlags:
			table, ok = tableOf(c.ABI).open, true
		}
		if ok {
			dst = appendHex(dst, uint64(c.Result))
			if c.Result != 0 || uint32(c.Args[1]) == getFlags {
				dst = append(table.append(append(dst, " (flags "...), uint64(c.Result)), ')')
			}
			return dst
		}
	}
	dst = strconv.AppendInt(dst, c.Result, 10)
	if d := c.returned(); d != nil {
		dst = d.append(dst, "[", "]")
	}
	return dst
}

// appendReturned appends what a call that waits has found: "([{fd=3, revents=POLLIN}])", "(in [3], left {...})".
func (s *Strace) appendReturned(dst []byte, c *Call, name string) []byte {
	if c.Result == 0 {
		dst = append(dst, " (Timeout)"...)
		return dst
	}
	start := len(dst)
	add := func(label string) {
		if len(dst) == start {
			dst = append(dst, " ("...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, label...)
	}
	Each(s.tape.values, func(v *Value, parts []Value) {
		for i := 0; i < len(parts); i += 1 + int(parts[i].Parts) {
			part := &parts[i]
			switch {
			case part.Marks&Output == 0:
			case v.Name == "ufds":
				add("")
				dst = s.appendReady(dst, partsOf(parts, i))
			case v.Name == "inp" || v.Name == "outp" || v.Name == "exp":
				if hasBits(part.Bytes) {
					add(map[string]string{"inp": "in ", "outp": "out ", "exp": "except "}[v.Name])
					dst = s.appendValue(dst, part, nil)
				}
			default:
				add("left ")
				dst = s.appendValue(dst, part, partsOf(parts, i))
			}
		}
	})
	if len(dst) > start {
		dst = append(dst, ')')
	}
	return dst
}

func hasBits(set []byte) bool {
	for _, b := range set {
		if b != 0 {
			return true
		}
	}
	return false
}

// appendReady appends the structs pollfd in which something has happened.
func (s *Strace) appendReady(dst []byte, values []Value) []byte {
	dst = append(dst, '[')
	start := len(dst)
	Each(values, func(_ *Value, members []Value) {
		if len(members) < 3 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = s.appendValue(append(dst, "{fd="...), &members[0], nil)
		dst = s.appendValue(append(dst, ", revents="...), &members[2], nil)
		dst = append(dst, '}')
	})
	return append(dst, ']')
}
