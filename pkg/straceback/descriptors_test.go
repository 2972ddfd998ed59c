// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// did is a call of a process that takes 5 ns, from a time on.
func did(pid uint32, at uint64, name string, result int64, args ...uint64) syscalls.Call {
	c := call(pid, name, at, at+5)
	c.PID, c.Result, c.NArgs = pid, result, len(args)
	copy(c.Args[:], args)
	return c
}

// by moves a call to another thread of its process.
func by(tid uint32, c syscalls.Call) syscalls.Call {
	c.TID = tid
	return c
}

// until changes the end of a call.
func until(end uint64, c syscalls.Call) syscalls.Call {
	c.Duration = end - c.Time
	return c
}

func captured(c syscalls.Call, captures ...syscalls.Capture) syscalls.Call {
	c.Captures = append(c.Captures, captures...)
	return c
}

// resolved is a call that led to a file: its components, the last one first.
func resolved(c syscalls.Call, components string) syscalls.Call {
	return captured(c, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
		Data: append(make([]byte, abi.SizeofResolved), components...)})
}

// begins is the exec of a program from outside: its standard input is a pipe, its output a file, its error a socket.
func begins(pid uint32, at uint64) syscalls.Call {
	with := func(part int, resolved abi.Resolved, components string) syscalls.Capture {
		data, _ := binary.Append(nil, binary.NativeEndian, resolved)
		return syscalls.Capture{Arg: abi.CaptureResult, Part: part, Kernel: true, Data: append(data, components...)}
	}
	return captured(did(pid, at, "execve", 0, 0, 0, 0), with(abi.PartCwd, abi.Resolved{Mode: 0o40755}, "srv\x00"),
		with(abi.PartStdio, abi.Resolved{Inode: 7, Mode: 0o10600, Flags: abi.ResolvedDetached}, "\x00"),
		with(abi.PartStdio+1, abi.Resolved{Mode: 0o100644}, "log\x00tmp\x00"),
		with(abi.PartStdio+2, abi.Resolved{Inode: 8, Mode: 0o140777, Flags: abi.ResolvedDetached}, "\x00"))
}

// numbered is a call that makes sockets or a pipe with inodes.
func numbered(c syscalls.Call, inodes ...uint64) syscalls.Call {
	for _, inode := range inodes {
		data, _ := binary.Append(nil, binary.NativeEndian, abi.Resolved{Inode: inode})
		c = captured(c, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true, Data: data})
	}
	return c
}

// opens is a call that opens /NAME.
func opens(pid uint32, at uint64, name string, fd int64, flags uint64) syscalls.Call {
	given := syscalls.Capture{Arg: 1, Data: []byte(name)}
	return resolved(captured(did(pid, at, "openat", fd, cwd, 0x7000, flags), given), name+"\x00")
}

func numbers(values ...uint32) (data []byte) {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, v)
	}
	return data
}

// makesChild is a call that makes a process or a thread.
func makesChild(pid uint32, at uint64, name string, child uint32, args ...uint64) syscalls.Call {
	return captured(did(pid, at, name, int64(child), args...),
		syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartChild, Kernel: true, Data: numbers(child)})
}

const cwd = ^uint64(99) // AT_FDCWD

// inet is the struct sockaddr of 10.0.0.X:Y.
func inet(x, port byte) []byte { return []byte{2, 0, 0, port, 10, 0, 0, x} }

// is returns what a descriptor is at a time.
func (d *Descriptors) is(pid uint32, fd int32, at uint64) string {
	c := call(pid, "getppid", at, at)
	c.PID = pid
	if is := d.Of(&c, Recent, fd, false); is != nil {
		return strings.Trim(string(is.AppendText(nil)), "<>")
	}
	return ""
}

