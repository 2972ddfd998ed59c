// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

var update = flag.Bool("update", false, "write what is printed into testdata")

// golden compares got with a file in testdata.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// number returns the number of a call of amd64 by its name.
func number(name string) syscalls.Nr {
	return recordtest.Number(syscalls.AMD64, name)
}

// call makes a call of a thread from begin to end.
func call(tid uint32, name string, begin, end uint64) syscalls.Call {
	return syscalls.Call{
		Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: number(name), TID: tid, PID: 1, Time: begin,
		Duration: end - begin, Comm: []byte("sh"),
	}
}

func records(calls ...syscalls.Call) []Record {
	var all []Record
	for i := range calls {
		all = append(all, Record{Bytes: recordtest.Append(nil, &calls[i])})
	}
	return all
}

// events returns the events of a timeline in short form: "1 Begin", "2 Whole".
func events(t *Timeline) []string {
	var all []string
	for e := range t.Events {
		all = append(all, fmt.Sprint(e.Call.TID, " ", [...]string{"whole", "begin", "end", "in flight"}[e.Part]))
	}
	return all
}

func TestPairs(t *testing.T) {
	unfinished := call(2, "read", 15, 40)
	unfinished.Unfinished, unfinished.Result = true, 9
	killed := syscalls.Call{Nr: syscalls.NumberNone, TID: 3, PID: 1, Time: 20, Duration: 5, Unfinished: true, Result: 9}
	for _, c := range []struct {
		what     string
		records  []Record // in the order in which they ended
		inFlight []Record
		want     []string
	}{
		{"nothing", nil, nil, nil},
		{"one after the other", records(call(1, "read", 10, 20), call(2, "read", 30, 40)), nil,
			[]string{"1 whole", "2 whole"}},
		{"one within the other", records(call(2, "read", 20, 30), call(1, "wait4", 10, 40)), nil,
			[]string{"1 begin", "2 whole", "1 end"}},
		{"overlapping", records(call(1, "read", 10, 30), call(2, "read", 20, 40)), nil,
			[]string{"1 begin", "2 begin", "1 end", "2 end"}},
		{"one begins as the other ends", records(call(1, "read", 10, 20), call(2, "read", 20, 30)), nil,
			[]string{"1 whole", "2 whole"}},
		{"both begin and end at once", records(call(1, "read", 10, 20), call(2, "read", 10, 20)), nil,
			[]string{"1 begin", "2 begin", "1 end", "2 end"}},
		{"no time at all", records(call(1, "read", 10, 10), call(2, "read", 10, 10), call(3, "read", 10, 12)), nil,
			[]string{"1 whole", "2 whole", "3 whole"}},
		{"no time at all, within", records(call(2, "read", 15, 15), call(1, "read", 10, 20)), nil,
			[]string{"1 begin", "2 whole", "1 end"}},
		{"records out of order", records(call(2, "read", 30, 40), call(1, "read", 10, 20)), nil,
			[]string{"1 whole", "2 whole"}},
		{"ended with its task", records(call(1, "read", 10, 20), unfinished), nil,
			[]string{"1 begin", "2 begin", "1 end", "2 end"}},
		{"killed outside of any call", records(killed, call(1, "read", 10, 30)), nil,
			[]string{"1 begin", "3 whole", "1 end"}},
		{"in flight", records(call(1, "read", 10, 20)), records(call(2, "read", 5, 5)), []string{"2 in flight", "1 whole"}},
		{"in flight, within", records(call(1, "read", 10, 20)), records(call(2, "read", 15, 15)),
			[]string{"1 begin", "2 in flight", "1 end"}},
		{"in flight, but returned meanwhile", records(call(1, "read", 10, 20)),
			records(call(1, "read", 10, 10)), []string{"1 whole"}},
	} {
		if diff := cmp.Diff(c.want, events(NewTimeline(c.records, c.inFlight))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

// TestLongDurations checks that a call of five days, whose duration is kept in ms, ends after the call that it waited
// for, in the order of their records.
func TestLongDurations(t *testing.T) {
	const days = 5 * 24 * 3600e9
	all := records(call(2, "exit_group", 10+days+300, 10+days+400), call(1, "wait4", 10, 10+days+500),
		call(3, "read", 10+days+600, 10+days+700))
	timeline := NewTimeline(all, nil)
	want := []string{"1 begin", "2 whole", "1 end", "3 whole"}
	if diff := cmp.Diff(want, events(timeline)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for e := range timeline.Events {
		if e.Part == End && e.Call.Duration != days+400 {
			t.Errorf("the call takes %d ns, want as long as the one that it waited for", e.Call.Duration)
		}
	}
}

func TestOnlyWhatIsWantedComesInBetween(t *testing.T) {
	all := records(call(2, "getppid", 20, 30), call(1, "wait4", 10, 40))
	timeline := NewTimeline(all, nil)
	timeline.Select(func(e *Event) bool { return e.Call.Syscall().Name == "wait4" })
	if diff := cmp.Diff([]string{"1 whole"}, events(timeline)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMalformedRecords(t *testing.T) {
	all := records(call(1, "read", 10, 20))
	argument := call(1, "close", 30, 40)
	argument.NArgs = 1
	all = append(all, Record{}, Record{Bytes: all[0].Bytes[:20]}, Record{Bytes: records(argument)[0].Bytes[:48]})
	timeline := NewTimeline(all, []Record{{}, {Bytes: []byte{1, 2}}})
	if got := events(timeline); !cmp.Equal(got, []string{"1 whole"}) || timeline.Malformed != 3 {
		t.Errorf("%d records are malformed, and %v are shown", timeline.Malformed, got)
	}
}

// TestLines prints the demonstration's calls, and others that are difficult to print.
func TestLines(t *testing.T) {
	time.Local = time.UTC
	const start = 1000e9
	at := func(c syscalls.Call, pid, tid uint32, cpu uint16, comm string) syscalls.Call {
		c.PID, c.TID, c.CPU, c.Comm = pid, tid, cpu, []byte(comm)
		c.Time += start
		return c
	}
	write := call(0, "write", 2_167_734, 2_184_497)
	write.NArgs, write.Args, write.Result = 3, [6]uint64{4, 0xc000, 20}, 20
	write.Captures = []syscalls.Capture{{Arg: 1, Data: []byte(`{"type":"procReady"}`)}}
	open := call(0, "openat", 70_597_676, 70_600_000)
	open.NArgs, open.Args, open.Result = 4, [6]uint64{^uint64(99), 0x7f00, 0, 0}, -2
	open.Captures = []syscalls.Capture{{Arg: 1, Data: []byte("/tmp/file-12508")}}
	nap := call(0, "wait4", 1_000_000, 725_000_000_123)
	nap.NArgs = 4
	killed := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: syscalls.NumberNone, Time: 725_000_000_500,
		Unfinished: true, Result: 11}
	before := call(0, "getppid", 0, 0)
	before = at(before, 2, 2, 0, "early")
	before.Time -= 1500
	hanging := call(0, "read", 800_000_000_000, 800_000_000_000)
	hanging.NArgs, hanging.Args, hanging.Unfinished = 3, [6]uint64{0, 0xc000, 1}, true

	all := records(
		before,
		at(call(0, "getppid", 2_170_000, 2_170_100), 30908, 30910, 1, "runc:[2:INIT]"),
		at(write, 30908, 30908, 0, "runc:[2:INIT]"),
		at(open, 30908, 30908, 1, "cat"),
		at(nap, 7, 7, 3, "\x1b[2Jsh\n]"),
		at(killed, 8, 8, 3, "a] exit() = ? "),
	)
	timeline := NewTimeline(all, records(at(hanging, 9, 10, 0, "cat")))
	f := Format{Container: "0123abcd", Start: start, Boot: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Times: timestamp.Relative}
	var lines, wall, objects []byte
	for e := range timeline.Events {
		lines = f.AppendLine(lines, e)
	}
	golden(t, "lines.txt", lines)
	f.Times, f.Durations = timestamp.Wall, true
	for e := range timeline.Events {
		wall = f.AppendLine(wall, e)
	}
	golden(t, "wall.txt", wall)
	for e := range timeline.Calls {
		var err error
		if objects, err = f.AppendJSON(objects, e); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "calls.json", objects)
}

func FuzzTimeline(f *testing.F) {
	whole := records(call(1, "read", 10, 20))[0].Bytes
	f.Add(whole, whole)
	f.Add([]byte{}, whole[:30])
	f.Fuzz(func(t *testing.T, record, inFlight []byte) {
		timeline := NewTimeline([]Record{{Bytes: record}, {Bytes: whole}}, []Record{{Bytes: inFlight}})
		var line []byte
		begins, ends := 0, 0
		for e := range timeline.Events {
			line = (&Format{Times: timestamp.Relative, Durations: true}).AppendLine(line[:0], e)
			for i, b := range line {
				if b < ' ' && i != len(line)-1 {
					t.Fatalf("a line holds the control character %q: %q", b, line)
				}
			}
			switch e.Part {
			case Begin:
				begins++
			case End:
				ends++
			}
		}
		if begins != ends {
			t.Errorf("%d begins and %d ends", begins, ends)
		}
		s := Selection{Paths: []Glob{"*"}, FDs: []int32{1, 1 << 30}, Comms: []Glob{"*"}, Grep: regexp.MustCompile("x")}
		s.Select(timeline, &Format{})
	})
}

func BenchmarkLines(b *testing.B) {
	write := call(1, "write", 0, 100)
	write.NArgs, write.Args, write.Result = 3, [6]uint64{4, 0xc000, 20}, 20
	write.Captures = []syscalls.Capture{{Arg: 1, Data: []byte(`{"type":"procReady"}`)}}
	var all []Record
	for i := range uint64(10000) {
		write.Time = i * 1000
		all = append(all, Record{Bytes: recordtest.Append(nil, &write)})
	}
	f := Format{Times: timestamp.Relative}
	line := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		for e := range NewTimeline(all, nil).Events {
			line = f.AppendLine(line[:0], e)
		}
	}
	b.ReportMetric(float64(len(all)*b.N)/b.Elapsed().Seconds(), "records/s")
}

// TestInnerIDs fills in the IDs in the container: from the task's own records and from the call that made it.
func TestInnerIDs(t *testing.T) {
	task := func(tid, pid uint32, begin uint64) syscalls.Call {
		c := call(tid, "getppid", begin, begin+1)
		c.PID = pid
		return c
	}
	clone := func(child uint32, result int64, begin uint64) syscalls.Call {
		c := task(100, 100, begin)
		c.Nr, c.Result = number("clone"), result
		c.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartChild, Kernel: true,
			Data: binary.LittleEndian.AppendUint32(nil, child)}}
		return c
	}
	init := task(100, 100, 20)
	init.Inner = syscalls.IDs{TID: 1, PID: 1}
	all := records(task(100, 100, 10), init, task(101, 101, 25), clone(101, 7, 30), clone(102, 8, 40), task(102, 101, 50),
		task(999, 999, 60), clone(103, -11, 70), task(103, 103, 80))
	var got []string
	for e := range NewTimeline(all, nil).Calls {
		got = append(got, fmt.Sprint(e.Call.TID, " ", e.Call.Inner))
	}
	want := []string{"100 {1 1}", "100 {1 1}", "101 {7 7}", "100 {1 1}", "100 {1 1}", "102 {8 7}", "999 {0 0}",
		"100 {1 1}", "103 {0 0}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWaited says for which process a call waited, by its ID on the host: the newest one that the process made with
// that ID in the container or, if the container's init waited, that any process made.
func TestWaited(t *testing.T) {
	of := func(pid uint32, begin uint64, name string, result int64) syscalls.Call {
		c := call(pid, name, begin, begin+1)
		c.PID, c.Result, c.Inner = pid, result, syscalls.IDs{TID: pid - 99, PID: pid - 99}
		return c
	}
	clone := func(pid uint32, begin uint64, child uint32, result int64) syscalls.Call {
		c := of(pid, begin, "clone", result)
		c.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartChild, Kernel: true,
			Data: binary.LittleEndian.AppendUint32(nil, child)}}
		return c
	}
	waitid := of(101, 60, "waitid", 0)
	waitid.NArgs = 5
	info := make([]byte, 40)
	info[16] = 9
	waitid.Captures = []syscalls.Capture{{Arg: 2, Data: info, Output: true}}
	all := records(clone(100, 10, 201, 7), of(100, 20, "wait4", 7), clone(100, 30, 202, 7), of(100, 40, "wait4", 7),
		clone(101, 50, 203, 9), waitid, of(100, 70, "wait4", 9), of(101, 80, "wait4", 7), of(100, 90, "wait4", 8),
		of(100, 100, "wait4", -10), of(100, 110, "read", 7))
	var got []uint32
	for e := range NewTimeline(all, nil).Calls {
		if e.Call.Syscall().Name != "clone" {
			got = append(got, e.Call.Waited)
		}
	}
	if diff := cmp.Diff([]uint32{201, 202, 203, 203, 0, 0, 0, 0}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFiles fills in the paths that records leave out: from those of the same argument and file only.
func TestFiles(t *testing.T) {
	open := func(begin uint64, given string, inode uint64, components string) syscalls.Call {
		c := call(100, "openat", begin, begin+1)
		c.NArgs = 4
		data, err := binary.Append(nil, binary.LittleEndian, abi.Resolved{Inode: inode})
		if err != nil {
			t.Fatal(err)
		}
		c.Captures = []syscalls.Capture{
			{Arg: 1, Data: []byte(given)},
			{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true, Data: append(data, components...),
				Truncated: components == ""},
		}
		return c
	}
	all := records(open(10, "/link", 1, ""), open(20, "/link", 1, "decoy\x00"), open(30, "/link", 2, "secret\x00"),
		open(40, "/link", 1, ""), open(50, "/hard", 1, ""), open(60, "/link", 3, ""))
	var got []string
	for e := range NewTimeline(all, nil).Calls {
		file, _ := e.Call.File()
		got = append(got, fmt.Sprint(file.Path, " ", file.Truncated))
	}
	want := []string{"/decoy false", "/decoy false", "/secret false", "/decoy false", " true", " true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestText marks calls that came again, and the place from which on all calls are there: also if a long call that ended
// after it began long before.
func TestText(t *testing.T) {
	const ms = 1_000_000
	all := records(call(1, "read", 10*ms, 20*ms), call(1, "getppid", 30*ms, 40*ms), call(2, "wait4", 5*ms, 60*ms),
		call(1, "read", 70*ms, 80*ms))
	all[0].Count, all[0].Last = 36012, 1000*ms
	all[1].Count, all[1].Last = 1, 30*ms
	all[3].Count, all[3].Last = 2, 70*ms
	const gap = "... from here on every call; before, only what was new: 877,235 calls not shown"
	for _, c := range []struct {
		name string
		f    Format
		keep func(*Event) bool
		want []string
	}{
		{"all are kept", Format{}, nil,
			[]string{"wait4()...", "read() = 0", "getppid() = 0", "...wait4() = 0", "read() = 0"}},
		{"some are missing", Format{Missing: 877235, Complete: 60 * ms, Now: 1100 * ms}, nil, []string{"wait4()...",
			"read() = 0 <×36,012, last 100ms ago>", "getppid() = 0", gap, "...wait4() = 0", "read() = 0"}},
		{"of an ended container", Format{Missing: 877235, Complete: 70 * ms, Now: 61_000 * ms, Ended: true}, nil, []string{
			"wait4()...", "read() = 0 <×36,012, last 60s before the end>", "getppid() = 0", "...wait4() = 0", gap,
			"read() = 0"}},
		{"the first one began before", Format{Missing: 877235, Complete: 80 * ms, Now: 1100 * ms}, nil, []string{
			"wait4()...", "read() = 0 <×36,012, last 100ms ago>", "getppid() = 0", "...wait4() = 0", gap, "read() = 0"}},
		{"nothing chosen after them", Format{Missing: 877235, Complete: 60 * ms},
			func(e *Event) bool { return e.Call.Nr == number("getppid") }, []string{"getppid() = 0", gap}},
		{"nothing chosen", Format{Missing: 877235, Complete: 60 * ms},
			func(*Event) bool { return false }, nil},
	} {
		var out bytes.Buffer
		c.f.Times = timestamp.None
		timeline := NewTimeline(all, nil)
		if c.keep != nil {
			timeline.Select(c.keep)
		}
		if err := c.f.WriteText(&out, timeline); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, after, ok := strings.Cut(line, "] ")
			if !ok {
				after = line
			}
			got = append(got, strings.TrimSpace(after))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestThreadNames checks that a thread's name cannot imitate what is not part of a name.
func TestThreadNames(t *testing.T) {
	for name, want := range map[string]string{
		"sh": "sh", "runc:[2:INIT]": "runc:[2:INIT]", "(sd-pam)": "(sd-pam)", "GC Thread#0": "GC Thread#0", "a..b": "a..b",
		"<read late>": `\x3cread late\x3e`, "x <unreadable>": `x \x3cunreadable\x3e`, "a] exit() = 0": `a\x5d exit()\x20= 0`,
		"...write() = 20": `\x2e..write()\x20= 20`, "+++ killed by S": `\x2b++ killed by S`, `"`: `\x22`,
		"(enter not seen": `\x28enter not seen`, "....": `\x2e\x2e..`, "\\x3c": `\\x3c`, "é<": `é\x3c`, "\x1b]": `\x1b]`,
		"a]\u2800exit()": `a]\xe2\xa0\x80exit()`, "a]\u3164exit()": `a]\xe3\x85\xa4exit()`,
	} {
		if got := string(appendComm(nil, []byte(name))); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}

// TestAbandoned shows calls that a signal interrupted: they have no result if the thread ended without taking a signal.
func TestAbandoned(t *testing.T) {
	const erestartsys = -512
	read := func(tid uint32, begin uint64) syscalls.Call {
		c := call(tid, "read", begin, begin+5)
		c.PID, c.NArgs, c.Args, c.Result = 1, 3, [6]uint64{3, 0x7f00, 8}, erestartsys
		return c
	}
	event := func(tid uint32, nr syscalls.Nr, at uint64, args ...uint64) syscalls.Call {
		c := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: nr, TID: tid, PID: 1, Time: at, NArgs: len(args)}
		copy(c.Args[:], args)
		if nr == syscalls.NumberNone {
			c.Unfinished, c.Result = true, 9
		}
		return c
	}
	timeline := NewTimeline(records(read(2, 10), read(3, 11), read(4, 12),
		event(3, syscalls.NumberSignal, 20, 15, 0, 0, 0, 0),
		event(2, syscalls.NumberNone, 30), event(3, syscalls.NumberNone, 31), read(4, 40)), nil)
	var got []string
	for e := range timeline.Calls {
		text := string(e.Call.AppendText(nil))
		if _, result, ok := strings.Cut(text, ") = "); ok {
			text = result
		}
		got = append(got, fmt.Sprint(e.Call.TID, " ", text))
		if e.Call.Abandoned && e.Call.JSON(false).Ret != nil {
			t.Errorf("%s has a result in JSON", text)
		}
	}
	const restart = "? ERESTARTSYS (To be restarted if SA_RESTART is set)"
	want := []string{"2 ? <unfinished ...>", "3 " + restart, "4 " + restart,
		"3 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---", "2 +++ killed by SIGKILL +++",
		"3 +++ killed by SIGKILL +++", "4 " + restart}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLooks prints lines with each choice of their looks.
func TestLooks(t *testing.T) {
	failed := call(12, "openat", 2000, 2500)
	failed.NArgs, failed.Args, failed.Result = 4, [6]uint64{^uint64(99), 0x7f00, 0, 0}, -2
	failed.Captures = []syscalls.Capture{{Arg: 1, Data: []byte("/x")}}
	failed.Inner = syscalls.IDs{TID: 8, PID: 7}
	signal := syscalls.Call{Nr: syscalls.NumberSignal, TID: 1, PID: 1, Time: 4500, NArgs: abi.SignalArgs,
		Comm: []byte("sh")}
	signal.Args[abi.SignalNumber] = 15
	all := records(call(1, "getppid", 1000, 1500), failed, call(2, "getppid", 4000, 4500), signal)
	const ids1, ids2, ids3 = "cpu#0 pid 1 [sh] ", "cpu#0 pid 1 tid 12 [sh] ", "cpu#0 pid 1 tid 2 [sh] "
	const open = `openat(dfd=AT_FDCWD, filename=0x7f00 "/x", flags=O_RDONLY) = -1 ENOENT (No such file or directory)`
	const delivered = "--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---"
	for _, c := range []struct {
		name string
		f    Format
		want []string
	}{
		{"plain", Format{Times: timestamp.None},
			[]string{ids1 + "getppid() = 0", ids2 + open, ids3 + "getppid() = 0", ids1 + delivered}},
		{"since the line before", Format{Times: timestamp.Delta}, []string{
			"00:00.000000000 " + ids1 + "getppid() = 0", "00:00.000001000 " + ids2 + open,
			"00:00.000002000 " + ids3 + "getppid() = 0", "00:00.000000500 " + ids1 + delivered}},
		{"without addresses", Format{Times: timestamp.None, NoAddresses: true}, []string{ids1 + "getppid() = 0",
			ids2 + strings.Replace(open, "0x7f00 ", "", 1), ids3 + "getppid() = 0", ids1 + delivered}},
		{"with the container's IDs", Format{Times: timestamp.None, ContainerPIDs: true}, []string{
			"cpu#0 pid 1 (7) [sh] getppid() = 0", "cpu#0 pid 1 (7) tid 12 (8) [sh] " + open,
			"cpu#0 pid 1 (7) tid 2 (?) [sh] getppid() = 0", "cpu#0 pid 1 (7) [sh] " + delivered}},
		{"with colors", Format{Times: timestamp.None, Color: true}, []string{
			"\x1b[2m" + ids1 + "\x1b[mgetppid() = 0\x1b[m", "\x1b[2m" + ids2 + "\x1b[m\x1b[31m" + open + "\x1b[m",
			"\x1b[2m" + ids3 + "\x1b[mgetppid() = 0\x1b[m", "\x1b[2m" + ids1 + "\x1b[m\x1b[33m" + delivered + "\x1b[m"}},
	} {
		var out bytes.Buffer
		if err := c.f.WriteText(&out, NewTimeline(all, nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Join(c.want, "\n")+"\n", out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
