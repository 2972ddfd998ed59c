// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"strings"
)

// JSON is a machine-readable call. Names of fields are stable; texts are printable ASCII.
type JSON struct {
	Syscall    string    `json:"syscall,omitempty"` // absent if a signal killed the task outside of any call
	ABI        string    `json:"abi,omitempty"`     // if not the native one: ia32, arm, x32
	Number     *uint32   `json:"number,omitempty"`  // within the ABI; absent if it was not recorded
	Args       []JSONArg `json:"args"`              // only those that the call takes
	Ret        *int64    `json:"ret"`               // of the kernel; a negative errno is a failure; null: no return
	Errno      string    `json:"errno,omitempty"`   // name of a failed call's errno, such as ENOENT
	Unfinished bool      `json:"unfinished,omitempty"`
	NoEnter    bool      `json:"noEnter,omitempty"` // seen only at its exit, as when seccomp denied it
	Signal     string    `json:"signal,omitempty"`  // the signal that killed the task
	CoreDumped bool      `json:"coreDumped,omitempty"`
	ExitCode   *int      `json:"exitCode,omitempty"` // of a task that ended in the call without a signal
	// OutOfMemory is true if the kernel killed the task because memory ran out.
	OutOfMemory bool      `json:"outOfMemory,omitempty"`
	Delivered   *Delivery `json:"delivered,omitempty"` // instead of a call
	Child       *uint32   `json:"child,omitempty"`     // initial PID of the process or thread that it made
	File        *File     `json:"file,omitempty"`      // that it opened, executed or entered, if that was kept
}

// JSONArg is an argument of a call, in the order of the call's prototype.
type JSONArg struct {
	Name      string  `json:"name,omitempty"` // absent if the call is unknown
	Value     string  `json:"value"`          // as in a line of text: O_RDONLY|O_CLOEXEC, 0x7ffc10, AT_FDCWD
	Data      *string `json:"data,omitempty"` // memory it points to: escaped as in a line, no quotes
	Truncated bool    `json:"truncated,omitempty"`
	Fault     bool    `json:"fault,omitempty"` // the memory could not be read
	Late      bool    `json:"late,omitempty"`  // read at the exit: may differ from what the kernel read
}

// JSON returns the call in machine-readable form. It keeps no reference to the record. A call in flight has no result,
// because it has not returned yet.
func (c *Call) JSON(inFlight bool) JSON {
	j := JSON{Args: []JSONArg{}, Unfinished: c.Unfinished, NoEnter: c.NoEnter}
	s := c.Syscall()
	if d, ok := c.Delivery(); ok {
		j.Delivered = &d
		return j
	}
	if inFlight {
		j.Unfinished = true
	} else if c.Nr == NumberNone || c.Unfinished {
		status := StatusOf(c.Result)
		j.Signal, j.CoreDumped, j.OutOfMemory = status.Signal, status.CoreDumped, c.OutOfMemory
		if j.Signal == "" {
			j.ExitCode = &status.Code
		}
	} else {
		result := c.Result
		j.Ret = &result
		if number := -uint64(result); result < 0 && number <= maxErrno {
			j.Errno = lookupErrno(number).name
		}
	}
	if c.Event() {
		return j
	}
	if child, ok := c.Child(); ok {
		j.Child = &child
	}
	if file, ok := c.File(); ok {
		j.File = &file
	}
	name := *c
	name.Native = c.ABI // the ABI's name has a field of its own
	if j.Syscall = string(name.appendName(nil, s)); c.ABI != c.native() {
		j.ABI = c.ABI.String()
	}
	if number, known := c.Number(); known {
		j.Number = &number
	}
	for i := range min(max(c.NArgs, 0), len(c.Args)) {
		if s == nil {
			j.Args = append(j.Args, JSONArg{Value: string(appendHex(nil, c.Args[i]))})
		} else if i >= len(s.Args) {
			break
		} else if a := c.form(&s.Args[i]); a != nil {
			j.Args = append(j.Args, c.jsonArg(a, i, !inFlight))
		}
	}
	return j
}

func (c *Call) jsonArg(a *Arg, i int, ended bool) JSONArg {
	j := JSONArg{Name: a.Name, Value: string(c.appendValue(nil, a, i))}
	if a.kind.vector() {
		return c.jsonVector(j, a, i, ended)
	}
	p, found := c.captured(a, i, ended)
	j.Fault, j.Late = found == unreadable || p.Fault, found == data && p.Late
	if found != data {
		return j
	}
	text, cut := c.appendData(nil, a.kind, p)
	shown := string(text)
	j.Truncated = cut
	if shown == "{...}" || shown == "[...]" {
		return j
	}
	if shown[0] == '"' { // the marks have fields of their own
		shown = shown[1:strings.LastIndexByte(shown, '"')]
	}
	j.Data = &shown
	return j
}

// jsonVector adds what iovecs point to, up to the first byte that is missing.
func (c *Call) jsonVector(j JSONArg, a *Arg, i int, ended bool) JSONArg {
	shown, s := c.appendPieces(nil, a, i, ended, true)
	j.Fault = s.fault || s.found == unreadable
	if s.found != data {
		return j
	}
	j.Late, j.Truncated = s.late, s.cut
	text := string(shown[1:bytes.LastIndexByte(shown, '"')])
	j.Data = &text
	return j
}
