// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Strace prints calls as strace does, for tools that read its log:
//
//	openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3
//
// The zero value is ready for use. A Strace can print any number of calls, for which it does not allocate, but only for
// one goroutine at a time.
type Strace struct {
	// Verbose shows all members of structs that were recorded.
	Verbose bool

	tape     tape // reused
	entering bool // nothing is known yet of what the call does
	describe func(fd int32, after bool) *Descriptor
}

// Append appends the whole call, with its result. The text is printable ASCII without newlines, for any record.
func (s *Strace) Append(dst []byte, c *Call) []byte {
	if c.Event() {
		return s.appendEvent(dst, c)
	}
	if call := c.Syscall(); c.Abandoned || c.Unfinished && (call == nil || !call.exits) {
		return append(s.appendStart(dst, c, true), " <unfinished ...>) = ?"...)
	}
	return s.appendEnd(s.appendStart(dst, c, false), c)
}

// AppendEnter appends the first of two lines of a call that overlaps with others: "read(3,  <unfinished ...>".
func (s *Strace) AppendEnter(dst []byte, c *Call) []byte {
	if c.Event() {
		return s.appendEvent(dst, c)
	}
	dst = s.appendStart(dst, c, true)
	return append(dst, " <unfinished ...>"...)
}

// AppendExit appends the second of a call's two lines: "<... read resumed>"hello", 4096) = 5".
func (s *Strace) AppendExit(dst []byte, c *Call) []byte {
	if c.Event() {
		return s.appendEvent(dst, c)
	}
	if c.Abandoned || c.Unfinished {
		return append(append(append(dst, "<... "...), s.appendName(nil, c)...), " resumed> <unfinished ...>) = ?"...)
	}
	s.decode(c, false)
	dst = append(dst, "<... "...)
	dst = s.appendName(dst, c)
	dst = append(dst, " resumed>"...)
	if isClone(c) {
		return s.appendEnd(append(s.appendClone(dst, c, false), ')'), c)
	}
	if s.hasParent(c) {
		last := len(s.tape.values) - 1
		dst = s.appendParent(dst, c)
		dst = s.appendArgument(append(dst, ", "...), c, &s.tape.values[last], nil)
		return s.appendEnd(append(dst, ')'), c)
	}
	n, output := 0, s.firstOutput(c)
	Each(s.tape.values, func(v *Value, parts []Value) {
		if n >= output {
			if n > 0 && n > output {
				dst = append(dst, ", "...)
			}
			dst = s.appendArgument(dst, c, v, parts)
		}
		n++
	})
	return s.appendEnd(append(dst, ')'), c)
}

// AppendInFlight appends a call that has not returned yet.
func (s *Strace) AppendInFlight(dst []byte, c *Call) []byte {
	if c.Event() {
		return dst
	}
	dst = s.appendStart(dst, c, true)
	return append(dst, " <unfinished ...>"...)
}

func (s *Strace) decode(c *Call, inFlight bool) {
	s.tape.values, s.tape.verbose, s.tape.registers = s.tape.values[:0], s.Verbose, true
	s.describe = c.Describe
	c.addArguments(&s.tape, inFlight)
}

// appendName appends the name of the call as strace has it.
func (s *Strace) appendName(dst []byte, c *Call) []byte {
	return c.appendBareName(dst, c.Syscall())
}

// firstOutput returns which argument is the first one that the call fills in: that of the exit's line.
func (s *Strace) firstOutput(c *Call) int {
	n, first := 0, -1
	Each(s.tape.values, func(v *Value, _ []Value) {
		if first < 0 && v.Marks&Output != 0 && v.Number != 0 {
			first = n
		}
		n++
	})
	if first < 0 || s.returns(c) {
		return n
	}
	return first
}

