// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Address families whose addresses are taken apart: include/linux/socket.h.
const (
	familyUnix    = 1
	familyInet    = 2
	familyInet6   = 10
	familyNetlink = 16
	familyPacket  = 17
	familyVsock   = 40
)

// largestUnix is the size of struct sockaddr_un.
const largestUnix = 110

// addSocketAddress adds a struct sockaddr: include/uapi/linux/{socket,in,in6,un,netlink,if_packet,vm_sockets}.h.
func (c *Call) addSocketAddress(t *tape, name string, data []byte, marks Marks) {
	const largest = 128 // the kernel takes no more: struct sockaddr_storage
	if len(data) >= largest {
		data, marks = data[:largest], marks&^Truncated
	}
	if len(data) < 2 {
		t.add(Value{Kind: KindBytes, Name: name, Marks: marks, Bytes: data})
		return
	}
	index := t.open(Value{Kind: KindStruct, Name: name, Marks: marks})
	defer t.close(index)
	family := binary.LittleEndian.Uint16(data)
	t.add(Value{Kind: KindFlags, Name: "sa_family", Number: uint64(family), table: tableOf(c.ABI).family})
	port := func(name string) {
		t.add(Value{Kind: KindPort, Name: name, Number: uint64(binary.BigEndian.Uint16(data[2:]))})
	}
	word := func(kind Kind, name string, at int) {
		t.add(Value{Kind: kind, Name: name, Number: uint64(binary.LittleEndian.Uint32(data[at:]))})
	}
	n, whole := len(data), true
	switch {
	case family == familyInet && n >= 8:
		port("sin_port")
		t.add(Value{Kind: KindIP, Name: "sin_addr", Bytes: data[4:8]})
	case family == familyInet6 && n >= 24:
		port("sin6_port")
		t.add(Value{Kind: KindUint, Name: "sin6_flowinfo", Number: uint64(binary.BigEndian.Uint32(data[4:]))})
		t.add(Value{Kind: KindIP, Name: "sin6_addr", Bytes: data[8:24]})
		if whole = n >= 28; whole {
			word(KindUint, "sin6_scope_id", 24)
		}
	case family == familyNetlink && n >= 12:
		word(KindUint, "nl_pid", 4)
		word(KindHex, "nl_groups", 8)
	case family == familyPacket && n >= 12:
		flags := tableOf(c.ABI).packet
		protocol := Value{Kind: KindFlags, Name: "sll_protocol", Number: uint64(binary.LittleEndian.Uint16(data[2:]))}
		if protocol.table = flags[0]; protocol.table.entry(protocol.Number) == nil {
			protocol.Kind, protocol.Number = KindHex, uint64(binary.BigEndian.Uint16(data[2:]))
		}
		t.add(protocol)
		word(KindInt, "sll_ifindex", 4)
		hardware := uint64(binary.LittleEndian.Uint16(data[8:]))
		t.add(Value{Kind: KindFlags, Name: "sll_hatype", Number: hardware, table: flags[1]})
		t.add(Value{Kind: KindFlags, Name: "sll_pkttype", Number: uint64(data[10]), table: flags[2]})
		t.add(Value{Kind: KindUint, Name: "sll_halen", Number: uint64(data[11])})
		t.add(Value{Kind: KindBytes, Name: "sll_addr", Bytes: data[12:min(n, 12+int(data[11]))]})
	case family == familyVsock && n >= 12:
		t.add(Value{Kind: KindFlags, Name: "svm_cid", Number: number(data[8:], 4, false), table: tableOf(c.ABI).vmCID})
		word(KindUint, "svm_port", 4)
		if n > 12 {
			t.add(Value{Kind: KindHex, Name: "svm_flags", Number: uint64(data[12])})
		}
	case family == familyUnix && n > 2:
		t.addSocketPath(data[2:min(n, largestUnix)], marks)
	case marks&Truncated != 0 && (family == familyInet || family == familyInet6 || family == familyNetlink):
		whole = false
	case n > 2:
		t.add(Value{Kind: KindBytes, Name: "sa_data", Marks: marks & Truncated, Bytes: data[2:]})
	}
	if !whole && marks&Truncated != 0 {
		t.add(Value{Kind: KindMissing})
	} else {
		t.values[index].Marks &^= Truncated
	}
}

// addSocketPath adds the path of a Unix socket. An abstract one begins with a NUL.
func (t *tape) addSocketPath(path []byte, marks Marks) {
	v := Value{Kind: KindPath, Name: "sun_path", Marks: marks & Truncated, Bytes: path}
	if path[0] == 0 {
		v.Marks |= Abstract
		v.Bytes = path[1:]
	} else if text, ended := cutNUL(path); ended {
		v.Bytes, v.Marks = text, 0
	}
	t.add(v)
}

