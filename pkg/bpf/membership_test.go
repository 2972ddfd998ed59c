// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/test/cgroup"
	"github.com/runc-trace/runc-trace/test/patience"
)

// lane returns the recorded calls of a container in one lane.
func lane(t *testing.T, i *bpf.Instance, id string, lane int) []syscalls.Call {
	t.Helper()
	r, err := i.Recording(int(identity(t, i, id).Ring) - 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Lanes[lane].Read(0, false)
	if err != nil {
		t.Fatal(err)
	}
	var found []syscalls.Call
	for _, record := range s.Records {
		var c syscalls.Call
		if err := c.Decode(record); err != nil {
			t.Fatal(err)
		}
		found = append(found, c)
	}
	return found
}

// held is a process that waits until go on is called.
type held struct {
	*exec.Cmd
	in io.WriteCloser
}

// hold starts a command that reads a line from its standard input before it does anything else.
func hold(t *testing.T, c *exec.Cmd) held {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	// Start returns when the exec closes a descriptor, which is before it has succeeded.
	program, err := filepath.EvalSymlinks(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", c.Process.Pid)
	patience.Until(t, "the process reads", func() bool {
		exe, _ := os.Readlink(proc + "exe")
		stat, _ := os.ReadFile(proc + "stat")
		return exe == program && bytes.Contains(stat, []byte(") S "))
	})
	return held{c, in}
}

// finish lets the process go on, and waits for its end.
func (h held) finish(t *testing.T) {
	t.Helper()
	if _, err := h.in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	_ = h.Wait()
}

func move(t *testing.T, pid int, to *cgroup.Directory) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(to.Name(), "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestEntered moves a process into a container, and makes another one in it: until their execs, their calls are the
// runtime's own.
func TestEntered(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-entered")
	h := hold(t, exec.Command("/bin/sh", "-c", "read x; cd /tmp; exec /bin/true"))
	move(t, h.Process.Pid, d)
	h.finish(t)
	run(t, d, "/bin/sleep", "0")
	runtime := lane(t, i, "rt-entered", abi.LaneRuntime)
	if len(lines(runtime, "sh")) == 0 || len(lines(runtime, "bpf.test"))+len(lines(runtime, ownComm())) == 0 {
		t.Error("calls of a process that came from outside are not the runtime's")
	}
	for _, c := range runtime {
		if c.NoEnter {
			t.Errorf("of a call that began outside: %s", c.AppendText(nil))
		}
	}
	if n := len(lines(runtime, "true")) + len(lines(runtime, "sleep")); n != 0 {
		t.Errorf("%d calls after an exec are the runtime's", n)
	}
	for _, comm := range []string{"true", "sleep"} {
		if len(lines(calls(t, i, "rt-entered"), comm)) == 0 {
			t.Errorf("no calls of %s", comm)
		}
	}
}

// TestOnlyRootMakes lets another user, and root of a user namespace, make the cgroup of a container in a directory that
// belongs to them: it is not the container's, and is counted. That of root is.
func TestOnlyRootMakes(t *testing.T) {
	const user = 65534
	i := load(t, small)
	parent := made(t, "/rt-delegated")
	if err := os.Chown(parent.Name(), user, user); err != nil {
		t.Fatal(err)
	}
	d := unmade(t, "/rt-delegated/rt-victim")
	if err := d.Announce(i.Dir, cgroup.Recorded("rt-victim")); err != nil {
		t.Fatal(err)
	}
	mapped := []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}}
	for n, attr := range []*syscall.SysProcAttr{
		{Credential: &syscall.Credential{Uid: user, Gid: user}},
		{
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: mapped, GidMappings: mapped,
			Credential: &syscall.Credential{NoSetGroups: true},
		},
	} {
		c := exec.Command("/bin/mkdir", d.Name())
		c.SysProcAttr = attr
		if text, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := os.Remove(d.Name()); err != nil {
			t.Fatal(err)
		}
		if got := counters(t, i)[abi.CountPendingRefused]; got != uint64(n+1) {
			t.Errorf("%d are counted", got)
		}
		all, err := i.Refusals()
		if err != nil || len(all) != n+1 {
			t.Fatalf("%d refusals are written down, %v", len(all), err)
		}
		r := all[n]
		if r.UID != user || r.PID != uint32(c.Process.Pid) || unix.ByteSliceToString(r.Comm[:]) != "mkdir" ||
			!strings.HasSuffix(unix.ByteSliceToString(r.Path[:]), "/rt-delegated/rt-victim") {
			t.Errorf("written down: user %d, PID %d, %s, %s", r.UID, r.PID, r.Comm, r.Path)
		}
	}
	// The same if it is there before the container.
	if err := d.Make(); err != nil {
		t.Fatal(err)
	}
	id, err := d.ID()
	if err != nil {
		t.Fatal(err)
	}
	again := made(t, "/rt-delegated/rt-early")
	early := abi.BindRequest{Owner: user}
	if early.Cgroup, err = again.ID(); err != nil {
		t.Fatal(err)
	}
	if err := again.Announce(i.Dir, cgroup.Recorded("rt-early")); err != nil {
		t.Fatal(err)
	}
	if early.Pending, _, err = again.Pending(); err != nil {
		t.Fatal(err)
	}
	copy(early.Path[:], "/a/rt-early")
	if result := bindExisting(t, i, early); result != 1+abi.CountPendingRefused {
		t.Errorf("binding says %d", result)
	}
	if _, found := find(i, "rt-early"); found {
		t.Error("the cgroup of another user is bound")
	}
	all, err := i.Refusals()
	if err != nil || len(all) != 3 {
		t.Fatalf("%d refusals are written down, %v", len(all), err)
	}
	r := all[2]
	if path := unix.ByteSliceToString(r.Path[:]); r.UID != user || r.PID != 0 || r.Comm[0] != 0 || path != "/a/rt-early" {
		t.Errorf("written down: user %d, PID %d, %s, %s", r.UID, r.PID, r.Comm, r.Path)
	}
	// A cgroup that is registered stays so, even if the runtime gave it to the root of a user namespace.
	early.Cgroup = id
	if err := d.Announce(i.Dir, cgroup.Recorded("rt-victim")); err != nil {
		t.Fatal(err)
	}
	if early.Pending, _, err = d.Pending(); err != nil {
		t.Fatal(err)
	}
	if result := bindExisting(t, i, early); result != 0 {
		t.Errorf("binding a registered cgroup says %d", result)
	}
	run(t, d, "/bin/true")
	if got := identity(t, i, "rt-victim"); got.State != abi.StateExited {
		t.Errorf("made by root: %s", summary(got))
	}
}

// TestRestored moves a process into a container, as CRIU does with one that it restores. Then the process returns from
// a signal handler: in a container that is restored, it is the init from there on, although it executes nothing.
func TestRestored(t *testing.T) {
	for name, flags := range map[string]uint32{"rt-restored": abi.WhoRestored, "rt-made": 0} {
		i := load(t, small)
		d := unmade(t, "/"+name)
		who := cgroup.Recorded(name)
		who.Flags |= flags
		if err := d.Register(i.Dir, who); err != nil {
			t.Fatal(err)
		}
		h := hold(t, exec.Command("/bin/sh", "-c", `trap "cd /" USR1; read x; cd /tmp; kill -USR1 $$; cd /usr; exit 7`))
		move(t, h.Process.Pid, d)
		if got := identity(t, i, name); got.State != abi.StateCreated || got.Init != 0 {
			t.Errorf("%s before: %s", name, summary(got))
		}
		h.finish(t)
		got := identity(t, i, name)
		all, runtime := calls(t, i, name), lane(t, i, name, abi.LaneRuntime)
		if grepCalls(runtime, "/tmp") != 1 || grepCalls(all, "/usr") != 1 {
			t.Errorf("%s: not recorded", name)
		}
		own := grepCalls(runtime, "/usr") == 0
		if flags == 0 && (got.Init != 0 || got.State != abi.StateCreated || own) ||
			flags != 0 && (got.State != abi.StateExited || got.ExitStatus != 7<<8 || !own) {
			t.Errorf("%s: %s; the calls after the signal are its own: %v", name, summary(got), own)
		}
	}
}

// grepCalls counts calls that show a text.
func grepCalls(found []syscalls.Call, text string) (n int) {
	for _, c := range found {
		if strings.Contains(string(c.AppendText(nil)), `"`+text+`"`) {
			n++
		}
	}
	return n
}

func ownComm() string {
	text, _ := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(text))
}

