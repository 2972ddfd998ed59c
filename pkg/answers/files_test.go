// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// opened adds a call that opens a file with an absolute path as a descriptor.
func (r *tape) opened(pid uint32, path string, fd int64, flags int) *tape {
	r.call(pid, "openat", fd, cwd, path, flags, 0o644)
	return r.change(len(r.records)-1, func(c *syscalls.Call) {
		names := strings.Split(path[1:], "/")
		slices.Reverse(names)
		c.Captures = append(c.Captures, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true,
			Data: append(make([]byte, abi.SizeofResolved), strings.Join(names, "\x00")+"\x00"...)})
	})
}

// followed is past with descriptors that are followed.
func (r *tape) followed(calls straceback.Calls) *Past {
	p := r.past(0)
	calls.Records = r.records
	p.Source.Calls = &calls
	p.Timeline = straceback.NewTimeline(r.records, nil)
	p.Timeline.Descriptors = straceback.Follow(&calls, straceback.Snapshot{})
	return New(p.Source)
}

// String returns what was done with a file, in one line.
func (f *FileUse) String() string {
	return fmt.Sprintf("%s: %s; calls %d, failed %d, read %d, written %d, by %s", f.Path, f.Summary(), f.Calls, f.Failed,
		f.Read, f.Written, users(f.By))
}

const (
	oWronly = 1
	oCreat  = 0o100
	oExcl   = 0o200
	oTrunc  = 0o1000
)

