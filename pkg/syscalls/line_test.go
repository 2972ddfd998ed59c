// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// decoded encodes and decodes a call, so that tests contain only lines that a record can produce.
func decoded(t *testing.T, c syscalls.Call) *syscalls.Call {
	t.Helper()
	d := &syscalls.Call{Native: c.Native}
	if err := d.Decode(recordtest.Append(nil, &c)); err != nil {
		t.Fatal(err)
	}
	return d
}

// argument is an argument of a call in JSON.
type argument struct {
	Name, Value            string
	Data                   *string
	Truncated, Fault, Late bool
}

func arguments(t *testing.T, j syscalls.JSON) (list []argument) {
	t.Helper()
	if err := json.Unmarshal(j.Args, &list); err != nil {
		t.Fatalf("%v: %s", err, j.Args)
	}
	return list
}

func TestAppendText(t *testing.T) {
	var b strings.Builder
	for _, c := range append(mix(t), calls(t)...) {
		b.Write(decoded(t, c).AppendText(nil))
		b.WriteByte('\n')
	}
	golden(t, "testdata/lines.txt", b.String())
}

// calls returns an example of everything that has its own format.
func calls(t *testing.T) []syscalls.Call {
	unfinished := func(c syscalls.Call, status int64) syscalls.Call {
		c.Unfinished, c.Result = true, status
		return c
	}
	marked := func(c syscalls.Call, f func(*syscalls.Capture)) syscalls.Call {
		c.Captures = slices.Clone(c.Captures)
		f(&c.Captures[len(c.Captures)-1])
		return c
	}
	truncated := func(c syscalls.Call) syscalls.Call {
		return marked(c, func(p *syscalls.Capture) { p.Truncated = true })
	}
	none := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: syscalls.NumberNone}
	noneSegv, noneExit := none, none
	noneSegv.Result, noneExit.Result = 11|0x80, 3<<8
	unknown := call(t, "openat", -38, 1, 0, minus100)
	unknown.Nr = 999
	other := unknown
	other.Nr = syscalls.NumberOther
	noEnter := with(call(t, "openat", -1, minus100, pointer, 0, 0), 1, "/etc/shadow")
	noEnter.NoEnter = true
	seen := call(t, "clone", 0, 17)
	seen.NoEnter = true
	fewer := call(t, "openat", 3, 5)
	extra := call(t, "getpid", 7, 1, 2, 3)

	return []syscalls.Call{
		// files
		with(call(t, "openat", 3, minus100, pointer, 0o1101|0o2000000, 0o644), 1, "/tmp/out"),
		with(call(t, "openat", -13, 7, pointer, 0x80000000|2, 0), 1, "x"),
		with(call(t, "open", 3, pointer, 0o20200002, 0o600), 0, "/tmp"),
		with(with(call(t, "openat2", 3, minus100, pointer, 0x7fff0000, 24), 1, "etc"), 2,
			"\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00"),
		with(call(t, "faccessat2", 0, minus100, pointer, 5, 0x200), 1, "/bin/sh"),
		with(call(t, "unlinkat", 0, minus100, pointer, 0x200), 1, "/tmp/d"),
		with(with(call(t, "renameat2", 0, minus100, pointer, 1<<64-1, pointer, 1), 1, "a"), 3, "b"),
		with(with(call(t, "linkat", 0, minus100, pointer, minus100, pointer, 0x400), 1, "a"), 3, "b"),
		with(with(call(t, "readlink", 7, pointer, pointer, 64), 0, "/proc/self/exe"), 1, "/bin/ls"),
		with(call(t, "getcwd", 6, pointer, 4096), 0, "/root\x00"),
		with(call(t, "mknod", 0, pointer, 0o20666, 0x103), 0, "/dev/null"),
		with(call(t, "mkdir", 0, pointer, 0o755), 0, "/run/x"),
		call(t, "umask", 18, 0o22),
		with(call(t, "chown", 0, pointer, 1<<64-1, 0xffffffff), 0, "f"),
		with(call(t, "statx", 0, minus100, pointer, 0x900, 0x7ff, pointer), 1, "/"),
		with(with(with(call(t, "setxattr", 0, pointer, pointer, pointer, 4, 1), 0, "f"), 1, "user.k"), 2, "\x01\x00ab"),
		call(t, "lseek", -29, 0, 1<<64-5, 1),
		call(t, "fcntl", 0, 3, 2, 1),
		call(t, "fcntl", 0, 3, 4, 0o4002),
		call(t, "fcntl", 10, 3, 1030, 10),
		call(t, "fcntl", 0, 3, 1033, 15),
		call(t, "fcntl", 0, 3, 6, pointer),
		call(t, "flock", -11, 3, 6),
		call(t, "fallocate", 0, 3, 3, 0, 4096),
		with(with(call(t, "mount", 0, pointer, pointer, pointer, 0x1000|0x4000, 0), 0, "/src"), 1, "/dst"),
		with(call(t, "umount2", 0, pointer, 2), 0, "/mnt"),
		with(with(call(t, "pivot_root", 0, pointer, pointer), 0, "."), 1, "."),
		with(call(t, "memfd_create", 3, pointer, 3), 0, "seal"),
		call(t, "ioctl", 0, 1, 0x5413, pointer),
		call(t, "ioctl", -25, 1, 0xdeadbeef, 0),
		call(t, "close_range", 0, 3, 0xffffffff, 4),
		with(call(t, "pipe2", 0, pointer, 0o2000000), 0, "\x03\x00\x00\x00\x04\x00\x00\x00"),
		gathered(call(t, "writev", 6, 1, pointer, 2), 1, "foo", "bar"),
		gathered(call(t, "preadv2", 3, 1, pointer, 2, 0, 0, 8), 1, "ab", "c"),

		// strings
		with(call(t, "write", 9, 1, pointer, 9), 1, "\x00\x001\t\n\r\"\\\x1b\x7f\xc2\x9b\xff9"),
		with(call(t, "chdir", 0, pointer), 0, ""),
		with(call(t, "chdir", 0, pointer), 0, "/a\x00junk"),
		truncated(with(call(t, "write", 4096, 1, pointer, 4096), 1, "abc")),
		marked(with(call(t, "chdir", -14, 1), 0, ""), func(p *syscalls.Capture) { p.Fault = true }),
		with(call(t, "chdir", -14, 0), 0, ""),

		// memory
		call(t, "mmap", -12, 0x10000, 1<<40, 0, 0x21|0x100000, 7, 0x1000),
		call(t, "mmap", 0x7f0000000000, 0, 4096, 7|0x40000000, 0x30|4, 3, 0),
		call(t, "mprotect", 0, 0x7f0000000000, 4096, 1),
		call(t, "mremap", 0x7f0000000000, 0x7f0000000000, 4096, 8192, 1, 0),
		call(t, "munmap", 0, 0x7f0000000000, 4096),
		call(t, "madvise", 0, 0x7f0000000000, 4096, 4),
		call(t, "madvise", -22, 0x7f0000000000, 4096, 77),

		// processes
		call(t, "clone", 100, 0x01200011, 0, 0, 0x7f00, 0),
		call(t, "clone", 100, 0x3d0f00, 0x7f00, 0x7f10, 0x7f10, 0x7f20),
		call(t, "clone3", 100, pointer, 88),
		call(t, "unshare", -1, 0x10020080),
		call(t, "setns", 0, 3, 0x40000000),
		call(t, "wait4", 100, 1<<64-1, pointer, 3, 0),
		call(t, "waitid", 0, 1, 100, pointer, 5, 0),
		call(t, "kill", 0, 1<<64-1, 0),
		call(t, "tgkill", 0, 1, 1, 34),
		call(t, "rt_sigaction", 0, 17, pointer, 0, 8),
		call(t, "kill", -22, 1, 1<<64-7),
		call(t, "prctl", 0, 38, 1, 0, 0, 0),
		call(t, "arch_prctl", 0, 0x1002, 0x7f00),
		call(t, "prlimit64", 0, 0, 7, 0, pointer),
		call(t, "seccomp", 0, 1, 2, pointer),
		call(t, "setresuid", 0, 0xffffffff, 1000, 0xffffffff),
		call(t, "getrusage", 0, 0xffffffff, pointer),
		call(t, "futex", -110, pointer, 0x189, 1, pointer, 0, 0xffffffff),
		call(t, "epoll_ctl", 0, 3, 1, 4, pointer),
		with(call(t, "nanosleep", 0, pointer, 0), 0, "\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00"),
		with(call(t, "clock_nanosleep", -514, 1, 1, pointer, 0), 2,
			"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		call(t, "clock_gettime", 0, 1<<64-6, pointer),
		call(t, "bpf", -1, 5, pointer, 120),
		call(t, "ptrace", 0, 0x4206, 100, 0, 0),

		// sockets
		call(t, "socket", 3, 2, 0o2004001, 6),
		call(t, "socket", 3, 16, 3, 0),
		call(t, "socket", 3, 1, 1, 0),
		with(call(t, "connect", -115, 3, pointer, 16), 1, "\x02\x00\x00\x50\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
		with(call(t, "connect", 0, 3, pointer, 28), 1, "\x0a\x00\x01\xbb\x00\x00\x00\x00\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00"),
		with(call(t, "connect", -2, 3, pointer, 110), 1, "\x01\x00/run/x.sock\x00\x00\x00"),
		with(call(t, "bind", 0, 3, pointer, 8), 1, "\x01\x00\x00abs\x1bx"),
		with(call(t, "bind", 0, 3, pointer, 2), 1, "\x01\x00"),
		with(call(t, "bind", 0, 3, pointer, 12), 1, "\x10\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00"),
		truncated(with(call(t, "bind", 0, 3, pointer, 20), 1, "\x11\x00\x01\x02")),
		with(call(t, "bind", -22, 3, pointer, 1), 1, "\x02"),
		with(call(t, "accept4", 4, 3, pointer, pointer, 0o2000000), 1,
			"\x02\x00\xc3\x50\x0a\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"),
		with(call(t, "accept4", 4, 3, pointer, pointer, 0), 1, "\x01\x00"),
		with(with(call(t, "sendto", 2, 3, pointer, 2, 0x4000, pointer, 16), 1, "hi"), 4,
			"\x02\x00\x00\x35\x08\x08\x08\x08\x00\x00\x00\x00\x00\x00\x00\x00"),
		gathered(with(call(t, "recvmsg", 2, 3, pointer, 0x40000040), 1, strings.Repeat("\x00", 56)), 1, "hi"),
		truncated(with(call(t, "recvfrom", 1500, 3, pointer, 2, 0x20, 0, 0), 1, "hi, but not this")),
		with(call(t, "flistxattr", 9, 3, pointer, 0), 1, "not given"),
		call(t, "setsockopt", 0, 3, 1, 2, pointer, 4),
		call(t, "setsockopt", 0, 3, 6, 1, pointer, 4),
		call(t, "getsockopt", 0, 3, 41, 26, pointer, pointer),
		call(t, "getsockopt", -92, 3, 17, 100, pointer, pointer),
		call(t, "shutdown", 0, 3, 1),

		// results
		call(t, "read", -512, 0, pointer, 1),
		call(t, "read", -513, 0, pointer, 1),
		call(t, "poll", -516, 0, 0, 1<<64-1),
		call(t, "times", -5000, 0),
		call(t, "ioctl", -524, 3, 0, 0),
		call(t, "ioctl", -600, 3, 0, 0),
		noEnter, seen, fewer, extra, unknown, other,

		// ends
		unfinished(call(t, "exit_group", 0, 0), 0),
		unfinished(call(t, "exit", 0, 1<<64-1), 0),
		unfinished(call(t, "read", 0, 0, pointer, 10), 9),
		unfinished(call(t, "read", 0, 0, pointer, 10), 3<<8),
		noneSegv, noneExit,

		// other ABIs
		on(t, with(call(t, "open", 3, 0xfff00010, 0, 0), 0, "/etc/hosts"), syscalls.AMD64, syscalls.I386, "open"),
		on(t, call(t, "mmap", 0xf7fe0000, 0, 4096, 3, 0x22, 1<<64-1, 0), syscalls.AMD64, syscalls.I386, "mmap2"),
		on(t, call(t, "mmap", -0x20000, 0, 4096, 3, 0x22, 1<<64-1, 0), syscalls.ARM64, syscalls.ARM, "mmap2"),
		on(t, call(t, "getpid", 0, 1, 0xfff00010), syscalls.AMD64, syscalls.I386, "socketcall"),
		on(t, with(call(t, "pread64", 1, 3, 0xfff00010, 1, 0, 5, 1), 1, "x"), syscalls.ARM64, syscalls.ARM, "pread64"),
		on(t, call(t, "getpid", 0, 3, 0, 8), syscalls.AMD64, syscalls.X32, "readv"),
		on(t, call(t, "getpid", 9), syscalls.AMD64, syscalls.X32, "getpid"),
		on(t, with(call(t, "openat", 3, minus100, pointer, 0o40000|0o100000|0o2000000, 0), 1, "/"), syscalls.ARM64,
			syscalls.ARM64, "openat"),
		on(t, call(t, "clone", 100, 0x01200011, 0, 0, 0x7f00, 0x7f10), syscalls.ARM64, syscalls.ARM64, "clone"),
	}
}

func TestSplitLines(t *testing.T) {
	read := with(call(t, "read", 5, 0, pointer, 4096), 1, "hello")
	write := with(call(t, "write", 20, 4, pointer, 20), 1, "{\"type\":\"procReady\"}")
	pipe := with(call(t, "pipe2", 0, pointer, 0), 0, "\x03\x00\x00\x00\x04\x00\x00\x00")
	pipe.Captures[0].Output = true
	failed := call(t, "read", -4, 0, pointer, 4096)
	exit := call(t, "exit_group", 0, 0)
	exit.Unfinished = true
	none := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: syscalls.NumberNone, Result: 9}
	for _, test := range []struct {
		name                  string
		call                  syscalls.Call
		enter, exit, inFlight string
	}{
		{"output", read, `read(fd=0, buf=0x7ffe4b2c, count=4096)...`, `...read() = 5 "hello"`,
			`read(fd=0, buf=0x7ffe4b2c, count=4096) <unfinished ...>`},
		{"input", write, `write(fd=4, buf=0x7ffe4b2c "{\"type\":\"procReady\"}", count=20)...`, `...write() = 20`,
			`write(fd=4, buf=0x7ffe4b2c "{\"type\":\"procReady\"}", count=20) <unfinished ...>`},
		{"fds", pipe, `pipe2(fildes=0x7ffe4b2c, flags=0)...`, `...pipe2() = 0 [3, 4]`,
			`pipe2(fildes=0x7ffe4b2c, flags=0) <unfinished ...>`},
		{"failure", failed, `read(fd=0, buf=0x7ffe4b2c, count=4096)...`, `...read() = -1 EINTR (Interrupted system call)`,
			`read(fd=0, buf=0x7ffe4b2c, count=4096) <unfinished ...>`},
		{"exit", exit, `exit_group(error_code=0)...`, `...exit_group() = ?`, `exit_group(error_code=0) <unfinished ...>`},
		{"no call", none, `+++ killed by SIGKILL +++`, `+++ killed by SIGKILL +++`, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := decoded(t, test.call)
			got := []string{string(c.AppendEnter(nil)), string(c.AppendExit(nil)), string(c.AppendInFlight(nil))}
			if diff := cmp.Diff([]string{test.enter, test.exit, test.inFlight}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailed checks which calls --failed selects.
func TestFailed(t *testing.T) {
	unseen := func(c syscalls.Call) syscalls.Call { c.NoEnter = true; return c }
	ended := func(c syscalls.Call, status int64) syscalls.Call { c.Unfinished, c.Result = true, status; return c }
	none := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: syscalls.NumberNone}
	for _, test := range []struct {
		call syscalls.Call
		want bool
	}{
		{call(t, "getppid", 1), false},
		{call(t, "brk", -4097, 0), false},                    // an address
		{call(t, "close", -9, 99), true},                     // EBADF
		{call(t, "pause", -514), true},                       // interrupted by a signal
		{unseen(call(t, "mkdir", -1, 0, 0)), true},           // SECCOMP_RET_ERRNO
		{unseen(call(t, "mkdir", 83, 0, 0)), true},           // SECCOMP_RET_TRAP
		{unseen(call(t, "getppid", 0)), true},                // a supervisor chose the result
		{ended(unseen(call(t, "mkdir", 0, 0, 0)), 31), true}, // SECCOMP_RET_KILL_PROCESS
		{ended(call(t, "read", 0, 0, pointer, 1), 9), true},
		{ended(call(t, "read", 0, 0, pointer, 1), 11|0x80), true},
		{ended(call(t, "read", 0, 0, pointer, 1), 3<<8), false}, // another thread called exit_group
		{ended(call(t, "exit_group", 0, 3), 3<<8), false},
		{ended(call(t, "read", 0, 0, pointer, 1), 0), false}, // in flight
		{ended(none, 11), true},
		{ended(none, 0), false},
	} {
		c := decoded(t, test.call)
		if got := c.Failed(); got != test.want {
			t.Errorf("%s: %t", c.AppendText(nil), got)
		}
	}
}
