// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

func TestRoundTrip(t *testing.T) {
	plain := call(t, "getpid", 7)
	wide := with(with(call(t, "readlink", 1<<40, 1<<63, 1<<64-1, 1<<31), 0, "/a"), 1, "")
	wide.Comm, wide.Duration = []byte("runc:[2:INIT]"), 1<<32-1
	negative := call(t, "mmap", -1<<40, 0x7fffffff, 1<<64-0x80000000, 1<<64-0x80000001, 4, 5, 6)
	negative.Comm, negative.Duration = []byte("12345678"), 5_000_000_000
	compat := on(t, call(t, "getpid", 0, 1, 2), syscalls.AMD64, syscalls.I386, "socketcall")
	x32 := on(t, call(t, "getpid", 0, 1, 2, 3), syscalls.AMD64, syscalls.X32, "pwritev2")
	arm := on(t, call(t, "getpid", 0), syscalls.ARM64, syscalls.ARM, "getpid")
	ended := call(t, "read", 9, 1)
	ended.Unfinished, ended.Comm, ended.Duration = true, []byte{}, 40_000_000_000_000_000
	denied := with(call(t, "open", -1, 1, 2, 3), 0, "\x00\xff")
	denied.NoEnter, denied.Captures[0].Truncated, denied.Captures[0].Late = true, true, true
	fault := with(call(t, "open", -14, 1, 2, 3), 0, "")
	fault.Captures[0].Fault, fault.Nr = true, syscalls.NumberOther

	for name, want := range map[string]syscalls.Call{
		"plain": plain, "wide": wide, "negative": negative, "compat": compat, "x32": x32, "arm": arm,
		"ended": ended, "denied": denied, "fault": fault,
	} {
		t.Run(name, func(t *testing.T) {
			record := recordtest.Append(nil, &want)
			got := syscalls.Call{ // must be overwritten: an earlier record may have left it
				Native: want.Native, Nr: 99, NArgs: 6, Args: [6]uint64{9, 9, 9, 9, 9, 9}, Unfinished: true, NoEnter: true,
				Captures: []syscalls.Capture{{Arg: 1, Data: []byte("x"), Late: true}, {Arg: 2, Part: 3, Fault: true},
					{Arg: 2, Data: []byte("yz"), Output: true, Kernel: true}},
			}
			if err := got.Decode(append(record, 0xff, 0xff)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("with a length (-want +got):\n%s", diff)
			}

			pending := recordtest.AppendPending(nil, 1, 2, 3, &want)
			if n := binary.LittleEndian.Uint32(pending[16:]); int(n) != len(pending)-abi.SizeofPendingCall {
				t.Errorf("body_length = %d of %d bytes", n, len(pending))
			}
			if err := got.Decode(pending[abi.SizeofPendingCall-abi.SizeofCall:]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("without a length (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	c := with(with(call(t, "readlink", 1<<40, 1<<40, 2, 3), 0, "/a"), 1, "/b")
	c.Comm = []byte("123456789")
	record := recordtest.Append(nil, &c)
	body := recordtest.AppendPending(nil, 0, 0, 0, &c)[abi.SizeofPendingCall-abi.SizeofCall:]
	change := func(at int, value ...byte) []byte {
		changed := bytes.Clone(record)
		copy(changed[at:], value)
		return changed
	}
	captures := len(body) - 2*(4+2) // offset of the captures
	tests := map[string][]byte{
		"nothing":            nil,
		"half a header":      record[:abi.SizeofCall-1],
		"longer than given":  record[:len(record)-8],
		"shorter than sound": change(16, 5, 0),
		"seven arguments":    change(21, 0x1c|record[21]),
		"argument beyond":    change(captures+2, 3),
		"capture too long":   change(captures, 200),
	}
	for n := abi.SizeofCall; n < len(body); n++ {
		if n == captures || n == captures+4+2 {
			continue // a record with fewer captures
		}
		tests["body of "+strconv.Itoa(n)] = body[:n]
	}
	for name, test := range tests {
		var c syscalls.Call
		if err := c.Decode(test); !errors.Is(err, syscalls.ErrRecord) {
			t.Errorf("%s: got %v, want an ErrRecord", name, err)
		}
	}
}

// FuzzDecode checks that any bytes give either an error or a call whose texts are safe for a terminal.
func FuzzDecode(f *testing.F) {
	for _, c := range mix(f) {
		f.Add(recordtest.Append(nil, &c), uint8(c.Native))
	}
	f.Fuzz(func(t *testing.T, record []byte, native uint8) {
		c := syscalls.Call{Native: syscalls.ABI(native % 3)}
		if err := c.Decode(record); err != nil {
			if !errors.Is(err, syscalls.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		if c.NArgs > len(c.Args) || len(c.Comm) > abi.CommSize {
			t.Errorf("%+v is beyond its bounds", c)
		}
		texts := [][]byte{c.AppendText(nil), c.AppendEnter(nil), c.AppendExit(nil), c.AppendInFlight(nil)}
		j := c.JSON(c.CPU%2 == 1)
		for _, a := range arguments(t, j) {
			if texts = append(texts, []byte(a.Value)); a.Data != nil {
				texts = append(texts, []byte(*a.Data))
			}
		}
		for _, text := range texts {
			if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
				t.Errorf("%q: byte %d is not printable ASCII", text, i)
			}
		}
		for _, text := range texts[:4] {
			checkMarks(t, string(text), &c)
		}
	})
}

// checkMarks checks that angle brackets outside of quotes contain only marks, and that there are no more marks than the
// record has.
func checkMarks(t *testing.T, line string, c *syscalls.Call) {
	t.Helper()
	late := 0
	for _, p := range c.Captures {
		if p.Late {
			late++
		}
	}
	counted := regexp.MustCompile(`^<(pid \d+|\d+ variables?)>`)
	plain := regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(line, "")
	plain = strings.ReplaceAll(plain, "<<", "") // in names such as IOPRIO_CLASS_RT<<IOPRIO_CLASS_SHIFT
	for _, mark := range regexp.MustCompile(`<[^<]*|"`).FindAllString(plain, -1) {
		switch {
		case strings.HasPrefix(mark, "<read late>"):
			late--
		case strings.HasPrefix(mark, "<file >") || strings.HasPrefix(mark, "<file ...>"):
			if _, ok := c.File(); !ok {
				t.Errorf("%q: the record has no file", line)
			}
		case !strings.HasPrefix(mark, "<unreadable>") && !strings.HasPrefix(mark, "<unfinished ...>") &&
			!counted.MatchString(mark):
			t.Errorf("%q: %q is not a mark", line, mark)
		}
	}
	if late < 0 {
		t.Errorf("%q has more marks than its record", line)
	}
}

// TestSeeds writes, with -update, every call of the golden test as a seed of FuzzDecode, and checks that each one still
// decodes.
func TestSeeds(t *testing.T) {
	const dir = "testdata/fuzz/FuzzDecode"
	if *update {
		for i, c := range calls(t) {
			if i%8 != 0 {
				continue
			}
			seed := "go test fuzz v1\n[]byte(" + strconv.Quote(string(recordtest.Append(nil, &c))) + ")\nbyte('" +
				string(rune('0'+c.Native)) + "')\n"
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "call"+strconv.Itoa(i)), []byte(seed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	paths, err := filepath.Glob(dir + "/call*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		seed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Split(string(seed), "\n")[1]
		record, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(line, "[]byte("), ")"))
		if err != nil {
			t.Fatal(err)
		}
		var c syscalls.Call
		if err := c.Decode([]byte(record)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// records returns the records of the calls of mix, one after another.
func records(t testing.TB) [][]byte {
	var records [][]byte
	for _, c := range mix(t) {
		records = append(records, recordtest.Append(nil, &c))
	}
	return records
}

func TestNoAllocations(t *testing.T) {
	c := syscalls.Call{Native: syscalls.AMD64}
	var text syscalls.Text
	line := make([]byte, 0, 4096)
	all := records(t)
	for _, shown := range calls(t) {
		if shown.Native == syscalls.AMD64 {
			all = append(all, recordtest.Append(nil, &shown))
		}
	}
	n := testing.AllocsPerRun(10, func() {
		for _, record := range all {
			if err := c.Decode(record); err != nil {
				t.Fatal(err)
			}
			line = text.Append(line[:0], &c)
			line = text.AppendEnter(line[:0], &c)
			line = text.AppendExit(line[:0], &c)
			line = text.AppendInFlight(line[:0], &c)
		}
	})
	if n != 0 {
		t.Errorf("decoding and showing allocates %v times", n)
	}
}

func BenchmarkDecodeAppend(b *testing.B) {
	all := records(b)
	c := syscalls.Call{Native: syscalls.AMD64}
	var text syscalls.Text
	line := make([]byte, 0, 4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := c.Decode(all[i%len(all)]); err != nil {
			b.Fatal(err)
		}
		line = text.Append(line[:0], &c)
	}
}
