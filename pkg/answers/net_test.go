// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	endian "encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// sockaddr returns the struct sockaddr of an IPv4 address and port, or of a unix socket.
func sockaddr(address string) []byte {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return append([]byte{1, 0}, strings.Replace(address, "@", "\x00", 1)...)
	}
	ip := at.Addr().As4()
	return append(endian.BigEndian.AppendUint16([]byte{2, 0}, at.Port()), ip[:]...)
}

// socket adds a call that makes a socket.
func (r *tape) socket(pid uint32, fd int64, family, typ int) *tape {
	return r.call(pid, "socket", fd, family, typ, 0).inode(uint64(pid)*1000 + uint64(fd))
}

// inode gives the last call a socket.
func (r *tape) inode(inode uint64) *tape {
	data, _ := endian.Append(nil, endian.NativeEndian, abi.Resolved{Inode: inode, Mode: 0o140777})
	return r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Captures = append(c.Captures, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
			Data: data})
	})
}

// out makes memory of the last call its output.
func (r *tape) out(arg int, data []byte) *tape {
	return r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Args[arg] = 0x7000
		c.Captures = append(c.Captures, syscalls.Capture{Arg: arg, Output: true, Data: data})
	})
}

func (r *tape) connect(pid uint32, result int64, fd int, address string) *tape {
	return r.call(pid, "connect", result, fd, sockaddr(address), 16)
}

// socketError adds a call that asks how a connection ended.
func (r *tape) socketError(pid uint32, fd int, errno uint32) *tape {
	return r.call(pid, "getsockopt", 0, fd, 1, 4, 0, 0).out(3, endian.LittleEndian.AppendUint32(nil, errno))
}

const (
	inet, unix       = 2, 1
	stream, datagram = 1, 2
	refused          = 111
	inProgress       = 115
)

// String returns what was done with an endpoint, in one line.
func (e *Endpoint) String() string {
	return fmt.Sprintf("%s %s %s: %s; calls %d, failed %d, sent %d, received %d, by %s", e.Type, e.Way, e.Shown(),
		e.Summary(), e.Calls, e.Failed, e.Written, e.Read, users(e.By))
}