// appendStart appends the name and the arguments: with inFlight, those that strace shows before the call returns.
func (s *Strace) appendStart(dst []byte, c *Call, inFlight bool) []byte {
	s.entering = inFlight
	defer func() { s.entering = false }()
	dst = append(s.appendName(dst, c), '(')
	s.decode(c, inFlight)
	if isClone(c) {
		dst = s.appendClone(dst, c, true)
		if inFlight {
			return dst
		}
		return append(s.appendClone(dst, c, false), ')')
	}
	n, last := 0, len(s.tape.values)
	if inFlight {
		last = s.firstOutput(c)
	}
	parent := s.hasParent(c)
	Each(s.tape.values, func(v *Value, parts []Value) {
		if n == last && n > 0 || n < last && n > 0 && !(parent && inFlight) {
			dst = append(dst, ", "...)
		}
		if n < last && !(parent && inFlight && n > 0) {
			dst = s.appendArgument(dst, c, v, parts)
		}
		if parent && !inFlight && n == 0 {
			dst = s.appendParent(dst, c)
		}
		n++
	})
	if inFlight {
		return dst
	}
	return append(dst, ')')
}

// appendArgument appends an argument.
func (s *Strace) appendArgument(dst []byte, c *Call, v *Value, parts []Value) []byte {
	if v.Kind == KindSignals { // of rt_sigreturn
		return append(s.appendValue(append(dst, "{mask="...), v, nil), '}')
	}
	if v.Kind != KindPointer || v.Number == 0 {
		if s := c.Syscall(); s != nil && v.Kind == KindFlags {
			switch {
			case v.Name == "cmd" && strings.HasPrefix(s.Name, "quotactl"):
				return appendQuota(dst, v)
			case v.Name == "val3" && !v.table.enum:
				return appendWakeOp(dst, v)
			case v.Name == "ioprio":
				return appendPriority(dst, v.table, v.Number)
			case v.table.ioctls != nil:
				return appendRequest(dst, v.table.ioctls, v.Number)
			}
		}
		if v.Name == "pgoff" && v.Kind == KindHex {
			return appendHex(dst, v.Number<<12) // strace shows bytes
		}
		return s.appendValue(dst, v, nil)
	}
	in, out := -1, -1
	for i := 0; i < len(parts); i += 1 + int(parts[i].Parts) {
		if parts[i].Marks&Output != 0 {
			out = i
		} else {
			in = i
		}
	}
	switch {
	case out < 0 && in < 0:
		return s.appendEmpty(dst, c, v)
	case isOpaque(c):
		return appendPointer(dst, v.Number)
	case isNodes(v) && parts[0].Kind == KindBits:
		return appendWords(dst, &parts[0], c.nodes(), c.PointerSize())
	case in >= 0 && out >= 0 && isBefore(c):
		return s.appendPointed(dst, v, parts, in)
	case in >= 0 && out >= 0 && isScalar(&parts[in]) && isOffset(c):
		dst = s.appendPointed(dst, v, parts, in)
		return s.appendPointed(append(dst, " => "...), v, parts, out)
	case v.Name == "dirent" && !s.Verbose:
		return appendEntries(appendPointer(dst, v.Number), parts)
	case s.returns(c) && in >= 0: // shown behind the result
		return s.appendPointed(dst, v, parts, in)
	case in < 0:
		return s.appendPointed(dst, v, parts, out)
	case out < 0:
		return s.appendPointed(dst, v, parts, in)
	}
	return s.appendChange(dst, v, parts, in, out)
}

// appendChange appends a number as it was before the call, and as it is after it; a struct only as it is after it.
func (s *Strace) appendChange(dst []byte, v *Value, parts []Value, in, out int) []byte {
	scalar := isScalar(&parts[in]) && isScalar(&parts[out])
	if !scalar {
		return s.appendPointed(dst, v, parts, out)
	}
	dst = append(dst, '[')
	start := len(dst)
	dst = s.appendValue(dst, &parts[in], partsOf(parts, in))
	middle := len(dst)
	dst = append(dst, " => "...)
	after := len(dst)
	dst = s.appendValue(dst, &parts[out], partsOf(parts, out))
	if string(dst[start:middle]) == string(dst[after:]) {
		dst = dst[:middle]
	}
	return append(dst, ']')
}

func partsOf(values []Value, i int) []Value { return values[i+1 : i+1+int(values[i].Parts)] }

// isScalar reports whether strace shows a value in brackets if a pointer points to it.
func isScalar(v *Value) bool {
	switch v.Kind {
	case KindStruct, KindArray, KindString, KindPath, KindBytes, KindSignals, KindBits, KindFDs, KindMissing,
		KindVariables:
		return false
	}
	return true
}

