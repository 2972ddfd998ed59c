// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// A tape is a recording that a test makes.
type tape struct {
	records []straceback.Record
	at      uint64
}

// made is a call of a process, 1 ms after the one before.
func (r *tape) made(pid uint32, name string, result int64, args ...any) *syscalls.Call {
	r.at += 1e6
	c := &syscalls.Call{ABI: syscalls.AMD64, Nr: recordtest.Number(syscalls.AMD64, name), PID: pid, TID: pid,
		Time: r.at, Duration: 1000, Comm: fmt.Appendf(nil, "p%d", pid), Result: result,
		Inner: syscalls.IDs{TID: pid - 100, PID: pid - 100}}
	recordtest.SetArgs(c, args...)
	return c
}

func (r *tape) add(c *syscalls.Call) *tape {
	r.records = append(r.records, straceback.Record{Bytes: recordtest.Append(nil, c)})
	return r
}

// call adds a call of a process.
func (r *tape) call(pid uint32, name string, result int64, args ...any) *tape {
	c := r.made(pid, name, result, args...)
	if strings.HasPrefix(name, "exit") {
		c.Unfinished, c.Result = true, int64(args[0].(int))<<8
	}
	return r.add(c)
}

// again says how often the last call came in all.
func (r *tape) again(count uint64) *tape {
	r.records[len(r.records)-1].Count = count
	return r
}

// child adds a call that makes a process.
func (r *tape) child(pid, made uint32) *tape {
	c := r.made(pid, "fork", int64(made-100))
	c.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartChild, Kernel: true,
		Data: []byte{byte(made), byte(made >> 8), 0, 0}}}
	return r.add(c)
}

// past reads the recording. Process 101 is the init.
func (r *tape) past(status uint32) *Past {
	c := &labels.Container{ID: "c", Init: 101, Created: 1, Started: 2, Exited: r.at + 1e6, ExitStatus: status << 8,
		State: abi.StateExited}
	calls := &straceback.Calls{Records: r.records}
	return New(Source{Name: "c", Container: c, Calls: calls, Timeline: straceback.NewTimeline(r.records, nil),
		Boot: time.Unix(0, 0), Now: r.at + 2e6})
}