func TestNet(t *testing.T) {
	for _, c := range []struct {
		name string
		tape *tape
		want string
	}{
		{"a connection, and what went over it", (&tape{}).socket(101, 3, inet, stream).connect(101, 0, 3, "10.0.0.1:80").
			call(101, "write", 5, 3, "hello", 5).call(101, "recvfrom", 2, 3, 0, 9, 0, 0, 0).out(1, []byte("hi")).
			call(101, "recvfrom", -11, 3, 0, 9, 0, 0, 0).call(101, "sendto", -32, 3, "x", 1, 0, 0, 0), `
			TCP to 10.0.0.1:80: EPIPE, connected; calls 4, failed 1, sent 5, received 2, by p101[1]`},
		{"connections that were refused, at once and later", (&tape{}).socket(101, 3, inet, stream).
			connect(101, -refused, 3, "10.0.0.1:80").socket(101, 4, inet, stream).
			connect(101, -inProgress, 4, "10.0.0.1:80").socketError(101, 4, refused).socketError(101, 4, 0), `
			TCP to 10.0.0.1:80: ECONNREFUSED ×2; calls 2, failed 2, sent 0, received 0, by p101[1]`},
		{"connections that went on meanwhile", (&tape{}).socket(101, 3, inet, stream).
			connect(101, -inProgress, 3, "10.0.0.1:80").socketError(101, 3, 0).socket(101, 4, inet, stream).
			connect(101, -inProgress, 4, "10.0.0.1:80").call(101, "write", 1, 4, "x", 1).socket(101, 5, inet, stream).
			connect(101, -inProgress, 5, "10.0.0.1:80").call(101, "close", 0, 5).socket(101, 5, inet, stream).
			connect(101, -inProgress, 5, "10.0.0.2:80").connect(101, -114, 5, "10.0.0.2:80").
			connect(101, -106, 5, "10.0.0.2:80").socketError(101, 5, refused), `
			TCP to 10.0.0.1:80: connected ×2, outcome not kept; calls 4, failed 0, sent 1, received 0, by p101[1]
			TCP to 10.0.0.2:80: connected; calls 1, failed 0, sent 0, received 0, by p101[1]`},
		{"a server", (&tape{}).socket(101, 3, inet, stream).call(101, "bind", -98, 3, sockaddr("0.0.0.0:80"), 16).
			call(101, "bind", 0, 3, sockaddr("0.0.0.0:80"), 16).call(101, "listen", 0, 3, 9).
			call(101, "accept4", 4, 3, 0, 0, 0).inode(7).out(1, sockaddr("10.0.0.9:40001")).
			call(101, "read", 3, 4, 0, 9).out(1, []byte("abc")).call(101, "close", 0, 4).
			call(101, "accept4", 4, 3, 0, 0, 0).inode(8).out(1, sockaddr("10.0.0.9:40002")).
			call(101, "write", 2, 4, "ok", 2).call(101, "accept4", -24, 3, 0, 0, 0), `
			TCP on 0.0.0.0:80: EMFILE, EADDRINUSE, bound, listened, accepted ×2; calls 6, failed 2, sent 0, received 0, by p101[1]
			TCP from 10.0.0.9 on 0.0.0.0:80: accepted ×2; calls 2, failed 0, sent 2, received 3, by p101[1]`},
		{"ports that the kernel chose", (&tape{}).socket(101, 3, inet, stream).
			call(101, "bind", 0, 3, sockaddr("127.0.0.1:0"), 16).call(101, "listen", 0, 3, 9).
			call(101, "getsockname", 0, 3, 0, 0).out(1, sockaddr("127.0.0.1:40000")).socket(101, 4, inet, stream).
			call(101, "listen", 0, 4, 9).call(101, "getsockname", 0, 4, 0, 0).out(1, sockaddr("127.0.0.1:40001")).
			call(101, "accept4", 5, 3, 0, 0, 0).inode(7).out(1, sockaddr("10.0.0.9:1")), `
			TCP from 10.0.0.9 on 127.0.0.1:40000: accepted; calls 0, failed 0, sent 0, received 0, by p101[1]
			TCP on 127.0.0.1:40000: listened, accepted; calls 2, failed 0, sent 0, received 0, by p101[1]
			TCP on 127.0.0.1:40001: listened; calls 1, failed 0, sent 0, received 0, by p101[1]`},
		{"datagrams", (&tape{}).socket(101, 3, inet, datagram).
			call(101, "sendto", 2, 3, "hi", 2, 0, sockaddr("10.0.0.1:99"), 16).
			socket(102, 3, inet, datagram).call(102, "bind", 0, 3, sockaddr("10.0.0.7:9"), 16).
			call(102, "recvfrom", 2, 3, 0, 9, 0, 0x7000, 0x7000).out(1, []byte("hi")), `
			UDP to 10.0.0.1:99: sent; calls 1, failed 0, sent 2, received 0, by p101[1]
			UDP on 10.0.0.7:9: bound; calls 2, failed 0, sent 0, received 2, by p102[2]`},
		{"unix sockets", (&tape{}).socket(101, 3, unix, stream).connect(101, enoent, 3, "/run/x.sock").
			socket(101, 4, unix, datagram).connect(101, 0, 4, "@bus").
			call(101, "socketpair", 0, 1, 1, 0, 0).out(3, []byte{6, 0, 0, 0, 7, 0, 0, 0}).
			call(101, "write", 1, 6, "x", 1), `
			UNIX-STREAM within <a pair>: sent; calls 1, failed 0, sent 1, received 0, by p101[1]
			UNIX-STREAM to /run/x.sock: ENOENT; calls 1, failed 1, sent 0, received 0, by p101[1]
			UNIX-DGRAM to @bus: connected; calls 1, failed 0, sent 0, received 0, by p101[1]`},
		{"files and pipes are not sockets", (&tape{}).opened(101, "/a", 3, 0).call(101, "read", 1, 3, "x", 1).
			call(101, "pipe2", 0, 0, 0).out(0, []byte{6, 0, 0, 0, 7, 0, 0, 0}).call(101, "write", 1, 7, "x", 1), ``},
	} {
		var got strings.Builder
		n := c.tape.followed(straceback.Calls{}).Net(nil, ByWhat)
		for _, e := range n.Endpoints {
			got.WriteString("\n\t\t\t" + e.String())
		}
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if n.Unknown.bytes() != 0 {
			t.Errorf("%s: unknown %+v", c.name, n.Unknown)
		}
	}
}

