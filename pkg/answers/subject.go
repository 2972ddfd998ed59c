// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// subject returns what a call is about: a whole path, or the address of a socket; or "".
func (p *Past) subject(e *straceback.Event) string {
	p.values = e.Call.Values(p.values[:0], e.Part == straceback.InFlight)
	process := p.running[e.Call.PID]
	return subjectOf(e, p.values, func(fd int32) string { return p.opened[descriptor{process, fd}] })
}

// subjectOf is subject for a call with its values. opened, if not nil, tells what a descriptor was last known to be.
func subjectOf(e *straceback.Event, values []syscalls.Value, opened func(fd int32) string) string {
	c := &e.Call
	s := c.Syscall()
	if s == nil || c.Event() {
		return ""
	}
	switch s.Name {
	case "connect", "bind":
		if a := c.Capture(1); a != nil {
			return syscalls.SocketAddress(a.Data)
		}
		return ""
	case "sendto":
		if a := c.Capture(4); a != nil && len(a.Data) > 0 {
			return syscalls.SocketAddress(a.Data)
		}
	}
	fd := ""
	for _, v := range values {
		if path, ok := pathOf(&v); ok {
			return path
		}
		switch {
		case v.Kind != syscalls.KindFD || fd != "":
		case v.File != nil:
			fd = named(v.File)
		case opened != nil:
			fd = opened(int32(v.Number))
		}
	}
	return fd
}

// pathOf returns the path that an argument names, whole if that is known. Ok is false for any other value.
func pathOf(v *syscalls.Value) (path string, ok bool) {
	switch {
	case v.Kind != syscalls.KindPath || v.Marks&(syscalls.Unreadable|syscalls.Kernel) != 0:
		return "", false
	case v.File != nil && v.File.Path != "":
		return v.File.Path, true
	}
	return string(v.Bytes), true
}

// named returns the path or the address of a descriptor, or "".
func named(d *syscalls.Descriptor) string {
	switch {
	case d.Path != "":
		return d.Path
	case d.Peer != "":
		return d.Peer
	}
	return d.Local
}

// Output is what a process wrote at once to its standard output or error.
type Output struct {
	At      uint64 // ns of CLOCK_BOOTTIME
	Process *Process
	FD      int32  // 1 or 2
	Text    []byte // hostile; part of the record
	Cut     bool   // there was more
}

// outputMax bounds how many writes are kept: the last ones are.
const outputMax = 1 << 12

// said learns what a call wrote to standard output or error.
func (p *Past) said(process *Process, e *straceback.Event, name string) {
	c := &e.Call
	if e.Lane == straceback.Runtime || c.Result <= 0 || name != "write" && name != "writev" {
		return
	}
	fd := p.stream(c)
	if fd == 0 {
		return
	}
	left := int(c.Result)
	var text []byte
	p.values = c.Values(p.values[:0], false)
	for _, v := range p.values {
		if v.Kind == syscalls.KindBytes {
			n := min(len(v.Bytes), left)
			text = append(text, v.Bytes[:n]...)
			left -= n
		}
	}
	if len(p.Said) >= outputMax {
		p.Said = append(p.Said[:0], p.Said[outputMax/2:]...)
	}
	p.Said = append(p.Said, Output{c.Time, process, fd, text, left > 0})
}

// stream returns 1 or 2 if a call writes to what the container began with as standard output or error, and 0 if not.
func (p *Past) stream(c *syscalls.Call) int32 {
	fd := int32(c.Args[0])
	if c.Describe != nil {
		if is := c.Describe(fd, false); is != nil && p.stdio[1] != nil && p.stdio[2] != nil {
			for _, stream := range []int32{2, 1} {
				if same(is, p.stdio[stream]) && (fd == stream || !same(is, p.stdio[3-stream])) {
					return stream
				}
			}
			if same(is, p.stdio[1]) {
				return 1
			}
			return 0
		}
	}
	if fd == 1 || fd == 2 {
		return fd
	}
	return 0
}

// same reports whether a descriptor is the file with which the container began.
func same(is *syscalls.Descriptor, began *syscalls.File) bool {
	if began.Detached {
		return is.Path == "" && (is.Inode == 0 || began.Inode == 0 || is.Inode == began.Inode)
	}
	return is.Path == began.Path
}

// Line is a line of output.
type Line struct {
	At      uint64
	Process *Process
	FD      int32
	Text    string // hostile
	Cut     bool   // it lacks a part
	Times   int    // it came one after the other
}

// stream returns the name of the output that the line is of.
func (l *Line) stream() string {
	if l.FD == 2 {
		return "stderr"
	}
	return "stdout"
}

// Lines returns the last lines of the output, put together from what each process wrote.
func (p *Past) Lines(most int) []Line {
	type stream struct {
		process *Process
		fd      int32
	}
	var all []Line
	open := map[stream]int{} // index of a line that goes on
	for _, o := range p.Said {
		s := stream{o.Process, o.FD}
		rest := string(o.Text)
		for rest != "" {
			text, after, ended := strings.Cut(rest, "\n")
			i, goesOn := open[s]
			if !goesOn {
				i = len(all)
				all = append(all, Line{At: o.At, Process: o.Process, FD: o.FD})
				open[s] = i
			}
			const lineMax = 4096
			if line := &all[i]; len(line.Text)+len(text) <= lineMax {
				line.Text += text
			} else {
				line.Cut = true
			}
			if ended {
				delete(open, s)
			}
			rest = after
		}
		if i, ok := open[s]; o.Cut && ok {
			all[i].Cut = true
			delete(open, s)
		}
	}
	var last []Line
	for _, line := range slices.Backward(all) {
		if strings.TrimSpace(line.Text) == "" || binary(line.Text) {
			continue
		}
		if n := len(last); n > 0 && last[n-1].Text == line.Text && last[n-1].FD == line.FD {
			last[n-1].Times++
			continue
		}
		if len(last) == most {
			break
		}
		line.Times = 1
		last = append(last, line)
	}
	slices.Reverse(last)
	return last
}

// binary reports whether a line is not text: more than a quarter of it are control characters, or not UTF-8.
func binary(text string) bool {
	n := 0
	for _, r := range text {
		if r == utf8.RuneError || r < ' ' && r != '\t' && r != '\r' && r != '\x1b' {
			n++
		}
	}
	return 4*n > len(text)
}
