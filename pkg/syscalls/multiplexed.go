// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// multiplexed is a call that socketcall(2) or ipc(2) stands for on 32-bit ABIs.
type multiplexed struct {
	call *Syscall
	// args are the arguments of the multiplexer from which the call's own come: of socketcall, words of the array that
	// it takes.
	args []uint8
}

// Names of the calls, by the number that the multiplexer takes: include/uapi/linux/net.h, ipc.h.
var (
	socketcalls = [...]string{
		1: "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
		"sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
	}
	ipcs = map[uint8]struct {
		name string
		args []uint8
	}{
		1: {"semop", []uint8{1, 4, 2}}, 2: {"semget", []uint8{1, 2, 3}}, 3: {"semctl", []uint8{1, 2, 3, 4}},
		4: {"semtimedop", []uint8{1, 4, 2, 5}}, 11: {"msgsnd", []uint8{1, 4, 2, 3}},
		12: {"msgrcv", []uint8{1, 4, 2, 5, 3}}, 13: {"msgget", []uint8{1, 2}}, 14: {"msgctl", []uint8{1, 2, 4}},
		21: {"shmat", []uint8{1, 4, 2}}, 22: {"shmdt", []uint8{4}}, 23: {"shmget", []uint8{1, 2, 3}},
		24: {"shmctl", []uint8{1, 2, 4}},
	}
)

// socketcall are the rows of the arguments of the calls that socketcall(2) stands for, and of what those point to. A
// call's number is argument 0.
var socketcall = slices.Concat([]row{
	when(0, 0, 0, abi.Capture{Kind: abi.CaptureBytes, Size: 24, Flags: abi.RowStruct}),
	when(0, ^uint32(1), 2, inner(4, 8, 0)),                 // bind, connect
	when(0, ^uint32(2), 9, inner(4, 8, abi.RowContent)),    // send, sendto
	when(0, ^uint32(0), 11, inner(16, 20, 0)),              // the address of sendto
	when(0, ^uint32(0), 14, inner(12, 16, abi.RowContent)), // setsockopt
	when(0, ^uint32(0), 16, abi.Capture{Kind: abi.CaptureMessage, Offset: 4, Flags: abi.RowFollow}),
	// recv, recvfrom
	when(0, ^uint32(6), 8, abi.Capture{Kind: abi.CaptureBytes, Moment: abi.AtPositive, Count: abi.ElementsResult,
		Length: abi.ArgsMax, Size: 1, Offset: 4, Part: abi.PartInner, Flags: abi.RowFollow | abi.RowContent}),
	when(0, ^uint32(0), 17, abi.Capture{Kind: abi.CaptureMessage, Moment: abi.AtPositive, Offset: 4,
		Flags: abi.RowFollow}),
	when(0, ^uint32(0), 8, abi.Capture{Kind: abi.CaptureBytes, Moment: abi.AtSuccess, Size: 8, Offset: 12,
		Part: abi.PartInner, Flags: abi.RowFollow | abi.RowStruct}), // socketpair
	when(0, ^uint32(4), 1, made), // socket, accept
	when(0, ^uint32(0), 18, made),
}, filled(^uint32(2), 5, 4, 8), // accept, getpeername
	filled(^uint32(0), 6, 4, 8), filled(^uint32(0), 18, 4, 8), // getsockname, accept4
	filled(^uint32(0), 12, 16, 20), filled(^uint32(0), 15, 12, 16)) // recvfrom, getsockopt

// made is the row of the descriptor that a call made.
var made = abi.Capture{Kind: abi.CaptureDescriptors, Moment: abi.AtSuccess, Arg: abi.CaptureResult, Size: 1}

// fillings are the arguments whose memory the rows of filled describe, by call. Their sizes are the next arguments.
var fillings = map[int]int{5: 1, 6: 1, 7: 1, 12: 4, 15: 3, 18: 1}

// when adds a condition to a row.
func when(arg uint8, mask, value uint32, r abi.Capture) row {
	r.WhenArg, r.Mask, r.Value = arg, mask, value
	return row{Capture: r}
}

// inner is what a pointer at an offset in argument 1 points to. Its length is at another offset there.
func inner(offset, length uint16, content uint8) abi.Capture {
	return abi.Capture{Kind: abi.CaptureBytes, Count: abi.ElementsPointed, Length: 1, Size: length, Offset: offset,
		Part: abi.PartInner, Flags: abi.RowFollow | content}
}

