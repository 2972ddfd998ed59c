// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Address is a pattern of the addresses of IP sockets.
type Address struct {
	network netip.Prefix // invalid: any
	port    uint16       // 0: any
}

// NewAddress parses a pattern: an address, a network or neither, and a port or none. 10.0.0.9, 10.0.0.0/8, :443,
// 10.0.0.9:443, fd00::1, [fd00::/8]:443.
func NewAddress(text string) (a Address, err error) {
	wrong := errors.New("must be an address such as 10.0.0.9, 10.0.0.9:443, 10.0.0.0/8, :443, fd00::1 or [fd00::1]:443")
	host, port, ported := text, "", false
	if inner, rest, bracketed := strings.Cut(text, "]"); bracketed {
		if host, bracketed = strings.CutPrefix(inner, "["); !bracketed || host == "" {
			return a, wrong
		}
		if port, ported = strings.CutPrefix(rest, ":"); rest != "" && !ported {
			return a, wrong
		}
	} else if strings.Count(text, ":") == 1 {
		host, port, ported = strings.Cut(text, ":")
	}
	if ported {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return a, wrong
		}
		a.port = uint16(number)
		if host == "" {
			return a, nil
		}
	}
	if a.network, err = netip.ParsePrefix(host); err == nil {
		return a, nil
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return a, wrong
	}
	a.network, err = address.Unmap().WithZone("").Prefix(address.Unmap().BitLen())
	return a, err
}

// String returns a text that NewAddress accepts.
func (a Address) String() string {
	host := ""
	if a.network.IsValid() {
		host = strings.TrimSuffix(strings.TrimSuffix(a.network.String(), "/32"), "/128")
	}
	switch {
	case a.port == 0:
		return host
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(a.port))
}

// matches reports whether an address of a socket is in the network and has the port.
func (a Address) matches(socket netip.AddrPort) bool {
	return (a.port == 0 || a.port == socket.Port()) &&
		(!a.network.IsValid() || a.network.Contains(socket.Addr().Unmap().WithZone("")))
}

// matchesSocket reports whether a socket has such a peer, or, without a peer, such an address of its own.
func (a Address) matchesSocket(d *syscalls.Descriptor) bool {
	text := d.Peer
	if text == "" {
		text = d.Local
	}
	socket, err := netip.ParseAddrPort(text)
	return err == nil && a.matches(socket)
}

// matchesAny reports whether values have such an address, or a descriptor of such a socket.
func (a Address) matchesAny(values []syscalls.Value) bool {
	port, at := uint16(0), -1 // of the last port, and its index: in structs, the port precedes the address
	for i := range values {
		switch v := &values[i]; v.Kind {
		case syscalls.KindPort:
			port, at = uint16(v.Number), i
		case syscalls.KindIP:
			ip, ok := netip.AddrFromSlice(v.Bytes)
			if at < 0 || at < i-2 {
				port = 0
			}
			if ok && a.matches(netip.AddrPortFrom(ip, port)) {
				return true
			}
		case syscalls.KindFD:
			if v.File != nil && a.matchesSocket(v.File) {
				return true
			}
		}
	}
	return false
}
