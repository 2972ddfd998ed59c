// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

var update = flag.Bool("update", false, "write what is printed into testdata")

// parse checks the blocks of a file, and prints each as a line: its type, and what is in it.
func parse(t testing.TB, file []byte) (lines []string) {
	t.Helper()
	sizes := sizesOf(t)
	for n := 0; len(file) > 0; n++ {
		if len(file) < 12 {
			t.Fatalf("block %d is cut: %x", n, file)
		}
		typ, length := binary.LittleEndian.Uint32(file), binary.LittleEndian.Uint32(file[4:])
		if length < 12 || length%4 != 0 || int(length) > len(file) ||
			binary.LittleEndian.Uint32(file[length-4:]) != length {
			t.Fatalf("block %d has length %d of %d", n, length, len(file))
		}
		body := reader{t, file[8 : length-4]}
		file = file[length:]
		if n == 0 != (typ == 0x0a0d0d0a) {
			t.Fatalf("block %d is of type %#x", n, typ)
		}
		switch typ {
		case 0x0a0d0d0a:
			lines = append(lines, fmt.Sprintf("section %#x %d.%d", body.number(4), body.number(2), body.number(2)))
		case 0x201:
			lines = append(lines, fmt.Sprintf("machine %d CPUs", body.number(4)))
			if len(body.rest) != 8+8+128+4*8 {
				t.Errorf("the machine has %d bytes", len(body.rest))
			}
		case 0x215:
			lines = append(lines, body.process())
		case 0x218:
			lines = append(lines, body.files()...)
		case 0x219, 0x220:
			lines = append(lines, fmt.Sprintf("empty list %#x %x", typ, body.rest))
		case 0x216:
			lines = append(lines, body.event(sizes, 2))
		case 0x221:
			lines = append(lines, body.event(sizes, 4))
		default:
			t.Fatalf("block %d is of type %#x", n, typ)
		}
	}
	return lines
}

// reader takes a block apart.
type reader struct {
	t    testing.TB
	rest []byte
}

