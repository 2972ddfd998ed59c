// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Families of sockets.
const (
	familyUnix  = 1
	familyInet  = 2
	familyInet6 = 10
)

// endpoint is an address of a socket. The zero value is none.
type endpoint struct {
	family byte
	at     netip.AddrPort // of familyInet and familyInet6
	path   string         // of familyUnix; that of an abstract socket begins with '@'
}

// endpointOf reads the address of a descriptor.
func endpointOf(address string) endpoint {
	if at, err := netip.ParseAddrPort(address); err == nil {
		return endpointAt(at)
	}
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@") {
		return endpoint{family: familyUnix, path: address}
	}
	return endpoint{}
}

func endpointAt(at netip.AddrPort) endpoint {
	family := byte(familyInet6)
	if at.Addr().Is4() {
		family = familyInet
	}
	return endpoint{family: family, at: at}
}

// endpoint returns the address that an argument points to, itself or as the name of a message.
func (c *call) endpoint(name string) (is endpoint) {
	_, parts := c.arg(name)
	if names := members(parts, "msg_name"); names != nil {
		parts = names
	}
	var ip netip.Addr
	var port uint16
	for i := range parts {
		switch v := &parts[i]; {
		case v.Kind == syscalls.KindIP:
			ip, _ = netip.AddrFromSlice(v.Bytes)
		case v.Kind == syscalls.KindPort:
			port = uint16(v.Number)
		case v.Name == "sun_path" && v.Marks&syscalls.Abstract != 0:
			return endpoint{family: familyUnix, path: "@" + string(v.Bytes)}
		case v.Name == "sun_path":
			return endpoint{family: familyUnix, path: string(v.Bytes)}
		}
	}
	if !ip.IsValid() {
		return endpoint{}
	}
	return endpointAt(netip.AddrPortFrom(ip, port))
}

// file returns what the descriptor in an argument is, before the call or after it. It is empty if that is not known.
func (c *call) file(name string, after bool) syscalls.Descriptor {
	return c.described(int32(c.number(name)), after)
}

func (c *call) described(number int32, after bool) (is syscalls.Descriptor) {
	if c.Describe != nil {
		if d := c.Describe(number, after); d != nil {
			is = *d
		}
	}
	return is
}

// appendHost appends an address of a family and its port, or zeros if the endpoint is of another one.
func (is endpoint) appendHost(dst []byte, family byte) []byte {
	size := 16
	if family == familyInet {
		size = 4
	}
	if is.family != family {
		return append(dst, make([]byte, size+2)...)
	}
	return binary.LittleEndian.AppendUint16(append(dst, is.at.Addr().AsSlice()...), is.at.Port())
}

// tuple adds a connection: from where and to where. The format has none for other families.
func (e *event) tuple(from, to endpoint) {
	family := to.family
	if family == 0 {
		family = from.family
	}
	switch family {
	case familyInet, familyInet6:
		e.bytes(to.appendHost(from.appendHost([]byte{family}, family), family))
	case familyUnix:
		name := to.path
		if name == "" {
			name = from.path
		}
		start := len(e.data)
		e.data = append(append(e.data, familyUnix), make([]byte, 2*8)...) // the addresses of kernel structs
		e.data = append(append(e.data, name[:min(len(name), pathMax)]...), 0)
		e.ended(start)
	default:
		e.bytes(nil)
	}
}

// address adds one address.
func (e *event) address(is endpoint) {
	switch is.family {
	case familyInet, familyInet6:
		e.bytes(is.appendHost([]byte{is.family}, is.family))
	case familyUnix:
		e.bytes(append(append([]byte{familyUnix}, is.path...), 0))
	default:
		e.bytes(nil)
	}
}

// address is the one that an argument points to.
func address(name string) parameter {
	return parameter{name, func(e *event, c *call) { e.address(c.endpoint(name)) }}
}

// connected is the connection that connect makes. The local address is known only if it was bound.
var connected = parameter{"uservaddr", func(e *event, c *call) {
	e.tuple(endpointOf(c.file("fd", true).Local), c.endpoint("uservaddr"))
}}

// accepted is the connection that accept returned: it comes from the other side.
var accepted = parameter{"upeer_sockaddr", func(e *event, c *call) {
	if c.result < 0 {
		e.bytes(nil)
		return
	}
	is := c.described(int32(c.result), true)
	peer, local := c.endpoint("upeer_sockaddr"), endpointOf(is.Local)
	if peer == (endpoint{}) {
		peer = endpointOf(is.Peer)
	}
	if peer == (endpoint{}) && local == (endpoint{}) && strings.HasPrefix(is.Type, "UNIX") {
		local.family = familyUnix
	}
	e.tuple(peer, local)
}}

// sent is the address of the socket that sends a message, and the one that the message is sent to.
func sent(name string) parameter {
	return parameter{name, func(e *event, c *call) {
		is, to := c.file("fd", false), c.endpoint(name)
		if to == (endpoint{}) {
			to = endpointOf(is.Peer)
		}
		e.tuple(endpointOf(is.Local), to)
	}}
}

// received is the address that a message came from, and that of the socket which received it.
func received(name string) parameter {
	return parameter{name, func(e *event, c *call) {
		if c.result < 0 {
			e.bytes(nil)
			return
		}
		is, from := c.file("fd", false), c.endpoint(name)
		if from == (endpoint{}) {
			from = endpointOf(is.Peer)
		}
		e.tuple(from, endpointOf(is.Local))
	}}
}
