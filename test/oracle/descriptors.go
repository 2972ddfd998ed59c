// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
)

// described calls a function with what strace says of each descriptor in a value, and what the recording says of it.
func described(strace, record *value, visit func(strace, record string)) {
	if strace.note != "" && record.kind == word {
		visit(strace.note, record.note)
	}
	for i, part := range strace.parts {
		n := i
		if part.name != "" {
			n = slices.IndexFunc(record.parts, func(other *value) bool { return other.name == part.name })
		}
		if n >= 0 && n < len(record.parts) {
			described(part, record.parts[n], visit)
		}
	}
}

// compareDescriptors compares what is said of a descriptor.
func compareDescriptors(strace, record string) verdict {
	strace, _, _ = strings.Cut(strace, "<char ") // the device's number
	strace, _, _ = strings.Cut(strace, "<block ")
	if strace == record || strace == "anon_inode:[pidfd]" && record == "pidfd" {
		return equal
	}
	typ, rest, _ := strings.Cut(strace, ":[")
	switch {
	case record == "" || strings.HasPrefix(strace, "pid:") && record == "pidfd":
		return bare
	case !isSocket(typ) && typ != "pipe":
		return wrong
	}
	known, _, addressed := strings.Cut(record, ":[")
	switch {
	case record == "socket" || !addressed && strings.HasPrefix(record, typ):
		return bare
	case typ == "socket" && isSocket(known):
		return equal // strace has not found out which one it is
	case !addressed || known != typ && !strings.HasPrefix(known, typ+"-"):
		return wrong
	}
	address := record[len(known)+2:]
	switch {
	case isNumbered(rest) && isNumbered(address):
		if inode(rest) == inode(address) {
			return equal
		}
		return wrong
	case isNumbered(rest):
		return equal // strace shows inodes of sockets without an address, or of which it does not find it
	case isNumbered(address):
		return bare
	}
	return wrong
}

// inode returns the first number of "7]" or "7->8]".
func inode(address string) string {
	number, _, _ := strings.Cut(strings.TrimSuffix(address, "]"), "->")
	return number
}

// isSocket reports whether strace names a socket so.
func isSocket(typ string) bool {
	for _, prefix := range []string{"socket", "MPTCP", "TCP", "UDP", "UNIX", "NETLINK", "PACKET", "RAW", "PING"} {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// isNumbered reports whether an address begins with the number of an inode, and has nothing but such.
func isNumbered(address string) bool {
	return strings.Trim(address, "0123456789->]") == ""
}