// TestNetOlder has sockets that were there before every call was recorded: a number stands for the last address that a
// call gave it, and only names tell how often a call came.
func TestNetOlder(t *testing.T) {
	r := (&tape{}).socket(101, 3, inet, stream).call(101, "bind", 0, 3, sockaddr("0.0.0.0:80"), 16)
	r.call(101, "listen", 0, 3, 9).again(4)
	r.call(101, "accept4", 5, 3, 0, 0, 0).out(1, sockaddr("10.0.0.9:40001")).again(50)
	r.call(101, "sendto", 2, 5, "hi", 2, 0, 0, 0).call(101, "close", 0, 5).call(101, "sendto", 3, 5, "old", 3, 0, 0, 0)
	r.socket(101, 6, inet, stream).connect(101, -inProgress, 6, "10.0.0.1:80").again(7)
	r.socketError(101, 6, refused).again(99)
	calls := straceback.Calls{Missing: 1234}
	calls.Lanes[straceback.Recent].Since = r.at + 1e9
	n := r.followed(calls).Net(nil, ByWhat)
	var got strings.Builder
	for _, e := range n.Endpoints {
		got.WriteString("\n\t\t" + e.String())
	}
	const want = `
		 on 0.0.0.0:80: bound, listened, accepted; calls 3, failed 0, sent 0, received 0, by p101[1]
		 to 10.0.0.1:80: ECONNREFUSED, outcome not kept ×6; calls 7, failed 1, sent 0, received 0, by p101[1]
		 from 10.0.0.9 on 0.0.0.0:80: accepted; calls 1, failed 0, sent 2, received 0, by p101[1]`
	if diff := cmp.Diff(want, got.String()); diff != "" || n.Unknown.Written != 3 {
		t.Errorf("unknown %+v (-want +got):\n%s", n.Unknown, diff)
	}
}

// TestNetScreen has a path that imitates other output, a question, and a socket that is older than what is kept.
func TestNetScreen(t *testing.T) {
	r := (&tape{}).call(101, "recvfrom", 9, 8, "old", 9, 0, 0, 0).socket(101, 3, unix, stream)
	r.connect(101, enoent, 3, "/run/\x1b[2J\nKept nothing\u202e")
	good := ask(1, "good.example.", 1)
	r.socket(101, 4, inet, datagram).connect(101, 0, 4, "10.0.0.1:53").exchange(101, 4, 512, good, respond(good, 3))
	calls := straceback.Calls{Missing: 1234}
	calls.Lanes[straceback.Recent].Since = 1
	p := r.followed(calls)
	p.Program = "tracectl"
	var text bytes.Buffer
	s := NetScreen{Screen: Screen{Width: 100, Lines: 24}}
	if err := s.Write(&text, p.Net(nil, ByBytes)); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(text.String(), "\n")
	const want = `
CALLS  SENT  RECEIVED  TIME  TYPE         WAY  ADDRESS                            DID        BY
    3    30        30   3µs  UDP          to   10.0.0.1:53                        connected  p101[1]
    1     -         -   1µs  UNIX-STREAM  to   "/run/\x1b[2J\nK…ing\xe2\x80\xae"  ENOENT     p101[1]

DNS        A good.example: NXDOMAIN after 1ms; p101[1] asked 10.0.0.1:53
Failed     connect to "/run/\x1b[2J\nKept nothing\xe2\x80\xae": ENOENT (No such file or directory) …
Unknown    0 bytes sent, 9 received by sockets of which no address is known
Covers     what is kept: 2 of 2 connects, 2 of 2 reads, 1 of 1 writes
Kept       every call of the last 0s; before that, what was new; nothing lost
More       tracectl net c --all | --sort last
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