// TestNotTheRuntime makes processes inside a container, which execute nothing, in all ways that put them into another
// cgroup than their parent's or move them there: none is taken for the runtime's, and each is recorded.
func TestNotTheRuntime(t *testing.T) {
	i := load(t, small)
	container(t, i, "/rt-other")
	d := container(t, i, "/rt-forks")
	child, second := made(t, "/rt-forks/child"), made(t, "/rt-forks/second")
	outside := made(t, "/rt-outside")
	for name, test := range map[string]struct {
		steps []string
		left  uint32
	}{
		"fork":                       {[]string{"fork"}, 0},
		"into a child":               {[]string{"into " + child.Name()}, 0},
		"move and fork":              {[]string{"move " + child.Name(), "fork", "move " + d.Name()}, 0},
		"moved while it forks":       {[]string{"race " + child.Name() + " " + second.Name(), "move " + d.Name()}, 0},
		"out, fork and in":           {[]string{"move " + outside.Name(), "fork-in " + d.Name(), "move " + d.Name()}, 1},
		"into outside, and in":       {[]string{"into-in " + outside.Name() + " " + d.Name()}, 1},
		"out, into and in":           {[]string{"move " + outside.Name(), "into " + d.Name(), "move " + d.Name()}, 1},
		"out, fork, fork, and in":    {[]string{"move " + outside.Name(), "fork-fork-in " + d.Name(), "move " + d.Name()}, 1},
		"fork, and move itself deep": {[]string{"fork-in " + second.Name()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("STEPS", strings.Join(test.steps, "\n"))
			before, known := identity(t, i, "rt-forks").Left, numbers(t, i, "rt-forks")
			work(t, d, "forks")
			for _, c := range lane(t, i, "rt-forks", abi.LaneRuntime) {
				if string(c.Comm) == "hidden" {
					t.Fatalf("taken for the runtime's: %s", c.AppendText(nil))
				}
			}
			if got := identity(t, i, "rt-forks"); got.Left-before != test.left {
				t.Errorf("left %d times", got.Left-before)
			}
			found := numbers(t, i, "rt-forks")
			maps.DeleteFunc(found, func(n uint64, _ bool) bool { return known[n] })
			if len(found) == 0 {
				t.Error("the forked process is not recorded")
			}
		})
	}

	t.Setenv("STEPS", "into "+filepath.Join(filepath.Dir(d.Name()), "rt-other"))
	work(t, d, "forks")
	if n := len(lines(lane(t, i, "rt-other", abi.LaneRuntime), "hidden")); n != 0 {
		t.Errorf("%d calls of another container's process are taken for the runtime's", n)
	}
}

