// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"strconv"
)

// Text prints calls in the format of strace, with the names of arguments. The zero value is ready for use. A Text can
// print any number of calls, for which it does not allocate, but only for one goroutine at a time.
type Text struct {
	// NoAddresses leaves out the address of memory that is shown.
	NoAddresses bool
	// Verbose shows all members of structs that were recorded.
	Verbose bool

	tape tape // reused
}

// AppendText appends the whole call with a Text of its own.
func (c *Call) AppendText(dst []byte) []byte { return new(Text).Append(dst, c) }

// AppendEnter appends a call's enter with a Text of its own.
func (c *Call) AppendEnter(dst []byte) []byte { return new(Text).AppendEnter(dst, c) }

// AppendExit appends a call's exit with a Text of its own.
func (c *Call) AppendExit(dst []byte) []byte { return new(Text).AppendExit(dst, c) }

// AppendInFlight appends a call in flight with a Text of its own.
func (c *Call) AppendInFlight(dst []byte) []byte { return new(Text).AppendInFlight(dst, c) }

// Append appends the whole call:
//
//	newfstatat(dfd=AT_FDCWD, filename=0xf2ac60 "/bin/wc", statbuf=0x7ffe5c0, flag=AT_SYMLINK_NOFOLLOW) = 0
//
// The text is printable ASCII without newlines, for any record.
func (t *Text) Append(dst []byte, c *Call) []byte {
	if c.Event() {
		return c.appendEvent(dst)
	}
	dst = t.appendCall(dst, c, wholeCall, false)
	dst = append(dst, " = "...)
	return c.appendOutcome(dst, c.Syscall())
}

// AppendEnter appends the first of two lines of a call that overlaps with others: "write(fd=4, buf=0xc000 "{}",
// count=2)...". It does not contain the call's output.
func (t *Text) AppendEnter(dst []byte, c *Call) []byte {
	if c.Event() {
		return c.appendEvent(dst)
	}
	return append(t.appendCall(dst, c, atEnter, false), "..."...)
}

// AppendExit appends the second of a call's two lines: "...write() = 2". The call's output follows the result:
// "...read() = 5 "hello"".
func (t *Text) AppendExit(dst []byte, c *Call) []byte {
	if c.Event() {
		return c.appendEvent(dst)
	}
	s := c.Syscall()
	dst = append(dst, "..."...)
	dst = c.appendName(dst, s)
	dst = append(dst, "() = "...)
	dst = c.appendOutcome(dst, s)
	if s == nil {
		return dst
	}
	t.decode(c, false)
	Each(t.tape.values, func(v *Value, parts []Value) {
		at := len(dst)
		if dst = t.appendPointed(append(dst, ' '), parts, atExit); len(dst) == at+1 {
			dst = dst[:at]
		}
	})
	return dst
}

// AppendInFlight appends a call that has not returned yet: "read(fd=0, buf=0xc000, count=1) <unfinished ...>".
func (t *Text) AppendInFlight(dst []byte, c *Call) []byte {
	if c.Event() {
		return dst
	}
	return append(t.appendCall(dst, c, atEnter, true), " <unfinished ...>"...)
}

func (t *Text) decode(c *Call, inFlight bool) {
	t.tape.values, t.tape.verbose = t.tape.values[:0], t.Verbose
	c.addArguments(&t.tape, inFlight)
}

// appendCall appends the name and the arguments that the call takes.
func (t *Text) appendCall(dst []byte, c *Call, shown moment, inFlight bool) []byte {
	dst = append(c.appendName(dst, c.Syscall()), '(')
	t.decode(c, inFlight)
	return append(t.appendArguments(dst, t.tape.values, shown), ')')
}

// AppendName appends the call's name, with which AppendText begins. A record of an event has none.
func (c *Call) AppendName(dst []byte) []byte {
	if c.Event() {
		return dst
	}
	return c.appendName(dst, c.Syscall())
}

// appendName appends the call's name. If its ABI is not the native one, the ABI's name comes first.
func (c *Call) appendName(dst []byte, s *Syscall) []byte {
	if c.ABI != c.native() {
		dst = append(dst, c.ABI.String()...)
		dst = append(dst, ':')
	}
	return c.appendBareName(dst, s)
}

