// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// CWD is the number that stands for the current directory in place of a descriptor: AT_FDCWD.
const CWD = atFDCWD

// Descriptor says what a file descriptor, or the current directory, is.
type Descriptor struct {
	// Path is that of a file when it was opened, from the root directory of the task that opened it; hostile.
	Path      string `json:"path,omitempty"`
	Truncated bool   `json:"truncated,omitempty"` // Path lacks its beginning
	Deleted   bool   `json:"deleted,omitempty"`   // the file had no name any more when it was opened
	// Type is that of something without a path: pipe, socket, TCP, UNIX-STREAM, anon_inode:[eventfd].
	Type  string `json:"type,omitempty"`
	Inode uint64 `json:"inode,omitempty"` // of a pipe or a socket; 0 if it is not known
	// Local and Peer are the addresses of a socket, such as 10.0.0.1:443, a path, or @NAME; hostile.
	Local string `json:"local,omitempty"`
	Peer  string `json:"peer,omitempty"`
}

// AppendText appends the descriptor as strace -yy does: "</etc/hosts>", "<pipe:[123]>", but the addresses of a socket
// without brackets: "<TCP:10.0.0.1:40000->10.0.0.2:5432>".
func (d *Descriptor) AppendText(dst []byte) []byte { return d.append(dst, "", "") }

// append puts the addresses of a socket between two brackets.
func (d *Descriptor) append(dst []byte, open, closed string) []byte {
	dst = append(dst, '<')
	switch {
	case d.Path != "":
		if d.Truncated {
			dst = append(dst, "..."...)
		}
		dst = append(appendBracketed(dst, d.Path), '>')
		if d.Deleted {
			dst = append(dst, "(deleted)"...)
		}
		return dst
	case d.Local != "" || d.Peer != "":
		dst = append(append(append(dst, d.Type...), ':'), open...)
		dst = appendBracketed(dst, d.Local)
		if d.Peer != "" {
			dst = appendBracketed(append(dst, "->"...), d.Peer)
		}
		dst = append(dst, closed...)
	case d.Inode != 0:
		dst = append(append(dst, d.Type...), ":["...)
		dst = append(strconv.AppendUint(dst, d.Inode, 10), ']')
	default:
		dst = appendBracketed(dst, d.Type)
	}
	return append(dst, '>')
}

// appendBracketed is AppendEscaped for text in angle brackets, which are escaped in it, too.
func appendBracketed(dst []byte, text string) []byte {
	for {
		at := strings.IndexAny(text, "<>")
		if at < 0 {
			return AppendEscaped(dst, []byte(text))
		}
		dst = append(AppendEscaped(dst, []byte(text[:at])), '\\')
		if at+1 < len(text) && text[at+1] >= '0' && text[at+1] <= '9' {
			dst = append(dst, '0')
		}
		dst = append(dst, '0'+text[at]>>3, '0'+text[at]&7)
		text = text[at+1:]
	}
}

// describe notes in the values from an index on what their descriptors are.
func (c *Call) describe(values []Value) {
	if c.Describe == nil {
		return
	}
	output := 0 // the values before this index are part of an output
	for i := range values {
		v := &values[i]
		if v.Marks&Output != 0 {
			output = max(output, i+1+int(v.Parts))
		}
		if (v.Kind == KindFD || v.Kind == KindDirFD) && v.Number == uint64(int32(v.Number)) {
			v.File = c.Describe(int32(v.Number), i < output)
		}
	}
}

// whole returns the file that a relative path names, argument i of the call, or nil if the directory from which it
// begins is not known.
func (c *Call) whole(i int, path []byte, marks Marks) *Descriptor {
	if c.Describe == nil || len(path) == 0 || path[0] == '/' || marks&(Truncated|Unreadable|Late) != 0 {
		return nil
	}
	s := c.Syscall()
	if name := s.Args[i].Name; name == "dev_name" || name == "oldname" && strings.HasPrefix(s.Name, "symlink") {
		return nil // it need not be a path
	}
	from := int32(atFDCWD)
	if i > 0 && s.Args[i-1].kind == kindDirFD {
		from = int32(c.Args[i-1])
	}
	d := c.Describe(from, false)
	if d == nil || d.Path == "" || d.Truncated || d.Deleted {
		return nil
	}
	return &Descriptor{Path: strings.TrimSuffix(d.Path, "/") + "/" + string(bytes.TrimPrefix(path, []byte("./")))}
}

// returned returns what the descriptor is that the call returned, or nil.
func (c *Call) returned() *Descriptor {
	if c.Describe == nil || !c.ReturnsDescriptor() {
		return nil
	}
	return c.Describe(int32(c.Result), true)
}

// ReturnsDescriptor reports whether the result of the call is a descriptor.
func (c *Call) ReturnsDescriptor() bool {
	s := c.Syscall()
	if s == nil || c.Result < 0 || c.Unfinished || c.NoEnter {
		return false
	}
	switch s.Name {
	case "fcntl", "fcntl64":
		return uint32(c.Args[1]) == dupFD || uint32(c.Args[1]) == dupFDCloexec
	case "bpf":
		switch uint32(c.Args[0]) { // enum bpf_cmd of include/uapi/linux/bpf.h
		case 0, 5, 7, 13, 14, 17, 18, 19, 28, 30, 32, 33, 36:
			return true
		}
	}
	return s.descriptor
}

// Of fcntl: include/uapi/linux/fcntl.h.
const (
	dupFD        = 0
	dupFDCloexec = 1030
)

// SocketAddress returns a struct sockaddr as text: 10.0.0.1:443, [::1]:443, a path, or @NAME. It is empty if the
// address is of another family, or none.
func SocketAddress(data []byte) string {
	if len(data) < 2 {
		return ""
	}
	port := func() uint16 { return binary.BigEndian.Uint16(data[2:]) }
	switch family := binary.LittleEndian.Uint16(data); {
	case family == familyInet && len(data) >= 8:
		return netip.AddrPortFrom(addressOf(data[4:8]), port()).String()
	case family == familyInet6 && len(data) >= 24:
		return netip.AddrPortFrom(addressOf(data[8:24]), port()).String()
	case family == familyUnix && len(data) > 3 && data[2] == 0:
		return "@" + string(data[3:])
	case family == familyUnix && len(data) > 2:
		path, _ := cutNUL(data[2:])
		return string(path)
	}
	return ""
}
