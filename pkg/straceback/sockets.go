// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"net/netip"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// socketTypes are the names that strace gives sockets, by family, type and protocol. Protocol 0 is the usual one.
var socketTypes = map[[3]uint64]string{
	{1, 1, 0}: "UNIX-STREAM", {1, 2, 0}: "UNIX-DGRAM", {1, 3, 0}: "UNIX", {1, 5, 0}: "UNIX-SEQPACKET",
	{2, 1, 0}: "TCP", {2, 1, 6}: "TCP", {2, 2, 0}: "UDP", {2, 2, 17}: "UDP", {2, 2, 1}: "PING", {2, 1, 132}: "SCTP",
	{2, 1, 262}: "MPTCP", {2, 2, 136}: "UDPLITE",
	{10, 1, 0}: "TCPv6", {10, 1, 6}: "TCPv6", {10, 2, 0}: "UDPv6", {10, 2, 17}: "UDPv6", {10, 2, 58}: "PINGv6",
	{10, 1, 132}: "SCTPv6", {10, 1, 262}: "MPTCPv6", {10, 2, 136}: "UDPLITEv6",
}

const (
	familyUnix    = 1
	familyNetlink = 16
	familyPacket  = 17
)

// socket is the socket that a call made.
func socket(_ *Descriptors, c *syscalls.Call) *file {
	return newFile(syscalls.Descriptor{Type: socketType(c.Args[0], c.Args[1], c.Args[2]), Inode: inode(c, 0)})
}

func socketType(family, typ, protocol uint64) string {
	const typeMask, raw = 0xf, 3
	family, typ, protocol = uint64(uint32(family)), typ&typeMask, uint64(uint32(protocol))
	if family == familyUnix {
		protocol = 0 // or the family's own
	}
	switch name := socketTypes[[3]uint64{family, typ, protocol}]; {
	case name != "":
		return name
	case family == familyNetlink:
		return "NETLINK"
	case family == familyPacket:
		return "PACKET"
	case family == 2 && typ == raw:
		return "RAW"
	case family == 10 && typ == raw:
		return "RAWv6"
	}
	return "socket"
}

// accepted is the socket of a connection that a call accepted.
func accepted(d *Descriptors, c *syscalls.Call) *file {
	listener := d.find(c, int32(c.Args[0]), c.Time).at(c.Time)
	is := syscalls.Descriptor{Type: "socket", Inode: inode(c, 0)}
	if listener != nil {
		is.Type = listener.Type
		if at, err := netip.ParseAddrPort(listener.Local); err != nil || !at.Addr().IsUnspecified() {
			is.Local = listener.Local
		}
	}
	is.Peer = address(c, 1, true)
	return newFile(is)
}

// address returns the socket address that an argument points to, if it was recorded.
func address(c *syscalls.Call, arg int, output bool) string {
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Arg == arg && p.Part == abi.PartWhole && p.Output == output && !p.Late && !p.Fault && !p.Truncated {
			return syscalls.SocketAddress(p.Data)
		}
	}
	return ""
}

// names notes the addresses of a socket.
func names(_ *Descriptors, p *process, c *syscalls.Call) {
	name := c.Syscall().Name
	if c.Result < 0 && (name != "connect" || c.Result != errInProgress) {
		return
	}
	p.files.find(int32(c.Args[0]), c.Time).change(endOf(c), func(is *syscalls.Descriptor) {
		switch at := address(c, 1, name != "bind" && name != "connect"); name {
		case "connect":
			is.Peer = at
			if is.Local != "" && is.Local[0] != '/' && is.Local[0] != '@' {
				is.Local = known(is.Local)
			}
		case "getpeername":
			is.Peer = at
		default:
			is.Local = chosen(at)
		}
	})
}

// chosen returns the address of a socket, or nothing if the kernel has chosen the port.
func chosen(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Port() == 0 {
		return ""
	}
	return address
}

// known returns the address of a socket, or nothing if the kernel may still choose a part of it.
func known(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil && (at.Addr().IsUnspecified() || at.Port() == 0) {
		return ""
	}
	return address
}

// sends notes the files that a message takes along, for the other end of a pair of sockets.
func sends(_ *Descriptors, p *process, c *syscalls.Call) {
	from := p.files.find(int32(c.Args[0]), c.Time)
	if c.Result < 0 && !c.Unfinished || !controls(c) && (from == nil || from.peer == nil) {
		return
	}
	numbers, known := rights(c)
	if known && len(numbers) == 0 {
		return
	}
	files := make([]*file, len(numbers))
	for n, fd := range numbers {
		if files[n] = p.files.origin(fd, c.Time); files[n] != nil {
			files[n].sent = true
		}
	}
	switch {
	case from == nil || from.peer == nil:
	case !known || c.Unfinished || c.Syscall().Name != "sendmsg" || c.Time <= from.sentUntil:
		from.unpair()
	default:
		from.sentUntil = endOf(c)
		from.peer.rights = append(from.peer.rights, files)
	}
}

// receives adds the descriptors that came with a message.
func receives(_ *Descriptors, p *process, c *syscalls.Call) {
	const peek = 2 // MSG_PEEK
	at := p.files.find(int32(c.Args[0]), c.Time)
	if c.Result < 0 && !c.Unfinished || !controls(c) && (at == nil || at.peer == nil) {
		return
	}
	numbers, known := rights(c)
	var files []*file
	if at != nil && at.peer != nil {
		alone := c.Time > at.receivedUntil
		at.receivedUntil = max(at.receivedUntil, endOf(c))
		switch message := c.Syscall().Name == "recvmsg" && known && !c.Unfinished; {
		case len(numbers) == 0 && len(at.rights) == 0: // it took no files
		case !message || !alone || at.peer.sent || len(at.rights) == 0 && len(numbers) > 0:
			at.unpair() // it may have dropped files, or others send, too: the order is not known
		case c.Args[2]&peek != 0 || len(numbers) == 0:
		case len(at.rights[0]) != len(numbers):
			at.unpair()
		default:
			files, at.rights = at.rights[0], at.rights[1:]
		}
	}
	for n, fd := range numbers {
		var is *file
		if n < len(files) {
			is = files[n]
		}
		p.files.set(fd, c.Time, endOf(c), is, c.Args[2]&cmsgCloexec != 0)
	}
}

const cmsgCloexec = 0x40000000 // MSG_CMSG_CLOEXEC

// controls reports whether control messages of a call were recorded.
func controls(c *syscalls.Call) bool {
	return slices.ContainsFunc(c.Captures, func(p syscalls.Capture) bool { return p.Part == abi.PartControl })
}

// rights returns the descriptors in the control messages of a call, and whether these are all that the call took.
func rights(c *syscalls.Call) (numbers []int32, known bool) {
	const truncated = 8 // MSG_CTRUNC
	switch c.Syscall().Name {
	case "sendmsg", "sendmmsg", "recvmsg", "recvmmsg", "recvmmsg_time64":
	default:
		return nil, false
	}
	cut := slices.ContainsFunc(c.Captures, func(p syscalls.Capture) bool { return p.Fault })
	for _, v := range c.Values(nil, false) {
		switch {
		case v.Kind == syscalls.KindFD && v.Name == "":
			numbers = append(numbers, int32(v.Number))
		case v.Name == "msg_controllen" && v.Number != 0:
			cut = cut || !controls(c)
		case v.Name == "msg_flags":
			known, cut = true, cut || v.Number&truncated != 0
		}
	}
	return numbers, known && !cut
}