// filled are the rows of memory that the kernel fills in. A pointer at an offset in argument 1 leads to it, and another
// one to its size: before the call that of the buffer, after it that of the data. As the kernel's side follows only one
// of them, a fixed number of bytes is read, of which takeSocketcall leaves the data. The rest may be anything that the
// program has there, so they count as contents.
func filled(mask, value uint32, offset, size uint16) []row {
	const bytes = 128
	room := abi.Capture{Kind: abi.CaptureBytes, Size: 4, Offset: size, Part: abi.PartRoom,
		Flags: abi.RowFollow | abi.RowStruct}
	length, data := room, room
	length.Moment = abi.AtSuccess
	data.Moment, data.Size, data.Offset, data.Part = abi.AtSuccess, bytes, offset, abi.PartName
	data.Flags |= abi.RowContent
	return []row{when(0, mask, value, room), when(0, mask, value, length), when(0, mask, value, data)}
}

// addMultiplexed adds what the multiplexers of an ABI stand for.
func (t *table) addMultiplexed(lines map[string]*signature, flags map[string]*flagTable) {
	t.sockets, t.ipcs = make([]multiplexed, len(socketcalls)), make(map[uint8]multiplexed, len(ipcs))
	for n, name := range socketcalls {
		if name != "" {
			call := lines[name].parse(flags, t.layouts)
			args := make([]uint8, len(call.Args))
			for i := range args {
				args[i] = uint8(i)
			}
			t.sockets[n] = multiplexed{call, args}
		}
	}
	for n, m := range ipcs {
		t.ipcs[n] = multiplexed{lines[m.name].parse(flags, t.layouts), m.args}
	}
}

// takeApart makes a call of socketcall or ipc the call that it stands for, if that was recorded.
func (c *Call) takeApart() {
	c.Multiplexed = nil
	if !c.ABI.is32() {
		return
	}
	switch s := tableOf(c.ABI).lookup(c.Nr); {
	case s == nil || c.NArgs == 0:
	case s.Name == "socketcall":
		c.takeSocketcall()
	case s.Name == "ipc":
		const version = 16 // of the multiplexer, above the number of the call
		m, ok := tableOf(c.ABI).ipcs[uint8(c.Args[0])]
		if !ok {
			return
		}
		var args [6]uint64
		for i, from := range m.args {
			args[i] = c.Args[from]
		}
		if uint32(c.Args[0])>>version == 0 && m.call.Name == "msgrcv" {
			given := c.Capture(4) // the place of the message, and its type
			if given == nil || len(given.Data) < 8 {
				return
			}
			args[1], args[3] = number(given.Data, 4, false), number(given.Data[4:], 4, true)
		}
		c.Multiplexed, c.Args, c.NArgs, c.Captures = m.call, args, len(m.args), c.Captures[:0]
	}
}

// takeSocketcall is takeApart for socketcall: its first capture has the arguments, the others belong to these.
func (c *Call) takeSocketcall() {
	n := int(uint32(c.Args[0]))
	first := slices.IndexFunc(c.Captures, func(p Capture) bool { return p.Arg == 1 && p.Part == abi.PartWhole })
	sockets := tableOf(c.ABI).sockets
	if n >= len(sockets) || sockets[n].call == nil || first < 0 || len(c.Captures[first].Data) < 4*len(sockets[n].args) {
		return
	}
	var args [6]uint64
	for i := range sockets[n].args {
		args[i] = uint64(int32(binary.LittleEndian.Uint32(c.Captures[first].Data[4*i:])))
	}
	c.Multiplexed, c.Args, c.NArgs = sockets[n].call, args, len(sockets[n].args)
	c.Captures = slices.Delete(c.Captures, first, first+1)
	inner := 0
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Part != abi.PartInner {
			continue
		}
		p.Part = abi.PartWhole
		switch inner++; {
		case inner == 2:
			p.Arg = 4 // the address of sendto
		case sockets[n].call.Name == "setsockopt" || sockets[n].call.Name == "socketpair":
			p.Arg = 3
		}
	}
	if at, ok := fillings[n]; ok {
		c.takeFilling(at)
	}
}

// takeFilling makes the captures of the rows of filled those of two arguments: the data, and its size.
func (c *Call) takeFilling(arg int) {
	size := uint64(0)
	for i := range c.Captures {
		p := &c.Captures[i]
		switch {
		case p.Arg != 1 || p.Kernel:
		case p.Part == abi.PartRoom:
			p.Arg, p.Part = arg+1, abi.PartWhole
			if len(p.Data) != 4 {
				continue
			}
			if n := number(p.Data, 4, false); !p.Output || n < size {
				size = n
			}
		case p.Part == abi.PartName:
			p.Arg, p.Part = arg, abi.PartWhole
			if uint64(len(p.Data)) < size {
				p.Truncated = !p.Fault
				continue
			}
			p.Data, p.Fault, p.Truncated = p.Data[:size], false, false
		}
	}
}
