// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

func TestDescriptorText(t *testing.T) {
	for _, c := range []struct {
		is   syscalls.Descriptor
		want string
	}{
		{syscalls.Descriptor{Path: "/etc/hosts"}, "</etc/hosts>"},
		{syscalls.Descriptor{Path: "/tmp/x", Deleted: true}, "</tmp/x>(deleted)"},
		{syscalls.Descriptor{Path: "/b/c", Truncated: true}, "<.../b/c>"},
		{syscalls.Descriptor{Path: "/a<b>1\"\\\n\x1b\xff"}, `</a\74b\0761\"\\\n\33\377>`},
		{syscalls.Descriptor{Type: "anon_inode:[eventfd]"}, "<anon_inode:[eventfd]>"},
		{syscalls.Descriptor{Type: "pipe", Inode: 123}, "<pipe:[123]>"},
		{syscalls.Descriptor{Type: "TCP", Inode: 7, Local: "10.0.0.1:40000", Peer: "10.0.0.2:5432"},
			"<TCP:10.0.0.1:40000->10.0.0.2:5432>"},
		{syscalls.Descriptor{Type: "TCP", Peer: "10.0.0.2:5432"}, "<TCP:->10.0.0.2:5432>"},
		{syscalls.Descriptor{Type: "UNIX-STREAM", Local: "/a>b"}, `<UNIX-STREAM:/a\76b>`},
	} {
		if got := string(c.is.AppendText(nil)); got != c.want {
			t.Errorf("%+v is shown as %s, want %s", c.is, got, c.want)
		}
	}
}

func TestSocketAddress(t *testing.T) {
	for want, address := range map[string]string{
		"10.0.0.2:5432":  "\x02\x00\x15\x38\x0a\x00\x00\x02",
		"[fe80::1]:443":  "\x0a\x00\x01\xbb\x00\x00\x00\x00\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"/run/x.sock":    "\x01\x00/run/x.sock\x00rest",
		"@abstract\x00x": "\x01\x00\x00abstract\x00x",
		"":               "\x02\x00\x15",
	} {
		if got := syscalls.SocketAddress([]byte(address)); got != want {
			t.Errorf("%q is shown as %q, want %q", address, got, want)
		}
	}
}

// described makes the descriptors of a call known: 3 and the current directory before it, 4 only after it.
func described(c syscalls.Call) syscalls.Call {
	c.Describe = func(fd int32, after bool) *syscalls.Descriptor {
		switch {
		case fd == 3 && !after:
			return &syscalls.Descriptor{Path: "/etc"}
		case fd == syscalls.CWD:
			return &syscalls.Descriptor{Path: "/srv"}
		case fd == 4 && after:
			return &syscalls.Descriptor{Path: "/etc/hosts"}
		case fd == 5 && after:
			return &syscalls.Descriptor{Type: "pipe"}
		}
		return nil
	}
	return c
}

