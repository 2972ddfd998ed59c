// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"
)

// Marks are always outside of quotes. The only text of a container that is in angle brackets outside of quotes is that
// of a Descriptor, in which angle brackets are escaped: it begins with a slash, an ellipsis, or its type.
const (
	markLate       = " <read late>"
	markUnreadable = "<unreadable>"
	markCut        = "..."
)

// moment says which values of a call are shown.
type moment uint8

const (
	atEnter   moment = 1 << iota // values that are known at the enter
	atExit                       // values that the call has put out
	wholeCall = atEnter | atExit
)

// appendArguments appends arguments with their names, and what they point to.
func (t *Text) appendArguments(dst []byte, values []Value, shown moment) []byte {
	for i := 0; i < len(values); {
		v := &values[i]
		end := i + 1 + int(v.Parts)
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = t.appendNamed(dst, v, values[i+1:end], shown)
		i = end
	}
	return dst
}

// appendNamed appends a value with its name.
func (t *Text) appendNamed(dst []byte, v *Value, parts []Value, shown moment) []byte {
	if v.Name != "" {
		dst = append(append(dst, v.Name...), '=')
	}
	return t.appendTree(dst, v, parts, shown)
}

// appendTree appends a value and its parts.
func (t *Text) appendTree(dst []byte, v *Value, parts []Value, shown moment) []byte {
	switch v.Kind {
	case KindStruct:
		dst = t.appendParts(append(dst, '{'), v, parts, shown)
		dst = append(dst, '}')
	case KindArray:
		dst = t.appendParts(append(dst, '['), v, parts, shown)
		dst = append(dst, ']')
	case KindChanged:
		return t.appendPointed(dst, parts, shown)
	case KindMissing:
		if v.Marks&Unreadable != 0 {
			return append(dst, markUnreadable...)
		}
		return append(dst, markCut...)
	case KindString, KindPath, KindBytes:
		dst = appendScalar(dst, v)
		if v.Marks&Truncated != 0 {
			dst = append(dst, markCut...)
		}
	default:
		dst = t.appendPointer(dst, v, parts, shown)
	}
	if v.File != nil && v.Kind == KindPath {
		dst = v.File.AppendText(append(dst, ' '))
	}
	if v.Marks&Late != 0 {
		dst = append(dst, markLate...)
	}
	if v.Marks&Unreadable != 0 {
		dst = append(append(dst, ' '), markUnreadable...)
	}
	return dst
}

// appendPointer appends a value, and what it points to.
func (t *Text) appendPointer(dst []byte, v *Value, parts []Value, shown moment) []byte {
	start := len(dst)
	dst = appendScalar(dst, v)
	if v.File != nil {
		dst = v.File.AppendText(dst)
	}
	at := len(dst)
	if len(parts) == 0 {
		return dst
	}
	if dst = t.appendPointed(append(dst, ' '), parts, shown); len(dst) == at+1 {
		return dst[:at]
	}
	if t.NoAddresses && v.Kind == KindPointer {
		return append(dst[:start], dst[at+1:]...)
	}
	return dst
}

// appendParts appends the members of a struct, or the elements of an array.
func (t *Text) appendParts(dst []byte, v *Value, parts []Value, shown moment) []byte {
	start := len(dst)
	Each(parts, func(part *Value, inner []Value) {
		if part.Marks&Output != 0 && shown == atEnter {
			return
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = t.appendNamed(dst, part, inner, shown)
	})
	if v.Marks&Abridged != 0 || v.Kind == KindArray && v.Marks&Truncated != 0 {
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, markCut...)
	}
	return dst
}

// appendPointed appends what a pointer points to: what was there before the call, and what the call has put there.
func (t *Text) appendPointed(dst []byte, parts []Value, shown moment) []byte {
	start := len(dst)
	for i := 0; i < len(parts); {
		part := &parts[i]
		end := i + 1 + int(part.Parts)
		inner := parts[i+1 : end]
		i = end
		if part.Marks&Output == 0 && shown&atEnter == 0 || part.Marks&Output != 0 && shown&atExit == 0 {
			continue
		}
		if len(dst) == start {
			dst = t.appendNamed(dst, part, inner, shown|atEnter)
			continue
		}
		middle := len(dst)
		dst = t.appendNamed(append(dst, " => "...), part, inner, shown|atEnter)
		if string(dst[start:middle]) == string(dst[middle+len(" => "):]) {
			dst = dst[:middle] // the call has changed nothing
		}
	}
	return dst
}

