// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// captured describes the captures of a call: each "argument.part:bytes", with o if it was read at exit, k if it is the
// kernel's, l if it was read late, t if it was cut, f if its end could not be read.
func captured(c *syscalls.Call) string {
	text := []string{c.Syscall().Name}
	for _, p := range c.Captures {
		flags := ""
		for flag, set := range map[string]bool{"o": p.Output, "k": p.Kernel, "l": p.Late, "t": p.Truncated, "f": p.Fault} {
			if set {
				flags += flag
			}
		}
		text = append(text, fmt.Sprintf("%d.%d:%d%s", p.Arg, p.Part, len(p.Data), flags))
	}
	return strings.Join(text, " ")
}

// TestStructs records structs, sets and lists that the arguments of calls point to.
func TestStructs(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-structs")
	if state := work(t, d, "structs"); !state.Success() {
		t.Fatal(state)
	}
	var got []string
	for _, c := range calls(t, i, "rt-structs") {
		if string(c.Comm) != "worker" || c.Syscall() == nil {
			continue
		}
		got = append(got, captured(&c))
		if c.Syscall().Name == "getsockopt" {
			if value := c.Captures[2].Data; binary.NativeEndian.Uint32(value) != uint32(unix.ECONNREFUSED) {
				t.Errorf("SO_ERROR is %x", value)
			}
		}
	}
	stat := map[string]string{"amd64": "32", "arm64": "40"}[runtime.GOARCH]
	expect(t, got,
		"fstat 1.0:"+stat+"o",
		"getsockopt 4.0:4 4.0:4o 3.0:4o",
		"getpeername 2.0:4 2.0:4o 1.0:0o",
		"getpeername 2.0:4 2.0:4o 1.0:4o",
		"getpeername 2.0:4 2.0:4o 1.0:16o",
		"rt_sigaction 1.0:32 2.0:32o",
		"rt_sigprocmask 1.0:8 2.0:8o",
		"ppoll 0.0:16 2.0:16 3.0:8 0.0:16o 2.0:16o",
		"uname 0.0:130o",
		"fcntl 2.0:24",
		"ioctl 2.0:4o",
		"sendmmsg 1.0:56 1.3:16 1.1:16 1.2:3 1.7:64o",
		"recvmsg 1.5:12 1.0:56o 1.3:16o 1.1:16o 1.2:3o",
		"wait4 1.0:4o 3.0:32o",
	)
}

