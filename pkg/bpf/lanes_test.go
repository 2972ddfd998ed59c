// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
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
	lanes := lanesOf(t, i, "rt-lanes")
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
		{abi.LaneFirst, `kill(pid=0`, 1, 64},
		{abi.LaneDistinct, `kill(pid=0`, 36, 99},
		{abi.LaneRecent, `getppid()`, 2000, 20000},
		{abi.LaneSaid, `"` + strings.Repeat("s", saidLength) + `"`, 1, 1},
		{abi.LaneSaid, `"by dup"`, 1, 1},
		{abi.LaneFirst, `optname=SO_ERROR`, 2, 2},
		{abi.LaneSaid, `"by fcntl"`, 1, 1},
	} {
		n, _ := lanes[test.lane].find(test.text)
		if n < test.atLeast || n > test.most {
			t.Errorf("lane %d has %.40s %d times, not %d to %d times", test.lane, test.text, n, test.atLeast, test.most)
		}
	}
}

// keptLane has the calls of a lane as text, and how often each came.
type keptLane struct {
	lines  []string
	counts []uint64
}

// find returns how many calls of a lane have a text, and how often these came in all.
func (l keptLane) find(text string) (calls int, count uint64) {
	for n, line := range l.lines {
		if strings.Contains(line, text) {
			calls++
			count += l.counts[n]
		}
	}
	return calls, count
}

// lanesOf reads the lanes of a container's recording.
func lanesOf(t *testing.T, i *bpf.Instance, id string) [abi.Lanes]keptLane {
	t.Helper()
	r, err := i.Recording(int(identity(t, i, id).Ring) - 1)
	if err != nil {
		t.Fatal(err)
	}
	repeats := r.Repeats()
	var lanes [abi.Lanes]keptLane
	for n, from := range r.Lanes {
		s, err := from.Read(0, false)
		if err != nil {
			t.Fatal(err)
		}
		for at, record := range s.Records {
			var c syscalls.Call
			if err := c.Decode(record); err != nil {
				t.Fatalf("lane %d: %v", n, err)
			}
			lanes[n].lines = append(lanes[n].lines, string(c.AppendText(nil)))
			lanes[n].counts = append(lanes[n].counts, repeats[ring.Place{Lane: n, Position: s.Positions[at]}].Count)
		}
	}
	return lanes
}

const (
	floodFailures = 40
	floodExecs    = 300
	floodConnects = 3000
)

