// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// set returns the calls of an expression.
func set(t *testing.T, expression string) (s syscalls.Set) {
	t.Helper()
	s.ABIs = []syscalls.ABI{syscalls.AMD64}
	if err := s.Add(expression); err != nil {
		t.Fatal(err)
	}
	return s
}

func errnos(t *testing.T, list string) (s syscalls.Errnos) {
	t.Helper()
	if err := s.Add(list); err != nil {
		t.Fatal(err)
	}
	return s
}

// scene returns a recording of one second, with a call at each tenth of it, and one that has not returned.
func scene(t *testing.T) *Timeline {
	t.Helper()
	const tenth = 100_000_000
	with := func(c syscalls.Call, result int64, args ...uint64) syscalls.Call {
		c.Result, c.NArgs = result, len(args)
		copy(c.Args[:], args)
		return c
	}
	given := func(c syscalls.Call, arg int, data string) syscalls.Call {
		c.Captures = append(c.Captures, syscalls.Capture{Arg: arg, Data: []byte(data)})
		return c
	}
	found := func(c syscalls.Call, components string) syscalls.Call {
		data, err := binary.Append(nil, binary.LittleEndian, abi.Resolved{Inode: 7})
		if err != nil {
			t.Fatal(err)
		}
		c.Captures = append(c.Captures, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
			Data: append(data, components...), Truncated: components == ""})
		return c
	}
	const cwd = 1<<64 - 100
	server := func(c syscalls.Call) syscalls.Call {
		c.PID, c.Comm, c.Inner = 20, []byte("server"), syscalls.IDs{TID: 7, PID: 6}
		return c
	}
	recorded := records(
		found(given(with(call(10, "openat", 1*tenth, 1*tenth+1), 3, cwd, 1, 0, 0), 1, "/link/app.conf"),
			"app.conf\x00etc\x00"),
		with(call(10, "read", 2*tenth, 2*tenth+2), 0, 3, 1, 100),
		given(with(call(10, "openat", 3*tenth, 3*tenth+3), -2, cwd, 1, 0, 0), 1, "/etc/gone"),
		server(with(call(21, "read", 4*tenth, 4*tenth+50_000_000), -11, 4, 1, 100)),
		given(server(with(call(21, "connect", 5*tenth, 5*tenth+5), -111, 5, 1, 14)), 1, "\x01\x00/run/x.sock\x00"),
		with(call(10, "close", 6*tenth, 6*tenth+6), 0, 3),
		found(given(with(call(10, "openat", 7*tenth, 7*tenth+7), 3, cwd, 1, 0, 0), 1, "/link/app.conf"), ""),
	)
	signal := syscalls.Call{Nr: syscalls.NumberSignal, TID: 10, PID: 1, Time: 8 * tenth, NArgs: abi.SignalArgs}
	signal.Args[abi.SignalNumber] = 15
	recorded = append(recorded, records(signal)...)
	runtime := records(call(30, "getpid", 9*tenth, 9*tenth+9))
	runtime[0].Lane = Runtime
	hanging := server(with(call(21, "read", 9*tenth, 9*tenth), 0, 4, 1, 100))
	return NewTimeline(append(recorded, runtime...), records(hanging))
}

