// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	endian "encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// ioText returns what is printed of a recording, without the first lines and times.
func ioText(t *testing.T, p *Past, counts Transfers) string {
	t.Helper()
	var text bytes.Buffer
	if err := (&Screen{Width: 100, Lines: 24}).WriteIO(&text, p.IO(nil, counts)); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text.String(), "\n\n")
	var lines []string
	for line := range strings.Lines(rest) {
		if _, after, ok := strings.Cut(line, ":00:0"); ok && len(after) > len("0.000 ") && !strings.HasPrefix(line, "|") {
			line = after[len("0.000 "):]
		}
		lines = append(lines, line)
	}
	return "\n" + strings.Join(lines, "")
}

func TestIO(t *testing.T) {
	r := (&tape{}).opened(101, "/a", 3, oWronly).call(101, "write", 4, 3, "one ", 4).
		call(101, "write", 8, 3, "two\nthre", 8)
	r.call(102, "write", 2, 1, "x\x1b", 2).call(101, "write", 200, 3, "e\tfour", 200).call(101, "write", 1, 3, "\n", 1)
	r.call(101, "write", -28, 3, "no", 2).call(101, "pwrite64", 3, 3, "abc", 3, 4096)
	r.call(101, "pwrite64", 2, 3, "de", 2, 4099)
	r.call(101, "pread64", 2, 3, 0, 9, 0).out(1, []byte("on"))
	r.call(101, "sendfile", 9, 5, 3, 0, 9)
	p := r.followed(straceback.Calls{})
	const want = `
p101[1] write 3</a>
| one two
| thre
p102[2] write 1
| x\x1b
p101[1] write 3</a>
| e	four
<194 bytes not recorded>
| 
<at offset 4096>
| abcde
p101[1] read 3</a>
<at offset 0>
| on
p101[1] write 5
<9 bytes not recorded>
p101[1] read 3</a>
<9 bytes not recorded>

Moved      240 bytes; 212 of them not recorded
Kept       every call; nothing lost
`
	if diff := cmp.Diff(want, ioText(t, p, Transfers{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := ioText(t, p, Transfers{Reads: true, FDs: []int32{3}})
	if strings.Contains(got, "write") || !strings.Contains(got, "| on\n") {
		t.Errorf("only reads:\n%s", got)
	}
	if got := ioText(t, p, Transfers{FDs: []int32{1}}); strings.Count(got, "| ") != 1 {
		t.Errorf("only one descriptor:\n%s", got)
	}
	if got := ioText(t, p, Transfers{Stdout: true}); !strings.Contains(got, "Moved      2 bytes\n") {
		t.Errorf("only standard output:\n%s", got)
	}
	var raw bytes.Buffer
	if err := p.IO(nil, Transfers{Writes: true, FDs: []int32{3}}).WriteRaw(&raw); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("one two\nthree\tfour\nabcde", raw.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestIOVectors puts together the parts of iovecs and messages, each of which may be cut.
func TestIOVectors(t *testing.T) {
	values := parcel{size: 12, pieces: []piece{{[]byte("ab"), 5}, {nil, 3}, {[]byte("xyz"), 9}}}
	got := values.trimmed()
	want := parcel{size: 12, pieces: []piece{{[]byte("ab"), 3}, {nil, 3}, {[]byte("xyz"), 1}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(parcel{}, piece{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestIOMessages reads the buffers and addresses of messages, of which one was not sent.
func TestIOMessages(t *testing.T) {
	words := func(values ...uint64) (data []byte) {
		for _, v := range values {
			data = endian.LittleEndian.AppendUint64(data, v)
		}
		return data
	}
	message := func(sent uint64) []byte { return words(0x10, 16, 0x20, 2, 0, 0, 0, sent) }
	r := (&tape{}).socket(101, 3, inet, datagram).call(101, "sendmmsg", 1, 3, 0x7000, 2, 0)
	r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Captures = []syscalls.Capture{
			{Arg: 1, Data: message(0)}, {Arg: 1, Part: abi.PartName, Data: sockaddr("10.0.0.1:53")},
			{Arg: 1, Part: abi.PartVector, Data: words(0x30, 2, 0x40, 300)}, {Arg: 1, Part: abi.PartData, Data: []byte("ab")},
			{Arg: 1, Part: abi.PartData, Data: []byte("cd"), Truncated: true},
			{Arg: 1, Data: message(0)}, {Arg: 1, Part: abi.PartVector, Data: words(0x30, 9)},
			{Arg: 1, Part: abi.PartData, Data: []byte("not sent!")},
			{Arg: 1, Part: abi.PartSent, Output: true, Data: append(make([]byte, 56), 0x2e, 1, 0, 0, 0, 0, 0, 0)},
		}
	})
	r.call(101, "writev", 5, 1, 0x7000, 2)
	r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Captures = []syscalls.Capture{{Arg: 1, Part: abi.PartVector, Data: words(0x30, 2, 0x40, 4)},
			{Arg: 1, Part: abi.PartData, Data: []byte("x\n")}, {Arg: 1, Part: abi.PartData, Data: []byte("yzzz")}}
	})
	const want = `
p101[1] write 3<UDP:[101003]> to 10.0.0.1:53
| abcd
<298 bytes not recorded>
p101[1] write 1
| x
| yzz

Moved      307 bytes; 298 of them not recorded
Kept       every call; nothing lost
`
	if diff := cmp.Diff(want, ioText(t, r.followed(straceback.Calls{}), Transfers{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestIODoubt marks places at which calls may be overwritten, but not between those of a lane that keeps all.
func TestIODoubt(t *testing.T) {
	r := (&tape{}).call(101, "write", 2, 1, "a\n", 2).call(101, "write", 2, 1, "b\n", 2).call(101, "write", 2, 4, "c\n", 2)
	r.call(101, "write", 2, 4, "d\n", 2).call(101, "write", 2, 4, "e\n", 2)
	r.records[0].Lane, r.records[1].Lane = straceback.Said, straceback.Said
	calls := straceback.Calls{Missing: 7}
	calls.Lanes[straceback.Recent].Since = 4e6
	const want = `
p101[1] write 1
| a
| b
p101[1] write 4
| c
<calls may be missing here: they were overwritten>
| d
| e

Moved      10 bytes
Covers     what is kept: 5 of 5 writes
Kept       every call of the last 0s; before that, what was new; nothing lost
`
	if diff := cmp.Diff(want, ioText(t, r.followed(calls), Transfers{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIOJSON(t *testing.T) {
	r := (&tape{}).opened(101, "/a", 3, 0).call(101, "pread64", 9, 3, "h\xff", 9, 7).call(101, "read", 2, 3, "hi", 9)
	data, err := json.Marshal(r.followed(straceback.Calls{}).IO(nil, Transfers{}).JSON())
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Streams, Chunks json.RawMessage }
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	const streams = `[{"pid":101,"innerPID":1,"comm":"p101","fd":3,"direction":"read","file":{"path":"/a"},"size":11,"lacks":7}]`
	const chunks = `[{"stream":0,"time":"T","tid":101,"offset":7,"pieces":[{"base64":"aP8=","lacks":7}]},` +
		`{"stream":0,"time":"T","tid":101,"pieces":[{"text":"hi"}]}]`
	if diff := cmp.Diff(streams, string(got.Streams)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var timeless []map[string]any
	if err := json.Unmarshal(got.Chunks, &timeless); err != nil {
		t.Fatal(err)
	}
	var want []map[string]any
	if err := json.Unmarshal([]byte(chunks), &want); err != nil {
		t.Fatal(err)
	}
	for _, chunk := range timeless {
		chunk["time"] = "T"
	}
	if diff := cmp.Diff(want, timeless); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