// numbers returns the numbers of the forked processes that are recorded: each makes one call with its number.
func numbers(t *testing.T, i *bpf.Instance, id string) map[uint64]bool {
	t.Helper()
	found := map[uint64]bool{}
	for _, c := range calls(t, i, id) {
		if string(c.Comm) == "hidden" && c.Nr == unix.SYS_CLOSE {
			found[c.Args[0]] = true
		}
	}
	return found
}

// forksWorker makes processes that execute nothing.
func forksWorker() {
	worker()
	for n, step := range strings.Split(os.Getenv("STEPS"), "\n") {
		words := strings.Fields(step)
		number := uintptr(1000*os.Getpid() + n)
		switch words[0] {
		case "fork":
			forkHidden(-1, "", number)
		case "fork-in":
			forkHidden(-1, words[1], number)
		case "fork-fork-in":
			forkTwice(words[1], number)
		case "into":
			forkHidden(opened(words[1]), "", number)
		case "into-in":
			forkHidden(opened(words[1]), words[2], number)
		case "move":
			must(os.WriteFile(filepath.Join(words[1], "cgroup.procs"), []byte("0"), 0))
		case "race":
			stop := make(chan bool)
			done := make(chan bool)
			go func() {
				defer close(done)
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
						must(os.WriteFile(filepath.Join(words[1+n%2], "cgroup.procs"), []byte("0"), 0))
					}
				}
			}()
			for range 200 {
				forkHidden(-1, "", number)
			}
			close(stop)
			<-done
		}
	}
}