// TestSelection selects calls by each field. The numbers are the tenths of a second at which they began; "9r" is the
// runtime's call, and "9" has not returned.
func TestSelection(t *testing.T) {
	boot := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := &Format{Boot: boot, Now: 1_000_000_000, Times: timestamp.Relative}
	for _, c := range []struct {
		name string
		s    Selection
		want string
	}{
		{"nothing asked", Selection{}, "1 2 3 4 5 6 7 8 9"},
		{"the runtime's", Selection{Runtime: true}, "1 2 3 4 5 6 7 8 9r 9"},
		{"by name", Selection{Syscalls: set(t, "read,close")}, "2 4 6 9"},
		{"but for names", Selection{Syscalls: set(t, "!read,close")}, "1 3 5 7 8"},
		{"by class", Selection{Syscalls: set(t, "%network")}, "5"},
		{"failed", Selection{Failed: true}, "3 4 5"},
		{"by error", Selection{Errnos: errnos(t, "ENOENT,ECONNREFUSED")}, "3 5"},
		{"but for an error", Selection{Failed: true, Errnos: errnos(t, "!EAGAIN")}, "3 5"},
		{"by process", Selection{PIDs: []uint32{20}}, "4 5 9"},
		{"by thread", Selection{PIDs: []uint32{21}}, "4 5 9"},
		{"by the container's process", Selection{PIDs: []uint32{6}}, "4 5 9"},
		{"by the container's thread", Selection{PIDs: []uint32{7, 99}}, "4 5 9"},
		{"by descriptor", Selection{FDs: []int32{3}}, "1 2 6 7"},
		{"by descriptors", Selection{FDs: []int32{4, 5}}, "4 5 9"},
		{"by path", Selection{Paths: []Glob{"/etc/gone"}}, "3"},
		{"by the path that the kernel found", Selection{Paths: []Glob{"/etc/app.conf"}}, "1 7"},
		{"by the path that was given", Selection{Paths: []Glob{"/link/*"}}, "1 7"},
		{"by a pattern of paths", Selection{Paths: []Glob{"/e*"}}, "1 3 7"},
		{"by the last name", Selection{Paths: []Glob{"*.conf"}}, "1 7"},
		{"by the path of a socket", Selection{Paths: []Glob{"/run/*"}}, "5"},
		{"by several paths", Selection{Paths: []Glob{"gone", "x.sock"}}, "3 5"},
		{"by the thread's name", Selection{Comms: []Glob{"serv*"}}, "4 5 9"},
		{"by threads' names", Selection{Comms: []Glob{"server", "sh"}}, "1 2 3 4 5 6 7 9"},
		{"since", Selection{Since: boot.Add(600 * time.Millisecond)}, "6 7 8 9"},
		{"since a moment in a call", Selection{Since: boot.Add(449 * time.Millisecond)}, "4 5 6 7 8 9"},
		{"until", Selection{Until: boot.Add(300 * time.Millisecond)}, "1 2 3"},
		{"the last part", Selection{Last: 200 * time.Millisecond}, "8 9"},
		{"slow", Selection{Slower: 10 * time.Millisecond}, "4 9"},
		{"by text", Selection{Text: "app"}, "1 7"},
		{"by text of an address", Selection{Text: "x.sock\x00"}, "5"},
		{"not by text that the kernel found", Selection{Text: "etc\x00"}, ""},
		{"by the line", Selection{Grep: regexp.MustCompile(`app\.conf|EAGAIN`)}, "1 4 7"},
		{"by the line's end", Selection{Grep: regexp.MustCompile(` = 0$`)}, "2 6"},
		{"by all", Selection{Syscalls: set(t, "%file"), Failed: true, Paths: []Glob{"/etc/*"}}, "3"},
	} {
		timeline := scene(t)
		c.s.Select(timeline, f)
		if diff := cmp.Diff(c.want, tenths(timeline)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestSelectionOfDescriptors selects calls by what their descriptors are.
func TestSelectionOfDescriptors(t *testing.T) {
	all := records(opens(1, 100_000_000, "a", 3, 0), did(1, 200_000_000, "read", 5, 3, 1, 9),
		did(1, 300_000_000, "dup", 7, 3), did(1, 400_000_000, "close", 0, 3), opens(1, 500_000_000, "b", 3, 0),
		did(1, 600_000_000, "read", 5, 3, 1, 9), did(1, 700_000_000, "read", 5, 7, 1, 9))
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{Paths: []Glob{"/a"}}, "1 2 3 4 7"},
		{Selection{Paths: []Glob{"/b"}}, "5 6"},
		{Selection{FDs: []int32{3}}, "1 2 3 4 5 6"},
		{Selection{FDs: []int32{7}}, "3 7"},
	} {
		timeline := NewTimeline(all, nil)
		timeline.Descriptors = Follow(&Calls{Records: all}, Snapshot{})
		c.s.Select(timeline, &Format{})
		if got := tenths(timeline); got != c.want {
			t.Errorf("%v, %v selects %s, want %s", c.s.Paths, c.s.FDs, got, c.want)
		}
	}
}

// TestSelectionOfAddresses selects calls by addresses, in their arguments and of their sockets.
func TestSelectionOfAddresses(t *testing.T) {
	const server, other = "\x02\x00\x01\xbb\x0a\x00\x00\x09", "\x02\x00\x00\x35\x0a\x01\x00\x01"
	to := func(at uint64, name, address string, arg int, args ...uint64) syscalls.Call {
		c := did(1, at*100_000_000, name, 0, args...)
		c.Captures = []syscalls.Capture{{Arg: arg, Data: []byte(address + strings.Repeat("\x00", 8))}}
		return c
	}
	const six = "\x0a\x00\x01\xbb\x00\x00\x00\x00" + "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	all := records(did(1, 100_000_000, "socket", 3, 2, 1, 6), to(2, "connect", server, 1, 3, 1, 16),
		did(1, 300_000_000, "read", 5, 3, 1, 9), did(1, 400_000_000, "socket", 4, 2, 2, 17),
		to(5, "sendto", other, 4, 4, 1, 0, 0, 1, 16), to(6, "connect", six, 1, 5, 1, 28))
	for pattern, want := range map[string]string{
		"10.0.0.9": "2 3", "10.0.0.9:443": "2 3", "10.0.0.9:80": "", "10.0.0.0/8": "2 3 5", ":443": "2 3 6",
		"10.0.0.0/8:53": "5", "fd00::1": "6", "[fd00::/8]:443": "6", "[fd00::1]:80": "", "::ffff:10.0.0.9": "2 3",
		"0.0.0.0/0": "2 3 5",
	} {
		address, err := NewAddress(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
			continue
		}
		if again, err := NewAddress(address.String()); err != nil || again != address {
			t.Errorf("%q becomes %q, which is not the same: %v", pattern, address, err)
		}
		timeline := NewTimeline(all, nil)
		timeline.Descriptors = Follow(&Calls{Records: all}, Snapshot{})
		(&Selection{Addresses: []Address{address}}).Select(timeline, &Format{})
		if got := tenths(timeline); got != want {
			t.Errorf("%s selects %s, want %s", pattern, got, want)
		}
	}
	for _, wrong := range []string{"", ":", ":0", "host", "10.0.0", "10.0.0.9:", "10.0.0.9:70000", "10.0.0.0/33",
		"[fd00::1", "fd00::1]:1", "[]:1", "[fd00::1]1"} {
		if a, err := NewAddress(wrong); err == nil {
			t.Errorf("%q is taken as %q", wrong, a)
		}
	}
}

