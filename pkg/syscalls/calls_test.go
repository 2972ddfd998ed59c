// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// number returns the number of a call by its name.
func number(t testing.TB, abi syscalls.ABI, name string) syscalls.Nr {
	t.Helper()
	if nr, ok := syscalls.Find(abi, name); ok {
		return nr
	}
	t.Fatalf("%v has no %s", abi, name)
	return 0
}

// call makes a finished call of amd64 with the given arguments.
func call(t testing.TB, name string, result int64, args ...uint64) syscalls.Call {
	t.Helper()
	c := syscalls.Call{
		Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: number(t, syscalls.AMD64, name),
		Time: 1e9, Duration: 1500, TID: 42, PID: 41, CPU: 1, Comm: []byte("ls"),
		Result: result, NArgs: len(args),
	}
	copy(c.Args[:], args)
	return c
}

// with adds the memory that an argument points to.
func with(c syscalls.Call, arg int, data string) syscalls.Call {
	c.Captures = append(slices.Clip(c.Captures), syscalls.Capture{Arg: arg, Data: []byte(data)})
	return c
}

// gathered adds iovecs that an argument points to, or that its struct msghdr has, and what they point to.
func gathered(c syscalls.Call, arg int, pieces ...string) syscalls.Call {
	var vector []byte
	for _, p := range pieces {
		vector = binary.LittleEndian.AppendUint64(vector, pointer)
		vector = binary.LittleEndian.AppendUint64(vector, uint64(len(p)))
	}
	c.Captures = append(slices.Clip(c.Captures), syscalls.Capture{Arg: arg, Part: abi.PartVector, Data: vector})
	for _, p := range pieces {
		c.Captures = append(c.Captures, syscalls.Capture{Arg: arg, Part: abi.PartData, Data: []byte(p)})
	}
	return c
}

// on moves a call to another ABI of the same machine, under the number that name has there.
func on(t testing.TB, c syscalls.Call, native, abi syscalls.ABI, name string) syscalls.Call {
	t.Helper()
	c.Native, c.ABI, c.Nr = native, abi, number(t, abi, name)
	return c
}

const (
	minus100 = 1<<64 - 100
	pointer  = 0x7ffe4b2c
)

// mix returns calls as an ordinary program makes them, for the golden test and the benchmark.
func mix(t testing.TB) []syscalls.Call {
	return []syscalls.Call{
		with(call(t, "execve", 0, 0xc000012345, 0xc000054321, 0xc000099999), 0, "/usr/bin/ls"),
		call(t, "brk", 0x55d0c0a3c000, 0),
		with(call(t, "openat", 3, minus100, pointer, 0o2000000, 0), 1, "/etc/ld.so.cache"),
		call(t, "fstat", 0, 3, 0x7ffe4b2c1000),
		call(t, "mmap", 0x7f1234560000, 0, 8192, 3, 0x22, 1<<64-1, 0),
		call(t, "close", 0, 3),
		with(call(t, "newfstatat", -2, minus100, 0xf2ac60, 0x7ffe4b2c1000, 0x100), 1, "/bin/wc"),
		with(call(t, "write", 20, 4, 0xc000114000, 20), 1, "{\"type\":\"procReady\"}"),
		with(call(t, "read", 5, 0, pointer, 4096), 1, "hello"),
		call(t, "getppid", 1),
		call(t, "futex", 0, 0x5a1180, 0x80, 0, 0, 0, 0),
		call(t, "rt_sigprocmask", 0, 2, 0x7ffe4b2c1000, 0, 8),
		call(t, "getdents64", 480, 3, 0x55d0c0a3d000, 32768),
		call(t, "lseek", 0, 3, 0, 0),
		call(t, "ioctl", -25, 1, 0x5401, 0x7ffe4b2c1000),
		with(call(t, "access", -2, 0x7ffe4b2c1000, 4), 0, "/etc/ld.so.preload"),
	}
}
