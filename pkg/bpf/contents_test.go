// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// The worker plants these in contents, in names of files and in arguments of programs. Each is made at
// run time, so that it is nowhere in the program.
var (
	plantedContents = strings.Repeat("Content", 2)
	plantedPath     = strings.Repeat("Pathname", 2)
	plantedArgument = strings.Repeat("Argument", 2)
)

func contentsWorker() {
	text := []byte("begin " + plantedContents + " end")
	large := append(bytes.Repeat([]byte{' '}, 200), text...) // beyond what is read at enter
	worker()
	sockets, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	must(err)
	a, b := sockets[0], sockets[1]
	buffer := make([]byte, 4096)
	read := func() {
		_, err := unix.Read(b, buffer)
		must(err)
	}
	for _, data := range [][]byte{text, large} {
		_, err = unix.Write(1, data)
		must(err)
		_, err = unix.Write(a, data)
		must(err)
		read()
		_, err = unix.Writev(a, [][]byte{data, data})
		must(err)
		_, err = unix.Readv(b, [][]byte{buffer})
		must(err)
		must(unix.Sendto(a, data, 0, nil))
		_, _, err = unix.Recvfrom(b, buffer, 0)
		must(err)
		_, err = unix.SendmsgN(a, data, unix.UnixRights(a), nil, 0)
		must(err)
		_, _, _, _, err = unix.Recvmsg(b, buffer, buffer[2048:], 0)
		must(err)
		vector := unix.Iovec{Base: &data[0], Len: uint64(len(data))}
		message := struct {
			unix.Msghdr
			sent uint64
		}{Msghdr: unix.Msghdr{Iov: &vector, Iovlen: 1}}
		_, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(a), uintptr(unsafe.Pointer(&message)), 1, 0, 0, 0)
		if errno != 0 {
			panic(errno)
		}
		read()
		unix.Setxattr("/proc/self", "user.x", data, 0)
		unix.Syscall6(unix.SYS_ADD_KEY, uintptr(unsafe.Pointer(cString("none"))), uintptr(unsafe.Pointer(cString("x"))),
			uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), 0, 0)
		unix.Mount("none", "/proc/self", "none", 0, string(data))
		unix.SetsockoptString(a, 282, 1, string(data)) // SOL_TLS, TLS_TX
		unix.Syscall(unix.SYS_IOCTL, uintptr(a), 3<<30|uintptr(len(data))<<16, uintptr(unsafe.Pointer(&data[0])))
	}
	unix.Open("/tmp/"+plantedPath, unix.O_RDONLY, 0)
	unix.Chdir("/tmp/")
	must(os.WriteFile("/tmp/"+plantedPath, nil, 0o600))
	fd, err := unix.Open("/tmp/"+plantedPath, unix.O_RDONLY, 0)
	must(err)
	unix.Close(fd)
	must(os.Remove("/tmp/" + plantedPath))
	unix.Connect(a, &unix.SockaddrUnix{Name: "/tmp/" + plantedPath})
	unix.Exec("/tmp/"+plantedPath, []string{"x", plantedArgument}, nil)
	must(unix.Exec("/bin/true", []string{"x", plantedArgument}, []string{"SECRET=" + plantedContents}))
}

// TestContents records the same with all contents, with paths, only numbers, and nothing, and counts what is planted in
// the memory of the recording, of the exec log and of the buffers of programs.
func TestContents(t *testing.T) {
	const without, numbers = abi.WhoNoContents, abi.WhoNoContents | abi.WhoFilesOnly
	o := small
	o.CaptureSize = 1 << 10
	for _, test := range []struct {
		name      string
		flags     uint32
		want      map[string]bool
		wantCalls bool
	}{
		{"all", abi.WhoRecord, map[string]bool{plantedContents: true, plantedPath: true, plantedArgument: true}, true},
		{"paths", abi.WhoRecord | without, map[string]bool{plantedPath: true, plantedArgument: true}, true},
		{"numbers", abi.WhoRecord | numbers, map[string]bool{}, true},
		{"off", numbers, map[string]bool{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := load(t, o)
			id := "rt-contents-" + test.name
			who := cgroup.Recorded(id)
			who.Flags = test.flags
			d := unmade(t, "/"+id)
			if err := d.Register(i.Dir, who); err != nil {
				t.Fatal(err)
			}
			work(t, d, "contents")
			memory := memoryOfAll(t, i, abi.PinRings, abi.PinExecLog, abi.PinScratch)
			for _, planted := range []string{plantedContents, plantedPath, plantedArgument} {
				if n := bytes.Count(memory, []byte(planted)); n > 0 != test.want[planted] {
					t.Errorf("%q is in memory %d times, want %v", planted, n, test.want[planted])
				}
			}
			if got := identity(t, i, id); (got.Ring != 0) != test.wantCalls {
				t.Fatalf("recording %d, want one: %v", got.Ring, test.wantCalls)
			}
			if !test.wantCalls {
				if found := execs(t, i, id); len(found) > 0 {
					t.Errorf("execs %+v", found)
				}
				return
			}
			seen := map[string]bool{}
			for _, c := range calls(t, i, id) {
				if s := c.Syscall(); s != nil && string(c.Comm) == "worker" {
					seen[fmt.Sprint(s.Name, c.Result)] = true
				}
			}
			for _, call := range []string{"write24", "read24", "openat-2", "execve-2", "sendmmsg1"} {
				if !seen[call] {
					t.Errorf("no %s with its result", call)
				}
			}
		})
	}
}

// memoryOfAll returns a copy of the memory of whole maps.
func memoryOfAll(t *testing.T, i *bpf.Instance, pins ...string) (memory []byte) {
	t.Helper()
	for _, pin := range pins {
		pinned(t, i.Dir, pin, func(m *ebpf.Map) error {
			for n := range m.MaxEntries() {
				element, err := m.LookupBytes(n)
				if err != nil {
					return err
				}
				memory = append(memory, element...)
			}
			return nil
		})
	}
	return memory
}