// appendPointed appends part i of what a pointer points to.
func (s *Strace) appendPointed(dst []byte, v *Value, parts []Value, i int) []byte {
	part := &parts[i]
	switch {
	case part.Kind == KindMissing, part.Kind == KindFDs && part.Marks&(Late|Output) == Late:
		return appendPointer(dst, v.Number) // the call changes sets of descriptors
	case part.Kind == KindVariables:
		dst = appendPointer(dst, v.Number)
		dst = strconv.AppendUint(append(dst, " /* "...), part.Number, 10)
		dst = append(dst, " var"...)
		if part.Number != 1 {
			dst = append(dst, 's')
		}
		if part.Marks&Unreadable != 0 {
			dst = append(dst, ", unterminated"...)
		}
		return append(dst, " */"...)
	case part.Kind == KindBytes && v.Name == "value": // of an extended attribute
		value := *part
		if n := len(value.Bytes); n > 0 && value.Bytes[n-1] == 0 && value.Marks&Truncated == 0 {
			value.Bytes = value.Bytes[:n-1]
		}
		return s.appendValue(dst, &value, nil)
	case part.Kind == KindStruct && part.Parts == 1 && parts[i+1].Name == "sched_priority":
		dst = s.appendValue(append(dst, '['), &parts[i+1], nil)
		return append(dst, ']')
	case isScalar(part):
		dst = s.appendValue(append(dst, '['), part, partsOf(parts, i))
		return append(dst, ']')
	}
	return s.appendValue(dst, part, partsOf(parts, i))
}

// appendValue appends a value, and its parts.
func (s *Strace) appendValue(dst []byte, v *Value, parts []Value) []byte {
	switch v.Kind {
	case KindStruct:
		if name := specialTime(parts); name != "" {
			return append(dst, name...)
		}
		return append(s.appendParts(append(dst, '{'), v, parts), '}')
	case KindArray:
		return append(s.appendParts(append(dst, '['), v, parts), ']')
	case KindPointer:
		if len(parts) > 0 {
			return s.appendPointed(dst, v, parts, 0)
		}
	case KindChanged:
		return s.appendChange(dst, v, parts, 0, 1+int(parts[0].Parts))
	case KindMissing:
		return append(dst, markCut...)
	case KindFlags:
		if v.table.shifted {
			return appendSet(dst, v.table, v.Number, "1<<")
		}
	case KindMode:
		return appendMode3(dst, v.Number)
	case KindLimit:
		if v.Number == 0xffffffff && len(v.Bytes) == 4 {
			return append(dst, "RLIM_INFINITY"...)
		}
		return appendLimit(dst, v.Number)
	case KindTime:
		dst = strconv.AppendInt(dst, int64(v.Number), 10)
		if v.Number != 0 {
			dst = append(appendTime(append(dst, " /* "...), int64(v.Number)), " */"...)
		}
		return dst
	case KindStatus:
		return appendWaitStatus(dst, uint32(v.Number))
	case KindIP:
		return appendAddress(dst, v)
	case KindFDs:
		if s.describe != nil && v.Marks&Output == 0 {
			return s.appendDescriptors(dst, v.Bytes)
		}
	case KindString, KindPath, KindBytes:
		dst = appendScalar(dst, v)
		if v.Marks&Truncated != 0 {
			dst = append(dst, markCut...)
		}
		return dst
	}
	dst = appendScalar(dst, v)
	if v.File != nil {
		dst = v.File.append(dst, "[", "]")
	}
	return dst
}

// appendDescriptors appends a set of descriptors, and what they are: [3<pipe:[7]> 4</etc/hosts>].
func (s *Strace) appendDescriptors(dst, set []byte) []byte {
	dst = append(dst, '[')
	start := len(dst)
	for fd := range int32(len(set) * 8) {
		if set[fd/8]>>(fd%8)&1 == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, int64(fd), 10)
		if is := s.describe(fd, false); is != nil {
			dst = is.append(dst, "[", "]")
		}
	}
	return append(dst, ']')
}