// Control messages: include/linux/socket.h.
const (
	levelSocket       = 1
	controlRights     = 1
	controlCredential = 2
)

// addControls adds control messages.
func (c *Call) addControls(t *tape, p *Capture) {
	index := t.open(Value{Kind: KindArray, Marks: marksOf(p)})
	defer t.close(index)
	l, data := tableOf(c.ABI).layouts["cmsghdr"], p.Data
	word := c.PointerSize()
	size := word + 8
	for len(data) >= size {
		length := number(data, word, false)
		level, kind := binary.LittleEndian.Uint32(data[word:]), binary.LittleEndian.Uint32(data[word+4:])
		message := t.open(Value{Kind: KindStruct})
		t.add(Value{Kind: KindUint, Name: "cmsg_len", Number: length})
		t.add(Value{Kind: KindFlags, Name: "cmsg_level", Number: uint64(level), table: l.field("cmsg_level").table})
		typ := Value{Kind: KindHex, Name: "cmsg_type", Number: uint64(kind)}
		if level == levelSocket {
			typ.Kind, typ.table = KindFlags, tableOf(c.ABI).scm
		}
		t.add(typ)
		if length < uint64(size) { // it is malformed, and so what follows
			t.close(message)
			data = nil
			break
		}
		content := data[size:min(uint64(len(data)), length)]
		var marks Marks
		if uint64(len(data)) < length {
			marks = Truncated
		}
		switch {
		case level == levelSocket && kind == controlRights && len(content) < 4:
		case level == levelSocket && kind == controlRights:
			c.addArray(t, "cmsg_data", KindFD, content, 4, marks)
		case level == levelSocket && c.timeOf(typ, len(content)) != nil:
			t.addStruct("cmsg_data", c.timeOf(typ, len(content)), content, 0, marks)
		case level == levelSocket && kind == controlCredential && len(content) >= 12:
			t.addStruct("cmsg_data", tableOf(c.ABI).layouts["ucred"], content, 0, marks)
		case len(content) > 0:
			t.add(Value{Kind: KindBytes, Name: "cmsg_data", Marks: marks, Bytes: content})
		}
		t.close(message)
		data = data[min(uint64(len(data)), (length+uint64(word)-1)&^uint64(word-1)):]
	}
	if len(data) > 0 {
		t.mark(index, Truncated)
	}
}

// timeOf returns the struct of a time that is the content of a control message, or nil.
func (c *Call) timeOf(typ Value, size int) *layout {
	if e := typ.table.entry(typ.Number); e != nil && e.of != "" {
		if l := tableOf(c.ABI).layouts[e.of]; l.size == size {
			return l
		}
	}
	return nil
}

// addArray adds an array of numbers.
func (c *Call) addArray(t *tape, name string, kind Kind, data []byte, size int, marks Marks) {
	index := t.open(Value{Kind: KindArray, Name: name, Marks: marks})
	for len(data) >= size {
		t.add(Value{Kind: kind, Number: number(data, size, true)})
		data = data[size:]
	}
	t.close(index)
}

// header has the offsets of the members of a struct msghdr, and its size: include/linux/socket.h, include/net/compat.h.
type header struct{ size, nameLength, iov, iovLength, control, controlLength, flags int }

func headerOf(pointer int) header {
	if pointer == 4 {
		return header{size: 28, nameLength: 4, iov: 8, iovLength: 12, control: 16, controlLength: 20, flags: 24}
	}
	return header{size: 56, nameLength: 8, iov: 16, iovLength: 24, control: 32, controlLength: 40, flags: 48}
}

// message is a struct msghdr and what it points to, as captured.
type message struct {
	head, name, control, vector *Capture
	data                        []Capture // of the iovecs
}

// message returns the next message of argument i, whose captures begin at index n or behind it, and the index of what
// follows. ok is false if there is none.
func (c *Call) message(i, n int) (m message, next int, ok bool) {
	for ; n < len(c.Captures); n++ {
		p := &c.Captures[n]
		if p.Arg != i || p.Kernel {
			continue
		}
		switch p.Part {
		case abi.PartWhole:
			if m.head != nil {
				return m, n, true
			}
			m.head = p
		case abi.PartName:
			m.name = p
		case abi.PartControl:
			m.control = p
		case abi.PartVector:
			m.vector, m.data = p, c.Captures[n+1:n+1]
		case abi.PartData:
			if m.vector != nil {
				m.data = m.data[:len(m.data)+1]
			}
		}
	}
	return m, n, m.head != nil
}

