// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestDiff compares a good run with a bad one that failed to read a file, connect and write. What both did with other
// numbers and names counts as the same.
func TestDiff(t *testing.T) {
	address := func(port byte) map[int]string {
		return map[int]string{1: "\x02\x00\x15" + string([]byte{port}) + "\x0a\x00\x00\x09" + strings.Repeat("\x00", 8)}
	}
	common := func(pid, random string) []syscalls.Call {
		return []syscalls.Call{
			made(1, "execve", 0, map[int]string{0: "/bin/app\x00", 1: "app\x00--id\x00" + random + "\x00"}, 1, 1, 0),
			made(2, "openat", 3, map[int]string{1: "/proc/" + pid + "/status\x00"}, current, 1, 0, 0),
			made(3, "openat", 3, map[int]string{1: "/tmp/tmp." + random + "\x00"}, current, 1, 0o102, 0o600),
			made(4, "read", -11, nil, 5, 1, 9),
		}
	}
	exit := func(code int64) syscalls.Call {
		c := made(9, "exit_group", code<<8, nil, uint64(code))
		c.Unfinished = true
		return c
	}
	a := recorded("good", append(common("4711", "a1b2c3d4e5"),
		made(5, "openat", 3, map[int]string{1: "/etc/app.conf\x00"}, current, 1, 0, 0),
		made(6, "connect", 0, address(0x38), 3, 1, 16), exit(0))...)
	b := recorded("bad", append(common("99", "0f9e8d7c6b"),
		made(5, "openat", -2, map[int]string{1: "/etc/app.conf\x00"}, current, 1, 0, 0),
		made(6, "openat", -2, map[int]string{1: "/etc/app.conf\x00"}, current, 1, 0, 0),
		made(7, "connect", -111, address(0x39), 3, 1, 16), exit(1))...)
	d := NewDiff(NewDeeds(a), NewDeeds(b))
	var text bytes.Buffer
	if err := (&Screen{Width: 60}).WriteDiff(&text, d, 9); err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(text.String(), "\n\n")
	want := `Files
- read /etc/app.conf  app[7]

Addresses
- connect to 10.0.0.9:5432  app[7]

Failures
+ openat(/etc/app.conf) = ENOENT  app[7] ×2
+ connect(10.0.0.9:5433) = ECONNREFUSED  app[7]

Ends
- app exited with code 0  app[7]
+ app exited with code 1  app[7]

Kept of -  every call; nothing lost
Kept of +  every call; nothing lost
`
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	j := d.JSON()
	if len(j.Changes) != 6 || j.Changes[2].Only != "b" || j.Changes[2].Kind != Failure || j.Changes[2].Times != 2 ||
		j.A.Name != "default/good/app" {
		t.Errorf("JSON is %+v", j)
	}
	text.Reset()
	same := NewDiff(NewDeeds(a), NewDeeds(a))
	if err := (&Screen{Width: 60}).WriteDiff(&text, same, 9); err != nil || !same.Empty() ||
		!strings.Contains(text.String(), "No difference") {
		t.Errorf("a run differs from itself: %v\n%s", err, &text)
	}
	if NewDiff(NewDeeds(a), NewDeeds(recorded("none"))).OnlyA[0].What != "/bin/app --id *" {
		t.Errorf("the program is %q", NewDeeds(a).all[0].What)
	}
}

// TestNormal replaces what differs from run to run, and nothing else.
func TestNormal(t *testing.T) {
	n := newNormal(&labels.Container{ID: "0123456789abcdef0123", Pod: "web-7d9c-abcde", PodUID: "1-2-3-4-5-6"})
	for text, want := range map[string]string{
		"/etc/hosts":                              "/etc/hosts",
		"/usr/lib/python3.11/abc.so.6":            "/usr/lib/python3.11/abc.so.6",
		"/usr/lib/x86_64-linux-gnu/libssl.so.3":   "/usr/lib/x86_64-linux-gnu/libssl.so.3",
		"/proc/4711/task/4712/fd/3":               "/proc/*/task/*/fd/3",
		"/proc/self/maps":                         "/proc/self/maps",
		"/tmp/tmp.8aJ2kqPz1M/x":                   "/tmp/*/x",
		"/tmp/tmpab12_z9q":                        "/tmp/*",
		"/tmp/sess-aXbYcZ":                        "/tmp/sess-*",
		"/tmp/python3/state":                      "/tmp/python3/state",
		"/srv/aXbYcZ":                             "/srv/aXbYcZ",
		"/var/log/web-7d9c-abcde.log":             "/var/log/*.log",
		"/run/0123456789abcdef0123/x":             "/run/*/x",
		"/a/6ba7b810-9dad-11d1-80b4-00c04fd430c8": "/a/*",
		"/log/2026-01-31T10:11:12.5.txt":          "/log/2026-01-31T10:11:12.5.txt",
		"/log/2026-01-31/10:11:12.5":              "/log/*/*",
		"/cache/deadbeef01":                       "/cache/*",
		"/cache/decade":                           "/cache/decade",
		"/data/171234567.db":                      "/data/*.db",
		"/data/8080":                              "/data/8080",
		"pipe:[4711]":                             "pipe:[*]",
	} {
		if got := n.text(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"10.0.0.9:443": "10.0.0.9:443", "10.0.0.9:40000": "10.0.0.9:*", "[fd00::1]:50000": "[fd00::1]:*",
		"@/tmp/x": "@/tmp/x", "": "",
	} {
		if got := n.address(text); got != want {
			t.Errorf("address %q becomes %q, not %q", text, got, want)
		}
	}
}