func opened(directory string) int {
	fd, err := unix.Open(directory, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(err)
	return fd
}

// forkHidden forks a process, in the cgroup that is open as a descriptor if that is not -1. The process makes calls
// under the name "hidden", after it has moved itself to another cgroup if one is named.
func forkHidden(into int, in string, number uintptr) { await(fork(into, in, number, false)) }

// forkTwice is forkHidden by a process that was forked itself.
func forkTwice(in string, number uintptr) { await(fork(-1, in, number, true)) }

func await(pid uintptr) {
	var status unix.WaitStatus
	_, err := unix.Wait4(int(pid), &status, 0, nil)
	must(err)
	if status.ExitStatus() != 0 {
		panic(fmt.Sprint("the forked process: ", status))
	}
}

func fork(into int, in string, number uintptr, twice bool) uintptr {
	args := cloneArgs{exitSignal: uint64(unix.SIGCHLD)}
	if into >= 0 {
		args.flags, args.cgroup = unix.CLONE_INTO_CGROUP, uint64(into)
	}
	var procs *byte
	if in != "" {
		procs = cString(in + "/cgroup.procs")
	}
	pid, errno := forkRaw(&args, procs, cString("hidden"), cString("0"), number, twice)
	if errno != 0 {
		panic(errno)
	}
	return pid
}

// cloneArgs is struct clone_args of the kernel's include/uapi/linux/sched.h.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// forkRaw forks. The child has only the calling thread: it makes raw system calls, and nothing that could need the
// scheduler of Go.
//
//go:nosplit
//go:norace
func forkRaw(args *cloneArgs, procs, name, zero *byte, number uintptr, twice bool) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	if twice {
		pid, _, _ = syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0, 0, 0, 0)
		if pid != 0 {
			status := uint32(1)
			syscall.RawSyscall6(unix.SYS_WAIT4, pid, uintptr(unsafe.Pointer(&status)), 0, 0, 0, 0)
			syscall.RawSyscall6(unix.SYS_EXIT_GROUP, uintptr(status>>8), 0, 0, 0, 0, 0)
		}
	}
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0, 0)
	if procs != nil {
		at := unix.AT_FDCWD
		fd, _, _ := syscall.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(procs)), unix.O_WRONLY, 0, 0, 0)
		_, _, errno := syscall.RawSyscall6(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(zero)), 1, 0, 0, 0)
		if errno != 0 {
			syscall.RawSyscall6(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0, 0, 0, 0)
		}
	}
	syscall.RawSyscall6(unix.SYS_CLOSE, number, 0, 0, 0, 0, 0)
	syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	return 0, 0
}

// TestLeft moves the init of a container to a cgroup outside, of which some belong to another container, and removes
// its own: how it ends is known, the container is marked, and no other one is.
func TestLeft(t *testing.T) {
	for name, test := range map[string]struct{ other, removed bool }{
		"outside":                               {false, false},
		"outside, and its cgroup is removed":    {false, true},
		"into another":                          {true, false},
		"into another, and its own is removed,": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			i := load(t, small)
			d, outside := container(t, i, "/rt-left"), made(t, "/rt-outside")
			if test.other {
				outside = container(t, i, "/rt-other")
			}
			h := hold(t, command(d, "/bin/sh", "-c", "read x; /bin/true; exit 5"))
			move(t, h.Process.Pid, outside)
			if test.removed {
				if err := d.Remove(); err != nil {
					t.Fatal(err)
				}
			}
			if got := identity(t, i, "rt-left"); got.Exited != 0 || got.Left != 1 || got.Threads == 0 && !test.other {
				t.Errorf("outside: %s, left %d times, %d threads", summary(got), got.Left, got.Threads)
			}
			h.finish(t)
			want := uint32(abi.StateExited)
			if test.removed {
				want = abi.StateEnded
			}
			got := identity(t, i, "rt-left")
			if got.Left != 1 || got.State != want || got.ExitStatus != 5<<8 || got.Exited == 0 || got.Threads != 0 {
				t.Errorf("%s, left %d times, %d threads", summary(got), got.Left, got.Threads)
			}
			if len(lines(calls(t, i, "rt-left"), "true")) != 0 {
				t.Error("what it did outside is recorded")
			}
			if !test.other {
				return
			}
			if got := identity(t, i, "rt-other"); got.Exited != 0 || got.Left != 0 || got.Threads != 0 {
				t.Errorf("the other one: %s, left %d times, %d threads", summary(got), got.Left, got.Threads)
			}
			if len(lines(calls(t, i, "rt-other"), "true")) == 0 {
				t.Error("what it did in the other one is not recorded there")
			}
		})
	}
}

