// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// workers are functions that the test binary runs in a cgroup. Each first names its thread "worker", so that its calls
// can be told from those of the Go runtime.
var workers = map[string]func(){
	"load":          loadWorker,
	"lanes":         lanesWorker,
	"flood":         floodWorker,
	"said":          saidWorker,
	"open":          openWorker,
	"calls":         callsWorker,
	"unmapped":      unmappedWorker,
	"vectors":       vectorsWorker,
	"refused":       refusedWorker,
	"blocked":       blockedWorker,
	"unknown":       unknownWorker,
	"patterns":      patternsWorker,
	"execs":         execsWorker,
	"badexecs":      badExecsWorker,
	"failing execs": failingExecsWorker,
	"oversized":     oversizedWorker,
	"numbered":      numberedWorker,
	"forks":         forksWorker,
	"replace":       replaceWorker,
	"fault":         faultWorker,
	"addresses":     addressesWorker,
	"structs":       structsWorker,
	"raced":         racedWorker,
	"bytes":         bytesWorker,
	"ring":          ringWorker,
	"resolved":      resolvedWorker,
	"descriptors":   descriptorsWorker,
	"contents":      contentsWorker,
}

func worker() {
	runtime.LockOSThread()
	must(unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(cString("worker"))), 0, 0, 0))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func cString(s string) *byte {
	b, err := unix.BytePtrFromString(s)
	must(err)
	return b
}

func raw(number uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return r, errno
}

// The descriptors that workers use. The numbers are high, so that they do not collide with those that the Go runtime
// and the test's parent left open.
const in, out = 100, 101

