// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

// captured finds what argument i points to, as far as it may be shown.
func (c *Call) captured(a *Arg, i int) (p Capture, ok bool) {
	found := c.Capture(i)
	if found == nil || found.Fault || c.Args[i] == 0 {
		return p, false
	}
	p = *found
	if a.kind != kindOut && a.kind != kindOutStr || int(a.length) >= c.NArgs {
		return p, true
	}
	// A result can be larger than the buffer, such as with MSG_TRUNC or a size of 0
	// that asks for the size: what lies behind the buffer is nothing that the call gave.
	if size := c.word(c.Args[a.length]); size < uint64(len(p.Data)) {
		p.Data, p.Truncated = p.Data[:size], false
	}
	return p, len(p.Data) > 0
}

// appendCaptured appends a blank and what argument i points to, where that was recorded.
func (c *Call) appendCaptured(dst []byte, a *Arg, i int) []byte {
	p, ok := c.captured(a, i)
	if !ok {
		return dst
	}
	return c.appendData(append(dst, ' '), a.kind, p)
}

// appendData shows the bytes of a capture as what they are; as a string where they are
// too few for that.
func (c *Call) appendData(dst []byte, k kind, p Capture) []byte {
	data := p.Data
	switch {
	case k == kindPath || k == kindStr || k == kindOutStr:
		if end := bytes.IndexByte(data, 0); end >= 0 {
			data = data[:end]
		}
	case k == kindFDs && len(data) >= sizeofFDs:
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(data))), 10)
		dst = append(dst, ", "...)
		dst = strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(data[4:]))), 10)
		return append(dst, ']')
	case k == kindTimespec && len(data) >= sizeofTimespec:
		dst = append(dst, "{tv_sec="...)
		dst = strconv.AppendInt(dst, int64(binary.LittleEndian.Uint64(data)), 10)
		dst = append(dst, ", tv_nsec="...)
		dst = strconv.AppendInt(dst, int64(binary.LittleEndian.Uint64(data[8:])), 10)
		return append(dst, '}')
	case k == kindOpenHow && len(data) >= sizeofOpenHow:
		return c.appendOpenHow(dst, data)
	case (k == kindSockAddr || k == kindSockName) && len(data) >= 2:
		return c.appendSockAddr(dst, data, k == kindSockName, p.Truncated)
	}
	dst = AppendQuoted(dst, data)
	if p.Truncated {
		dst = append(dst, "..."...)
	}
	return dst
}

// appendOpenHow shows a struct open_how: include/uapi/linux/openat2.h.
func (c *Call) appendOpenHow(dst, data []byte) []byte {
	t := tableOf(c.ABI)
	dst = append(dst, "{flags="...)
	dst = t.open.append(dst, binary.LittleEndian.Uint64(data))
	if high := data[4:8]; !bytes.Equal(high, []byte{0, 0, 0, 0}) {
		dst = append(dst, '|')
		dst = appendHex(dst, uint64(binary.LittleEndian.Uint32(high))<<32)
	}
	dst = append(dst, ", mode=0"...)
	if mode := binary.LittleEndian.Uint64(data[8:]); mode != 0 {
		dst = strconv.AppendUint(dst, mode, 8)
	}
	dst = append(dst, ", resolve="...)
	dst = t.resolve.append(dst, binary.LittleEndian.Uint64(data[16:]))
	return append(dst, '}')
}

// Address families with a layout of their own here: include/linux/socket.h.
const (
	familyUnix    = 1
	familyInet    = 2
	familyInet6   = 10
	familyNetlink = 16
)

// appendSockAddr shows a struct sockaddr of at least 2 bytes. Of one that the kernel filled
// in, the length is not known: only what its family surely has is shown.
func (c *Call) appendSockAddr(dst, data []byte, filledIn, truncated bool) []byte {
	family := binary.LittleEndian.Uint16(data)
	dst = append(dst, "{sa_family="...)
	dst = tableOf(c.ABI).family.append(dst, uint64(family))
	switch {
	case family == familyInet && len(data) >= 8:
		dst = append(dst, ", sin_port=htons("...)
		dst = strconv.AppendUint(dst, uint64(binary.BigEndian.Uint16(data[2:])), 10)
		dst = append(dst, `), sin_addr=inet_addr("`...)
		dst = netip.AddrFrom4([4]byte(data[4:8])).AppendTo(dst)
		dst = append(dst, `")`...)
	case family == familyInet6 && len(data) >= 24:
		dst = append(dst, ", sin6_port=htons("...)
		dst = strconv.AppendUint(dst, uint64(binary.BigEndian.Uint16(data[2:])), 10)
		dst = append(dst, "), sin6_flowinfo=htonl("...)
		dst = strconv.AppendUint(dst, uint64(binary.BigEndian.Uint32(data[4:])), 10)
		dst = append(dst, `), inet_pton(AF_INET6, "`...)
		dst = netip.AddrFrom16([16]byte(data[8:24])).AppendTo(dst)
		dst = append(dst, `", &sin6_addr)`...)
		if len(data) >= 28 {
			dst = append(dst, ", sin6_scope_id="...)
			dst = strconv.AppendUint(dst, uint64(binary.LittleEndian.Uint32(data[24:])), 10)
		}
	case family == familyNetlink && len(data) >= 12:
		dst = append(dst, ", nl_pid="...)
		dst = strconv.AppendUint(dst, uint64(binary.LittleEndian.Uint32(data[4:])), 10)
		dst = append(dst, ", nl_groups="...)
		dst = appendHex(dst, uint64(binary.LittleEndian.Uint32(data[8:])))
	case filledIn:
	case family == familyUnix && len(data) > 2:
		dst = append(dst, ", sun_path="...)
		dst = appendUnixPath(dst, data[2:], truncated)
	case len(data) > 2:
		dst = append(dst, ", sa_data="...)
		dst = AppendQuoted(dst, data[2:])
		if truncated {
			dst = append(dst, "..."...)
		}
	}
	return append(dst, '}')
}

// appendUnixPath shows sun_path, an abstract one as @"name".
func appendUnixPath(dst, path []byte, truncated bool) []byte {
	if path[0] == 0 {
		dst = append(dst, '@')
		path = path[1:]
	} else if end := bytes.IndexByte(path, 0); end >= 0 {
		path, truncated = path[:end], false
	}
	dst = AppendQuoted(dst, path)
	if truncated {
		dst = append(dst, "..."...)
	}
	return dst
}
