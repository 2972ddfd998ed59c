// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
)

// TestFollow follows a container by four readers at a time, each with another selection, until it ends.
func TestFollow(t *testing.T) {
	x := load(t)
	x.start(simple("followed", "/bin/sh", "-c",
		"while [ ! -e /tmp/go ]; do usleep 100000; done; /bin/cat /etc/nothing; echo all is said"))
	follow := func(flags ...string) *process {
		return x.spawn(tracectlPath, append([]string{"straceback", "show", "followed", "--follow"}, flags...)...)
	}
	loop := follow("-e", "%file", "--path", "go", "--last", "1ms")
	writes := follow("-e", "write", "-o", "json")
	failed := follow("--failed", "--path", "/etc/*")
	combined := follow("-e", "%file,!execve", "--failed", "--errno", "ENOENT", "--comm", "c*", "--path", "/etc/*",
		"--text", "nothing", "--grep", "nothing.*ENOENT", "--since", "1h", "--slower-than", "1ns", "--tail", "5",
		"--timestamps=none")
	eventually(t, "the loop goes on while it is followed", func() bool {
		return len(grep(splitLines(loop.stdout()), `"/tmp/go"`)) > 3
	})
	x.runtime("exec", "followed", "/bin/touch", "/tmp/go")
	for _, p := range []*process{loop, writes, failed, combined} {
		if o := p.wait(); o.code != 0 {
			t.Errorf("%q ends with %d\n%s", p.cmd.Args, o.code, o.stderr)
		}
	}
	said := objects[callJSON](t, writes.stdout())
	if len(said) == 0 || said[len(said)-1].data("buf") != `all is said\n` {
		t.Errorf("writes are\n%s", writes.stdout())
	}
	for _, call := range said {
		if call.Syscall != "write" {
			t.Errorf("among the writes is a %s", call.Syscall)
		}
	}
	lines := grep(splitLines(failed.stdout()), "pid ") // without "... from here on every call"
	if len(grep(lines, `"/etc/nothing"`)) == 0 || len(grep(lines, "ENOENT")) != len(lines) {
		t.Errorf("failures below /etc are\n%s", strings.Join(lines, "\n"))
	}
	lines = splitLines(combined.stdout())
	if len(lines) != 1 || len(grep(lines, `[cat] openat(`)) != 1 || len(grep(lines, `"/etc/nothing"`)) != 1 {
		t.Errorf("what matches all flags is\n%s", strings.Join(lines, "\n"))
	}
}