// TestVerboseStructs records structs whole, also after the programs were replaced.
func TestVerboseStructs(t *testing.T) {
	whole := small
	whole.VerboseStructs = true
	i := load(t, whole)
	if !i.Pool().VerboseStructs {
		t.Error("the option is not kept")
	}
	for n, name := range []string{"/rt-verbose", "/rt-verbose-replaced"} {
		d := container(t, i, name)
		if state := work(t, d, "structs"); !state.Success() {
			t.Fatal(state)
		}
		var got []string
		for _, c := range calls(t, i, name[1:]) {
			if s := c.Syscall(); string(c.Comm) == "worker" && s != nil && (s.Name == "fstat" || s.Name == "uname") {
				got = append(got, captured(&c))
				if text := string((&syscalls.Text{Verbose: true}).Append(nil, &c)); strings.Contains(text, "...") ||
					!strings.Contains(text, "st_ino=") && !strings.Contains(text, "machine=") {
					t.Error(text)
				}
			}
		}
		stat := map[string]string{"amd64": "144", "arm64": "128"}[runtime.GOARCH]
		expect(t, got, "fstat 1.0:"+stat+"o", "uname 0.0:390o")
		if n == 0 {
			if _, err := bpf.Load(i.Dir, bpf.Options{Pool: whole, Replace: bpf.ReplaceAll}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func structsWorker() {
	child, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	must(err)
	refused, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	must(err)
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(err)
	loopback := [4]byte{127, 0, 0, 1}
	must(unix.Bind(udp, &unix.SockaddrInet4{Addr: loopback}))
	name, err := unix.Getsockname(udp)
	must(err)
	port := name.(*unix.SockaddrInet4).Port
	peer, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(err)
	must(unix.Connect(peer, &unix.SockaddrInet4{Addr: loopback, Port: port}))
	if err := unix.Connect(refused, &unix.SockaddrInet4{Addr: loopback, Port: 1}); err != unix.EINPROGRESS {
		panic(err)
	}
	address := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: loopback}
	*(*[2]byte)(unsafe.Pointer(&address.Port)) = [2]byte{byte(port >> 8), byte(port)}
	data := []byte("abc")
	part := unix.Iovec{Base: &data[0], Len: 3}
	type mmsghdr struct {
		unix.Msghdr
		_ uint32
	}
	out := mmsghdr{Msghdr: unix.Msghdr{Name: (*byte)(unsafe.Pointer(&address)), Namelen: 16, Iov: &part, Iovlen: 1}}
	var from unix.RawSockaddrInet6
	received := make([]byte, 100)
	room := unix.Iovec{Base: &received[0], Len: 100}
	in := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&from)), Namelen: 28, Iov: &room, Iovlen: 1}
	worker()
	var (
		stat       unix.Stat_t
		value      int32
		length     uint32
		sigaction  [4]uint64
		set        uint64
		timeout    = unix.Timespec{Nsec: 1}
		polled     = [2]unix.PollFd{{Fd: -1}, {Fd: int32(udp), Events: unix.POLLOUT}}
		utsname    unix.Utsname
		lock       = unix.Flock_t{Type: unix.F_UNLCK}
		status     int32
		usage      unix.Rusage
		peerBuffer [28]byte
	)
	raw(unix.SYS_FSTAT, 0, pointer(&stat))
	length = 4
	raw(unix.SYS_GETSOCKOPT, uintptr(refused), unix.SOL_SOCKET, unix.SO_ERROR, pointer(&value), pointer(&length))
	for _, length = range []uint32{0, 4, 28} {
		raw(unix.SYS_GETPEERNAME, uintptr(peer), pointer(&peerBuffer), pointer(&length))
	}
	raw(unix.SYS_RT_SIGACTION, uintptr(unix.SIGUSR2), 0, pointer(&sigaction), 8)
	raw(unix.SYS_RT_SIGACTION, uintptr(unix.SIGUSR2), pointer(&sigaction), pointer(&sigaction), 8)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, pointer(&set), pointer(&set), 8)
	raw(unix.SYS_PPOLL, pointer(&polled), 2, pointer(&timeout), pointer(&set), 8)
	raw(unix.SYS_UNAME, pointer(&utsname))
	raw(unix.SYS_FCNTL, 0, unix.F_SETLK, pointer(&lock))
	raw(unix.SYS_IOCTL, uintptr(udp), unix.TIOCINQ, pointer(&value))
	raw(unix.SYS_SENDMMSG, uintptr(peer), pointer(&out), 1, 0)
	raw(unix.SYS_RECVMSG, uintptr(udp), pointer(&in), 0)
	raw(unix.SYS_WAIT4, uintptr(child.Pid), pointer(&status), 0, pointer(&usage))
	runtime.KeepAlive(&out)
	runtime.KeepAlive(&in)
}