// tenths lists the calls of a scene.
func tenths(t *Timeline) string {
	var all []string
	for e := range t.Calls {
		text := fmt.Sprint(e.Call.Time / 100_000_000)
		if e.Lane == Runtime {
			text += "r"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestTail(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "9", 3: "8 9r 9", 100: "1 2 3 4 5 6 7 8 9r 9"} {
		timeline := scene(t)
		timeline.Tail(n)
		if got := tenths(timeline); got != want || timeline.Len() != len(strings.Fields(want)) {
			t.Errorf("the last %d calls are %s, want %s", n, got, want)
		}
		begins, ends := 0, 0
		for e := range timeline.Events {
			switch e.Part {
			case Begin:
				begins++
			case End:
				ends++
			}
		}
		if begins != ends {
			t.Errorf("the last %d calls: %d begin and %d end", n, begins, ends)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, wrong := range []string{"", "[", "a[b", `a\`} {
		if g, err := NewGlob(wrong); err == nil {
			t.Errorf("%q is taken as %q", wrong, g)
		}
	}
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/etc", "/etc/hosts", false}, {"/etc/*", "/etc/ssl/certs", true}, {"hosts", "/etc/hosts", true},
		{"hosts", "/etc/hosts.d/x", false}, {"/*/[ab]", "/x/y/b", true}, {"/etc/host?", "/etc/hosts", true}, {"*", "", true},
	} {
		g, err := NewGlob(c.pattern)
		if err != nil || g.MatchesPath(c.path) != c.want {
			t.Errorf("%q matches %q: %v, %v", c.pattern, c.path, !c.want, err)
		}
	}
}