func fixed(pair [2]int) {
	must(unix.Dup3(pair[0], in, 0))
	must(unix.Dup3(pair[1], out, 0))
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func callsWorker() {
	path, long := cString("/nonexistent/\x1b[31mred"), cString("/"+string(bytes.Repeat([]byte("x"), 300)))
	exact := cString("/" + string(bytes.Repeat([]byte("y"), 127)))
	data := bytes.Repeat([]byte("0123456789"), 30)
	var fds [2]int32
	worker()
	raw(unix.SYS_GETPPID)
	at := unix.AT_FDCWD
	raw(unix.SYS_OPENAT, uintptr(at), pointer(path), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	raw(unix.SYS_OPENAT, uintptr(at), pointer(long), unix.O_RDONLY, 0)
	raw(unix.SYS_OPENAT, uintptr(at), pointer(exact), unix.O_RDONLY, 0)
	raw(unix.SYS_PIPE2, pointer(&fds[0]), 0)
	raw(unix.SYS_DUP3, uintptr(fds[0]), in, 0)
	raw(unix.SYS_DUP3, uintptr(fds[1]), out, 0)
	raw(unix.SYS_WRITE, out, pointer(&data[0]), 5)
	raw(unix.SYS_WRITE, out, pointer(&data[0]), 300)
	buffer := make([]byte, 64)
	raw(unix.SYS_READ, in, pointer(&buffer[0]), 7)
	raw(unix.SYS_WRITE, out, 16, 4)
	raw(unix.SYS_WRITE, 999, pointer(&data[0]), 0)
	raw(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	raw(unix.SYS_LSEEK, 999, ^uintptr(4), 2)
	runtime.KeepAlive(data)
}

// unmappedWorker passes a path in a page of a file that is not in memory yet.
func unmappedWorker() {
	f, err := os.CreateTemp("", "unmapped")
	must(err)
	defer os.Remove(f.Name())
	page := make([]byte, 4096)
	copy(page[4096-12:], "/not/in/mem")
	_, err = f.Write(page)
	must(err)
	var fresh [4]uintptr // each in a separate page that was never touched
	for n := range fresh {
		mapped, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
		must(err)
		fresh[n] = pointer(&mapped[4096-12])
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	fixed(pair)
	// Two words each instead of an iovec, because the bases are not Go pointers.
	vector := [2]uintptr{fresh[2], 11}
	part := [2]uintptr{fresh[3], 11}
	message := unix.Msghdr{Iov: (*unix.Iovec)(unsafe.Pointer(&part)), Iovlen: 1}
	worker()
	at := unix.AT_FDCWD
	raw(unix.SYS_OPENAT, uintptr(at), fresh[0], unix.O_RDONLY, 0)
	raw(unix.SYS_WRITE, out, fresh[1], 11)
	raw(unix.SYS_WRITEV, out, pointer(&vector), 1)
	raw(unix.SYS_SENDMSG, out, pointer(&message), 0)
	runtime.KeepAlive(&vector)
	runtime.KeepAlive(&message)
}

func vectorsWorker() {
	a, b, c := []byte("one "), []byte("two "), bytes.Repeat([]byte("three"), 50)
	iov := []unix.Iovec{{Base: &a[0], Len: 4}, {Base: &b[0], Len: 4}, {Base: &c[0], Len: 250}}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	fixed(pair)
	message := unix.Msghdr{Iov: &iov[0], Iovlen: 2}
	first, second := make([]byte, 3), make([]byte, 100)
	iovIn := []unix.Iovec{{Base: &first[0], Len: 3}, {Base: &second[0], Len: 100}}
	address := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: 0x5000, Addr: [4]byte{127, 0, 0, 1}}
	worker()
	raw(unix.SYS_WRITEV, out, pointer(&iov[0]), 2)
	raw(unix.SYS_READV, in, pointer(&iovIn[0]), 2)
	raw(unix.SYS_SENDMSG, out, pointer(&message), 0)
	raw(unix.SYS_WRITEV, out, pointer(&iov[0]), 3)
	raw(unix.SYS_CONNECT, 999, pointer(&address), unsafe.Sizeof(address))
	// The recorded parts fill the capture to its last byte, and the ninth is beyond the limit.
	nine := make([]unix.Iovec, 9)
	sixteen, room := []byte("0123456789abcdef"), make([]byte, 9*16)
	for i := range nine {
		nine[i] = unix.Iovec{Base: &sixteen[0], Len: 16}
	}
	raw(unix.SYS_READ, in, pointer(&make([]byte, 512)[0]), 512)
	raw(unix.SYS_WRITEV, out, pointer(&nine[0]), 9)
	for i := range nine {
		nine[i].Base = &room[i*16]
	}
	raw(unix.SYS_READV, in, pointer(&nine[0]), 9)
	raw(unix.SYS_WRITEV, out, pointer(&nine[0]), 8)
	runtime.KeepAlive(iov)
}

// refusedWorker makes a call that a seccomp filter refuses before any tracepoint is reached.
func refusedWorker() {
	path := cString("/refused")
	worker()
	refuseMkdirat()
	at := unix.AT_FDCWD
	for _, high := range []uint64{0, 1 << 63, 1 << 32} { // the kernel does not look at these
		if _, errno := raw(uintptr(high)|unix.SYS_MKDIRAT, uintptr(at), pointer(path), 0o700); errno != unix.EPERM {
			panic(errno)
		}
		raw(uintptr(high)|unix.SYS_OPENAT, uintptr(at), pointer(path), unix.O_RDONLY, 0)
	}
}

// refuseMkdirat installs a seccomp filter that refuses mkdirat in the calling thread.
func refuseMkdirat() {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: unix.SYS_MKDIRAT},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x00050000 | uint32(unix.EPERM)}, // SECCOMP_RET_ERRNO
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fff0000},                      // SECCOMP_RET_ALLOW
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	must(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	must(unix.Prctl(unix.PR_SET_SECCOMP, 2, pointer(&program), 0, 0))
}

// blockedWorker reads from a pipe that is never written.
func blockedWorker() {
	var fds [2]int
	must(unix.Pipe(fds[:]))
	fixed(fds)
	buffer := make([]byte, 10)
	os.Stdout.WriteString("about to block\n")
	worker()
	raw(unix.SYS_READ, in, pointer(&buffer[0]), 10)
}

func unknownWorker() {
	worker()
	raw(999, 1, 2, 3)
	raw(70000, 1)
	raw(0x7fffffff, 1)
	raw(0xffffffff, 1)
}

// patternsWorker writes patterns from many threads until it is killed: in each call, all bytes are the same.
func patternsWorker() {
	fd, err := unix.Open("/dev/null", unix.O_WRONLY, 0)
	must(err)
	for n := range 8 {
		go func() {
			worker()
			buffer := bytes.Repeat([]byte{byte('a' + n)}, 100)
			for length := uintptr(1); ; length = length%100 + 1 {
				raw(unix.SYS_WRITE, uintptr(fd), pointer(&buffer[0]), length)
			}
		}()
	}
	select {}
}

func execsWorker() {
	worker()
	path := cString("/nonexistent")
	argv := []*byte{cString("zero"), cString("o\nne"), nil}
	empty := cString("")
	raw(unix.SYS_EXECVE, pointer(path), pointer(&argv[0]), 0)
	raw(unix.SYS_EXECVEAT, 999, pointer(empty), pointer(&argv[0]), 0, unix.AT_EMPTY_PATH)
	raw(unix.SYS_EXECVE, 16, 16, 0)
	raw(unix.SYS_EXECVE, pointer(path), 0, 0)
	fd, err := unix.Open("/bin/echo", unix.O_RDONLY, 0)
	must(err)
	argv[0] = cString("echo")
	raw(unix.SYS_EXECVEAT, uintptr(fd), pointer(empty), pointer(&argv[0]), 0, unix.AT_EMPTY_PATH)
}

// badExecsWorker passes arguments and environments of which the end, or all, is not in its memory.
func badExecsWorker() {
	page, err := unix.Mmap(-1, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	must(err)
	must(unix.Mprotect(page[4096:], unix.PROT_NONE))
	worker()
	path, x := cString("/nonexistent"), cString("x")
	last := (*[2]*byte)(unsafe.Pointer(&page[4080]))
	last[0], last[1] = x, x
	whole, endless := pointer(&[]*byte{x, nil}[0]), pointer(last)
	badString := pointer(&[]uintptr{pointer(x), 16, 0}[0])
	for _, given := range [][2]uintptr{
		{whole, endless}, {endless, whole}, {badString, whole}, {whole, 16}, {16, whole}, {0, 0},
	} {
		raw(unix.SYS_EXECVE, pointer(path), given[0], given[1])
	}
}

// oversizedWorker makes calls whose result is larger than the buffer.
func oversizedWorker() {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	must(err)
	fixed(pair)
	_, err = unix.Write(pair[0], bytes.Repeat([]byte("m"), 50))
	must(err)
	buffer := append(make([]byte, 0, 64), "12345678SECRET"...)
	worker()
	raw(unix.SYS_RECVFROM, out, pointer(&buffer[0]), 8, unix.MSG_TRUNC, 0, 0)
}

// numberedWorker makes numbered calls from two threads as fast as they can: 400 for each byte of its input, so that the
// reader of the ring can keep up. Then it prints, for each thread, the number of calls of each kind.
func numberedWorker() {
	var threads sync.WaitGroup
	var made [2][3]int
	for thread := range uintptr(2) {
		threads.Go(func() {
			worker()
			refuseMkdirat()
			nowhere, ticket := cString("/nonexistent"), make([]byte, 1)
			n := &made[thread]
			for {
				if got, _ := raw(unix.SYS_READ, 0, pointer(&ticket[0]), 1); got != 1 {
					return
				}
				for range 200 {
					raw(unix.SYS_LSEEK, 999, uintptr(n[0]), thread)
					n[0]++
					raw(unix.SYS_MKDIRAT, thread, 0, uintptr(n[1]))
					n[1]++
				}
				argv := []*byte{cString(strconv.Itoa(n[2]*2 + int(thread))), nil}
				raw(unix.SYS_EXECVE, pointer(nowhere), pointer(&argv[0]), 0)
				n[2]++
			}
		})
	}
	threads.Wait()
	must(json.NewEncoder(os.Stdout).Encode(made))
}

// replaceWorker replaces the programs, but kills itself after a number of steps.
func replaceWorker() {
	left, err := strconv.Atoi(os.Getenv("RUNC_TRACE_TEST_STEPS"))
	must(err)
	bpf.AfterReplaceStep(func() {
		if left--; left == 0 {
			must(unix.Kill(os.Getpid(), unix.SIGKILL))
			select {}
		}
	})
	_, err = bpf.Load(os.Getenv("RUNC_TRACE_TEST_DIR"), bpf.Options{Pool: small, Replace: bpf.ReplaceAll})
	must(err)
}

// failingExecsWorker executes a program that does not exist, so often that it would push everything out of the exec
// log.
func failingExecsWorker() {
	for range 5000 {
		_ = unix.Exec("/nonexistent", []string{"x"}, nil)
	}
}
