// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

const (
	uringOpenAt  = 18 // IORING_OP_OPENAT
	uringMkdirAt = 37
)

// TestRing records the operations that a program submits to an io_uring, the paths that they name, and their results.
func TestRing(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-ring")
	if state := work(t, d, "ring"); state.ExitCode() == skipped {
		t.Skip("the kernel lets nobody use io_uring")
	} else if !state.Success() {
		t.Fatal(state)
	}
	var operations []byte
	var names []string
	results := make(map[uint64]int32)
	for _, c := range calls(t, i, "rt-ring") {
		if c.Syscall() == nil || c.Syscall().Name != "io_uring_enter" {
			continue
		}
		for _, p := range c.Captures {
			switch p.Part {
			case abi.PartSubmission:
				operations = append(operations, p.Data[0])
			case abi.PartName:
				names = append(names, string(p.Data))
			case abi.PartCompletions:
				for cqe := p.Data; len(cqe) >= 16; cqe = cqe[16:] {
					results[binary.NativeEndian.Uint64(cqe)] = int32(binary.NativeEndian.Uint32(cqe[8:]))
				}
			}
		}
	}
	if string(operations) != string([]byte{uringOpenAt, uringMkdirAt}) || len(names) != 2 ||
		names[0] != "/not/there" || names[1] != "/proc/none" || results[1] != -int32(unix.ENOENT) || results[2] >= 0 {
		t.Errorf("operations %d of %q with the results %v", operations, names, results)
	}
}

const skipped = 77 // exit code of ringWorker if there is no io_uring

// ringWorker opens a file and makes a directory by way of an io_uring.
func ringWorker() {
	type sqe struct {
		opcode, flags  uint8
		priority       uint16
		fd             int32
		off, addr      uint64
		length, op     uint32
		user           uint64
		buffer, person uint16
		splice         int32
		_              [2]uint64
	}
	var params [30]uint32
	fd, errno := raw(unix.SYS_IO_URING_SETUP, 4, pointer(&params))
	if errno != 0 {
		unix.Exit(skipped)
	}
	const sqes = 0x10000000 // IORING_OFF_SQES
	ring, err := unix.Mmap(int(fd), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	entries, err := unix.Mmap(int(fd), sqes, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	path, directory := cString("/not/there"), cString("/proc/none")
	at := unix.AT_FDCWD
	queue := unsafe.Slice((*sqe)(unsafe.Pointer(&entries[0])), 4)
	queue[0] = sqe{opcode: uringOpenAt, fd: int32(at), addr: uint64(pointer(path)), user: 1}
	queue[1] = sqe{opcode: uringMkdirAt, fd: int32(at), addr: uint64(pointer(directory)), length: 0o700, user: 2}
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&ring[offset])) }
	*word(params[16]), *word(params[16] + 4) = 0, 1 // the array
	*word(params[11]) = 2                           // the tail
	worker()
	const getEvents = 1
	if n, errno := raw(unix.SYS_IO_URING_ENTER, fd, 2, 2, getEvents, 0, 0); n != 2 {
		panic(errno)
	}
	runtime.KeepAlive(path)
	runtime.KeepAlive(directory)
}
