// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
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

func TestEvents(t *testing.T) {
	time.Local = time.UTC
	boot := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)
	web := &labels.Container{
		Namespace: "default", Pod: "web-7d9f", Name: "nginx", ID: "0123456789abcdef0123456789abcdef",
		PodUID: "uid-1", SandboxID: "sb", Image: "nginx:1", Engine: "containerd", Labels: map[string]string{"app": "web"},
	}
	pause := &labels.Container{Namespace: "default", Pod: "web-7d9f", ID: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		Labels: map[string]string{}}
	var wide, narrow, lines []byte
	all := Columns{Time: timestamp.Wall, Pod: true}
	wide, narrow = all.AppendHeader(nil), Columns{}.AppendHeader(nil)
	for _, c := range []struct {
		exec            abi.Exec
		path, arguments string
		container       *labels.Container
	}{
		{abi.Exec{PID: 1273, TID: 1273, PPID: 1236, Comm: name("pause"), ParentComm: name("containerd-shim")},
			"/pause", "/pause\x00", pause},
		{abi.Exec{PID: 1833, TID: 1833, PPID: 1803, UID: 33, Comm: name("sh"), ParentComm: name("runc"), Cgroup: 77,
			Sequence: 42}, "/usr/bin/sh", "sh\x00-c\x00while true ; do\ndate\ndone\x00", web},
		{abi.Exec{PID: 1834, TID: 1840, PPID: 1833, Result: -2, Comm: name("sh"), Entry: abi.Entry{CPU: 1}}, "/bin/nosuch",
			"nosuch\x00-x\x00", web},
		{abi.Exec{PID: 4194304, TID: 4194304, PPID: 1833, Comm: name("fifteen letters"),
			Entry: abi.Entry{Flags: abi.ExecTruncated}}, "/bin/echo", "echo\x00" + strings.Repeat("a", 20), web},
		{abi.Exec{PID: 5, TID: 5, PPID: 4, Comm: name("exe")}, "/proc/self/exe", "cat\x00/etc/passwd\x00", web},
		{abi.Exec{PID: 6, TID: 6, PPID: 4, Comm: name("\x1b[2J")}, "/bin/\xff\u009b", "x\x00\u202e\\\t\x00", web},
		{abi.Exec{PID: 8, TID: 8, PPID: 4, Comm: name("entrypoint.sh")}, "/entrypoint.sh",
			"/bin/sh\x00/entrypoint.sh\x00--flag\x00a b\x00", web},
		{abi.Exec{PID: 7, TID: 7, PPID: 4, Comm: name("runc:[2:INIT]"),
			Entry: abi.Entry{Flags: abi.ExecRuntime | abi.ExecFault}}, "", "", nil},
	} {
		c.exec.Entry.Time = 1_000_000_001
		r, err := Decode(execRecord(c.exec, c.path, c.arguments))
		if err != nil {
			t.Fatal(err)
		}
		e := NewEvent(&r, c.container, boot)
		e.Log = 7
		wide, narrow = all.AppendText(wide, &e), Columns{}.AppendText(narrow, &e)
		if lines, err = e.AppendJSON(lines); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "narrow.txt", narrow)
	golden(t, "wide.txt", wide)
	golden(t, "events.json", lines)
}
