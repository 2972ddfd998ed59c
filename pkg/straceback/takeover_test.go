// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestTakeover lets a thread execute a program in the place of the first one of its process: strace's form says so in
// the words of strace, so that tools find the beginning of the exec.
func TestTakeover(t *testing.T) {
	end := func(tid uint32, begin, at uint64) syscalls.Call {
		c := call(tid, "pause", begin, at)
		c.Unfinished = true
		return c
	}
	for _, test := range []struct {
		what  string
		calls []syscalls.Call
		want  string
	}{
		{"one thread is left", []syscalls.Call{call(2, "getpid", 1, 2), call(3, "getpid", 3, 4), end(2, 5, 23), end(1, 6, 24),
			call(1, "execve", 20, 30), call(1, "getpid", 40, 41)},
			`2 getpid() = 0
3 getpid() = 0
2 pause( <unfinished ...>
1 pause( <unfinished ...>
3 execve(NULL, NULL, NULL <unfinished ...>
2 <... pause resumed> <unfinished ...>) = ?
2 +++ exited with 0 +++
1 <... pause resumed> <unfinished ...>) = ?
1 +++ superseded by execve in pid 3 +++
1 <... execve resumed>) = 0
1 getpid() = 0
`},
		{"the first thread had ended", []syscalls.Call{call(2, "getpid", 1, 2), end(1, 3, 4), call(1, "execve", 20, 30)},
			`2 getpid() = 0
1 pause( <unfinished ...>) = ?
2 execve(NULL, NULL, NULL <unfinished ...>
1 +++ superseded by execve in pid 2 +++
1 <... execve resumed>) = 0
`},
		{"several threads are left", []syscalls.Call{call(2, "getpid", 1, 2), call(3, "getpid", 3, 4), end(1, 6, 24),
			call(1, "execve", 20, 30)},
			`2 getpid() = 0
3 getpid() = 0
1 pause( <unfinished ...>
1 execve(NULL, NULL, NULL) = 0
1 <... pause resumed> <unfinished ...>) = ?
1 +++ exited with 0 +++
`},
		{"another process of the ID", []syscalls.Call{end(1, 1, 2), call(1, "getpid", 3, 4), call(1, "execve", 5, 6)},
			`1 pause( <unfinished ...>) = ?
1 +++ exited with 0 +++
1 getpid() = 0
1 execve(NULL, NULL, NULL) = 0
`},
	} {
		var got []byte
		f := Format{Strace: true}
		for event := range NewTimeline(records(test.calls...), nil).Events {
			event.Call.NArgs = map[bool]int{true: 3}[event.Call.Nr == number("execve")]
			got = f.AppendLine(got, event)
		}
		text := regexp.MustCompile(`(?m) [0-9:.]{15}| <[0-9.]{8}>$`).ReplaceAllString(string(got), "")
		if diff := cmp.Diff(test.want, text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
}