func TestDescriptors(t *testing.T) {
	control := func(fds ...uint32) []syscalls.Capture {
		head := binary.LittleEndian.AppendUint64(nil, uint64(16+4*len(fds)))
		head = append(append(head, numbers(1, 1)...), numbers(fds...)...)
		message := make([]byte, 56)
		binary.LittleEndian.PutUint64(message[40:], uint64(len(head))) // msg_controllen
		return []syscalls.Capture{{Arg: 1, Data: message}, {Arg: 1, Part: abi.PartControl, Data: head}}
	}
	// pair makes a pair of sockets, and opens /a and /b as 5 and 6.
	pair := []syscalls.Call{
		captured(did(1, 10, "socketpair", 0, 1, 1, 0, 0x7000),
			syscalls.Capture{Arg: 3, Output: true, Data: numbers(3, 4)}),
		opens(1, 20, "a", 5, 0), opens(1, 22, "b", 6, 0),
	}
	sends := func(at uint64, fd uint32) syscalls.Call {
		return captured(did(1, at, "sendmsg", 1, 3, 0x7000, 0), control(fd)...)
	}
	receives := func(at uint64, fds ...uint32) syscalls.Call {
		return captured(did(1, at, "recvmsg", 1, 4, 0x7000, 0), control(fds...)...)
	}
	message := func(at uint64, flags byte) syscalls.Call {
		head := make([]byte, 56)
		head[48] = flags
		return captured(did(1, at, "recvmsg", 1, 4, 0x7000, 0), syscalls.Capture{Arg: 1, Data: head, Output: true})
	}
	thread := func(at uint64, tid uint32) syscalls.Call {
		return makesChild(1, at, "clone", tid, cloneThread|cloneFiles|cloneFS)
	}
	ends := func(at uint64, tid uint32) syscalls.Call {
		return syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, TID: tid, PID: 1, Nr: syscalls.NumberNone, Time: at,
			Unfinished: true, Comm: []byte("sh")}
	}
	operation := func(opcode byte, fd uint32) syscalls.Capture {
		return syscalls.Capture{Arg: 0, Part: abi.PartSubmission, Kernel: true,
			Data: append(append([]byte{opcode, 0, 0, 0}, numbers(fd)...), make([]byte, 56)...)}
	}
	setup := func(flags uint32) syscalls.Call {
		return captured(did(1, 30, "io_uring_setup", 4, 8, 0x7000),
			syscalls.Capture{Arg: 1, Data: append(numbers(0, 0, flags), make([]byte, 108)...)})
	}
	for _, c := range []struct {
		what  string
		calls []syscalls.Call
		want  []string // pid, number, time, what it is
	}{
		{"open and close", []syscalls.Call{opens(1, 10, "a", 3, 0), did(1, 20, "close", 0, 3)},
			[]string{"1 3 14 ", "1 3 15 /a", "1 3 20 /a", "1 3 21 ", "1 4 18 ", "2 3 18 "}},
		{"an exec from outside", []syscalls.Call{begins(1, 10), did(1, 20, "dup", 3, 1)},
			[]string{"1 0 14 ", "1 0 15 pipe:[7]", "1 1 15 /tmp/log", "1 2 15 socket:[8]", "1 -100 15 /srv",
				"1 3 25 /tmp/log", "1 4 15 "}},
		{"inodes", []syscalls.Call{
			numbered(captured(did(1, 10, "pipe2", 0, 0x7000, 0), syscalls.Capture{Output: true, Data: numbers(3, 4)}), 7, 7),
			numbered(did(1, 20, "socket", 5, 2, 1, 0), 8), numbered(did(1, 30, "accept", 6, 9, 0, 0), 9),
			numbered(captured(did(1, 40, "socketpair", 0, 1, 1, 0, 0x7000),
				syscalls.Capture{Arg: 3, Output: true, Data: numbers(10, 11)}), 1, 2)},
			[]string{"1 3 15 pipe:[7]", "1 4 15 pipe:[7]", "1 5 25 TCP:[8]", "1 6 35 socket:[9]", "1 10 45 UNIX-STREAM:[1]",
				"1 11 45 UNIX-STREAM:[2]"}},
		{"a close that fails", []syscalls.Call{opens(1, 10, "a", 3, 0), did(1, 20, "close", -9, 3),
			did(1, 30, "close", -4, 3)}, []string{"1 3 25 /a", "1 3 35 "}},
		{"opened again", []syscalls.Call{opens(1, 10, "a", 3, 0), did(1, 20, "close", 0, 3), opens(1, 30, "b", 3, 0)},
			[]string{"1 3 20 /a", "1 3 30 ", "1 3 40 /b"}},
		{"a close during an open", []syscalls.Call{opens(1, 10, "a", 3, 0), until(40, by(2, did(1, 20, "close", 0, 3))),
			until(30, opens(1, 22, "b", 3, 0))}, []string{"1 3 20 /a", "1 3 25 ", "1 3 30 /b"}},
		{"opened twice at once", []syscalls.Call{opens(1, 10, "a", 3, 0), until(20, by(2, opens(1, 12, "b", 3, 0)))},
			[]string{"1 3 15 /a", "1 3 20 "}},
		{"copies", []syscalls.Call{opens(1, 10, "a", 3, 0), did(1, 20, "dup", 4, 3), did(1, 30, "fcntl", 10, 3, 0, 10),
			did(1, 40, "dup2", 1, 4, 1), did(1, 50, "dup3", 2, 1, 2, 0), did(1, 60, "close", 0, 3), did(1, 70, "dup2", 1, 1, 1)},
			[]string{"1 4 25 /a", "1 10 35 /a", "1 1 44 ", "1 1 45 /a", "1 2 55 /a", "1 3 65 ", "1 4 65 /a", "1 1 75 /a"}},
		{"a copy over another file", []syscalls.Call{opens(1, 10, "a", 3, 0), opens(1, 20, "b", 4, 0),
			did(1, 30, "dup2", 4, 3, 4), did(1, 40, "dup2", -9, 9, 3)},
			[]string{"1 4 30 /b", "1 4 32 ", "1 4 35 /a", "1 3 45 /a"}},
		{"exec", []syscalls.Call{opens(1, 10, "a", 3, oCloexec), opens(1, 12, "b", 4, 0),
			did(1, 20, "fcntl", 5, 4, fDupFDCloexec, 0),
			did(1, 22, "fcntl", 0, 4, fSetFD, 1), did(1, 24, "dup", 6, 4), did(1, 26, "ioctl", 0, 6, ioctlCloexec),
			did(1, 28, "ioctl", 0, 6, ioctlNoCloexec), did(1, 30, "execve", -2, 0, 0, 0), did(1, 40, "execve", 0, 0, 0, 0)},
			[]string{"1 3 36 /a", "1 4 44 /b", "1 5 40 /b", "1 3 45 ", "1 4 45 ", "1 5 45 ", "1 6 45 /b"}},
		{"fork", []syscalls.Call{opens(1, 10, "a", 3, 0), makesChild(1, 20, "fork", 2), did(1, 30, "close", 0, 3),
			opens(1, 40, "b", 3, 0), did(2, 45, "dup", 4, 3), did(2, 50, "close", 0, 3)},
			[]string{"2 3 30 /a", "2 3 50 /a", "2 4 50 /a", "2 3 60 ", "1 3 45 /b", "2 3 19 "}},
		{"vfork", []syscalls.Call{opens(1, 10, "a", 3, oCloexec), did(2, 22, "dup2", 1, 3, 1),
			did(2, 30, "execve", 0, 0, 0, 0), until(36, makesChild(1, 20, "vfork", 2))},
			[]string{"2 3 22 /a", "2 1 28 /a", "2 1 36 /a", "2 3 36 ", "1 1 40 ", "1 3 40 /a"}},
		{"a fork while another thread opens", []syscalls.Call{until(30, makesChild(1, 20, "clone", 2, 17)),
			by(9, opens(1, 22, "a", 3, 0)),
			by(9, opens(1, 40, "b", 4, 0))}, []string{"1 3 50 /a", "2 3 50 ", "2 4 50 ", "1 4 50 /b"}},
		{"threads", []syscalls.Call{makesChild(1, 20, "clone", 7, cloneThread|cloneFiles|cloneFS),
			by(7, opens(1, 30, "a", 3, 0)), did(1, 40, "close", 0, 3)}, []string{"1 3 35 /a", "1 3 45 "}},
		{"processes that share", []syscalls.Call{makesChild(1, 20, "clone", 2, cloneFiles), opens(2, 30, "a", 3, oCloexec),
			did(1, 40, "execve", 0, 0, 0, 0), did(2, 50, "close", 0, 3), opens(2, 60, "b", 3, 0)},
			[]string{"1 3 36 /a", "2 3 36 /a", "1 3 46 ", "2 3 48 /a", "2 3 66 /b", "1 3 66 "}},
		{"clone3", []syscalls.Call{opens(1, 10, "a", 3, 0), captured(makesChild(1, 20, "clone3", 2, 0x7000, 88),
			syscalls.Capture{Arg: 0, Data: make([]byte, 64)}), makesChild(1, 30, "clone3", 3, 0x7000, 88)},
			[]string{"2 3 40 /a", "3 3 40 "}},
		{"unshare", []syscalls.Call{opens(1, 10, "a", 3, 0), by(7, did(1, 20, "unshare", 0, cloneFiles)),
			by(7, did(1, 30, "close", 0, 3))}, []string{"1 3 40 /a"}},
		{"close_range", []syscalls.Call{opens(1, 10, "a", 3, 0), opens(1, 12, "b", 4, 0), opens(1, 14, "c", 5, 0),
			did(1, 20, "close_range", 0, 5, 0xffffffff, rangeCloexec), did(1, 30, "close_range", 0, 4, 4, 0),
			did(1, 40, "execve", 0, 0, 0, 0)},
			[]string{"1 4 30 /b", "1 4 35 ", "1 3 35 /a", "1 5 40 /c", "1 5 45 ", "1 3 45 /a"}},
		{"the end", []syscalls.Call{opens(1, 10, "a", 3, 0), {Native: syscalls.AMD64, ABI: syscalls.AMD64, TID: 1, PID: 1,
			Nr: syscalls.NumberNone, Time: 20, Unfinished: true, Comm: []byte("sh")}, opens(1, 30, "b", 4, 0)},
			[]string{"1 3 19 /a", "1 3 40 ", "1 4 40 /b"}},
		{"sockets", []syscalls.Call{did(1, 10, "socket", 3, 2, 1|oCloexec, 0),
			captured(did(1, 20, "connect", errInProgress, 3, 0x7000, 16), syscalls.Capture{Arg: 1, Data: inet(2, 80)}),
			captured(did(1, 30, "getsockname", 0, 3, 0x7000, 0x7100), syscalls.Capture{Arg: 1, Data: inet(1, 99), Output: true}),
			did(1, 40, "dup", 4, 3), did(1, 50, "socket", 5, 16, 3, 0),
			captured(did(1, 60, "connect", -111, 5, 0x7000, 16), syscalls.Capture{Arg: 1, Data: inet(2, 80)})},
			[]string{"1 3 16 TCP", "1 3 26 TCP:->10.0.0.2:80", "1 3 36 TCP:10.0.0.1:99->10.0.0.2:80",
				"1 4 46 TCP:10.0.0.1:99->10.0.0.2:80", "1 4 26 ", "1 5 66 NETLINK"}},
		{"connections", []syscalls.Call{did(1, 10, "socket", 3, 2, 1, 0),
			captured(did(1, 20, "bind", 0, 3, 0x7000, 16), syscalls.Capture{Arg: 1, Data: inet(1, 80)}),
			captured(did(1, 30, "accept4", 4, 3, 0x7000, 0x7100, 0), syscalls.Capture{Arg: 1, Data: inet(9, 7), Output: true}),
			captured(did(1, 40, "bind", 0, 3, 0x7000, 16), syscalls.Capture{Arg: 1, Data: []byte{2, 0, 0, 80, 0, 0, 0, 0}}),
			did(1, 50, "accept", 5, 3, 0, 0), did(1, 60, "accept", 6, 99, 0, 0), did(1, 70, "socket", 7, 2, 1, 0),
			captured(did(1, 80, "bind", 0, 7, 0x7000, 16), syscalls.Capture{Arg: 1, Data: inet(1, 0)})},
			[]string{"1 7 86 TCP",
				"1 3 26 TCP:10.0.0.1:80", "1 4 36 TCP:10.0.0.1:80->10.0.0.9:7", "1 5 56 TCP", "1 6 66 socket"}},
		{"pipes", []syscalls.Call{captured(did(1, 10, "pipe2", 0, 0x7000, oCloexec),
			syscalls.Capture{Output: true, Data: numbers(3, 4)}),
			did(1, 20, "execve", 0, 0, 0, 0)}, []string{"1 3 16 pipe", "1 4 16 pipe", "1 3 26 "}},
		{"descriptors in messages", []syscalls.Call{
			captured(did(1, 10, "socketpair", 0, 1, 1, 0, 0x7000), syscalls.Capture{Arg: 3, Output: true, Data: numbers(3, 4)}),
			makesChild(1, 20, "fork", 2), opens(1, 30, "a", 5, 0),
			captured(did(1, 40, "sendmsg", 1, 3, 0x7000, 0), control(5)...),
			captured(did(2, 50, "recvmsg", 1, 4, 0x7000, cmsgCloexec), control(7)...),
			captured(did(2, 60, "recvmsg", 1, 4, 0x7000, 0), control(8)...), did(2, 70, "execve", 0, 0, 0, 0)},
			[]string{"1 3 16 UNIX-STREAM", "2 4 26 UNIX-STREAM", "2 7 56 /a", "2 8 66 ", "2 7 76 ", "1 5 80 /a"}},
		{"what others may have sent", []syscalls.Call{
			captured(did(1, 10, "socketpair", 0, 1, 1, 0, 0x7000), syscalls.Capture{Arg: 3, Output: true, Data: numbers(3, 4)}),
			opens(1, 20, "a", 5, 0), captured(did(1, 30, "sendmsg", 1, 9, 0x7000, 0), control(3)...),
			captured(did(1, 40, "sendmsg", 1, 3, 0x7000, 0), control(5)...),
			captured(did(1, 50, "recvmsg", 1, 4, 0x7000, 0), control(7)...)}, []string{"1 7 56 ", "1 4 56 UNIX-STREAM"}},
		{"messages in turn", append(pair, sends(30, 5), sends(40, 6), message(50, 0), receives(60, 7), receives(70, 8)),
			[]string{"1 7 66 /a", "1 8 76 /b"}},
		{"a message whose files were dropped", append(pair, sends(30, 5), sends(40, 6), message(50, 8), receives(60, 7)),
			[]string{"1 7 66 "}},
		{"a message that was read", append(pair, sends(30, 5), sends(40, 6), did(1, 50, "read", 1, 4, 0x7000, 1),
			receives(60, 7)), []string{"1 7 66 "}},
		{"messages sent at once", append(pair, until(50, sends(30, 5)), until(48, by(2, sends(40, 6))), receives(60, 7)),
			[]string{"1 7 66 "}},
		{"messages received at once", append(pair, sends(30, 5), sends(40, 6), until(70, receives(60, 7)),
			until(72, by(2, receives(62, 8)))), []string{"1 8 80 "}},
		{"a message of sendmmsg", append(pair, captured(did(1, 30, "sendmmsg", 1, 3, 0x7000, 1, 0), control(5)...),
			sends(40, 6), receives(60, 7)), []string{"1 7 66 "}},
		{"a copy during a change", []syscalls.Call{opens(1, 10, "a", 3, 0), opens(1, 12, "b", 5, 0),
			until(40, did(1, 20, "dup", 4, 3)), by(2, did(1, 25, "dup2", 3, 5, 3))}, []string{"1 3 50 /b", "1 4 50 "}},
		{"a change during an exec of a process that shares", []syscalls.Call{opens(1, 10, "a", 3, 0), opens(1, 12, "b", 5, 0),
			makesChild(1, 20, "clone", 2, cloneFiles|cloneFS), did(2, 35, "dup2", 3, 5, 3),
			until(50, did(1, 30, "execve", 0, 0, 0, 0))}, []string{"2 3 60 /b", "1 3 60 ", "1 5 60 /b"}},
		{"an exec of another thread", []syscalls.Call{opens(1, 10, "a", 3, 0), thread(20, 7), ends(35, 1),
			until(50, did(1, 30, "execve", 0, 0, 0, 0))}, []string{"1 3 60 /a"}},
		{"an exec of a thread with its own descriptors", []syscalls.Call{opens(1, 10, "a", 3, 0), thread(20, 7),
			by(7, did(1, 24, "unshare", 0, cloneFiles)), did(1, 30, "close", 0, 3), ends(37, 1),
			until(50, did(1, 35, "execve", 0, 0, 0, 0))}, []string{"1 3 36 ", "1 3 60 /a"}},
		{"an exec of one of several threads", []syscalls.Call{opens(1, 10, "a", 3, 0), thread(20, 7), thread(22, 8),
			ends(37, 1), until(50, did(1, 35, "execve", 0, 0, 0, 0))}, []string{"1 3 60 "}},
		{"a thread that goes on", []syscalls.Call{opens(1, 10, "a", 3, 0), thread(20, 7), ends(30, 1),
			by(7, did(1, 40, "dup", 4, 3)), ends(50, 7)}, []string{"1 4 46 /a", "1 4 51 "}},
		{"a file in memory that was opened again", []syscalls.Call{captured(did(1, 10, "openat", 3, cwd, 0x7000, 0),
			syscalls.Capture{Arg: 1, Data: []byte("/dev/fd/9")}, func() syscalls.Capture {
				data, _ := binary.Append(nil, binary.NativeEndian, abi.Resolved{Flags: abi.ResolvedDetached})
				return syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
					Data: append(data, "memfd:x\x00"...)}
			}())}, []string{"1 3 20 /memfd:x>(deleted)"}},
		{"operations of an io_uring", []syscalls.Call{opens(1, 10, "a", 3, 0), setup(0),
			captured(did(1, 40, "io_uring_enter", 1, 4, 1, 0, 0), operation(19, 3)), opens(1, 50, "b", 3, 0)},
			[]string{"1 3 40 /a", "1 3 46 ", "1 3 56 /b", "1 4 56 anon_inode:[io_uring]"}},
		{"operations that are not seen", []syscalls.Call{opens(1, 10, "a", 3, 0), opens(2, 12, "a", 3, 0), setup(2),
			did(2, 40, "io_uring_enter", 5, 4, 5, 0, 0)}, []string{"1 3 46 ", "2 3 46 "}},
		{"the current directory", []syscalls.Call{resolved(did(1, 10, "chdir", 0, 0x7000), "a\x00"),
			makesChild(1, 20, "fork", 2),
			resolved(did(1, 30, "fchdir", 0, 5), "b\x00"), did(2, 40, "chdir", -2, 0x7000), did(2, 50, "setns", 0, 3, 0)},
			[]string{"1 -100 14 ", "1 -100 16 /a", "2 -100 46 /a", "1 -100 32 ", "1 -100 36 /b", "2 -100 56 "}},
		{"threads that are left", []syscalls.Call{opens(1, 10, "a", 3, 0),
			{Native: syscalls.AMD64, TID: 1, PID: 1, Nr: syscalls.NumberNone, Time: 20, Unfinished: true},
			by(7, opens(1, 30, "b", 4, 0))}, []string{"1 3 19 /a", "1 3 36 /a", "1 4 36 /b"}},
		{"a terminal", []syscalls.Call{
			resolved(did(1, 10, "openat", 3, cwd, 0x7000, 2), "ptmx\x00pts\x00dev\x00"),
			did(1, 20, "ioctl", 4, 3, ioctlPeer, 2),
			captured(did(1, 30, "ioctl", 0, 3, ioctlNumber, 0x7000), syscalls.Capture{Arg: 2, Output: true, Data: numbers(7)}),
			did(1, 40, "ioctl", 5, 3, ioctlPeer, 2|oCloexec), did(1, 50, "dup", 6, 5), did(1, 60, "execve", 0, 0, 0, 0)},
			[]string{"1 4 26 ", "1 5 46 /dev/pts/7", "1 6 66 /dev/pts/7", "1 5 66 "}},
		{"an exec of another thread", []syscalls.Call{opens(1, 10, "a", 3, 0), opens(1, 12, "b", 4, oCloexec),
			{Native: syscalls.AMD64, TID: 1, PID: 1, Nr: syscalls.NumberNone, Time: 25, Unfinished: true},
			until(30, did(1, 20, "execve", 0, 0, 0, 0)), opens(1, 40, "c", 5, 0)},
			[]string{"1 3 19 /a", "1 3 31 /a", "1 4 31 ", "1 3 46 /a", "1 5 46 /c"}},
		{"another root directory", []syscalls.Call{resolved(did(1, 10, "chdir", 0, 0x7000), "a\x00"),
			makesChild(1, 20, "fork", 2), did(2, 30, "unshare", 0, cloneNewNS), did(2, 40, "pivot_root", 0, 0x7000, 0x7000),
			makesChild(1, 50, "fork", 3), did(3, 60, "pivot_root", 0, 0x7000, 0x7000),
			resolved(did(1, 70, "chdir", 0, 0x7000), "b\x00"), makesChild(1, 80, "fork", 4), makesChild(3, 80, "fork", 5)},
			[]string{"2 -100 36 /a", "2 -100 46 ", "1 -100 46 /a", "3 -100 56 /a", "3 -100 66 ", "1 -100 66 ", "1 -100 76 /b",
				"4 -100 90 /b", "5 -100 90 "}},
		{"denied", []syscalls.Call{opens(1, 10, "a", 3, 0), func() syscalls.Call {
			c := did(1, 20, "close", 0, 3)
			c.NoEnter = true
			return c
		}()}, []string{"1 3 30 /a"}},
	} {
		d := Follow(&Calls{Records: records(c.calls...)}, Snapshot{})
		var got []string
		for _, want := range c.want {
			var pid uint32
			var fd int32
			var at uint64
			fmt.Sscan(want, &pid, &fd, &at)
			got = append(got, fmt.Sprint(pid, " ", fd, " ", at, " ", d.is(pid, fd, at)))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

// TestMakers makes one descriptor of each kind.
func TestMakers(t *testing.T) {
	named := syscalls.Capture{Arg: 0, Data: []byte("n<\x00")}
	for want, c := range map[string]syscalls.Call{
		"anon_inode:[eventpoll]": did(1, 10, "epoll_create1", 3, 0), "anon_inode:[eventfd]": did(1, 10, "eventfd2", 3, 0, 0),
		"anon_inode:[timerfd]":     did(1, 10, "timerfd_create", 3, 1, 0),
		"anon_inode:inotify":       did(1, 10, "inotify_init1", 3, 0),
		"anon_inode:[signalfd]":    did(1, 10, "signalfd4", 3, ^uint64(0), 0, 8, 0),
		"anon_inode:[userfaultfd]": did(1, 10, "userfaultfd", 3, 0), "pidfd": did(1, 10, "pidfd_open", 3, 7, 0),
		"anon_inode:[perf_event]":       did(1, 10, "perf_event_open", 3, 0, 0, 0, 0, 0),
		"anon_inode:bpf-map":            did(1, 10, "bpf", 3, 0, 0, 0),
		`/memfd:n\74>(deleted)`:         captured(did(1, 10, "memfd_create", 3, 0x7000, 0), named),
		`/n\74`:                         captured(did(1, 10, "mq_open", 3, 0x7000, 0, 0, 0), named),
		"/dir":                          opens(1, 10, "dir", 3, 0),
		"anon_inode:[landlock-ruleset]": did(1, 10, "landlock_create_ruleset", 3, 0, 0, 0),
		"":                              did(1, 10, "pidfd_getfd", 3, 5, 1, 0),
	} {
		d := Follow(&Calls{Records: records(c)}, Snapshot{})
		if got := d.is(1, 3, 20); got != want {
			t.Errorf("%s makes %q, want %q", c.Syscall().Name, got, want)
		}
		if is := d.Of(&c, Recent, 3, true); (is == nil) != (want == "") {
			t.Errorf("%s returns %v, want %q", c.Syscall().Name, is, want)
		}
	}
}

// TestGap has calls that are missing before a time: they may have closed what is known to be opened.
func TestGap(t *testing.T) {
	early, late := opens(1, 10, "a", 3, 0), opens(1, 110, "b", 4, 0)
	calls := Calls{Records: records(early, until(105, opens(1, 90, "c", 5, 0)), late), Missing: 7}
	calls.Lanes[Recent].Since = 100
	d := Follow(&calls, Snapshot{})
	got := []string{d.is(1, 3, 20), d.is(1, 3, 120), d.is(1, 4, 120), d.is(1, 5, 120)}
	if diff := cmp.Diff([]string{"", "", "/b", "/c"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if is := d.Of(&early, Recent, 3, true); is == nil || is.Path != "/a" {
		t.Errorf("the call opened /a, but returned %v", is)
	}
}

// TestTablesFromBefore has processes whose descriptors may be those of others, too: that was before every call is
// recorded.
func TestTablesFromBefore(t *testing.T) {
	for _, early := range []syscalls.Call{
		did(9, 20, "unshare", 0, cloneFS), makesChild(9, 20, "clone", 1, cloneFiles),
		did(9, 20, "close_range", 0, 3, 4, rangeUnshare),
	} {
		calls := Calls{Missing: 7, Records: records(early, opens(1, 110, "a", 3, 0), makesChild(1, 120, "fork", 2),
			opens(2, 130, "b", 4, 0))}
		calls.Lanes[Recent].Since = 100
		d := Follow(&calls, Snapshot{})
		if got := d.is(1, 3, 140) + d.is(2, 3, 140) + d.is(2, 4, 140); got != "" {
			t.Errorf("%s: the descriptors are %s", early.Syscall().Name, got)
		}
		if is := d.Of(&early, Recent, 3, true); is != nil {
			t.Errorf("%s returned %v", early.Syscall().Name, is)
		}
	}
}

// TestSameFileFromElsewhere opens files by a relative path again. The kernel leaves out what it resolved if the
// argument and the file are the same, but from another directory, the path is that of a hard link.
func TestSameFileFromElsewhere(t *testing.T) {
	enters := func(at uint64, name string) syscalls.Call {
		given := syscalls.Capture{Arg: 0, Data: []byte("/" + name)}
		return resolved(captured(did(1, at, "chdir", 0, 0x7000), given), name+"\x00")
	}
	opens := func(at uint64, fd int64, components string) syscalls.Call {
		given := syscalls.Capture{Arg: 1, Data: []byte("./f")}
		c := resolved(captured(did(1, at, "openat", fd, cwd, 0x7000, 0), given), components)
		c.Captures[1].Truncated = components == ""
		return c
	}
	all := records(enters(10, "a"), opens(20, 3, "f\x00a\x00"), enters(30, "b"), opens(40, 4, ""), enters(50, "a"),
		opens(60, 5, ""))
	timeline := NewTimeline(all, nil)
	timeline.Descriptors = Follow(&Calls{Records: all}, Snapshot{})
	var got []string
	for e := range timeline.Calls {
		file, _ := e.Call.File()
		got = append(got, file.Path)
	}
	for fd := range int32(3) {
		got = append(got, timeline.Descriptors.is(1, 3+fd, 70))
	}
	if diff := cmp.Diff([]string{"/a", "/a/f", "/b", "", "/a", "/a/f", "/a/f", "", "/a/f"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLiveProcesses has processes that still run, whose descriptors were read at time 100.
func TestLiveProcesses(t *testing.T) {
	has := func(name string) Live { return Live{Descriptor: syscalls.Descriptor{Type: name}} }
	live := Snapshot{Time: 100, Processes: map[uint32]map[int32]Live{
		1: {0: has("in"), 1: has("out"), 2: has("error"), 3: has("new"),
			syscalls.CWD: {Descriptor: syscalls.Descriptor{Path: "/w"}},
			9:            {Descriptor: syscalls.Descriptor{Type: "log"}, Cloexec: true}},
		8: {0: has("quiet")},
	}}
	d := Follow(&Calls{Records: records(
		did(1, 10, "dup", 10, 1), makesChild(1, 20, "fork", 2), did(2, 30, "dup2", 2, 1, 2), did(2, 40, "execve", 0, 0, 0, 0),
		did(2, 50, "close", 0, 0), did(1, 60, "close", 0, 3), did(1, 110, "close", 0, 2), did(1, 120, "dup", 11, 10),
	)}, live)
	for query, want := range map[[3]uint64]string{
		{1, 0, 5}: "in", {1, 0, 500}: "in", {1, 10, 16}: "out", {1, 11, 126}: "out", {2, 0, 50}: "in", {2, 0, 56}: "",
		{2, 2, 30}: "error", {2, 2, 36}: "out", {2, 9, 30}: "log", {2, 9, 46}: "", {1, 9, 46}: "log", {1, 3, 50}: "",
		{1, 3, 90}: "", {1, 2, 110}: "error", {1, 2, 116}: "", {8, 0, 7}: "quiet", {7, 0, 7}: "",
	} {
		if got := d.is(uint32(query[0]), int32(query[1]), query[2]); got != want {
			t.Errorf("%d of process %d is %q at %d, want %q", query[1], query[0], got, query[2], want)
		}
	}
	if got := d.is(2, syscalls.CWD, 60); got != "/w" {
		t.Errorf("the current directory is %q", got)
	}
}

// TestRuntime follows nothing of the runtime, not all of whose calls are recorded.
func TestRuntime(t *testing.T) {
	all := records(opens(1, 10, "a", 3, 0), did(1, 30, "execve", 0, 0, 0, 0), opens(1, 40, "b", 4, 0))
	all[0].Lane = Runtime
	d := Follow(&Calls{Records: all}, Snapshot{Time: 100, Processes: map[uint32]map[int32]Live{
		1: {5: {Descriptor: syscalls.Descriptor{Path: "/live"}}},
	}})
	got := []string{d.is(1, 3, 20), d.is(1, 5, 20), d.is(1, 3, 38), d.is(1, 5, 38), d.is(1, 4, 50)}
	if diff := cmp.Diff([]string{"", "", "", "/live", "/b"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestManyDescriptors bounds what copies of tables cost.
func TestManyDescriptors(t *testing.T) {
	var all []syscalls.Call
	for fd := range int64(5000) {
		all = append(all, opens(1, uint64(fd)*10, "a", fd, 0))
	}
	for n := range uint64(3000) {
		all = append(all, makesChild(1, 60000+n*10, "fork", uint32(n)+2))
	}
	d := Follow(&Calls{Records: records(all...)}, Snapshot{})
	if first, last := d.is(2, 4, 1e6), d.is(3001, 4, 1e6); first != "/a" || last != "" || d.work > 0 {
		t.Errorf("the first child has %q, the last one %q", first, last)
	}
}

func TestDescriptorsInLines(t *testing.T) {
	read := until(90, did(1, 60, "read", 0, 3, 0x7000, 10))
	given := syscalls.Capture{Arg: 0, Data: []byte("link")}
	all := records(resolved(captured(did(1, 5, "chdir", 0, 0x7000), given), "srv\x00"), opens(1, 10, "a", 3, 0),
		by(2, did(1, 70, "close", 0, 3)), read,
		captured(did(1, 100, "unlink", 0, 0x7000), syscalls.Capture{Arg: 0, Data: []byte("x\x00")}))
	timeline := NewTimeline(all, records(did(1, 110, "read", 0, 0, 0x7000, 1)))
	timeline.Descriptors = Follow(&Calls{Records: all}, Snapshot{})
	var out bytes.Buffer
	if err := (&Format{Times: timestamp.None}).WriteText(&out, timeline); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		_, after, _ := strings.Cut(line, "] ")
		got = append(got, strings.TrimSpace(after))
	}
	want := []string{
		`chdir(filename=0x7000 "link") = 0 <file "/srv">`,
		`openat(dfd=AT_FDCWD</srv>, filename=0x7000 "a", flags=O_RDONLY) = 3</a>`,
		"read(fd=3</a>, buf=0x7000, count=10)...", "close(fd=3</a>) = 0", "...read() = 0",
		`unlink(pathname=0x7000 "x" </srv/x>) = 0`, "read(fd=0, buf=0x7000, count=1) <unfinished ...>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestKeptEvents checks that an event which is kept knows its own descriptors when others were yielded since.
func TestKeptEvents(t *testing.T) {
	calls := []syscalls.Call{begins(1, 10), did(1, 20, "write", 1, 1, 0, 1), did(1, 30, "close", 0, 1),
		did(1, 40, "write", -9, 1, 0, 1)}
	all := records(calls...)
	timeline := NewTimeline(all, nil)
	timeline.Descriptors = Follow(&Calls{Records: all}, Snapshot{})
	var kept []Event
	for e := range timeline.Calls {
		kept = append(kept, timeline.Keep(e))
	}
	var got []string
	for _, e := range kept {
		if d := e.Call.Describe(1, false); d != nil {
			got = append(got, d.Path)
			continue
		}
		got = append(got, "")
	}
	if diff := cmp.Diff([]string{"", "/tmp/log", "/tmp/log", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// BenchmarkDescriptors follows one number through many files, and prints the calls with what it was.
func BenchmarkDescriptors(b *testing.B) {
	var calls []syscalls.Call
	for i := range uint64(30000) {
		calls = append(calls, opens(1, 100*i, "file", 3, 0), did(1, 100*i+10, "read", 0, 3, 0x7000, 64),
			did(1, 100*i+20, "close", 0, 3))
	}
	all := &Calls{Records: records(calls...)}
	f := Format{Times: timestamp.Relative}
	line := make([]byte, 0, 1<<10)
	for b.Loop() {
		timeline := NewTimeline(all.Records, nil)
		timeline.Descriptors = Follow(all, Snapshot{})
		for e := range timeline.Events {
			line = f.AppendLine(line[:0], e)
		}
	}
	b.ReportMetric(float64(len(calls)*b.N)/b.Elapsed().Seconds(), "records/s")
}