// screen returns what `why` prints.
func screen(t *testing.T, p *Past) string {
	t.Helper()
	var text bytes.Buffer
	if err := (&Screen{Width: 100, Lines: 24}).Write(&text, p.Why()); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

const (
	cwd    = -100
	enoent = -2
)

// TestCulprit follows the exit code from the init to the process with which the end began.
func TestCulprit(t *testing.T) {
	r := &tape{}
	r.call(101, "getpid", 1).child(101, 102).call(102, "getpid", 2).child(102, 103).call(103, "getpid", 3)
	r.child(101, 104).call(104, "exit_group", 0, 0).call(103, "exit_group", 0, 9).call(102, "exit_group", 0, 9)
	r.call(101, "exit_group", 0, 9)
	culprit, via := r.past(9).Culprit()
	if culprit == nil || culprit.PID != 103 || len(via) != 2 || via[0].PID != 101 || via[1].PID != 102 {
		t.Errorf("culprit %+v by way of %v", culprit, via)
	}
}

// TestGuessedParent has a process whose fork is not kept, because such calls came before; its parent waits for it.
func TestGuessedParent(t *testing.T) {
	r := &tape{}
	r.call(101, "getpid", 1).child(101, 102).again(3).call(102, "getpid", 2).child(102, 103).again(2)
	r.call(103, "exit_group", 0, 0).call(104, "getpid", 4).call(104, "exit_group", 0, 9).call(102, "wait4", 4, -1, 0, 0, 0)
	r.call(105, "getpid", 5).call(105, "exit_group", 0, 0).call(101, "wait4", 5, -1, 0, 0, 0)
	parents := map[uint32]uint32{}
	for _, p := range r.past(0).Processes {
		if p.Parent != nil {
			parents[p.PID] = p.Parent.PID
		}
	}
	if diff := cmp.Diff(map[uint32]uint32{102: 101, 103: 102, 104: 102, 105: 101}, parents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMended ranks the failure that the process did not mend before those of a search.
func TestMended(t *testing.T) {
	r := &tape{}
	r.call(101, "openat", enoent, cwd, "/lib/a/libz.so.1", 0, 0).call(101, "openat", 3, cwd, "/lib/b/libz.so.1", 0, 0)
	r.call(101, "openat", enoent, cwd, "/etc/app.conf", 0, 0).call(101, "write", 5, 2, "oops\n", 5)
	r.call(101, "openat", enoent, cwd, "/usr/share/locale/de/x.mo", 0, 0).call(101, "exit_group", 0, 1)
	w := r.past(1).Why()
	if len(w.Causes) == 0 || w.Causes[0].Title != "/etc/app.conf does not exist" || w.Causes[0].Certainty != Likely {
		t.Errorf("%+v", w.Causes)
	}
	for _, c := range w.Causes {
		if strings.Contains(c.Title, "libz") {
			t.Errorf("%q was found", c.Title)
		}
	}
}

// TestLines puts lines together from the writes of each stream, and leaves binary output out.
func TestLines(t *testing.T) {
	r := &tape{}
	r.call(101, "write", 4, 1, "one ", 4).call(101, "write", 4, 2, "bad\n", 4).call(101, "write", 8, 1, "two\nthre", 8)
	r.call(101, "write", 4, 1, "\x00\x01\x02\n", 4).call(101, "write", 2, 1, "x\x1b", 2)
	var got []string
	for _, l := range r.past(0).Lines(10) {
		got = append(got, fmt.Sprint(l.FD, l.Text))
	}
	if diff := cmp.Diff([]string{"1one two", "2bad", "1x\x1b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestScreen prints text of a container that imitates other output, on lines that are not too long.
func TestScreen(t *testing.T) {
	r := &tape{}
	r.call(101, "openat", enoent, cwd, "/etc/\x1b[2J\nCause  nothing\u202e"+strings.Repeat("x", 100), 0, 0)
	r.call(101, "write", 30, 2, "\x1b]0;title\afatal: \u009bmoved error\n", 30).call(101, "exit_group", 0, 1)
	text := screen(t, r.past(1))
	for line := range strings.Lines(text) {
		if len([]rune(line)) > 101 {
			t.Errorf("%d characters: %s", len([]rune(line)), line)
		}
		if strings.HasPrefix(line, "Cause  nothing") {
			t.Errorf("a path broke the line: %q", line)
		}
	}
	if strings.ContainsAny(text, "\x1b\a\u009b\u202e") || !strings.Contains(text, "fatal: ") {
		t.Errorf("%q", text)
	}
}

// TestExitCode prefers the error that the exit code tells.
func TestExitCode(t *testing.T) {
	r := &tape{}
	r.call(101, "write", -28, 3, "x", 1).call(101, "openat", -13, cwd, "/a", 0, 0).call(101, "exit_group", 0, 28)
	if w := r.past(28).Why(); !strings.HasPrefix(w.Causes[0].Title, "no space is left for") {
		t.Errorf("%+v", w.Causes)
	}
}

// TestRulesAreDocumented looks up every rule in docs/why.md.
func TestRulesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/why.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !bytes.Contains(page, []byte("| `"+r.name+"` |")) {
			t.Errorf("docs/why.md lacks the rule %s", r.name)
		}
	}
}

// BenchmarkWhy has a container that makes the answer expensive: each of its many processes fails with a path of its
// own, and it writes many lines.
func BenchmarkWhy(b *testing.B) {
	r := &tape{}
	for i := range uint32(20000) {
		pid := 101 + i
		r.call(pid, "openat", enoent, cwd, fmt.Sprintf("/d/%d/f", i), 0, 0).call(pid, "openat", 3, cwd, "/d/found", 0, 0)
		r.call(pid, "write", 20, 2, fmt.Sprintf("line number %7d\n", i), 20).call(pid, "exit_group", 0, 1)
	}
	for b.Loop() {
		if w := r.past(1).Why(); len(w.Causes) == 0 {
			b.Fatal("no causes")
		}
	}
	b.ReportMetric(float64(len(r.records)*b.N)/b.Elapsed().Seconds(), "records/s")
}
