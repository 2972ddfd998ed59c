// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

func TestDecode(t *testing.T) {
	sh := abi.Exec{PID: 10, TID: 11, PPID: 9, UID: 1000, Argc: 3}
	for _, c := range []struct {
		what            string
		flags           uint16
		path, arguments string
		want            []string
	}{
		{"all of it", 0, "/bin/sh", "sh\x00-c\x00true\x00", []string{"sh", "-c", "true"}},
		{"no argument", 0, "/bin/sh", "", []string{}},
		{"empty arguments", 0, "/bin/sh", "\x00\x00x\x00\x00", []string{"", "", "x", ""}},
		{"the last one cut", abi.ExecTruncated, "/bin/sh", "sh\x00-c\x00tr", []string{"sh", "-c", "tr"}},
		{"nothing could be read", abi.ExecFault, "", "", []string{}},
	} {
		e := sh
		e.Entry.Flags = c.flags
		r, err := Decode(execRecord(e, c.path, c.arguments))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if diff := cmp.Diff(c.want, r.Args()); diff != "" {
			t.Errorf("%s: arguments (-want +got):\n%s", c.what, diff)
		}
		if string(r.Path) != c.path || r.ArgsTruncated() != (c.flags == abi.ExecTruncated) ||
			r.Fault() != (c.flags == abi.ExecFault) || r.TID != 11 {
			t.Errorf("%s: decoded as %+v", c.what, r)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := execRecord(abi.Exec{}, "/bin/true", "true\x00")
	longer := execRecord(abi.Exec{}, "/bin/true", "true\x00")
	longer[abi.SizeofEntry+48] = 200 // argv_length
	for what, record := range map[string][]byte{
		"nothing":                     nil,
		"half a header":               whole[:abi.SizeofExec/2],
		"a record that ends early":    whole[:len(whole)-8],
		"arguments beyond the record": longer,
	} {
		if r, err := Decode(record); !errors.Is(err, ErrRecord) {
			t.Errorf("%s is decoded as %+v, %v", what, r, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(execRecord(abi.Exec{PID: 1, Result: -2, Comm: name("sh")}, "/bin/sh", "sh\x00-c\x00x\ny\x00"))
	f.Add(execRecord(abi.Exec{Entry: abi.Entry{Flags: 7}}, "\x1b[2J", "\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, record []byte) {
		r, err := Decode(record)
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Errorf("error %v is of another kind", err)
			}
			return
		}
		e := NewEvent(&r, &labels.Container{Pod: "p\n"}, time.Unix(0, 0))
		line := Columns{Time: timestamp.Wall, Pod: true}.AppendText(nil, &e)
		for i, c := range line {
			if c < ' ' && i != len(line)-1 || c == 0x7f {
				t.Fatalf("a line holds the control character %q: %q", c, line)
			}
		}
		if _, err := e.AppendJSON(nil); err != nil {
			t.Error(err)
		}
	})
}
