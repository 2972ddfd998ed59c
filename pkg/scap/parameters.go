// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// call is a call, or an event of a task, of which events are made.
type call struct {
	*syscalls.Call
	values []syscalls.Value // of its arguments
	result int64
	task   task
	flags  uint64 // of clone, as the format has them
}

// parameter is one parameter of an event.
type parameter struct {
	arg string // of the call, or ""
	add func(e *event, c *call)
}

// own returns a parameter that is not made of one argument.
func own(add func(e *event, c *call)) parameter { return parameter{"", add} }

// arg returns an argument by its name, and what it points to, or nil if the call does not take it.
func (c *call) arg(name string) (v *syscalls.Value, parts []syscalls.Value) {
	syscalls.Each(c.values, func(w *syscalls.Value, p []syscalls.Value) {
		if v == nil && w.Name == name {
			v, parts = w, p
		}
	})
	return v, parts
}

// inside returns the part of an argument with a name, or nil.
func inside(parts []syscalls.Value, name string) *syscalls.Value {
	for i := range parts {
		if parts[i].Name == name {
			return &parts[i]
		}
	}
	return nil
}

// number returns the number of an argument, or 0 if the call does not take it.
func (c *call) number(name string) uint64 {
	if v, _ := c.arg(name); v != nil {
		return v.Number
	}
	return 0
}

// pointed returns the last number that an argument points to, which is what the call left there, or 0.
func (c *call) pointed(name string) uint64 {
	if _, parts := c.arg(name); len(parts) > 0 {
		return parts[len(parts)-1].Number
	}
	return 0
}

// given returns the path or the string that an argument points to, or nil if it is not known.
func (c *call) given(name string) *syscalls.Value {
	v, parts := c.arg(name)
	if v == nil {
		return nil
	}
	for _, v := range append([]syscalls.Value{*v}, parts...) {
		if (v.Kind == syscalls.KindPath || v.Kind == syscalls.KindString) && v.Marks&syscalls.Kernel == 0 {
			return &v
		}
	}
	return nil
}

// text returns the path or the string that an argument points to. If it is not known, it is what other writers of the
// format note then.
func (c *call) text(name string) string {
	if v := c.given(name); v != nil {
		return string(v.Bytes)
	}
	return unknown
}

const unknown = "<NA>"

// members returns the parts of the first value of that name, or all of them.
func members(parts []syscalls.Value, name string) []syscalls.Value {
	for i := range parts {
		if parts[i].Name == name {
			return parts[i+1 : i+1+int(parts[i].Parts)]
		}
	}
	return nil
}

// data returns the bytes that an argument points to. Those of a message are in its iovecs.
func (c *call) data(name string) (all []byte) {
	_, parts := c.arg(name)
	if c.Failed() {
		return nil
	}
	if iovecs := members(parts, "msg_iov"); iovecs != nil {
		parts = iovecs
	}
	for i := range parts {
		if parts[i].Kind == syscalls.KindBytes {
			all = append(all, parts[i].Bytes...)
		}
	}
	return all
}

// size returns how many bytes the buffers of an argument hold together.
func (c *call) size(name string) (total uint64) {
	_, parts := c.arg(name)
	for i := range parts {
		if parts[i].Name == "iov_len" {
			total += parts[i].Number
		}
	}
	return total
}

var (
	result   = own(func(e *event, c *call) { e.u64(uint64(c.result)) })
	result32 = own(func(e *event, c *call) { e.u32(uint32(c.result)) })
)

// constant is a number that the recording does not have, of 1 to 8 bytes.
func constant(size int, number uint64) parameter {
	return own(func(e *event, _ *call) { e.bytes(binary.LittleEndian.AppendUint64(nil, number)[:size]) })
}

func u8(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u8(uint8(c.number(name))) }}
}

func u16(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u16(uint16(c.number(name))) }}
}

func u32(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u32(uint32(c.number(name))) }}
}

func u64(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u64(c.number(name)) }}
}

// fd is a descriptor, AT_FDCWD included.
var fd = u64

// path is a path, or another string.
func path(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.text(c.text(name)) }}
}

func data(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.bytes(c.data(name)) }}
}

// room is the size of all iovecs.
func room(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u32(uint32(c.size(name))) }}
}

// left is the number that the call left in the memory that an argument points to.
func left(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u64(c.pointed(name)) }}
}

func left32(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.u32(uint32(c.pointed(name))) }}
}

// flags8, flags16 and flags32 are flags, or one of several values, for which the format has numbers of its own.
func flags8(name string, n names) parameter {
	return parameter{name, func(e *event, c *call) { e.u8(uint8(c.named(name, n))) }}
}

func flags16(name string, n names) parameter {
	return parameter{name, func(e *event, c *call) { e.u16(uint16(c.named(name, n))) }}
}

