// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Marks are always outside of quotes, and nothing else outside of quotes is in angle brackets, so a container cannot
// forge one.
const (
	markLate       = " <read late>"  // input read at the call's exit: it may differ from what the kernel read
	markUnreadable = " <unreadable>" // memory that could not be read
)

// pointedTo describes the memory that an argument points to, as far as it can be shown.
type pointedTo uint8

const (
	nothing    pointedTo = iota // the argument is not a pointer to data, it is NULL, or the call returned no data
	unreadable                  // the memory could not be read
	data                        // the memory was read, at least in part
)

// captured returns the memory that argument i points to. If a call has ended and an input has no capture, its memory
// was unreadable: after an exec or the end of the task, it is gone.
func (c *Call) captured(a *Arg, i int, ended bool) (p Capture, found pointedTo) {
	k := &kinds[a.kind]
	if !k.shown || c.Args[i] == 0 {
		return p, nothing
	}
	if at := c.Capture(i); at != nil {
		p = *at
	} else if at := c.kernelCopy(i); at != nil && a.kind == kindPath {
		p = *at
	} else if ended && k.always {
		return p, unreadable
	} else {
		return p, nothing
	}
	if p.Fault && len(p.Data) == 0 {
		return p, unreadable
	}
	if a.kind != kindOut && a.kind != kindOutStr || int(a.length) >= c.NArgs {
		return p, data
	}
	// A result can be larger than the buffer, such as with MSG_TRUNC or with a size of 0 that asks for the size. The
	// bytes after the buffer are not the call's output.
	if size := c.word(c.Args[a.length]); size < uint64(len(p.Data)) {
		p.Data, p.Truncated = p.Data[:size], false
	}
	if len(p.Data) == 0 {
		return p, nothing
	}
	return p, data
}

// kernelCopy returns what the kernel read of an argument, or nil if that was not recorded.
func (c *Call) kernelCopy(arg int) *Capture {
	for i := range c.Captures {
		if p := &c.Captures[i]; p.Kernel && p.Arg == arg && p.Part == abi.PartWhole {
			return p
		}
	}
	return nil
}

// appendCaptured appends the recorded memory that argument i points to, and its marks, each after a blank.
func (c *Call) appendCaptured(dst []byte, a *Arg, i int, ended bool) []byte {
	if a.kind.vector() {
		return c.appendVector(dst, a, i, ended)
	}
	p, found := c.captured(a, i, ended)
	switch found {
	case unreadable:
		return append(dst, markUnreadable...)
	case data:
		dst, _ = c.appendData(append(dst, ' '), a.kind, p)
		if p.Late {
			dst = append(dst, markLate...)
		}
		if p.Fault {
			dst = append(dst, markUnreadable...)
		}
	}
	return dst
}

// appendData shows the bytes of a capture in the form of their kind, with "..." for missing bytes. cut is true if some
// are missing. A struct that was cut is shown as "..." only.
func (c *Call) appendData(dst []byte, k kind, p Capture) (shown []byte, cut bool) {
	data := p.Data
	switch k {
	case kindPath, kindStr, kindOutStr:
		if end := bytes.IndexByte(data, 0); end >= 0 {
			data = data[:end]
		}
	case kindFDs:
		if len(data) < sizeofFDs {
			return append(dst, "[...]"...), true
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(data))), 10)
		dst = append(dst, ", "...)
		dst = strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(data[4:]))), 10)
		return append(dst, ']'), false
	case kindTimespec, kindTimespec64:
		size := 8
		if k == kindTimespec && c.ABI.is32() {
			size = 4
		}
		if len(data) < 2*size {
			return append(dst, "{...}"...), true
		}
		dst = append(dst, "{tv_sec="...)
		dst = strconv.AppendInt(dst, int64(word(data, size, true)), 10)
		dst = append(dst, ", tv_nsec="...)
		dst = strconv.AppendInt(dst, int64(word(data[size:], size, true)), 10)
		return append(dst, '}'), false
	case kindOpenHow:
		if len(data) < sizeofOpenHow {
			return append(dst, "{...}"...), true
		}
		return c.appendOpenHow(dst, data), false
	case kindSockAddr, kindSockName:
		if len(data) >= 2 {
			return c.appendSockAddr(dst, data, p.Truncated)
		}
	}
	dst = AppendQuoted(dst, data)
	if p.Truncated {
		dst = append(dst, "..."...)
	}
	return dst, p.Truncated
}

// appendOpenHow shows a struct open_how (include/uapi/linux/openat2.h).
func (c *Call) appendOpenHow(dst, data []byte) []byte {
	t := tableOf(c.ABI)
	dst = append(dst, "{flags="...)
	dst = t.open.append(dst, binary.LittleEndian.Uint64(data))
	if high := data[4:8]; !bytes.Equal(high, []byte{0, 0, 0, 0}) {
		dst = append(dst, '|')
		dst = appendHex(dst, uint64(binary.LittleEndian.Uint32(high))<<32)
	}
	const creates = 0o100 | 0o20000000 // O_CREAT and the bit that only O_TMPFILE has: without these, mode must be 0
	if mode := binary.LittleEndian.Uint64(data[8:]); mode != 0 {
		dst = strconv.AppendUint(append(dst, ", mode=0"...), mode, 8)
	} else if binary.LittleEndian.Uint64(data)&creates != 0 {
		dst = append(dst, ", mode=0"...)
	}
	dst = append(dst, ", resolve="...)
	dst = t.resolve.append(dst, binary.LittleEndian.Uint64(data[16:]))
	return append(dst, '}')
}

// Address families that are shown field by field (include/linux/socket.h).
const (
	familyUnix    = 1
	familyInet    = 2
	familyInet6   = 10
	familyNetlink = 16
)

// appendSockAddr shows a struct sockaddr of at least 2 bytes. cut is true if part of it is missing.
func (c *Call) appendSockAddr(dst, data []byte, truncated bool) (shown []byte, cut bool) {
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
		} else {
			cut = truncated
		}
	case family == familyNetlink && len(data) >= 12:
		dst = append(dst, ", nl_pid="...)
		dst = strconv.AppendUint(dst, uint64(binary.LittleEndian.Uint32(data[4:])), 10)
		dst = append(dst, ", nl_groups="...)
		dst = appendHex(dst, uint64(binary.LittleEndian.Uint32(data[8:])))
	case truncated && (family == familyInet || family == familyInet6 || family == familyNetlink):
		cut = true
	case family == familyUnix && len(data) > 2:
		dst = append(dst, ", sun_path="...)
		dst, truncated = appendUnixPath(dst, data[2:], truncated)
		return append(dst, '}'), truncated
	case len(data) > 2:
		dst = append(dst, ", sa_data="...)
		dst = AppendQuoted(dst, data[2:])
		if truncated {
			dst = append(dst, "..."...)
		}
		return append(dst, '}'), truncated
	}
	if cut {
		dst = append(dst, ", ..."...)
	}
	return append(dst, '}'), cut
}

// appendUnixPath shows sun_path; an abstract one as @"name".
func appendUnixPath(dst, path []byte, truncated bool) (shown []byte, cut bool) {
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
	return dst, truncated
}