func floodWorker() {
	worker()
	for n := range floodFailures {
		unix.Kill(0, syscall.Signal(100+n))
	}
	for n := range floodExecs {
		must(exec.Command("/bin/true", fmt.Sprint(n), strings.Repeat("x", 100<<10)).Run())
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(err)
	for n := range floodConnects {
		must(unix.Connect(s, &unix.SockaddrInet4{Port: 1 + n, Addr: [4]byte{127, 0, 0, 1}}))
	}
	unix.Close(1 << 20)
	must(exec.Command("/bin/sh", "-c", ":").Run())
}

// TestFlood keeps calls that failed, and counts programs, beside a flood of execs with long arguments, and one of
// addresses.
func TestFlood(t *testing.T) {
	i := load(t, small)
	work(t, container(t, i, "/rt-flood"), "flood")
	lanes := lanesOf(t, i, "rt-flood")
	novel := []keptLane{lanes[abi.LaneFirst], lanes[abi.LaneDistinct], lanes[abi.LaneFiles]}
	find := func(text string) (calls int, count uint64) {
		for _, l := range novel {
			n, times := l.find(text)
			calls, count = calls+n, count+times
		}
		return calls, count
	}
	if n, _ := find("kill(pid=0"); n != floodFailures {
		t.Errorf("%d of %d different failures are kept", n, floodFailures)
	}
	if n, count := find(`"/bin/true", argv`); n < 2 || n > floodExecs/4 || count != floodExecs {
		t.Errorf("%d execs of %d times are kept, not %d times", n, count, floodExecs)
	}
	if n, _ := lanes[abi.LaneDistinct].find("connect("); n < 20 || n > 16<<10/2/80 {
		t.Errorf("the lane distinct has %d different connects", n)
	}
	if n, _ := lanes[abi.LaneFiles].find(fmt.Sprintf("htons(%d)", floodConnects)); n != 1 {
		t.Errorf("the lane files has the last connect %d times", n)
	}
	for _, text := range []string{"close(fd=1048576) = -1 EBADF", `"/bin/sh", argv`} {
		if n, _ := find(text); n != 1 {
			t.Errorf("%s is kept %d times", text, n)
		}
	}
}

func saidWorker() {
	worker()
	say := func(descriptor int, err error) {
		must(err)
		_, err = unix.Write(descriptor, fmt.Appendf(nil, "said through %d\n", descriptor))
		must(err)
	}
	say(60, unix.Dup3(1, 60, 0))
	say(70, unix.Dup3(2, 70, 0))
	descriptor, err := unix.FcntlInt(1, unix.F_DUPFD, 80)
	say(descriptor, err)
	descriptor, err = unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 300)
	say(descriptor, err)
	other, err := unix.Open("/dev/null", unix.O_WRONLY, 0)
	must(err)
	say(60, unix.Dup3(other, 60, 0))
	must(exec.Command("/bin/sh", "-c", "exec 9>&1; echo said by a shell >&9").Run())
	shell := exec.Command("/bin/sh", "-c", "exec 9>&1; echo said by a shell >&9; { echo said below >&9; } >/dev/null")
	shell.Stdout = os.Stdout
	must(shell.Run())
}

// TestSaid has what is written through duplicates of the standard output and error, and nothing else.
func TestSaid(t *testing.T) {
	i := load(t, small)
	work(t, container(t, i, "/rt-said"), "said")
	said := lanesOf(t, i, "rt-said")[abi.LaneSaid]
	for _, text := range []string{"through 60", "through 70", "through 80", "through 300", "by a shell", "below"} {
		if n, _ := said.find("said " + text); n != 1 {
			t.Errorf("said %s: %d times\n%s", text, n, strings.Join(said.lines, "\n"))
		}
	}
}

// openFiles is how many files openWorker opens.
const openFiles = 400

func openWorker() {
	worker()
	dir, err := os.MkdirTemp("", "rt-open-")
	must(err)
	defer os.RemoveAll(dir)
	var last string
	for n := range openFiles {
		last = fmt.Sprintf("%s/file%d", dir, n)
		must(os.WriteFile(last, nil, 0o600))
		fd, err := unix.Open(last, unix.O_RDONLY, 0)
		must(err)
		unix.Close(fd)
	}
	must(exec.Command("/bin/cat", last, last).Run())
	must(exec.Command("/bin/cat", dir+"/file0", dir+"/file398").Run())
}

// TestFirstFiles keeps the first files that each program opens, whatever other programs have opened before.
func TestFirstFiles(t *testing.T) {
	o := small
	o.RingSize = 512 << 10
	i := load(t, o)
	work(t, container(t, i, "/rt-open"), "open")
	lanes := lanesOf(t, i, "rt-open")
	for _, test := range []struct {
		lane  int
		file  int
		calls int
		count uint64
	}{
		{abi.LaneFirst, 0, 1, 2},
		{abi.LaneFirst, openFiles - 1, 1, 3},
		{abi.LaneFirst, openFiles - 2, 1, 2},
		{abi.LaneFirst, openFiles - 3, 0, 0},
		{abi.LaneFiles, openFiles - 3, 1, 1},
		{abi.LaneRecent, openFiles - 1, 3, 0},
	} {
		text := fmt.Sprintf(`/file%d", flags=O_RDONLY`, test.file)
		if n, count := lanes[test.lane].find(text); n != test.calls || count != test.count {
			t.Errorf("lane %d has the open of file %d %d times, which came %d times; want %d and %d", test.lane, test.file,
				n, count, test.calls, test.count)
		}
	}
}
