// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestLogIsRead reads a log in which calls of threads overlap, one of them ends in another thread, and some never end.
func TestLogIsRead(t *testing.T) {
	const text = `10 12:00:00.000001 openat(AT_FDCWD, "/a)", O_RDONLY) = 3 <0.000010>
11    12:00:00.000002 read(3, <unfinished ...>
10 12:00:00.000003 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}]) <0.000001>
11 12:00:00.000004 <... read resumed>"x", 1) = 1 <0.000002>
11 12:00:00.000005 execve("/b", ["b"], 0x7f12 /* 2 vars */ <unfinished ...>
10 12:00:00.000006 +++ superseded by execve in pid 11 +++
10 12:00:00.000007 <... execve resumed>) = 0 <0.000300>
12 12:00:00.000008 restart_syscall(<... resuming interrupted read ...>) = ? ERESTARTSYS (To be restarted) <0.1>
12 12:00:00.000009 --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8} ---
12 12:00:00.000010 +++ killed by SIGSEGV (core dumped) +++
13 12:00:00.000011 read(0, "a", <unfinished ...>) = ?
13 12:00:00.000012 pause( <unfinished ...>
13 12:00:00.000013 +++ exited with 3 +++
14 12:00:00.000014 fcntl(1</x>, F_GETFL) = 0x8000 (flags O_RDONLY|O_LARGEFILE) <0.000001>
14 12:00:00.000015 mkdir("/", 0777) = -1 EEXIST (File exists) <0.000001>
14 12:00:00.000016 open("/a", O_RDONLY) = 4</a> <0.000001>
14 12:00:00.000017 write(1, "a, 1) = 1 <0.000001>
14 12:00:00.000017 nanosleep({tv_sec=0, tv_nsec=20000}, ) = ? <unavailable>
15 12:00:00.000018 brk(NULL) = ?
16 12:00:00.000019 execve("/b", ["b"], NULL <unfinished ...>
15 12:00:00.000020 +++ superseded by execve in pid 16 +++
15 12:00:00.000021 <... execve resumed>) = 0 <0.000300>
`
	events, err := parseLog(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		line := fmt.Sprint(e.thread, " ", e.key(), " ", e.args)
		if e.returned != nil {
			line += " " + e.returned.String()
		}
		if e.unfinished {
			line += " unfinished"
		}
		if e.malformed != nil {
			line += " malformed"
		}
		if e.lost {
			line += " lost"
		}
		got = append(got, line)
	}
	want := []string{
		`10 openat = 3 [AT_FDCWD "/a)" O_RDONLY]`,
		`10 poll = 1 [[{fd=3, events=POLLIN}] 1 -1] ([{fd=3, revents=POLLIN}])`,
		`11 read = 1 [3 "x" 1]`,
		`10 execve = 0 ["/b" ["b"] 0x7f12 /* 2 vars */]`,
		`12 restart_syscall = ? ERESTARTSYS []`,
		`12 --- SIGSEGV [{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8}]`,
		`12 +++ killed by SIGSEGV []`,
		`13 read = ? [0 "a"] unfinished`,
		`13 pause = ? [] unfinished lost`,
		`13 +++ exited with 3 []`,
		`14 fcntl = 0x8000 [1</x> F_GETFL] (flags O_RDONLY|O_LARGEFILE)`,
		`14 mkdir = -1 EEXIST ["/" 0777]`,
		`14 open = 4 ["/a" O_RDONLY]`,
		`14 write = 1 [] malformed`,
		`14 nanosleep = ? [{tv_sec=0, tv_nsec=20000}] unfinished`,
		`15 brk = ? [NULL] lost`,
		`15 execve = 0 ["/b" ["b"] NULL]`,
	}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
	for _, line := range []string{"nonsense", "10 12:00:00.1 <... read resumed>) = 0", "10 12:00:00.1 read(1)",
		"10 12:00:00.1 =)"} {
		if _, err := parseLog(strings.NewReader(line)); err == nil {
			t.Errorf("%s is read", line)
		}
	}
}

func TestLogBeginsWithTheProgram(t *testing.T) {
	log := []*event{{thread: 1, call: "read"}, {thread: 2, call: "futex"},
		{thread: 1, call: "execve", result: "-1 ENOENT"}, {thread: 1, call: "execve", result: "0"},
		{thread: 2, end: "exited with 0"}, {thread: 3, call: "brk"}}
	got := fromExec(log)
	if len(got) != 2 || got[0] != log[3] || got[1] != log[5] {
		t.Errorf("%d events: %v", len(got), got)
	}
}
