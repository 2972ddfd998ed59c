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
		if inner++; inner == 2 {
			p.Arg = 4 // the address of sendto
		}
	}
}