// TestBytes checks how long the records are of a program that reads a small file whose path it has opened before. They
// took 88, 64, 88 and 56 bytes when a record had neither the file nor the result of fstat.
func TestBytes(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-bytes")
	if state := work(t, d, "bytes"); !state.Success() {
		t.Fatal(state)
	}
	r, err := i.Recording(int(identity(t, i, "rt-bytes").Ring) - 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Lanes[abi.LaneRecent].Read(0, false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var sizes []int
	for _, record := range s.Records {
		var c syscalls.Call
		if err := c.Decode(record); err != nil {
			t.Fatal(err)
		}
		const ours = "openat fstat read close" // Go's other threads make calls, too
		if s := c.Syscall(); string(c.Comm) == "worker" && s != nil && slices.Contains(strings.Fields(ours), s.Name) {
			names, sizes = append(names, c.Syscall().Name), append(sizes, (len(record)+7)&^7)
		}
	}
	before := 88 + 64 + 88 + 56
	if runtime.GOARCH == "arm64" {
		before += 8 // its struct stat is 8 bytes longer from the mode to the size
	}
	first := slices.Index(names, "fstat") - 1
	if first < 0 || len(names) < first+4 || names[first] != "openat" || names[first+3] != "close" {
		t.Fatalf("recorded %v", names)
	}
	sum := 0
	for _, size := range sizes[first:][:4] {
		sum += size
	}
	if t.Log(names[first:][:4], sizes[first:][:4]); sum > before*5/4 {
		t.Errorf("they take %d bytes, and took %d", sum, before)
	}
}

// bytesWorker reads a file of 14 bytes, whose path has 13, several times.
func bytesWorker() {
	const name = "small-file-13"
	must(os.Chdir(os.TempDir()))
	path := cString(name)
	must(os.WriteFile(name, []byte("0123456789abc\n"), 0o600))
	defer os.Remove(name)
	var stat unix.Stat_t
	buffer := make([]byte, 4096)
	worker()
	for range 3 {
		at := unix.AT_FDCWD
		fd, errno := raw(unix.SYS_OPENAT, uintptr(at), pointer(path), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errno != 0 {
			panic(errno)
		}
		raw(unix.SYS_FSTAT, fd, pointer(&stat))
		raw(unix.SYS_READ, fd, pointer(&buffer[0]), 4096)
		raw(unix.SYS_CLOSE, fd)
	}
}

// TestResolved records the files that calls opened and the directories that they entered, as the kernel sees them.
func TestResolved(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-resolved")
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := command(d, os.Args[0])
	c.Env = as("resolved", "DIR="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got []string
	var inode uint64
	for _, c := range calls(t, i, "rt-resolved") {
		if file, ok := c.File(); ok && (string(c.Comm) == "worker" || c.Syscall().Name == "execve") {
			got = append(got, fmt.Sprintf("%s %s = %d", c.Syscall().Name, strings.ReplaceAll(file.Path, dir, "DIR"), c.Result))
			if file.Path == dir+"/f" {
				inode = file.Inode
			} else if file.Path == "" && file.Inode != inode {
				t.Error("another inode")
			}
		}
	}
	program, err := filepath.EvalSymlinks("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got,
		"openat DIR/f = 0",
		"chdir DIR = 0",
		"openat DIR/f = 0",
		"openat  = 0", // known
		"openat DIR/f = 0",
		"openat DIR/s/f = 0",
		"openat DIR/t/f = 0",
		"execve "+program+" = 0",
	)
	for _, line := range lines(calls(t, i, "rt-resolved"), "true") {
		if strings.HasPrefix(line, "execve(") && !strings.Contains(line, ` "/bin/true"`) {
			t.Error(line)
		}
	}
}

// TestRaced changes a path while calls open it: each record has the inode of the file that was opened, and its path
// unless the record that is kept of such a call has it for the same file.
func TestRaced(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-raced")
	dir := t.TempDir()
	inodes := make(map[string]uint64)
	for _, name := range []string{"A", "B"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var stat unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, name), &stat); err != nil {
			t.Fatal(err)
		}
		inodes[filepath.Join(dir, name)] = stat.Ino
	}
	c := command(d, os.Args[0])
	c.Env = as("raced", "DIR="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	type place struct {
		path  string
		inode uint64
	}
	kept := make(map[place]string)
	var opens, differ int
	for _, c := range calls(t, i, "rt-raced") {
		file, ok := c.File()
		if string(c.Comm) != "worker" || !ok || c.Syscall().Name != "openat" {
			continue
		}
		given := string(c.Capture(1).Data)
		path := file.Path
		if opens++; path == "" {
			path = kept[place{given, file.Inode}]
		} else {
			kept[place{given, file.Inode}] = path
		}
		if path != given {
			differ++
		}
		if inodes[path] != file.Inode {
			t.Errorf("%s is said to be inode %d: %+v", given, file.Inode, file)
		}
	}
	if t.Logf("%d opens, %d of another file than the hook saw", opens, differ); opens < 100 {
		t.Error("too few")
	}
}

// TestLinks opens a link that leads to another file later: the lanes of new calls have the path of each file, once.
func TestLinks(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-links")
	dir := t.TempDir()
	run(t, d, "/bin/sh", "-c", `cd "$0" && : >A && : >B || exit; ln -s A link
		cat link; cat link; ln -sfn B link; cat link; cat link
		ln -sfn A link; cat link; rm B; : >B; ln -sfn B link; cat link`, dir)
	var got []string
	for _, n := range []int{abi.LaneFirst, abi.LaneFiles} {
		for _, c := range lane(t, i, "rt-links", n) {
			if file, ok := c.File(); ok && c.Syscall().Name == "openat" && string(c.Capture(1).Data) == "link" {
				got = append(got, strings.ReplaceAll(file.Path, dir, "DIR"))
			}
		}
	}
	expect(t, got, "DIR/A", "DIR/B")
}

// TestStatuses ends processes with several statuses: the lanes of new calls have each of them.
func TestStatuses(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-statuses")
	run(t, d, "/bin/sh", "-c", "for n in 0 1 0 3 1; do (exit $n); done; sleep 1000 & kill -9 $!; wait")
	var got []int64
	for _, n := range []int{abi.LaneFirst, abi.LaneDistinct} {
		for _, c := range lane(t, i, "rt-statuses", n) {
			if c.Unfinished {
				got = append(got, c.Result)
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]int64{0, 9, 1 << 8, 3 << 8}, slices.Compact(got)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

// TestKilledPrograms ends two programs by the same signal: the lanes of new calls have it once for each. A signal is
// none of the system calls that are counted.
func TestKilledPrograms(t *testing.T) {
	i := load(t, small)
	run(t, container(t, i, "/rt-killed"), "/bin/sh", "-c",
		`killed() {
			"$@" & until read _ comm state _ </proc/$!/stat && [ "$comm $state" = "($1) S" ]; do :; done
			kill -9 $!; wait
		}
		killed sleep 1000; killed sleep 1000; killed tail -f /dev/null`)
	var got []string
	for _, n := range []int{abi.LaneFirst, abi.LaneDistinct} {
		for _, line := range lane(t, i, "rt-killed", n) {
			if text := string(line.AppendText(nil)); strings.Contains(text, "SIGKILL") && line.Event() {
				got = append(got, string(line.Comm)+text[:3])
			}
		}
	}
	slices.Sort(got)
	expect(t, got, "sleep+++", "sleep---", "tail+++", "tail---")
	r, err := i.Recording(int(identity(t, i, "rt-killed").Ring) - 1)
	if err != nil {
		t.Fatal(err)
	}
	totals, _ := r.Totals()
	for index, total := range totals {
		if name := syscalls.NameAt(index); total.Count > 0 && name == "other" {
			t.Errorf("%d other calls are counted", total.Count)
		}
	}
}

func racedWorker() {
	path := []byte(os.Getenv("DIR") + "/A\x00")
	last, stop := &path[len(path)-2], make(chan bool)
	go func() {
		runtime.LockOSThread()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				*last = "AB"[n&1] // a race on purpose
			}
		}
	}()
	worker()
	at := unix.AT_FDCWD
	for range 1000 {
		fd, errno := raw(unix.SYS_OPENAT, uintptr(at), pointer(&path[0]), unix.O_RDONLY, 0)
		if errno != 0 {
			panic(errno)
		}
		raw(unix.SYS_CLOSE, fd)
	}
	close(stop)
}

// resolvedWorker opens files as descriptor 0, and executes a program whose path is in a page that was never touched.
func resolvedWorker() {
	dir := os.Getenv("DIR")
	path, relative, directory, linked := cString(dir+"/f"), cString("f"), cString(dir), cString("link/f")
	must(os.WriteFile(dir+"/page", append(make([]byte, 4080), "/bin/true\x00      "...), 0o600))
	page, err := os.Open(dir + "/page")
	must(err)
	mapped, err := unix.Mmap(int(page.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	must(err)
	arguments := [2]uintptr{pointer(cString("true"))}
	worker()
	at := unix.AT_FDCWD
	open := func(path *byte) {
		raw(unix.SYS_CLOSE, 0)
		if fd, errno := raw(unix.SYS_OPENAT, uintptr(at), pointer(path), unix.O_RDONLY, 0); fd != 0 {
			panic(errno)
		}
	}
	open(path)
	raw(unix.SYS_CHDIR, pointer(directory))
	open(relative)
	open(relative)
	// The path of another file from now on.
	must(os.WriteFile(dir+"/g", nil, 0o600))
	must(os.Rename(dir+"/g", dir+"/f"))
	open(relative)
	// The same file in two directories.
	for _, name := range []string{"/s", "/t"} {
		must(os.Mkdir(dir+name, 0o700))
		must(os.Link(dir+"/f", dir+name+"/f"))
		must(os.Symlink(dir+name, dir+"/new"))
		must(os.Rename(dir+"/new", dir+"/link"))
		open(linked)
	}
	raw(unix.SYS_EXECVE, pointer(&mapped[4080]), pointer(&arguments), 0)
}
