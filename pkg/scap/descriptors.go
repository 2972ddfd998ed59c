// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"encoding/binary"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// The types of descriptors in lists.
const (
	fileDirectory   = 2
	fileInet        = 3
	fileInet6       = 4
	fileInetServer  = 5
	fileInet6Server = 6
	filePipe        = 7
	fileUnix        = 8
	fileEvent       = 9
	fileOther       = 10
	fileSignals     = 11
	filePoll        = 12
	fileNotify      = 13
	fileTimer       = 14
	fileNetlink     = 15
	fileRegular     = 16
)

// Protocols of sockets.
const (
	protocolUnknown = iota
	_               // not a socket
	protocolTCP
	protocolUDP
	protocolICMP
	protocolRaw
)

func protocolOf(typ string) byte {
	switch {
	case strings.HasPrefix(typ, "TCP"), strings.HasPrefix(typ, "MPTCP"):
		return protocolTCP
	case strings.HasPrefix(typ, "UDP"):
		return protocolUDP
	case strings.HasPrefix(typ, "PING"):
		return protocolICMP
	case strings.HasPrefix(typ, "RAW"):
		return protocolRaw
	}
	return protocolUnknown
}

// anonymous are the types of descriptors without a path or an address, by their beginning.
var anonymous = []struct {
	name string
	typ  byte
}{
	{"pipe", filePipe}, {"UNIX", fileUnix}, {"NETLINK", fileNetlink}, {"anon_inode:[eventfd]", fileEvent},
	{"anon_inode:[signalfd]", fileSignals}, {"anon_inode:[eventpoll]", filePoll}, {"anon_inode:inotify", fileNotify},
	{"anon_inode:[timerfd]", fileTimer},
}

// appendFiles appends the list of the descriptors of a process, which must be in a list of processes before.
func appendFiles(dst []byte, pid uint32, files []openFile) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(beginBlock(dst, blockFiles), uint64(pid))
	for i := range files {
		entry := len(dst)
		dst = files[i].append(append(dst, 0, 0, 0, 0))
		binary.LittleEndian.PutUint32(dst[entry:], uint32(len(dst)-entry))
	}
	return endBlock(dst, start)
}

// openFile is a descriptor that a process had at the beginning.
type openFile struct {
	number int32
	is     syscalls.Descriptor
}

func (f *openFile) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.number))
	dst = binary.LittleEndian.AppendUint64(dst, f.is.Inode)
	local, peer := endpointOf(f.is.Local), endpointOf(f.is.Peer)
	protocol := protocolOf(f.is.Type)
	switch {
	case f.is.Path != "":
		dst = append(dst, fileRegular, 0, 0, 0, 0) // flags of open
		return append(appendText(dst, f.is.Path, pathMax), 0, 0, 0, 0)
	case peer.family == familyInet:
		return append(appendPair(append(dst, fileInet), local, peer, familyInet), protocol)
	case peer.family == familyInet6:
		return append(appendPair(append(dst, fileInet6), local, peer, familyInet6), protocol)
	case local.family == familyInet:
		return append(local.appendHost(append(dst, fileInetServer), familyInet), protocol)
	case local.family == familyInet6:
		return append(local.appendHost(append(dst, fileInet6Server), familyInet6), protocol)
	}
	for _, kind := range anonymous {
		if strings.HasPrefix(f.is.Type, kind.name) {
			dst = append(dst, kind.typ)
			if kind.typ == fileUnix {
				dst = append(dst, make([]byte, 2*8)...) // the addresses of kernel structs
			}
			return appendText(dst, f.is.Local, pathMax)
		}
	}
	return appendText(append(dst, fileOther), f.is.Type, pathMax)
}

// appendPair appends two addresses, and then their ports.
func appendPair(dst []byte, from, to endpoint, family byte) []byte {
	a, b := from.appendHost(nil, family), to.appendHost(nil, family)
	ip := len(a) - 2
	return append(append(append(append(dst, a[:ip]...), b[:ip]...), a[ip:]...), b[ip:]...)
}