// appendParts appends the members of a struct, or the elements of an array.
func (s *Strace) appendParts(dst []byte, v *Value, parts []Value) []byte {
	start := len(dst)
	controls := isControlled(parts)
	Each(parts, func(part *Value, inner []Value) {
		if part.Name == "msg_control" && !controls {
			return
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		switch {
		case part.Kind == KindIP && len(part.Bytes) == 16: // it has its name in itself
		case part.Name != "":
			dst = append(append(dst, part.Name...), '=')
		}
		if part.Name == "sin6_flowinfo" {
			dst = append(s.appendValue(append(dst, "htonl("...), part, inner), ')')
			return
		}
		if part.Name == "nl_groups" {
			dst = appendGroups(dst, part.Number)
			return
		}
		if part.Kind == KindChanged {
			before, after := &inner[0], &inner[1+inner[0].Parts]
			dst = s.appendValue(dst, before, partsOf(inner, 0))
			dst = s.appendValue(append(dst, " => "...), after, partsOf(inner, 1+int(before.Parts)))
			return
		}
		dst = s.appendValue(dst, part, inner)
	})
	if v.Marks&Abridged != 0 || v.Kind == KindArray && v.Marks&(Truncated|Unreadable) != 0 {
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, markCut...)
	}
	return dst
}

// appendAddress appends an internet address in the functions of inet(3).
func appendAddress(dst []byte, v *Value) []byte {
	if len(v.Bytes) == 4 {
		return appendScalar(dst, v)
	}
	dst = append(dst, `inet_pton(AF_INET6, "`...)
	dst = addressOf(v.Bytes).AppendTo(dst)
	dst = append(dst, `", &`...)
	return append(append(dst, v.Name...), ')')
}

// appendMode3 shows permissions with at least three digits.
func appendMode3(dst []byte, v uint64) []byte {
	if v >= 0o100 {
		return appendMode(dst, v)
	}
	if v < 0o10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(append(dst, '0'), v, 8)
}

// appendGroups shows a set of groups of netlink as printf does with "%#08x": 00000000, 0x000550.
func appendGroups(dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, "00000000"...)
	}
	dst = append(dst, "0x"...)
	for digits := (bits.Len64(v) + 3) / 4; digits < 6; digits++ {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, v, 16)
}

// appendLimit shows a limit, in units of 1024 if it is a multiple.
func appendLimit(dst []byte, v uint64) []byte {
	switch {
	case v == ^uint64(0):
		return append(dst, "RLIM64_INFINITY"...)
	case v > 1024 && v%1024 == 0:
		return append(strconv.AppendUint(dst, v/1024, 10), "*1024"...)
	}
	return strconv.AppendUint(dst, v, 10)
}

// appendEnd appends the result.
func (s *Strace) appendEnd(dst []byte, c *Call) []byte {
	dst = append(dst, " = "...)
	call := c.Syscall()
	if c.Unfinished {
		return append(dst, '?')
	}
	if number := -uint64(c.Result); c.Result < 0 && number <= maxErrno {
		dst = appendFailure(dst, number)
		return dst
	}
	switch {
	case call == nil:
		dst = strconv.AppendInt(dst, c.Result, 10)
	case call.address:
		dst = appendHex(dst, c.word(uint64(c.Result)))
	default:
		dst = s.appendResult(dst, c, call.Name)
	}
	if s.returns(c) {
		dst = s.appendReturned(dst, c, call.Name)
	}
	return dst
}

// appendEvent appends a signal, or the end of a thread.
func (s *Strace) appendEvent(dst []byte, c *Call) []byte {
	if c.Nr != NumberSignal {
		return appendStatus(dst, c.Result, false)
	}
	d, ok := c.Delivery()
	if !ok {
		return append(dst, "--- ? ---"...)
	}
	for i := range c.Captures {
		if p := &c.Captures[i]; p.Kernel && p.Arg == abi.SignalNumber && len(p.Data) >= siginfoSize {
			s.tape.values = s.tape.values[:0]
			s.tape.addSiginfo(p.Data, 8, 0)
			dst = append(append(append(dst, "--- "...), d.Signal...), ' ')
			dst = s.appendValue(dst, &s.tape.values[0], s.tape.values[1:])
			return append(dst, " ---"...)
		}
	}
	d.Sender = nil
	return d.append(dst)
}