// TestOutlivesItsCgroup keeps the identity of a container whose processes live on outside of its cgroup, while others
// come and go, and does not take their threads for those of another container.
func TestOutlivesItsCgroup(t *testing.T) {
	i := load(t, small) // eight identities
	d, outside := container(t, i, "/rt-outlives"), made(t, "/rt-outside")
	h := hold(t, command(d, "/bin/sh", "-c", "read x; exit 6"))
	move(t, h.Process.Pid, outside)
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		next := container(t, i, fmt.Sprint("/rt-next", n))
		run(t, next, "/bin/true")
		if err := next.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	h.finish(t)
	if got := identity(t, i, "rt-outlives"); got.ExitStatus != 6<<8 || got.Threads != 0 {
		t.Errorf("%s, %d threads", summary(got), got.Threads)
	}
	for n := range i.Pool().Identities {
		if got, ok := i.Identity(n); ok && got.Threads != 0 {
			t.Errorf("%s, %d threads", summary(got), got.Threads)
		}
	}
}

// TestThreads counts the threads that have storage, for the container that they are in.
func TestThreads(t *testing.T) {
	i := load(t, small)
	d, other := container(t, i, "/rt-threads"), container(t, i, "/rt-threads2")
	threads := func(id string) uint32 { return identity(t, i, id).Threads }
	c, _ := sleeper(t, d)
	second, _ := sleeper(t, d)
	if n := threads("rt-threads"); n != 2 {
		t.Errorf("%d threads", n)
	}
	move(t, c.Process.Pid, other)
	_ = c.Process.Signal(unix.SIGCONT)
	for _, p := range []*exec.Cmd{c, second} {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
	if a, b := threads("rt-threads"), threads("rt-threads2"); a != 0 || b != 0 {
		t.Errorf("after their end, %d and %d threads", a, b)
	}
}

// TestMovedZombies moves processes that have ended, as their parent may until it has waited for them: none of them
// counts as a thread of the container, and so takes the place of others.
func TestMovedZombies(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-zombies")
	for range 20 {
		c := command(d, "/bin/true")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		pid := c.Process.Pid
		if err := errors.Join(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil),
			os.WriteFile(filepath.Join(d.Name(), "cgroup.procs"), strconv.AppendInt(nil, int64(pid), 10), 0),
			c.Wait()); err != nil {
			t.Fatal(err)
		}
	}
	if n := identity(t, i, "rt-zombies").Threads; n != 0 {
		t.Errorf("%d threads count after all have ended", n)
	}
}

// TestRuntimeContents checks that nothing that the runtime reads and writes is in memory: a container's specification
// has its environment. In a container that was adopted, nobody knows whether a task that comes is the runtime's, but
// its mount namespace tells.
func TestRuntimeContents(t *testing.T) {
	i := load(t, small)
	var host unix.Stat_t
	if err := unix.Stat("/proc/self/ns/mnt", &host); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("of the program\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string]uint32{"rt-contents": 0, "rt-contents-adopted": abi.WhoAdopted} {
		d := unmade(t, "/"+name)
		who := cgroup.Recorded(name)
		who.Flags |= flags
		who.MountNamespace = uint32(host.Ino)
		if err := d.Register(i.Dir, who); err != nil {
			t.Fatal(err)
		}
		// Each shell is in the runtime's mount namespace, and the second one has executed itself again there.
		shell := exec.Command("/bin/sh", "-c", `read x; exec /bin/sh -c 'read y; (echo "of the run""time"; cd /tmp) >/dev/null
			exec unshare --mount head -c 15 `+file+`'`)
		shell.Stderr = os.Stderr
		h := hold(t, shell)
		move(t, h.Process.Pid, d)
		if _, err := io.WriteString(h.in, "go\nof the runtime\n"); err != nil {
			t.Fatal(err)
		}
		h.finish(t)
		memory := memoryOf(t, i, name)
		if !bytes.Contains(memory, []byte("/tmp")) || !bytes.Contains(memory, []byte("of the program")) {
			t.Errorf("%s: paths of the runtime, or contents of the program, are missing", name)
		}
		if n := bytes.Count(memory, []byte("of the runtime")); n != 0 {
			t.Errorf("%s: contents of the runtime are in memory %d times", name, n)
		}
	}
}

// memoryOf returns a copy of the memory of a container's recording.
func memoryOf(t *testing.T, i *bpf.Instance, id string) []byte {
	t.Helper()
	var memory []byte
	pinned(t, i.Dir, abi.PinRings, func(m *ebpf.Map) (err error) {
		memory, err = m.LookupBytes(identity(t, i, id).Ring - 1)
		return err
	})
	return memory
}
