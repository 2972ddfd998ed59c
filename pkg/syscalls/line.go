// SPDX-License-Identifier: Apache-2.0

package syscalls

import "strconv"

// AppendText appends the whole call as strace writes it, with its arguments named:
//
//	newfstatat(dfd=AT_FDCWD, filename=0xf2ac60 "/bin/wc", statbuf=0x7ffe5c0, flag=AT_SYMLINK_NOFOLLOW) = 0
//
// The text is printable ASCII without a line's end, whatever the record holds.
func (c *Call) AppendText(dst []byte) []byte {
	if c.Nr == NumberNone {
		return appendStatus(dst, c.Result)
	}
	s := c.Syscall()
	dst = c.appendCall(dst, s, true)
	dst = append(dst, " = "...)
	return c.appendOutcome(dst, s)
}

// AppendEnter appends the first of a call's two lines, for a call that others came
// in between of: "write(fd=4, buf=0xc000 "{}", count=2)...". What the call gave back is not in it.
func (c *Call) AppendEnter(dst []byte) []byte {
	if c.Nr == NumberNone {
		return appendStatus(dst, c.Result)
	}
	return append(c.appendCall(dst, c.Syscall(), false), "..."...)
}

// AppendExit appends the second of a call's two lines: "...write() = 2", and
// behind the result what the call gave back: "...read() = 5 "hello"".
func (c *Call) AppendExit(dst []byte) []byte {
	if c.Nr == NumberNone {
		return appendStatus(dst, c.Result)
	}
	s := c.Syscall()
	dst = append(dst, "..."...)
	dst = c.appendName(dst, s)
	dst = append(dst, "() = "...)
	dst = c.appendOutcome(dst, s)
	if s == nil {
		return dst
	}
	for i := range s.Args[:min(len(s.Args), c.NArgs)] {
		if kinds[s.Args[i].kind].output {
			dst = c.appendCaptured(dst, &s.Args[i], i)
		}
	}
	return dst
}

// AppendInFlight appends a call that has not returned yet: "read(fd=0, buf=0xc000, count=1) <unfinished ...>".
func (c *Call) AppendInFlight(dst []byte) []byte {
	if c.Nr == NumberNone {
		return dst
	}
	return append(c.appendCall(dst, c.Syscall(), false), " <unfinished ...>"...)
}

// appendName appends the call's name, behind that of its ABI where it is not the native one.
func (c *Call) appendName(dst []byte, s *Syscall) []byte {
	if c.ABI != c.native() {
		dst = append(dst, c.ABI.String()...)
		dst = append(dst, ':')
	}
	if s != nil {
		return append(dst, s.Name...)
	}
	dst = append(dst, "syscall_"...)
	if c.Nr == NumberOther {
		return append(dst, "unknown"...)
	}
	return strconv.AppendUint(dst, uint64(c.Nr), 10)
}

// appendCall appends name and arguments, with what the call gave back or without.
func (c *Call) appendCall(dst []byte, s *Syscall, output bool) []byte {
	dst = append(c.appendName(dst, s), '(')
	n := min(max(c.NArgs, 0), len(c.Args))
	if s == nil {
		for i := range n {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendHex(dst, c.Args[i])
		}
		return append(dst, ')')
	}
	for i := range s.Args[:min(len(s.Args), n)] {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		a := &s.Args[i]
		dst = append(dst, a.label...)
		dst = c.appendValue(dst, a, i)
		if output || !kinds[a.kind].output {
			dst = c.appendCaptured(dst, a, i)
		}
	}
	return append(dst, ')')
}

// appendOutcome appends what stands behind " = ".
func (c *Call) appendOutcome(dst []byte, s *Syscall) []byte {
	if c.Unfinished {
		dst = append(dst, '?')
		if s != nil && s.exits {
			return dst
		}
		dst = append(dst, " <unfinished ...> "...)
		return appendStatus(dst, c.Result)
	}
	if number := -uint64(c.Result); c.Result < 0 && number <= maxErrno {
		dst = appendFailure(dst, number)
		if c.NoEnter {
			dst = append(dst, " (enter not seen; denied by seccomp?)"...)
		}
		return dst
	}
	if s != nil && s.address {
		return appendHex(dst, c.word(uint64(c.Result)))
	}
	return strconv.AppendInt(dst, c.Result, 10)
}

// Status is how a task ended, taken from a status of wait(2).
type Status struct {
	Code       int    // of exit, where Signal is empty
	Signal     string // such as SIGKILL
	CoreDumped bool
}

// StatusOf takes a status of wait(2) apart.
func StatusOf(status int64) Status {
	if signal := status & 0x7f; signal != 0 {
		return Status{Signal: string(appendSignal(nil, uint64(signal))), CoreDumped: status&0x80 != 0}
	}
	return Status{Code: int(status >> 8 & 0xff)}
}

// appendStatus appends how a task ended: "+++ killed by SIGSEGV (core dumped) +++".
func appendStatus(dst []byte, status int64) []byte {
	if signal := status & 0x7f; signal != 0 {
		dst = append(dst, "+++ killed by "...)
		dst = appendSignal(dst, uint64(signal))
		if status&0x80 != 0 {
			dst = append(dst, " (core dumped)"...)
		}
		return append(dst, " +++"...)
	}
	dst = append(dst, "+++ exited with "...)
	dst = strconv.AppendInt(dst, status>>8&0xff, 10)
	return append(dst, " +++"...)
}