// appendScalar appends a value without its parts.
func appendScalar(dst []byte, v *Value) []byte {
	n := v.Number
	switch v.Kind {
	case KindInt, KindFD:
		return strconv.AppendInt(dst, int64(n), 10)
	case KindUint, KindTime:
		return strconv.AppendUint(dst, n, 10)
	case KindHex:
		return appendHex(dst, n)
	case KindDirFD:
		if int32(n) == atFDCWD {
			return append(dst, "AT_FDCWD"...)
		}
		return strconv.AppendInt(dst, int64(n), 10)
	case KindMode:
		return appendMode(dst, n)
	case KindFileMode:
		return appendFileMode(dst, n)
	case KindFlags:
		return v.table.append(dst, n)
	case KindSignal:
		return appendSignal(dst, uint64(uint32(n)))
	case KindSignals:
		return appendSignals(dst, n)
	case KindID:
		if uint32(n) == ^uint32(0) {
			return append(dst, "-1"...)
		}
		return strconv.AppendUint(dst, n, 10)
	case KindDevice:
		return appendDevice(dst, n)
	case KindErrno:
		return appendErrno(dst, n)
	case KindStatus:
		return appendWaitStatus(dst, uint32(n))
	case KindCode:
		return append(dst, signalCode(signalName(uint64(binary.LittleEndian.Uint32(v.Bytes))), int32(n))...)
	case KindVariables:
		dst = append(dst, '<')
		dst = strconv.AppendUint(dst, n, 10)
		if n == 1 {
			return append(dst, " variable>"...)
		}
		return append(dst, " variables>"...)
	case KindLimit:
		if n == ^uint64(0) || n == 0xffffffff && len(v.Bytes) == 4 {
			return append(dst, "RLIM64_INFINITY"...)
		}
		return strconv.AppendUint(dst, n, 10)
	case KindPort:
		dst = append(dst, "htons("...)
		dst = strconv.AppendUint(dst, n, 10)
		return append(dst, ')')
	case KindIP:
		dst = append(dst, `inet_addr("`...)
		dst = addressOf(v.Bytes).AppendTo(dst)
		return append(dst, `")`...)
	case KindString, KindPath:
		if v.Marks&Abstract != 0 {
			dst = append(dst, '@')
		}
		return AppendQuoted(dst, v.Bytes)
	case KindBytes:
		return AppendQuoted(dst, v.Bytes)
	case KindBits, KindFDs:
		return appendBits(dst, v.Bytes)
	}
	return appendPointer(dst, n)
}

func addressOf(data []byte) netip.Addr {
	address, _ := netip.AddrFromSlice(data)
	return address
}

// appendMode shows permissions in octal.
func appendMode(dst []byte, v uint64) []byte {
	if v != 0 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, v, 8)
}

// fileTypes are the types of a file's mode, by its bits 12 to 15: include/uapi/linux/stat.h.
var fileTypes = [16]string{
	1: "S_IFIFO", 2: "S_IFCHR", 4: "S_IFDIR", 6: "S_IFBLK", 8: "S_IFREG", 10: "S_IFLNK", 12: "S_IFSOCK",
}

// appendFileMode shows the type and the permissions of a file: S_IFDIR|S_ISVTX|0777.
func appendFileMode(dst []byte, v uint64) []byte {
	name := fileTypes[v>>12&15]
	if name == "" || v>>16 != 0 {
		return appendMode(dst, v)
	}
	dst = append(append(dst, name...), '|')
	for i, name := range [...]string{"S_ISUID|", "S_ISGID|", "S_ISVTX|"} {
		if v&(0o4000>>i) != 0 {
			dst = append(dst, name...)
		}
	}
	return appendMode3(dst, v&0o777)
}

// appendSignals shows a set of signals: [CHLD RT_1], or, if it has most of them, those that it lacks: ~[KILL].
func appendSignals(dst []byte, set uint64) []byte {
	in := uint64(1)
	if count := onesCount(set); count > 32 {
		dst, in = append(dst, '~'), 0
	}
	dst = append(dst, '[')
	start := len(dst)
	for n := range uint64(64) {
		if set>>n&1 != in {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		at := len(dst)
		dst = appendSignal(dst, n+1)
		dst = append(dst[:at], dst[at+len("SIG"):]...)
	}
	return append(dst, ']')
}

func onesCount(set uint64) (n int) {
	for ; set != 0; set &= set - 1 {
		n++
	}
	return n
}

// appendBits shows a set of numbers: [0 3].
func appendBits(dst, set []byte) []byte {
	dst = append(dst, '[')
	start := len(dst)
	for at, bits := range set {
		for bit := range 8 {
			if bits>>bit&1 == 0 {
				continue
			}
			if len(dst) > start {
				dst = append(dst, ' ')
			}
			dst = strconv.AppendInt(dst, int64(at*8+bit), 10)
		}
	}
	return append(dst, ']')
}

// appendWaitStatus shows how a child ended or stopped, in the macros of wait(2).
func appendWaitStatus(dst []byte, status uint32) []byte {
	signal := uint64(status & 0x7f)
	switch {
	case status == 0xffff:
		return append(dst, "{WIFCONTINUED(s)}"...)
	case status&0xff == 0x7f:
		dst = append(dst, "{WIFSTOPPED(s) && WSTOPSIG(s) == "...)
		dst = appendStop(dst, status)
	case signal != 0:
		dst = append(dst, "{WIFSIGNALED(s) && WTERMSIG(s) == "...)
		dst = appendSignal(dst, signal)
		if status&0x80 != 0 {
			dst = append(dst, " && WCOREDUMP(s)"...)
		}
	default:
		dst = append(dst, "{WIFEXITED(s) && WEXITSTATUS(s) == "...)
		dst = strconv.AppendUint(dst, uint64(status>>8&0xff), 10)
	}
	return append(dst, '}')
}

// appendStop shows the signal that stopped a child, and 0x80 that ptrace adds for a system call.
func appendStop(dst []byte, status uint32) []byte {
	dst = appendSignal(dst, uint64(status>>8&0x7f))
	if status>>15&1 != 0 {
		dst = append(dst, " | 0x80"...)
	}
	return dst
}

// appendTime appends a moment as in strace's comments: 2023-11-14T22:13:20+0000.
func appendTime(dst []byte, seconds int64) []byte {
	return time.Unix(seconds, 0).UTC().AppendFormat(dst, "2006-01-02T15:04:05-0700")
}

// appendErrno shows the name of an error, or its number.
func appendErrno(dst []byte, n uint64) []byte {
	if name := lookupErrno(n).name; n != 0 && name != "" {
		return append(dst, name...)
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