func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		tape *tape
		want string
	}{
		{"reads and writes count for the file of their descriptor", (&tape{}).opened(101, "/a", 3, 0).
			call(101, "read", 5, 3, "hello", 100).call(101, "dup", 4, 3).call(101, "pread64", 2, 4, "he", 9, 0).
			call(101, "close", 0, 3).opened(101, "/b", 3, oWronly).call(101, "write", 3, 3, "abc", 3).
			call(101, "write", -28, 3, "abc", 3).call(101, "writev", -11, 3, 0, 1), `
			/a: opened, read; calls 3, failed 0, read 7, written 0, by p101[1]
			/b: ENOSPC, opened, written; calls 3, failed 1, read 0, written 3, by p101[1]`},
		{"a copy reads one file and writes another", (&tape{}).opened(101, "/a", 3, 0).opened(102, "/b", 4, oWronly).
			opened(101, "/c", 4, oWronly).call(101, "sendfile", 9, 4, 3, 0, 9), `
			/a: opened, read; calls 2, failed 0, read 9, written 0, by p101[1]
			/b: opened; calls 1, failed 0, read 0, written 0, by p102[2]
			/c: opened, written; calls 2, failed 0, read 0, written 9, by p101[1]`},
		{"a file is created for certain if it was not there or O_EXCL says so",
			(&tape{}).call(101, "openat", enoent, cwd, "/a", 0, 0).opened(101, "/a", 3, oWronly|oCreat).
				opened(101, "/b", 4, oWronly|oCreat|oTrunc).opened(101, "/c", 5, oWronly|oCreat|oExcl).
				call(101, "unlink", 0, "/b").opened(101, "/b", 4, oWronly|oCreat), `
			/a: ENOENT, created; calls 2, failed 1, read 0, written 0, by p101[1]
			/b: created, created?, emptied, deleted; calls 3, failed 0, read 0, written 0, by p101[1]
			/c: created; calls 1, failed 0, read 0, written 0, by p101[1]`},
		{"a rename is of both names", (&tape{}).opened(101, "/a", 3, 0).call(102, "rename", 0, "/a", "/b").
			call(101, "rename", -13, "/b", "/c").call(101, "symlink", 0, "a", "/l"), `
			/a: opened, renamed to /b; calls 2, failed 0, read 0, written 0, by p101[1] p102[2]
			/b: EACCES, replaced by /a; calls 1, failed 1, read 0, written 0, by p101[1] p102[2]
			/c: EACCES; calls 1, failed 1, read 0, written 0, by p101[1]
			/l: created; calls 1, failed 0, read 0, written 0, by p101[1]`},
		{"other calls with a path use it", (&tape{}).call(101, "swapon", -1, "/a", 0).call(101, "acct", 0, "/b"), `
			/a: EPERM; calls 1, failed 1, read 0, written 0, by p101[1]
			/b: used; calls 1, failed 0, read 0, written 0, by p101[1]`},
	} {
		var got strings.Builder
		for _, f := range c.tape.followed(straceback.Calls{}).Files(nil, ByWhat).Files {
			got.WriteString("\n\t\t\t" + f.String())
		}
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestFilesAgain counts calls that are not kept for the last file that was meant, unless calls are selected.
func TestFilesAgain(t *testing.T) {
	r := (&tape{}).call(101, "access", enoent, "/a", 0).again(7).call(101, "access", enoent, "/a", 0)
	r.call(101, "access", enoent, "/b", 0).again(1).call(101, "close", 0, 3).again(900)
	r.opened(101, "/c", 3, 0).again(2).call(101, "read", 1, 3, "x", 1).again(5000)
	calls := straceback.Calls{Missing: 9}
	calls.Lanes[straceback.Recent].Since = 1
	got := map[string]uint64{}
	for _, f := range r.followed(calls).Files(nil, ByWhat).Files {
		got[f.Path] = f.Calls
	}
	for _, f := range r.followed(calls).Files(func(*straceback.Event) bool { return true }, ByWhat).Files {
		got["selected "+f.Path] = f.Calls
	}
	want := map[string]uint64{"/a": 7, "/b": 1, "/c": 3, "selected /a": 2, "selected /b": 1, "selected /c": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTidy(t *testing.T) {
	for _, c := range []struct{ directory, given, want string }{
		{"", "/a//b/./c/", "/a/b/c"}, {"", "/", "/"}, {"", "/../a", "/a"}, {"", "/a/../b", "/a/../b"},
		{"", "a/./b", "a/b"}, {"", "../a", "../a"}, {"", "./", "."}, {"/", "a", "/a"}, {"/", "../..", "/"},
		{"/a/b/", "../../c", "/c"}, {"/a/b/", "../c/../d", "/a/c/../d"}, {"/a/b/", ".", "/a/b"},
	} {
		if got := tidy(c.directory, c.given); got != c.want {
			t.Errorf("tidy(%q, %q) is %q, not %q", c.directory, c.given, got, c.want)
		}
	}
}

// TestFilesUnknown has a descriptor that was opened before every call was recorded.
func TestFilesUnknown(t *testing.T) {
	r := (&tape{}).call(101, "read", 5, 3, "hello", 100).call(101, "write", 2, 4, "hi", 2)
	f := r.followed(straceback.Calls{Missing: 7}).Files(nil, ByBytes)
	if len(f.Files) != 0 || f.Unknown.Read != 5 || f.Unknown.Written != 2 {
		t.Errorf("%v, unknown %+v", f.Files, f.Unknown)
	}
}

func TestFilesScreen(t *testing.T) {
	r := &tape{}
	for i := range 30 {
		r.opened(101, fmt.Sprintf("/d/%02d", i), 3, 0).call(101, "read", int64(i), 3, strings.Repeat("x", i), 100)
	}
	r.call(101, "openat", enoent, cwd, "/etc/\x1b[2J\nKept nothing\u202e", 0, 0)
	calls := straceback.Calls{Missing: 1234}
	calls.Lanes[straceback.Recent].Since = 1
	p := r.followed(calls)
	p.Program = "tracectl"
	print := func(all bool) string {
		var text bytes.Buffer
		s := FilesScreen{Screen: Screen{Width: 100, Lines: 24}, All: all}
		if err := s.Write(&text, p.Files(nil, ByBytes)); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	_, got, _ := strings.Cut(print(false), "\n")
	const want = `
CALLS   READ   TIME   PATH    DID            BY
    2     29    2µs   /d/29   opened, read   p101[1]
    2     28    2µs   /d/28   opened, read   p101[1]
    2     27    2µs   /d/27   opened, read   p101[1]
    2     26    2µs   /d/26   opened, read   p101[1]
    2     25    2µs   /d/25   opened, read   p101[1]
    2     24    2µs   /d/24   opened, read   p101[1]
    2     23    2µs   /d/23   opened, read   p101[1]
    2     22    2µs   /d/22   opened, read   p101[1]
    2     21    2µs   /d/21   opened, read   p101[1]
    2     20    2µs   /d/20   opened, read   p101[1]
    2     19    2µs   /d/19   opened, read   p101[1]
    2     18    2µs   /d/18   opened, read   p101[1]
    2     17    2µs   /d/17   opened, read   p101[1]
    2     16    2µs   /d/16   opened, read   p101[1]
    2     15    2µs   /d/15   opened, read   p101[1]
           and 16 more files

Failed     openat "/etc/\x1b[2J\nKept nothing\xe2\x80\xae": ENOENT (No such file or directory) by p…
Covers     what is kept: 31 of 31 opens, 30 of 30 reads
Kept       every call of the last 0s; before that, what was new; nothing lost
More       tracectl files c --all | --sort last
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := print(true); strings.Count(all, "opened, read") != 30 || strings.ContainsAny(all, "\x1b\u202e") {
		t.Errorf("--all prints:\n%s", all)
	}
}

// BenchmarkFiles has a container that makes the answer expensive: many processes, each with files of its own.
func BenchmarkFiles(b *testing.B) {
	r := &tape{}
	for i := range uint32(20000) {
		pid := 101 + i
		r.opened(pid, fmt.Sprintf("/d/%d/f", i), 3, oWronly|oCreat).call(pid, "write", 20, 3, "some text", 20)
		r.call(pid, "write", 20, 3, "some text", 20).call(pid, "close", 0, 3)
	}
	p := r.followed(straceback.Calls{})
	for b.Loop() {
		if f := p.Files(nil, ByBytes); len(f.Files) != 20000 {
			b.Fatal(len(f.Files))
		}
		p.Net(nil, ByBytes)
		p.IO(nil, Transfers{})
	}
	b.ReportMetric(float64(len(r.records)*b.N)/b.Elapsed().Seconds(), "records/s")
}