func (r *reader) bytes(n uint64) []byte {
	r.t.Helper()
	if n > uint64(len(r.rest)) {
		r.t.Fatalf("%d bytes are wanted of %x", n, r.rest)
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) number(size uint64) uint64 {
	r.t.Helper()
	return binary.LittleEndian.Uint64(append(bytes.Clone(r.bytes(size)), make([]byte, 8)...))
}

// text reads a text of a list.
func (r *reader) text(most uint64) string {
	r.t.Helper()
	n := r.number(2)
	if n > most {
		r.t.Errorf("a text has %d bytes: readers refuse more than %d", n, most)
	}
	return string(r.bytes(n))
}

func (r *reader) process() string {
	r.t.Helper()
	before, length := len(r.rest), int(r.number(4))
	line := fmt.Sprintf("process tid=%d pid=%d parent=%d", r.number(8), r.number(8), r.number(8))
	r.bytes(2 * 8)
	line += fmt.Sprintf(" comm=%q exe=%q path=%q args=%q cwd=%q", r.text(1024), r.text(1024), r.text(1024), r.text(4096),
		r.text(1024))
	r.bytes(8 + 4)
	line += fmt.Sprintf(" uid=%d gid=%d", int32(r.number(4)), int32(r.number(4)))
	r.bytes(3*4 + 2*8)
	line += fmt.Sprintf(" env=%q vtid=%d vpid=%d cgroups=%q root=%q", r.text(4096), r.number(8), r.number(8), r.text(4096),
		r.text(1024))
	r.bytes(4 + 1)
	if before-len(r.rest) != length {
		r.t.Errorf("the process has %d bytes, not %d", before-len(r.rest), length)
	}
	return line
}

func (r *reader) files() (lines []string) {
	r.t.Helper()
	lines = []string{fmt.Sprintf("files of %d", r.number(8))}
	for len(r.rest) >= 4 {
		before, length := len(r.rest), int(r.number(4))
		fd, inode, typ := int64(r.number(8)), r.number(8), r.number(1)
		line := fmt.Sprintf("  fd=%d inode=%d type=%d", fd, inode, typ)
		switch typ {
		case 3:
			line += fmt.Sprintf(" %v>%v %d>%d protocol=%d", r.bytes(4), r.bytes(4), r.number(2), r.number(2), r.number(1))
		case 5:
			line += fmt.Sprintf(" %v %d protocol=%d", r.bytes(4), r.number(2), r.number(1))
		case 4:
			line += fmt.Sprintf(" %x>%x %d>%d protocol=%d", r.bytes(16), r.bytes(16), r.number(2), r.number(2), r.number(1))
		case 6:
			line += fmt.Sprintf(" %x %d protocol=%d", r.bytes(16), r.number(2), r.number(1))
		case 8:
			r.bytes(2 * 8)
			line += fmt.Sprintf(" %q", r.text(1024))
		case 16:
			line += fmt.Sprintf(" flags=%d %q device=%d", r.number(4), r.text(1024), r.number(4))
		default:
			line += fmt.Sprintf(" %q", r.text(1024))
		}
		if before-len(r.rest) != length {
			r.t.Errorf("%s has %d bytes, not %d", line, before-len(r.rest), length)
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *reader) event(sizes map[uint16][]string, width uint64) string {
	r.t.Helper()
	cpu, whole := r.number(2), len(r.rest)
	time, tid, length, typ, count := r.number(8), int64(r.number(8)), r.number(4), uint16(r.number(2)), r.number(4)
	line := fmt.Sprintf("%d cpu=%d tid=%d event=%d", time, cpu, tid, typ)
	want, known := sizes[typ]
	if !known || int(count) != len(want) {
		r.t.Fatalf("%s has %d parameters, not %d", line, count, len(want))
	}
	var lengths []uint64
	for range count {
		lengths = append(lengths, r.number(width))
	}
	for n, length := range lengths {
		switch value := r.bytes(length); {
		case isText(want[n]) && (length == 0 || bytes.IndexByte(value, 0) != int(length)-1):
			r.t.Errorf("%s: parameter %d does not end with its NUL: %q", line, n, value)
		case want[n] == "path" && value[0] != '/' && string(value) != "<NA>\x00":
			r.t.Errorf("%s: parameter %d is not an absolute path: %q", line, n, value)
		case isText(want[n]):
			line += fmt.Sprintf(" %q", value[:length-1])
		case want[n] == "bytes":
			line += fmt.Sprintf(" %q", value)
		case want[n] != strconv.FormatUint(length, 10):
			r.t.Errorf("%s: parameter %d has %d bytes, not %s", line, n, length, want[n])
		case length == 8:
			line += fmt.Sprintf(" %d", int64(binary.LittleEndian.Uint64(value)))
		default:
			number := reader{r.t, value}
			line += fmt.Sprintf(" %d", number.number(length))
		}
	}
	if got := uint64(whole - len(r.rest)); got != length || length > 1<<16-16 {
		r.t.Errorf("%s has %d bytes, not %d", line, got, length)
	}
	return line
}

// tape is a recording that a test makes.
type tape struct {
	records, inFlight []straceback.Record
	at                uint64
}

// made is a call of a process, 1 ms after the one before.
func (r *tape) made(pid uint32, name string, result int64, args ...any) *syscalls.Call {
	r.at += 1e6
	c := &syscalls.Call{ABI: syscalls.AMD64, Nr: recordtest.Number(syscalls.AMD64, name), PID: pid, TID: pid, CPU: 1,
		Time: r.at, Duration: 1000, Comm: []byte("sh"), Result: result,
		Inner: syscalls.IDs{TID: pid%100 + 1, PID: pid%100 + 1}}
	recordtest.SetArgs(c, args...)
	return c
}

func (r *tape) add(c *syscalls.Call) {
	r.records = append(r.records, straceback.Record{Bytes: recordtest.Append(nil, c)})
}

func (r *tape) call(pid uint32, name string, result int64, args ...any) {
	r.add(r.made(pid, name, result, args...))
}

// output marks what an argument points to as left by the call.
func output(c *syscalls.Call, arg int) *syscalls.Call {
	for i := range c.Captures {
		if c.Captures[i].Arg == arg {
			c.Captures[i].Output = true
		}
	}
	return c
}

// past returns the recording for export.
func (r *tape) past(c *labels.Container) *answers.Past {
	calls := &straceback.Calls{Native: syscalls.AMD64, Records: r.records}
	timeline := straceback.NewTimeline(r.records, r.inFlight)
	had := map[int32]straceback.Live{}
	for fd, is := range map[int32]syscalls.Descriptor{
		0: {Path: "/dev/null"}, 1: {Type: "pipe", Inode: 7}, syscalls.CWD: {Path: "/home"},
		7: {Type: "UNIX-STREAM", Inode: 4, Local: "/run/socket"}, 8: {Type: "UDPv6", Local: "[::1]:53"},
		9: {Type: "TCP", Local: "10.0.0.1:5432", Peer: "10.0.0.2:4000"},
	} {
		had[fd] = straceback.Live{Descriptor: is}
	}
	const end = 1 << 40
	timeline.Descriptors = straceback.Follow(calls,
		straceback.Snapshot{Time: end, Processes: map[uint32]map[int32]straceback.Live{200: had}})
	return answers.New(answers.Source{Container: c, Calls: calls, Timeline: timeline, Boot: time.Unix(1000, 0)})
}

const cwd = -100

// lived is a recording with a call of each kind.
func lived() *tape {
	r := &tape{}
	r.call(100, "execve", 0, "/bin/sh\x00", "sh\x00-c\x00echo\x00", 0)
	r.call(100, "write", 3, 1, "hi\n", 3)
	r.call(100, "openat", -2, cwd, "/etc/nothing\x00", 0o2000000, 0)
	r.call(100, "openat", 3, cwd, "file\x00", 0o101, 0o644)
	r.call(200, "write", 3, 1, "hi\n", 3)
	r.add(output(r.made(200, "read", 4, 0, "data", 100), 1))
	r.call(200, "connect", -115, 9, []byte("\x02\x00\x15\x38\x0a\x00\x00\x02"), 8)
	r.add(output(r.made(200, "accept4", 4, 9, []byte("\x02\x00\x0f\xa0\x0a\x00\x00\x02"), 1, 0), 1))
	r.call(200, "sendto", 2, 8, "ab", 2, 0,
		"\x0a\x00\x00\x35\x00\x00\x00\x00"+strings.Repeat("\x00", 15)+"\x01"+"\x00\x00\x00\x00", 28)
	r.call(200, "bind", 0, 7, "\x01\x00/run/socket\x00", 14)
	r.add(output(r.made(100, "pipe2", 0, "\x05\x00\x00\x00\x06\x00\x00\x00", 0o2000000), 0))
	r.call(100, "poll", 1, "\x05\x00\x00\x00\x01\x20\x00\x00", 1, -1)
	r.call(100, "fcntl", 10, 3, 1030, 10)
	r.call(100, "statx", 0, cwd, "/\x00", 0, 0, 0)
	r.call(100, "prctl", -22, 15, 0)
	compat := r.made(100, "prctl", 0, 15, 0)
	compat.ABI, compat.Nr = syscalls.I386, recordtest.Number(syscalls.I386, "prctl")
	r.add(compat)
	child := r.made(100, "clone", 2, 0x11, 0, 0, 0, 0)
	child.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartChild, Data: []byte{101, 0, 0, 0}}}
	child.Duration = 3e6
	r.call(101, "chdir", 0, "/tmp\x00")
	r.call(101, "execve", 0, "/bin/cat\x00", "cat\x00file\x00", 0)
	r.add(child)
	r.add(func() *syscalls.Call { c := r.made(101, "rename", 0, "a\x00", "b\x00"); c.TID = 150; return c }())
	killed := r.made(101, "pause", 9)
	killed.Unfinished = true
	r.add(killed)
	signal := r.made(100, "pause", 0)
	signal.Nr, signal.NArgs, signal.Args = syscalls.NumberSignal, abi.SignalArgs, [6]uint64{}
	signal.Args[abi.SignalNumber] = 17
	r.add(signal)
	ended := r.made(100, "exit_group", 3<<8, 3)
	ended.Unfinished = true
	r.add(ended)
	hanging := r.made(200, "futex", 0, 0x1000, 0x80, 2, 0, 0, 0)
	r.inFlight = append(r.inFlight, straceback.Record{Bytes: recordtest.Append(nil, hanging)})
	return r
}

// TestWrite compares a file, block by block.
func TestWrite(t *testing.T) {
	c := &labels.Container{Namespace: "shop", Pod: "api-1", Name: "api", ID: strings.Repeat("0123456789abcdef", 4),
		Image: "registry:5000/shop/api:1.4@sha256:00", Engine: "containerd", Labels: map[string]string{"tier": "web"},
		Created: 5e8}
	var file bytes.Buffer
	unnamed, err := Write(&file, lived().past(c))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Unnamed{"statx": 1}, unnamed); diff != "" {
		t.Errorf("without a name (-want +got):\n%s", diff)
	}
	got := strings.Join(parse(t, file.Bytes()), "\n") + "\n"
	golden := filepath.Join("testdata", "lived.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostile writes texts that are too long, or that end early: what readers have no room for is cut.
func TestHostile(t *testing.T) {
	long := strings.Repeat("x/", 4000)
	r := &tape{}
	r.call(100, "execve", 0, "/bin/"+long+"\x00", "a\x00"+long+"\x00b\x00", 0)
	r.call(100, "chdir", 0, long+"\x00")
	r.call(100, "openat", 3, cwd, "a\x00b\x1b[31m\x00", 0, 0)
	r.call(100, "write", 60000, 1, strings.Repeat("y", 60000), 60000)
	r.call(100, "poll", 0, strings.Repeat("\x05\x00\x00\x00\x01\x00\x00\x00", 5000), 5000, -1)
	r.call(100, "bind", 0, 3, "\x01\x00"+strings.Repeat("z", 108), 110)
	r.call(100, "sendto", -1, 3, "", 0, 0, "\x09\x00", 2)
	c := &labels.Container{ID: "../../\x00" + strings.Repeat("i", 5000),
		Labels: map[string]string{"l": strings.Repeat("\x01", 60000)}}
	var file bytes.Buffer
	if _, err := Write(&file, r.past(c)); err != nil {
		t.Fatal(err)
	}
	parse(t, file.Bytes())
}

// TestProgram executes programs by their descriptors, and by paths that begin at one: those in the file are absolute.
func TestProgram(t *testing.T) {
	const emptyPath = 0x1000
	ran := append(make([]byte, abi.SizeofResolved), "true\x00bin\x00"...)
	for _, c := range []struct {
		fd     int // of the process: 0 is /dev/null, 9 is a socket, 50 is not known, and its directory is /home
		path   any
		result int64
		file   []byte // a struct resolved and the components of the path of what was executed
		want   string
	}{
		{cwd, "/bin/sh\x00", 0, ran, "/bin/sh"},
		{cwd, "true\x00", 0, ran, "/bin/true"},
		{cwd, "true\x00", 0, nil, "/home/true"},
		{50, "true\x00", 0, nil, "<NA>"},
		{50, "true\x00", -9, nil, "<NA>"},
		{0, "\x00", 0, ran, "/bin/true"},
		{0, "\x00", 0, nil, "/dev/null"},
		{9, "\x00", -13, nil, "<NA>"},
		{50, "\x00", 0, nil, "<NA>"},
		{0, 0x7000, -14, nil, "<NA>"},
	} {
		r := &tape{}
		made := r.made(200, "execveat", c.result, c.fd, c.path, "true\x00", 0, emptyPath)
		if c.file != nil {
			made.Captures = append(made.Captures,
				syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartFile, Kernel: true, Data: c.file})
		}
		r.add(made)
		var file bytes.Buffer
		if _, err := Write(&file, r.past(&labels.Container{ID: "id"})); err != nil {
			t.Fatal(err)
		}
		lines := parse(t, file.Bytes())
		want := fmt.Sprintf("event=%d %d %q %d", eventExecAt, c.fd, c.want, 1)
		if !strings.Contains(lines[len(lines)-2], want) {
			t.Errorf("execveat(%d, %#v) = %d is %s, not %s", c.fd, c.path, c.result, lines[len(lines)-2], want)
		}
	}
}

// FuzzWrite writes records of any bytes: each block must be whole.
func FuzzWrite(f *testing.F) {
	r := lived()
	for _, record := range append(r.records, r.inFlight...) {
		f.Add(record.Bytes)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		r := &tape{records: []straceback.Record{{Bytes: record}, {Bytes: record}}}
		var file bytes.Buffer
		if _, err := Write(&file, r.past(&labels.Container{ID: "id"})); err != nil {
			t.Fatal(err)
		}
		parse(t, file.Bytes())
	})
}