func TestDescriptorsOfCalls(t *testing.T) {
	pipe := call(t, "pipe2", 0, pointer, 0)
	pipe.Captures = []syscalls.Capture{
		{Arg: 0, Output: true, Data: binary.NativeEndian.AppendUint32([]byte{4, 0, 0, 0}, 5)},
	}
	opened := with(call(t, "openat", 4, 3, pointer, 0), 1, "x")
	opened.Captures = append(opened.Captures, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
		Data: append(make([]byte, abi.SizeofResolved), "hosts\x00etc\x00"...)})
	refused := call(t, "dup", 4, 3)
	refused.NoEnter = true
	for _, c := range []struct {
		call   syscalls.Call
		text   string
		strace string
	}{
		{call(t, "close", 0, 3), "close(fd=3</etc>) = 0", "close(3</etc>) = 0"},
		{call(t, "close", 0, 4), "close(fd=4) = 0", "close(4) = 0"},
		{call(t, "dup", 4, 3), "dup(fildes=3</etc>) = 4</etc/hosts>", "dup(3</etc>) = 4</etc/hosts>"},
		{call(t, "dup", -9, 3), "dup(fildes=3</etc>) = -1 EBADF (Bad file descriptor)",
			"dup(3</etc>) = -1 EBADF (Bad file descriptor)"},
		{refused, "dup(fildes=3</etc>) = 4 (enter not seen; denied by seccomp or a tracer?)", "dup(3</etc>) = 4"},
		{call(t, "fcntl", 4, 3, 0, 4), "fcntl(fd=3</etc>, cmd=F_DUPFD, arg=4) = 4</etc/hosts>",
			"fcntl(3</etc>, F_DUPFD, 4) = 4</etc/hosts>"},
		{call(t, "fcntl", 4, 3, 3), "fcntl(fd=3</etc>, cmd=F_GETFL) = 4",
			"fcntl(3</etc>, F_GETFL) = 0x4 (flags O_RDONLY|0x4)"},
		{opened, `openat(dfd=3</etc>, filename=0x7ffe4b2c "x", flags=O_RDONLY) = 4</etc/hosts>`,
			`openat(3</etc>, "x", O_RDONLY) = 4</etc/hosts>`},
		{with(call(t, "openat", -2, 3, pointer, 0), 1, "x"),
			`openat(dfd=3</etc>, filename=0x7ffe4b2c "x" </etc/x>, flags=O_RDONLY) = -1 ENOENT (No such file or directory)`,
			`openat(3</etc>, "x", O_RDONLY) = -1 ENOENT (No such file or directory)`},
		{with(call(t, "unlink", 0, pointer), 0, "./x/y"), `unlink(pathname=0x7ffe4b2c "./x/y" </srv/x/y>) = 0`,
			`unlink("./x/y") = 0`},
		{with(call(t, "unlink", 0, pointer), 0, "/x"), `unlink(pathname=0x7ffe4b2c "/x") = 0`, `unlink("/x") = 0`},
		{with(with(call(t, "symlink", 0, pointer, pointer), 0, "to"), 1, "x"),
			`symlink(oldname=0x7ffe4b2c "to", newname=0x7ffe4b2c "x" </srv/x>) = 0`, `symlink("to", "x") = 0`},
		{with(call(t, "unlinkat", 0, minus100, pointer, 0), 1, "x"),
			`unlinkat(dfd=AT_FDCWD</srv>, pathname=0x7ffe4b2c "x" </srv/x>, flag=0) = 0`,
			`unlinkat(AT_FDCWD</srv>, "x", 0) = 0`},
		{with(call(t, "select", 1, 5, pointer, 0, 0, 0), 1, "\x18"),
			"select(n=5, inp=0x7ffe4b2c [3 4], outp=NULL, exp=NULL, tvp=NULL) = 1", "select(5, [3</etc> 4], NULL, NULL, NULL) = 1"},
		{pipe, "pipe2(fildes=0x7ffe4b2c [4</etc/hosts>, 5<pipe>], flags=0) = 0", "pipe2([4</etc/hosts>, 5<pipe>], 0) = 0"},
	} {
		known := described(c.call)
		if got := string(known.AppendText(nil)); got != c.text {
			t.Errorf("text is\n%s, want\n%s", got, c.text)
		}
		if got := string(new(syscalls.Strace).Append(nil, &known)); got != c.strace {
			t.Errorf("strace's form is\n%s, want\n%s", got, c.strace)
		}
		c.call.Describe = nil
		if got := string(c.call.AppendText(nil)); strings.Contains(got, "3<") || strings.Contains(got, "</srv") {
			t.Errorf("without descriptors: %s", got)
		}
	}
}

func TestDescriptorsInJSON(t *testing.T) {
	c := described(with(call(t, "openat", 4, minus100, pointer, 0), 1, "x"))
	object, err := json.Marshal(c.JSON(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"number":-100,"symbol":"AT_FDCWD","file":{"path":"/srv"}`,
		`"in":{"type":"path","text":"x","file":{"path":"/srv/x"}}`, `"value":"AT_FDCWD"`,
		`"returned":{"path":"/etc/hosts"}`,
	} {
		if !strings.Contains(string(object), want) {
			t.Errorf("JSON lacks %s: %s", want, object)
		}
	}
	if inFlight := fmt.Sprint(c.JSON(true).Returned); inFlight != "<nil>" {
		t.Errorf("a call that has not returned has returned %s", inFlight)
	}
}
