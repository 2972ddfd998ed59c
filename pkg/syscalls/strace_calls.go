// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"
	"strconv"
	"strings"

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

// hasParent reports whether a call is a clone3 after which strace shows what it wrote to memory of the parent.
func (s *Strace) hasParent(c *Call) bool {
	const parentSetTID = 0x00100000 // CLONE_PARENT_SETTID
	call := c.Syscall()
	return call != nil && call.Name == "clone3" && len(s.tape.values) > 3 && s.tape.values[1].Kind == KindStruct &&
		s.tape.values[2].Number&parentSetTID != 0
}

// appendParent appends the ID that clone3 wrote to memory of the parent: the result, unless there is no such memory.
func (s *Strace) appendParent(dst []byte, c *Call) []byte {
	if c.Result <= 0 || c.Unfinished {
		return dst
	}
	for i := range s.tape.values {
		if v := &s.tape.values[i]; v.Name == "parent_tid" && v.Number == 0 {
			return append(dst, " => {parent_tid=NULL}"...)
		}
	}
	dst = strconv.AppendInt(append(dst, " => {parent_tid=["...), c.Result, 10)
	return append(dst, "]}"...)
}

// appendQuota appends the operation of quotactl: QCMD(Q_SYNC, USRQUOTA).
func appendQuota(dst []byte, v *Value) []byte {
	dst = append(dst, "QCMD("...)
	if name := v.table.masked(v.Number, 0xffffff00); name != "" {
		dst = append(dst, name...)
	} else {
		dst = appendHex(dst, v.Number>>8)
	}
	dst = append(dst, ", "...)
	if name := v.table.masked(v.Number, 0xff); name != "" {
		dst = append(dst, name...)
	} else {
		dst = appendHex(dst, v.Number&0xff)
	}
	return append(dst, ')')
}

// appendWakeOp appends the operation of FUTEX_WAKE_OP: FUTEX_OP_SET<<28|0<<12|FUTEX_OP_CMP_GT<<24|0x1.
func appendWakeOp(dst []byte, v *Value) []byte {
	op := v.Number
	if op>>31&1 != 0 {
		dst = append(dst, "FUTEX_OP_OPARG_SHIFT<<28|"...)
		op &^= 1 << 31
	}
	if name := v.table.masked(op, 0xf0000000); name != "" {
		dst = append(dst, name...)
	} else {
		dst = append(appendHex(dst, op>>28&15), "<<28"...)
	}
	dst = append(appendHex(append(dst, '|'), op>>12&0xfff), "<<12|"...)
	if name := v.table.masked(op, 0xf000000); name != "" {
		dst = append(dst, name...)
	} else {
		dst = append(appendHex(dst, op>>24&15), "<<24"...)
	}
	return appendHex(append(dst, '|'), op&0xfff)
}

// appendPriority appends a priority of input and output: IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4).
func appendPriority(dst []byte, table *flagTable, value uint64) []byte {
	const shift = 13 // IOPRIO_CLASS_SHIFT
	dst = append(dst, "IOPRIO_PRIO_VALUE("...)
	if class, _, ok := strings.Cut(table.masked(value, 7<<shift), "<<"); ok {
		dst = append(dst, class...)
	} else {
		dst = appendHex(dst, value>>shift)
	}
	dst = strconv.AppendUint(append(dst, ", "...), value&(1<<shift-1), 10)
	return append(dst, ')')
}

// appendRequest appends all names of the number of an ioctl. One without a name is _IOC(_IOC_READ, 0x12, 0x7b, 0x4),
// which are its direction, type, number and size: include/uapi/asm-generic/ioctl.h.
func appendRequest(dst []byte, names *ioctls, value uint64) []byte {
	dst, ok := names.append(dst, value)
	if ok {
		return dst
	}
	directions := [...]string{"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"}
	dst = append(append(dst, "_IOC("...), directions[value>>30&3]...)
	for _, part := range [...]uint64{value >> 8 & 0xff, value & 0xff, value >> 16 & 0x3fff} {
		dst = appendHex(append(dst, ", "...), part)
	}
	return append(dst, ')')
}

// isNodes reports whether what an argument points to is a set of memory nodes, which strace shows as the words that it
// consists of.
func isNodes(v *Value) bool {
	return v.Name == "nmask" || v.Name == "old_nodes" || v.Name == "new_nodes"
}

// nodes returns how many memory nodes the sets of a call can have: the kernel takes one less than the call says.
func (c *Call) nodes() uint64 {
	for i, a := range c.Syscall().Args {
		if a.Name == "maxnode" {
			return max(c.Args[i], 1) - 1
		}
	}
	return 0
}

// appendWords appends a set of so many bits as words of that many bytes: [0x00000000000003].
func appendWords(dst []byte, v *Value, bits uint64, word int) []byte {
	dst = append(dst, '[')
	for at := 0; at+word <= len(v.Bytes) && uint64(at)*8 < bits; at += word {
		if at > 0 {
			dst = append(dst, ", "...)
		}
		dst = fmt.Appendf(dst, "%#0*x", 2*word-2, number(v.Bytes[at:], word, false))
	}
	if v.Marks&Truncated != 0 {
		if len(v.Bytes) >= word {
			dst = append(dst, ", "...)
		}
		dst = append(dst, markCut...)
	}
	return append(dst, ']')
}

