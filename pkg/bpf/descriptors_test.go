// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// descriptorsWorker makes sockets and pipes, and tells their inodes by the offset of an lseek that fails.
func descriptorsWorker() {
	worker()
	tell := func(fds ...int32) {
		for _, fd := range fds {
			var s unix.Stat_t
			must(unix.Fstat(int(fd), &s))
			raw(unix.SYS_LSEEK, 999, uintptr(s.Ino), 0)
		}
	}
	var two [2]int32
	raw(unix.SYS_PIPE2, pointer(&two), 0)
	tell(two[:1]...)
	raw(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, pointer(&two))
	tell(two[:]...)
	listener, _ := raw(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0)
	tell(int32(listener))
	address := unix.RawSockaddrUnix{Family: unix.AF_UNIX} // the kernel chooses an abstract name
	raw(unix.SYS_BIND, listener, pointer(&address), 2)
	raw(unix.SYS_LISTEN, listener, 1)
	length := uint32(unix.SizeofSockaddrUnix)
	raw(unix.SYS_GETSOCKNAME, listener, pointer(&address), pointer(&length))
	client, _ := raw(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0)
	tell(int32(client))
	raw(unix.SYS_CONNECT, client, pointer(&address), uintptr(length))
	accepted, _ := raw(unix.SYS_ACCEPT4, listener, 0, 0, 0)
	tell(int32(accepted))
}

// TestInodes makes sockets and pipes: their records have their inodes.
func TestInodes(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-inodes")
	if state := work(t, d, "descriptors"); !state.Success() {
		t.Fatal(state)
	}
	var got, want []uint64
	for _, c := range calls(t, i, "rt-inodes") {
		switch s := c.Syscall(); {
		case string(c.Comm) != "worker" || s == nil:
		case s.Name == "pipe2":
			inodes := c.Inodes()
			if len(inodes) != 2 || inodes[0] != inodes[1] {
				t.Errorf("pipe2: inodes %d", inodes)
			}
			got = append(got, inodes[:min(1, len(inodes))]...)
		case s.Name == "lseek":
			want = append(want, c.Args[1])
		default:
			got = append(got, c.Inodes()...)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 6 {
		t.Errorf("inodes (-want +got):\n%s", diff)
	}
}

// TestBeginning lets a process come into a container and execute programs: the first exec says what it begins with.
func TestBeginning(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-beginning")
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	c := exec.Command("/bin/sh", "-c", "read x; cd /tmp; exec /bin/sh -c 'exec /bin/true' 2>/dev/null")
	c.Stdout = said
	h := hold(t, c)
	var pipe unix.Stat_t
	if err := unix.Fstat(int(h.in.(*os.File).Fd()), &pipe); err != nil {
		t.Fatal(err)
	}
	move(t, h.Process.Pid, d)
	h.finish(t)
	var execs []syscalls.Call
	for _, c := range calls(t, i, "rt-beginning") {
		if s := c.Syscall(); s != nil && s.Name == "execve" && c.Result == 0 {
			execs = append(execs, c)
		}
	}
	if len(execs) != 2 {
		t.Fatalf("%d execs", len(execs))
	}
	var got []string
	for _, fd := range []int32{syscalls.CWD, 1, 2} {
		f, ok := execs[0].Beginning(fd)
		if !ok || f.Truncated || f.Detached {
			t.Errorf("%d is %+v, %t", fd, f, ok)
		}
		got = append(got, f.Path)
	}
	if want := []string{"/tmp", said.Name(), "/dev/null"}; !slices.Equal(got, want) {
		t.Errorf("it begins with %q, want %q", got, want)
	}
	const typeMask, fifo = 0o170000, 0o010000
	if f, ok := execs[0].Beginning(0); !ok || f.Inode != pipe.Ino || f.Mode&typeMask != fifo || !f.Detached {
		t.Errorf("standard input is %+v, %t, want inode %d", f, ok, pipe.Ino)
	}
	if f, ok := execs[1].Beginning(syscalls.CWD); ok {
		t.Errorf("the second exec has %+v, too", f)
	}
}
