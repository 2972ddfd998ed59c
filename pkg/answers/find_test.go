// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// made returns a call of process 100, or 7 in the container, at a number of seconds. Text is what its arguments point
// to, in their order; arguments that point to nothing have none.
func made(at uint64, name string, result int64, text map[int]string, args ...uint64) syscalls.Call {
	c := syscalls.Call{ABI: syscalls.NativeABI(), TID: 100, PID: 100, Inner: syscalls.IDs{TID: 7, PID: 7},
		Time: at * 1e9, Duration: 1000, Comm: []byte("app"), Result: result, NArgs: len(args)}
	c.Nr = recordtest.Number(c.ABI, name)
	copy(c.Args[:], args)
	for arg := range args {
		if data, ok := text[arg]; ok {
			c.Captures = append(c.Captures, syscalls.Capture{Arg: arg, Data: []byte(data)})
		}
	}
	return c
}

// current is AT_FDCWD.
const current = 1<<64 - 100

// opening returns a call that opens /NAME as descriptor 3.
func opening(at uint64, name string) syscalls.Call {
	c := made(at, "openat", 3, map[int]string{1: "/" + name + "\x00"}, current, 1, 0, 0)
	c.Captures = append(c.Captures, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
		Data: append(make([]byte, abi.SizeofResolved), name+"\x00"...)})
	return c
}

// recorded returns a recording of calls of a container default/NAME/app.
func recorded(name string, calls ...syscalls.Call) Source {
	var all straceback.Calls
	for i := range calls {
		all.Records = append(all.Records, straceback.Record{Bytes: recordtest.Append(nil, &calls[i])})
	}
	timeline := straceback.NewTimeline(all.Records, nil)
	timeline.Descriptors = straceback.Follow(&all, straceback.Snapshot{})
	return Source{Name: "default/" + name + "/app", Calls: &all, Timeline: timeline, Now: 100e9,
		Container: &labels.Container{Namespace: "default", Pod: name, Name: "app", ID: "id-of-" + name, Created: 1e9}}
}

// TestFind finds calls of several recordings, the newest first, and one line for each kind of call.
func TestFind(t *testing.T) {
	full := map[int]string{1: "/data/full\x00"}
	first := recorded("first",
		opening(1, "a"),
		made(2, "write", -28, map[int]string{1: "hello"}, 3, 1, 5),
		made(4, "write", -28, map[int]string{1: "again"}, 3, 1, 5),
		made(5, "write", 5, map[int]string{1: "works"}, 3, 1, 5))
	second := recorded("second",
		made(3, "openat", -28, full, current, 1, 0, 0),
		made(6, "rename", -28, map[int]string{0: "/data/b\n\x00", 1: "/data/c\x00"}, 1, 1))
	for _, c := range []struct {
		name  string
		s     straceback.Selection
		limit int
		older int
		want  string
	}{
		{"by error", straceback.Selection{Errnos: errnosOf(t, "ENOSPC")}, 9, 0, `
			6 second 1 rename("/data/b\n", "/data/c") = ENOSPC
			4 first 2 write("/a") = ENOSPC
			3 second 1 openat("/data/full") = ENOSPC`},
		{"the newest two", straceback.Selection{Errnos: errnosOf(t, "ENOSPC")}, 2, 1, `
			6 second 1 rename("/data/b\n", "/data/c") = ENOSPC
			4 first 2 write("/a") = ENOSPC`},
		{"the newest one", straceback.Selection{Paths: []straceback.Glob{"/*"}}, 1, 4, `
			6 second 1 rename("/data/b\n", "/data/c") = ENOSPC`},
		{"by path", straceback.Selection{Paths: []straceback.Glob{"/a"}}, 9, 0, `
			5 first 1 write("/a") = 5
			4 first 2 write("/a") = ENOSPC
			1 first 1 openat("/a") = 3`},
		{"by text", straceback.Selection{Text: "gai"}, 9, 0, `
			4 first 1 write("/a", "again") = ENOSPC`},
	} {
		f := Find{Selection: &c.s, Limit: c.limit}
		for _, s := range []Source{first, second} {
			s.Timeline = straceback.NewTimeline(s.Calls.Records, nil)
			s.Timeline.Descriptors = straceback.Follow(s.Calls, straceback.Snapshot{})
			if err := f.Recording(s); err != nil {
				t.Fatal(err)
			}
		}
		var got strings.Builder
		for _, m := range f.Matches() {
			if m.Process != "app[7]" {
				t.Errorf("%s: process %s", c.name, m.Process)
			}
			fmt.Fprintf(&got, "\n\t\t\t%d %s %d %s", m.At/1e9, m.Container.Pod, m.Times, m.Call)
		}
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if f.Older != c.older || f.Recordings != 2 || f.Partial != 0 {
			t.Errorf("%s: %d are older, of %d recordings, %d partial", c.name, f.Older, f.Recordings, f.Partial)
		}
	}
}

