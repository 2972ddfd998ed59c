// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// saidLength is the length of what lanesWorker writes at once.
const saidLength = 1000

func lanesWorker() {
	search := func(prefix string) {
		for n := range 2000 {
			unix.Open(fmt.Sprintf("/missing/%s%d", prefix, n), unix.O_RDONLY, 0)
		}
	}
	worker()
	asked, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	must(err)
	for range 2 { // it has no error, and then that of a connection that was refused
		unix.GetsockoptInt(asked, unix.SOL_SOCKET, unix.SO_ERROR)
		unix.Connect(asked, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}})
	}
	search("a")
	for n := range 100 {
		unix.Kill(0, syscall.Signal(100+n))
	}
	again, err := unix.Open("/dev/stdout", unix.O_WRONLY, 0)
	must(err)
	unix.Write(again, bytes.Repeat([]byte("s"), saidLength))
	copied, err := unix.Dup(1)
	must(err)
	unix.Write(copied, []byte("by dup"))
	copied, err = unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 50)
	must(err)
	unix.Write(copied, []byte("by fcntl"))
	search("b")
	for range 20000 {
		unix.Getppid()
	}
}

// TestLanes keeps what is new beside a search for files and a flood of calls, and says how often it came.
func TestLanes(t *testing.T) {
	i := load(t, small)
	work(t, container(t, i, "/rt-lanes"), "lanes")
	r, err := i.Recording(int(identity(t, i, "rt-lanes").Ring) - 1)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([][]string, abi.Lanes)
	for n, lane := range r.Lanes {
		s, err := lane.Read(0, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range s.Records {
			var c syscalls.Call
			if err := c.Decode(record); err != nil {
				t.Fatalf("lane %d: %v", n, err)
			}
			lines[n] = append(lines[n], string(c.AppendText(nil)))
		}
	}
	for _, test := range []struct {
		lane    int
		text    string
		atLeast int
		most    int
	}{
		{abi.LaneFirst, `execve(filename=`, 1, 1},
		{abi.LaneFirst, `"/missing/a0"`, 1, 1},
		{abi.LaneFirst, `"/missing/a`, 32, 64},
		{abi.LaneFirst, `"/missing/b`, 0, 0},
		{abi.LaneFiles, `"/missing/b1999"`, 1, 1},
		{abi.LaneFiles, `"/missing/b0"`, 0, 0},
		{abi.LaneFirst, `kill(pid=0`, 16, 64},
		{abi.LaneDistinct, `kill(pid=0`, 36, 84},
		{abi.LaneRecent, `getppid()`, 2000, 20000},
		{abi.LaneSaid, `"` + strings.Repeat("s", saidLength) + `"`, 1, 1},
		{abi.LaneSaid, `"by dup"`, 1, 1},
		{abi.LaneFirst, `optname=SO_ERROR`, 2, 2},
		{abi.LaneSaid, `"by fcntl"`, 1, 1},
	} {
		n := 0
		for _, line := range lines[test.lane] {
			if strings.Contains(line, test.text) {
				n++
			}
		}
		if n < test.atLeast || n > test.most {
			t.Errorf("lane %d has %.40s %d times, not %d to %d times", test.lane, test.text, n, test.atLeast, test.most)
		}
	}
}
