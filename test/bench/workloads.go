// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A workload makes one call or some calls.
type workload struct {
	name  string
	calls int // that one run of it makes
	// prepare opens what the calls need, and returns a function that makes them.
	prepare func() (func(), error)
}

// make returns a function that makes n calls.
func (w workload) make() (func(n int), error) {
	once, err := w.prepare()
	return func(n int) {
		for range n / w.calls {
			once()
		}
	}, err
}

// The tables of `bench calls` and `bench classes` have these workloads, in this order.
var (
	plain = []workload{
		{"getppid", 1, func() (func(), error) { return func() { call(unix.SYS_GETPPID) }, nil }},
		{"getpriority", 1, func() (func(), error) { return func() { call(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS) }, nil }},
		{"write64", 1, func() (func(), error) { return transfer("/dev/null", unix.SYS_WRITE) }},
		{"read64", 1, func() (func(), error) { return transfer("/dev/zero", unix.SYS_READ) }},
		{"access", 1, func() (func(), error) {
			return func() { call(unix.SYS_FACCESSAT, here, pointer(&hosts[0])) }, nil
		}},
	}
	classes = []workload{
		{"fstat", 1, func() (func(), error) {
			fd, err := unix.Open("/etc/hosts", unix.O_RDONLY, 0)
			var status unix.Stat_t
			return func() { call(unix.SYS_FSTAT, uintptr(fd), pointer(&status)) }, err
		}},
		{fileCalls, 4, func() (func(), error) {
			var status unix.Stat_t
			content := make([]byte, 256)
			return func() {
				fd := call(unix.SYS_OPENAT, here, pointer(&hosts[0]), unix.O_CLOEXEC)
				call(unix.SYS_FSTAT, fd, pointer(&status))
				call(unix.SYS_READ, fd, pointer(&content[0]), uintptr(len(content)))
				call(unix.SYS_CLOSE, fd)
			}, nil
		}},
		{"getdents64, lseek", 2, func() (func(), error) {
			fd, err := unix.Open("/etc", unix.O_RDONLY|unix.O_DIRECTORY, 0)
			entries := make([]byte, 1024)
			return func() {
				call(unix.SYS_GETDENTS64, uintptr(fd), pointer(&entries[0]), uintptr(len(entries)))
				call(unix.SYS_LSEEK, uintptr(fd), 0, unix.SEEK_SET)
			}, err
		}},
		{"rt_sigprocmask", 1, func() (func(), error) {
			var set, old uint64
			return func() { call(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, pointer(&set), pointer(&old), 8) }, nil
		}},
		{"rt_sigaction", 1, func() (func(), error) {
			var old [8]uint64
			return func() { call(unix.SYS_RT_SIGACTION, uintptr(unix.SIGUSR2), 0, pointer(&old), 8) }, nil
		}},
		{"clock_gettime", 1, func() (func(), error) {
			var now unix.Timespec
			return func() { call(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, pointer(&now)) }, nil
		}},
		{"futex", 1, func() (func(), error) {
			var word uint32
			return func() { call(unix.SYS_FUTEX, pointer(&word), futexWake, 1) }, nil
		}},
		{"ppoll", 1, func() (func(), error) {
			_, w, err := pipe()
			fds := []unix.PollFd{{Fd: w, Events: unix.POLLOUT}}
			var timeout unix.Timespec
			return func() { call(unix.SYS_PPOLL, pointer(&fds[0]), 1, pointer(&timeout), 0, 8) }, err
		}},
		{"epoll_pwait", 1, func() (func(), error) {
			_, w, err := pipe()
			if err != nil {
				return nil, err
			}
			fd, err := unix.EpollCreate1(0)
			if err != nil {
				return nil, err
			}
			events := make([]unix.EpollEvent, 4)
			err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(w), &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: w})
			return func() { call(unix.SYS_EPOLL_PWAIT, uintptr(fd), pointer(&events[0]), 4, 0, 0, 8) }, err
		}},
		{"ioctl", 1, func() (func(), error) {
			r, _, err := pipe()
			var available int32
			return func() { call(unix.SYS_IOCTL, uintptr(r), unix.TIOCINQ, pointer(&available)) }, err
		}},
		{"socket, close", 2, func() (func(), error) {
			return func() { call(unix.SYS_CLOSE, call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM)) }, nil
		}},
		{"pipe2, close, close", 3, func() (func(), error) {
			var ends [2]int32
			return func() {
				call(unix.SYS_PIPE2, pointer(&ends[0]))
				call(unix.SYS_CLOSE, uintptr(ends[0]))
				call(unix.SYS_CLOSE, uintptr(ends[1]))
			}, nil
		}},
		{"getsockopt", 1, func() (func(), error) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			var value int32
			length := uint32(unsafe.Sizeof(value))
			return func() {
				call(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR, pointer(&value), pointer(&length))
			}, err
		}},
		{"getsockname", 1, func() (func(), error) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			var address unix.RawSockaddrInet4
			length := uint32(unsafe.Sizeof(address))
			return func() { call(unix.SYS_GETSOCKNAME, uintptr(fd), pointer(&address), pointer(&length)) }, err
		}},
		{"sendmsg, recvmsg", 2, func() (func(), error) {
			ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			parts := make([]unix.Iovec, 2)
			for i := range parts {
				parts[i].Base = &make([]byte, 32)[0]
				parts[i].SetLen(32)
			}
			message := unix.Msghdr{Iov: &parts[0]}
			message.SetIovlen(len(parts))
			return func() {
				call(unix.SYS_SENDMSG, uintptr(ends[0]), pointer(&message))
				call(unix.SYS_RECVMSG, uintptr(ends[1]), pointer(&message))
			}, err
		}},
		{"execve of no program", 1, func() (func(), error) {
			name, err := unix.BytePtrFromString("/etc/hosts/no-program")
			args := []*byte{name, name, name, nil}
			return func() { call(unix.SYS_EXECVE, pointer(name), pointer(&args[0]), pointer(&args[3])) }, err
		}},
	}
)

var (
	hosts = []byte("/etc/hosts\x00")
	here  = func() uintptr { fd := unix.AT_FDCWD; return uintptr(fd) }()
)

const (
	fileCalls = "openat, fstat, read, close"
	futexWake = 1
)

// call makes a call with at most six arguments, and returns its result.
func call(number uintptr, arguments ...uintptr) uintptr {
	var a [6]uintptr
	copy(a[:], arguments)
	result, _, _ := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return result
}

func pointer[T any](to *T) uintptr { return uintptr(unsafe.Pointer(to)) }

// pipe makes a pipe that stays open.
func pipe() (r, w int32, err error) {
	var ends [2]int
	err = unix.Pipe2(ends[:], 0)
	return int32(ends[0]), int32(ends[1]), err
}

// transfer returns a function that reads or writes 64 bytes.
func transfer(file string, number uintptr) (func(), error) {
	fd, err := unix.Open(file, unix.O_RDWR, 0)
	buffer := []byte(strings.Repeat("x", 64))
	return func() { call(number, uintptr(fd), pointer(&buffer[0]), 64) }, err
}

// prepared returns all workloads by name.
func prepared() (map[string]func(n int), error) {
	made := make(map[string]func(n int))
	var errs []error
	for _, w := range append(plain, classes...) {
		f, err := w.make()
		made[w.name] = f
		errs = append(errs, err)
	}
	return made, errors.Join(errs...)
}