func flags32(name string, n names) parameter {
	return parameter{name, func(e *event, c *call) { e.u32(uint32(c.named(name, n))) }}
}

func (c *call) named(name string, n names) uint64 {
	if v, _ := c.arg(name); v != nil {
		return n.of(v)
	}
	return 0
}

// member32 is a member of a struct: flags, or if n is nil a number.
func member32(name, member string, n names) parameter {
	return parameter{name, func(e *event, c *call) {
		_, parts := c.arg(name)
		switch v := inside(parts, member); {
		case v == nil:
			e.u32(0)
		case n == nil:
			e.u32(uint32(v.Number))
		default:
			e.u32(uint32(n.of(v)))
		}
	}}
}

// limit is a member of a struct rlimit, or -1 if it is not known.
func limit(name, member string) parameter {
	return parameter{name, func(e *event, c *call) {
		_, parts := c.arg(name)
		if v := inside(parts, member); v != nil {
			e.u64(v.Number)
			return
		}
		e.u64(^uint64(0))
	}}
}

// duration is a struct timespec in ns.
func duration(name string) parameter {
	return parameter{name, func(e *event, c *call) {
		_, parts := c.arg(name)
		seconds, ns := inside(parts, "tv_sec"), inside(parts, "tv_nsec")
		if seconds == nil || ns == nil {
			e.u64(0)
			return
		}
		e.u64(seconds.Number*1e9 + ns.Number)
	}}
}

// polled are the descriptors of structs pollfd with the flags of a member: events, or revents of those that have some.
func polled(name, member string) parameter {
	const most = 1 << 10
	return parameter{name, func(e *event, c *call) {
		_, parts := c.arg(name)
		list, count := []byte{0, 0}, uint16(0)
		number, before := uint64(0), true // a second array is what the call left
		for i := range parts {
			switch v := &parts[i]; {
			case v.Kind == syscalls.KindArray:
				before = i == 0
			case v.Name == "fd":
				number = v.Number
			case v.Name == member && count < most && before == (member == "events"):
				list = binary.LittleEndian.AppendUint64(list, number)
				list = binary.LittleEndian.AppendUint16(list, uint16(pollFlags.of(v)))
				count++
			}
		}
		binary.LittleEndian.PutUint16(list, count)
		e.bytes(list)
	}}
}

// made is one of the descriptors that a call left in an array, or -1.
func made(name string, index int) parameter {
	return parameter{name, func(e *event, c *call) {
		number, left := ^uint64(0), index
		_, parts := c.arg(name)
		for i := range parts {
			if parts[i].Kind == syscalls.KindFD {
				if left == 0 {
					number = parts[i].Number
				}
				left--
			}
		}
		e.u64(number)
	}}
}

// inode is that of the pipe that the call made.
var inode = own(func(e *event, c *call) {
	if inodes := c.Inodes(); len(inodes) > 0 {
		e.u64(inodes[0])
		return
	}
	e.u64(0)
})

// device is the one of the file that the call opened.
var device = own(func(e *event, c *call) {
	f, _ := c.File()
	e.u32(uint32(f.Device))
})

// typed adds a parameter of one of several types: the number of the type, and a number of 64 bits.
func (e *event) typed(typ byte, number uint64) {
	e.bytes(binary.LittleEndian.AppendUint64([]byte{typ}, number))
}

// word is a number that ptrace takes.
func word(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.typed(0, c.number(name)) }}
}

// option is the name of a socket's option. The format has the kernel's numbers up to SO_ATTACH_BPF.
var option = parameter{"optname", func(e *event, c *call) {
	const socket, last = 1, 50
	number := c.number("optname")
	if number > last || c.number("level") != socket {
		number = 0
	}
	e.u8(uint8(number))
}}

// optionValue is that of a socket's option if it is a number; of SO_ERROR, an errno.
var optionValue = parameter{"optval", func(e *event, c *call) {
	_, parts := c.arg("optval")
	if len(parts) != 1 || c.result < 0 {
		e.bytes([]byte{0})
		return
	}
	switch v := &parts[0]; v.Kind {
	case syscalls.KindErrno:
		e.typed(1, -v.Number)
	case syscalls.KindInt, syscalls.KindUint, syscalls.KindFlags, syscalls.KindHex:
		e.bytes(binary.LittleEndian.AppendUint32([]byte{2}, uint32(v.Number)))
	default:
		e.bytes([]byte{0})
	}
}}

// optionLength is the size of the value of a socket's option: given, or left by the call.
var optionLength = parameter{"optlen", func(e *event, c *call) {
	v, _ := c.arg("optlen")
	if v != nil && v.Kind != syscalls.KindPointer {
		e.u32(uint32(v.Number))
		return
	}
	e.u32(uint32(c.pointed("optlen")))
}}