// addMessages adds the messages of argument i, which are struct mmsghdr if many is true.
func (c *Call) addMessages(t *tape, a *Arg, i int, many bool) {
	var rooms, lengths []byte // struct msghdr at the enter of a call that receives; what was sent of each message
	for n := range c.Captures {
		if p := &c.Captures[n]; p.Arg == i && p.Part == abi.PartRoom {
			rooms = p.Data
		} else if p.Arg == i && p.Part == abi.PartSent {
			lengths = p.Data
		}
	}
	h, array, n := headerOf(c.PointerSize()), -1, 0
	stride := h.size + c.PointerSize()
	for m, next, ok := c.message(i, 0); ok; m, next, ok = c.message(i, next) {
		if many && array < 0 {
			array = t.open(Value{Kind: KindArray})
			if kinds[a.kind].output {
				t.mark(array, Output)
			}
		}
		if len(m.head.Data) < h.size {
			t.add(Value{Kind: KindMissing, Marks: marksOf(m.head)})
			continue
		}
		room := rooms[min(len(rooms), n*stride):]
		received := uint64(max(c.Result, 0))
		if n++; !many {
			c.addMessage(t, "", h, &m, room, received, kinds[a.kind].output)
			continue
		}
		if len(m.head.Data) >= h.size+4 {
			received = number(m.head.Data[h.size:], 4, false)
		}
		outer := t.open(Value{Kind: KindStruct})
		c.addMessage(t, "msg_hdr", h, &m, room, received, kinds[a.kind].output)
		if at := (n-1)*stride + h.size; at+4 <= len(lengths) && int64(n) <= c.Result {
			t.add(Value{Kind: KindUint, Name: "msg_len", Marks: Output, Number: number(lengths[at:], 4, false)})
		} else if len(m.head.Data) >= h.size+4 {
			t.add(Value{Kind: KindUint, Name: "msg_len", Number: received})
		}
		t.close(outer)
	}
	if array < 0 {
		return
	}
	made := c.word(c.Args[a.length])
	if kinds[a.kind].output {
		made = uint64(max(c.Result, 0))
	}
	if uint64(n) < made {
		t.mark(array, Truncated)
	}
	t.close(array)
}

// addMessage adds a struct msghdr. If it is an output, as many bytes as were received are in its buffers.
func (c *Call) addMessage(t *tape, name string, h header, m *message, room []byte, received uint64, output bool) {
	data, pointer := m.head.Data, c.PointerSize()
	word := func(at int) uint64 { return number(data[at:], pointer, false) }
	index := t.open(Value{Kind: KindStruct, Name: name, Marks: marksOf(m.head)})
	defer t.close(index)
	if output {
		t.mark(index, Output)
	}

	place := t.open(Value{Kind: KindPointer, Name: "msg_name", Number: word(0)})
	if p := m.name; p != nil && p.Fault && len(p.Data) == 0 {
		t.add(Value{Kind: KindMissing, Marks: marksOf(p) &^ Output})
	} else if p != nil {
		address, marks := p.Data, marksOf(p)&^Output
		if at := h.nameLength; output && at+4 <= len(room) {
			if size := number(room[at:], 4, false); size < uint64(len(address)) { // the kernel wrote no more
				address, marks = address[:size], marks&^Truncated
			}
		}
		c.addSocketAddress(t, "", address, marks)
	}
	t.close(place)
	t.addChanged("msg_namelen", room, data, h.nameLength)

	vector := t.open(Value{Kind: KindPointer, Name: "msg_iov", Number: word(h.iov)})
	if m.vector != nil && len(m.vector.Data) > 0 {
		v := iovecs{size: pointer, left: received, output: output}
		v.open(t, "", m.vector)
		for i := range m.data {
			v.next(t, &m.data[i])
		}
		v.close(t)
	}
	t.close(vector)
	t.add(Value{Kind: KindUint, Name: "msg_iovlen", Number: word(h.iovLength)})

	if length := word(h.controlLength); length > 0 || word(h.control) != 0 {
		control := t.open(Value{Kind: KindPointer, Name: "msg_control", Number: word(h.control)})
		if m.control != nil && len(m.control.Data) > 0 {
			c.addControls(t, m.control)
		}
		t.close(control)
	}
	t.add(Value{Kind: KindUint, Name: "msg_controllen", Number: word(h.controlLength)})
	t.add(Value{Kind: KindFlags, Name: "msg_flags", Number: number(data[h.flags:], 4, false), table: tableOf(c.ABI).msg})
}

// addChanged adds a number of 4 bytes: as it is after the call, and as it was before, if that is another one.
func (t *tape) addChanged(name string, before, after []byte, at int) {
	v := Value{Kind: KindInt, Name: name, Number: number(after[at:], 4, true)}
	if at+4 > len(before) || number(before[at:], 4, true) == v.Number {
		t.add(v)
		return
	}
	index := t.open(Value{Kind: KindChanged, Name: name})
	t.add(Value{Kind: KindInt, Number: number(before[at:], 4, true)})
	t.add(Value{Kind: KindInt, Number: v.Number, Marks: Output})
	t.close(index)
}