// appendBareName appends the name of the call, without its ABI.
func (c *Call) appendBareName(dst []byte, s *Syscall) []byte {
	if s != nil {
		return append(dst, s.Name...)
	}
	dst = append(dst, "syscall_"...)
	if number, known := c.Number(); known {
		return appendHex(dst, uint64(number))
	}
	return append(appendHex(dst, uint64(NumberOther)), "_or_above"...)
}

// appendOutcome appends the text that follows " = ".
func (c *Call) appendOutcome(dst []byte, s *Syscall) []byte {
	if c.Unfinished {
		dst = append(dst, '?')
		if s != nil && s.exits {
			return dst
		}
		dst = append(dst, " <unfinished ...> "...)
		return appendStatus(dst, c.Result, c.OutOfMemory)
	}
	if c.Abandoned {
		return append(dst, "? <unfinished ...>"...)
	}
	if number := -uint64(c.Result); c.Result < 0 && number <= maxErrno {
		dst = appendFailure(dst, number)
	} else if s != nil && s.address {
		dst = appendHex(dst, c.word(uint64(c.Result)))
	} else {
		dst = strconv.AppendInt(dst, c.Result, 10)
	}
	returned := c.returned()
	if returned != nil {
		dst = returned.AppendText(dst)
	}
	if c.NoEnter {
		dst = append(dst, markNoEnter...)
	}
	if len(c.Captures) == 0 && c.Waited == 0 {
		return dst
	}
	return c.appendFile(c.appendChild(dst), returned)
}

// appendChild appends the ID on the host of the process or thread that the call made. Other lines have that one; the
// result is its ID in the caller's PID namespace.
func (c *Call) appendChild(dst []byte) []byte {
	child, ok := c.Child()
	if !ok || int64(child) == c.Result {
		return dst
	}
	return append(strconv.AppendUint(append(dst, " <pid "...), uint64(child), 10), '>')
}

// appendFile appends the path of the file that the call opened, executed or entered, if neither an argument nor the
// descriptor that it returned names it so.
func (c *Call) appendFile(dst []byte, returned *Descriptor) []byte {
	file, ok := c.File()
	if !ok || file.Path == "" || returned != nil && returned.Path == file.Path && !file.Detached {
		return dst
	}
	for i := range c.Captures {
		if p := &c.Captures[i]; string(p.Data) == file.Path && !p.Truncated && !file.Deleted && !file.Detached {
			return dst
		}
	}
	dst = append(dst, " <file "...)
	if file.Truncated {
		dst = append(dst, "..."...)
	}
	dst = AppendQuoted(dst, []byte(file.Path))
	if file.Deleted {
		dst = append(dst, " deleted"...)
	}
	if file.Detached {
		dst = append(dst, " outside of the root"...)
	}
	return append(dst, '>')
}

// markNoEnter marks a call that seccomp did not let through, whether it led to an errno, a signal (then the result is
// the call's number), or a result that a supervisor or tracer chose. It also marks a call that was never made because
// the thread was killed while a tracer held it at the enter.
const markNoEnter = " (enter not seen; denied by seccomp or a tracer?)"

// Status describes how a task ended, from a status of wait(2).
type Status struct {
	Code       int    // of exit, if Signal is empty
	Signal     string // such as SIGKILL
	CoreDumped bool
}

// StatusOf decodes a status of wait(2).
func StatusOf(status int64) Status {
	if signal := status & 0x7f; signal != 0 {
		return Status{Signal: string(appendSignal(nil, uint64(signal))), CoreDumped: status&0x80 != 0}
	}
	return Status{Code: int(status >> 8 & 0xff)}
}

// appendEvent appends a record that is not of a call.
func (c *Call) appendEvent(dst []byte) []byte {
	if c.Nr == NumberSignal {
		return c.appendDelivery(dst)
	}
	return appendStatus(dst, c.Result, c.OutOfMemory)
}

// appendStatus appends how a task ended: "+++ killed by SIGSEGV (core dumped) +++".
func appendStatus(dst []byte, status int64, outOfMemory bool) []byte {
	if signal := status & 0x7f; signal != 0 {
		dst = append(dst, "+++ killed by "...)
		dst = appendSignal(dst, uint64(signal))
		if status&0x80 != 0 {
			dst = append(dst, " (core dumped)"...)
		}
		if outOfMemory {
			dst = append(dst, " (out of memory)"...)
		}
		return append(dst, " +++"...)
	}
	dst = append(dst, "+++ exited with "...)
	dst = strconv.AppendInt(dst, status>>8&0xff, 10)
	return append(dst, " +++"...)
}