func errnosOf(t *testing.T, list string) (s syscalls.Errnos) {
	t.Helper()
	if err := s.Add(list); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFindOfUnknown finds calls of a recording whose container is no longer known, and says what it lacks.
func TestFindOfUnknown(t *testing.T) {
	s := recorded("gone", made(1, "unlink", 0, map[int]string{0: "/x\x00"}, 1))
	s.Container, s.Calls.Missing, s.Calls.Lost = nil, 5, 2
	s.Boot = time.Unix(0, 0)
	f := Find{Selection: &straceback.Selection{Paths: []straceback.Glob{"/x"}}, Limit: 9, Boot: s.Boot}
	if err := f.Recording(s); err != nil {
		t.Fatal(err)
	}
	if len(f.Matches()) != 1 || f.Partial != 1 || f.Lost != 2 {
		t.Fatalf("found %d, %d partial, %d lost", len(f.Matches()), f.Partial, f.Lost)
	}
	j := f.Matches()[0].JSON(f.Boot)
	var call struct{ Syscall string }
	if err := json.Unmarshal(j.Call, &call); err != nil || !j.Evicted || j.Name != "" || call.Syscall != "unlink" ||
		!j.Time.Equal(time.Unix(1, 0)) || j.Exec != nil {
		t.Errorf("JSON is %+v, %v", j, err)
	}
}

// TestFindExec finds execs in the log that no recording has.
func TestFindExec(t *testing.T) {
	f := Find{Selection: &straceback.Selection{Paths: []straceback.Glob{"rm"}}, Limit: 9}
	s := recorded("one", made(3, "execve", 0, map[int]string{0: "/bin/rm\x00", 1: "rm\x00x\x00"}, 1, 1, 0))
	if err := f.Recording(s); err != nil {
		t.Fatal(err)
	}
	logged := func(at uint64, pid uint32, path string, result int32, flags uint16) {
		r := execlog.Record{Path: []byte(path), Arguments: []byte("rm\x00-f\x00y\x00")}
		r.Entry.Time, r.PID, r.TID, r.Result, r.Entry.Flags = at, pid, pid, result, flags
		copy(r.Comm[:], "sh")
		f.Exec(&r, nil)
	}
	logged(3e9+500, 100, "/bin/rm", 0, 0)           // the recording has it
	logged(4e9, 100, "/bin/rm", 0, 0)               // a later one
	logged(2e9, 200, "/usr/bin/rm", -2, 0)          // of another process
	logged(2e9, 200, "/bin/cat", 0, 0)              // no match
	logged(5e9, 300, "/bin/rm", 0, abi.ExecRuntime) // of the container runtime
	var got []string
	for _, m := range f.Matches() {
		got = append(got, fmt.Sprint(m.At/1e9, " ", m.Process, " ", m.Call))
	}
	want := []string{
		`4 sh[100] execve("/bin/rm", ["rm", "-f", "y"]) = 0`,
		`3 app[7] execve("/bin/rm", ["rm", "x"], NULL) = 0`,
		`2 sh[200] execve("/usr/bin/rm", ["rm", "-f", "y"]) = -1 ENOENT (No such file or directory)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if j := f.Matches()[0].JSON(time.Unix(0, 0)); j.Exec == nil || j.Exec.Path != "/bin/rm" || j.Call != nil {
		t.Errorf("JSON is %+v", j)
	}
}

// BenchmarkFind looks for a path in a full recording of 512 KiB.
func BenchmarkFind(b *testing.B) {
	var calls []syscalls.Call
	for i := range uint64(1500) {
		calls = append(calls, opening(i+1, "a"),
			made(i+1, "read", 5, map[int]string{1: "hello"}, 3, 1, 5), made(i+1, "close", 0, nil, 3))
	}
	s := recorded("one", calls...)
	for b.Loop() {
		f := Find{Selection: &straceback.Selection{Paths: []straceback.Glob{"/data/b"}}, Limit: 9}
		s.Timeline = straceback.NewTimeline(s.Calls.Records, nil)
		s.Timeline.Descriptors = straceback.Follow(s.Calls, straceback.Snapshot{})
		if err := f.Recording(s); err != nil {
			b.Fatal(err)
		}
	}
}