// isControlled reports whether the members of a struct msghdr are followed by control messages.
func isControlled(members []Value) bool {
	for i := range members {
		if members[i].Name == "msg_controllen" {
			return members[i].Number != 0
		}
	}
	return true
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

// isBefore reports whether strace shows what a call changes only as it was before.
func isBefore(c *Call) bool {
	s := c.Syscall()
	return s != nil && (s.Name == "copy_file_range" || s.Name == "splice" || s.Name == "set_thread_area")
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

// appendSet appends the names of the bits in a value, each behind a prefix: 1<<CAP_CHOWN|1<<CAP_KILL.
func appendSet(dst []byte, table *flagTable, value uint64, prefix string) []byte {
	start := len(dst)
	rest := table.split(value, func(name string) {
		if len(dst) > start {
			dst = append(dst, '|')
		}
		dst = append(append(dst, prefix...), name...)
	})
	if rest == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, '|')
	}
	return appendHex(dst, rest)
}

// clockStates are what adjtimex returns: include/uapi/linux/timex.h.
var clockStates = [...]string{"TIME_OK", "TIME_INS", "TIME_DEL", "TIME_OOP", "TIME_WAIT", "TIME_ERROR"}

// appendResult appends a result in the form that a call's results have.
func (s *Strace) appendResult(dst []byte, c *Call, name string) []byte {
	switch name {
	case "umask":
		return appendMode3(dst, uint64(c.Result))
	case "time":
		dst = strconv.AppendInt(dst, c.Result, 10)
		return append(appendTime(append(dst, " ("...), c.Result), ')')
	case "membarrier":
		if c.Args[0] != 0 { // only the query returns commands
			break
		}
		dst = appendHex(dst, uint64(c.Result))
		dst = appendSet(append(dst, " ("...), c.Syscall().Args[0].flags, uint64(c.Result), "")
		return append(dst, ')')
	case "sched_getscheduler":
		dst = strconv.AppendInt(dst, c.Result, 10)
		return append(tableOf(c.ABI).sched.append(append(dst, " ("...), uint64(c.Result)), ')')
	case "rt_sigtimedwait", "rt_sigtimedwait_time64":
		dst = strconv.AppendInt(dst, c.Result, 10)
		return append(appendSignal(append(dst, " ("...), uint64(c.Result)), ')')
	case "personality":
		dst = appendHex(dst, uint64(c.Result))
		return append(c.Syscall().Args[0].flags.append(append(dst, " ("...), uint64(c.Result)), ')')
	case "adjtimex", "clock_adjtime", "clock_adjtime64":
		dst = strconv.AppendInt(dst, c.Result, 10)
		if states := clockStates[:]; c.Result < int64(len(states)) {
			dst = append(append(append(dst, " ("...), states[c.Result]...), ')')
		}
		return dst
	case "ioprio_get":
		dst = strconv.AppendInt(dst, c.Result, 10)
		dst = appendPriority(append(dst, " ("...), tableOf(c.ABI).priority, uint64(c.Result))
		return append(dst, ')')
	case "prctl":
		const getDumpable, getSecureBits = 3, 27
		switch uint32(c.Args[0]) {
		case getDumpable:
			dst = append(strconv.AppendInt(dst, c.Result, 10), " ("...)
			return append(tableOf(c.ABI).dumpable.append(dst, uint64(c.Result)), ')')
		case getSecureBits:
			dst = appendHex(dst, uint64(c.Result))
			if c.Result != 0 {
				dst = append(tableOf(c.ABI).securebits.append(append(dst, " ("...), uint64(c.Result)), ')')
			}
			return dst
		}
	case "ioctl":
		const getType = 0xb703 // NS_GET_NSTYPE
		if uint32(c.Args[1]) == getType {
			dst = append(strconv.AppendInt(dst, c.Result, 10), " ("...)
			return append(tableOf(c.ABI).namespaces.append(dst, uint64(c.Result)), ')')
		}
	case "set_thread_area":
		dst = strconv.AppendInt(dst, c.Result, 10)
		before := c.Capture(0)
		for i := range c.Captures {
			after := &c.Captures[i]
			if after.Arg != 0 || !after.Output || len(after.Data) < 4 || before == nil || len(before.Data) < 4 {
				continue
			}
			if n := number(after.Data, 4, true); n != number(before.Data, 4, true) {
				return append(strconv.AppendInt(append(dst, " (entry_number="...), int64(n), 10), ')')
			}
		}
		return dst
	case "fcntl", "fcntl64":
		const getFD, getFlags, getSignal, getLease, getSeals = 1, 3, 11, 1025, 1034
		table, ok := (*flagTable)(nil), false
		switch uint32(c.Args[1]) {
		case getFD:
			table, ok = tableOf(c.ABI).cloexec, true
		case getFlags:
			table, ok = tableOf(c.ABI).open, true
		case getSignal:
			if c.Result == 0 {
				break
			}
			dst = append(strconv.AppendInt(dst, c.Result, 10), " ("...)
			return append(appendSignal(dst, uint64(c.Result)), ')')
		case getSeals:
			dst = appendHex(dst, uint64(c.Result))
			if c.Result != 0 {
				dst = append(tableOf(c.ABI).seals.append(append(dst, " (seals "...), uint64(c.Result)), ')')
			}
			return dst
		case getLease:
			dst = append(appendHex(dst, uint64(c.Result)), " ("...)
			return append(tableOf(c.ABI).lock.append(dst, uint64(c.Result)), ')')
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
