// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"net/netip"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// transfer is what a call moved between memory, or another descriptor, and a descriptor.
type transfer struct {
	fd      int32
	writes  bool
	size    uint64   // bytes
	offset  int64    // in the file; -1: the descriptor's own
	parcels []parcel // messages; of other calls, one
}

// parcel is bytes that were moved at once.
type parcel struct {
	address string // with which the call named the other side; hostile
	size    uint64 // bytes
	pieces  []piece
}

// piece is bytes as far as they were recorded.
type piece struct {
	data  []byte // hostile; part of the record
	lacks uint64 // how many bytes followed that were not recorded
}

// nowhere stands for no descriptor.
const nowhere = -1

// movement tells which arguments of a call are the descriptors that it reads and writes, or nowhere.
type movement struct{ reads, writes int }

// movements are those of all calls that move bytes.
var movements = map[string]movement{
	"read": {0, nowhere}, "pread64": {0, nowhere}, "readv": {0, nowhere}, "preadv": {0, nowhere}, "preadv2": {0, nowhere},
	"recv": {0, nowhere}, "recvfrom": {0, nowhere}, "recvmsg": {0, nowhere}, "recvmmsg": {0, nowhere},
	"recvmmsg_time64": {0, nowhere},
	"write":           {nowhere, 0}, "pwrite64": {nowhere, 0}, "writev": {nowhere, 0}, "pwritev": {nowhere, 0},
	"pwritev2": {nowhere, 0}, "send": {nowhere, 0}, "sendto": {nowhere, 0}, "sendmsg": {nowhere, 0},
	"sendmmsg": {nowhere, 0},
	"sendfile": {1, 0}, "sendfile64": {1, 0}, "copy_file_range": {0, 2}, "splice": {0, 2},
}

// transfers returns what a call has moved that has returned: of what it copied, what it read comes first. values are
// those of the call.
func transfers(c *syscalls.Call, values []syscalls.Value) (all []transfer) {
	s := c.Syscall()
	if s == nil || c.Event() || c.Unfinished || c.NoEnter || c.Result < 0 {
		return nil
	}
	m, ok := movements[s.Name]
	if !ok || peeks(s.Name, c) {
		return nil
	}
	one := transfer{size: uint64(c.Result), offset: -1}
	if m.reads != nowhere && m.writes != nowhere {
		one.parcels = []parcel{{size: one.size, pieces: []piece{{lacks: one.size}}}}
	} else {
		one.parcels = parcels(values, c.Result, s.Name)
		one.size = 0
		for i := range one.parcels {
			one.size += one.parcels[i].size
		}
	}
	for _, v := range values {
		const current = -1 // of preadv2 and pwritev2
		if (v.Name == "pos" || v.Name == "pos_l") && int64(v.Number) != current {
			one.offset = int64(v.Number)
		}
	}
	for i, fd := range []int{m.reads, m.writes} {
		if fd != nowhere {
			one.fd, one.writes = int32(c.Args[fd]), i == 1
			all = append(all, one)
		}
	}
	return all
}

// peeks reports whether a call leaves in the socket what it receives.
func peeks(name string, c *syscalls.Call) bool {
	const peek = 2 // MSG_PEEK
	switch name {
	case "recv", "recvfrom", "recvmmsg", "recvmmsg_time64":
		return c.Args[3]&peek != 0
	case "recvmsg":
		return c.Args[2]&peek != 0
	}
	return false
}

// parcels returns what a call has moved, from its values and its result.
func parcels(values []syscalls.Value, result int64, name string) (all []parcel) {
	one := parcel{size: uint64(result)}
	syscalls.Each(values, func(v *syscalls.Value, parts []syscalls.Value) {
		switch v.Name {
		case "buf", "ubuf", "buff":
			one.pieces = append(one.pieces, piece{bytesOf(parts), one.size})
		case "addr":
			one.address = addressOf(parts)
		case "vec", "msg":
			one.scan(parts, nil)
		case "mmsg":
			one.scan(parts, func(size uint64) {
				one.size = size
				if len(all) < int(result) {
					all = append(all, one.trimmed())
				}
				one = parcel{}
			})
		}
	})
	if has("sendmmsg recvmmsg recvmmsg_time64", name) {
		return all
	}
	return []parcel{one.trimmed()}
}

// scan takes over the iovecs and the address of values. It calls sent at the end of each message with its size.
func (p *parcel) scan(values []syscalls.Value, sent func(size uint64)) {
	var data []byte
	for i := 0; i < len(values); i++ {
		v := &values[i]
		parts := values[i+1 : min(len(values), i+1+int(v.Parts))]
		switch v.Name {
		case "msg_name":
			p.address = addressOf(parts)
			i += len(parts)
		case "msg_control":
			i += len(parts)
		case "iov_base":
			data = bytesOf(parts)
			i += len(parts)
		case "iov_len":
			p.pieces = append(p.pieces, piece{data, v.Number})
			data = nil
		case "msg_len":
			if sent != nil {
				sent(v.Number)
			}
		}
	}
}

// trimmed returns the parcel with pieces whose lacks, until now the size of each buffer, say what was not recorded of
// the bytes that were moved.
func (p *parcel) trimmed() parcel {
	left := p.size
	var pieces []piece
	for _, piece := range p.pieces {
		size := min(piece.lacks, left)
		piece.data = piece.data[:min(uint64(len(piece.data)), size)]
		piece.lacks = size - uint64(len(piece.data))
		if left -= size; size > 0 {
			pieces = append(pieces, piece)
		}
	}
	if left > 0 {
		pieces = append(pieces, piece{lacks: left})
	}
	return parcel{p.address, p.size, pieces}
}

// bytesOf returns the bytes of what a pointer points to.
func bytesOf(parts []syscalls.Value) []byte {
	if i := slices.IndexFunc(parts, func(v syscalls.Value) bool { return v.Kind == syscalls.KindBytes }); i >= 0 {
		return parts[i].Bytes
	}
	return nil
}

// addressOf returns the address of a socket, in the form of syscalls.SocketAddress, or "".
func addressOf(parts []syscalls.Value) string {
	port := uint16(0)
	for _, v := range parts {
		switch v.Kind {
		case syscalls.KindPort:
			port = uint16(v.Number)
		case syscalls.KindIP:
			if ip, ok := netip.AddrFromSlice(v.Bytes); ok {
				return netip.AddrPortFrom(ip, port).String()
			}
		case syscalls.KindPath:
			if v.Marks&syscalls.Abstract != 0 {
				return "@" + string(v.Bytes)
			}
			return string(v.Bytes)
		}
	}
	return ""
}

// taken returns what a descriptor was when a call took it, or nil if that is not known.
func taken(c *syscalls.Call, fd int32) *syscalls.Descriptor {
	if c.Describe == nil {
		return nil
	}
	return c.Describe(fd, false)
}

// Selected says which calls count for an answer: all of them if it is nil.
type Selected func(*straceback.Event) bool

// each yields the calls of the container that have returned, that are selected, with their names and values.
func (p *Past) each(selected Selected, yield func(e *straceback.Event, name string, values []syscalls.Value)) {
	if selected == nil {
		selected = func(e *straceback.Event) bool { return e.Lane != straceback.Runtime }
	}
	for e := range p.Timeline.Calls {
		s := e.Call.Syscall()
		if s == nil || e.Call.Event() || e.Part == straceback.InFlight || e.Call.Unfinished || !selected(e) {
			continue
		}
		p.values = e.Call.Values(p.values[:0], false)
		yield(e, s.Name, p.values)
	}
}
