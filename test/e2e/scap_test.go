// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestScap exports a container's calls, and reads them with sysdig: what processes, files, sockets and the container
// are, and when each call came, with its errors and its bytes.
func TestScap(t *testing.T) {
	if _, err := exec.LookPath("sysdig"); err != nil {
		t.Fatalf("%v: install the package sysdig", err)
	}
	address := serveTCP(t, "127.0.0.1:0", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	port := netip.MustParseAddrPort(address).Port()
	x := load(t)
	script := fmt.Sprintf(`cd /tmp; echo "hello, sysdig" > note; cat note /etc/nothing; echo ping | nc 127.0.0.1 %d; `+
		`mkdir dir; mv note dir/moved; rm dir/moved; sleep 30 & kill $!; wait $!; exit 3`, port)
	before := time.Now()
	x.runContainer(bundle{id: strings.Repeat("0123456789abcdef", 4), annotations: pod("told", nil),
		args: []string{"/bin/sh", "-c", script, "name", "argument"}})
	after := time.Now()
	file := filepath.Join(x.dir, "told.scap")
	o := x.run(tracectlPath, "export", "told", "--format=scap", "-o", file)
	unnamed := regexp.MustCompile(`^tracectl: \d+ calls? without a name in this format: .*rseq \(\d+\)`)
	if o.code != 0 || !unnamed.MatchString(o.stderr) {
		t.Fatalf("export: exit code %d, %s", o.code, o.stderr)
	}

	for _, c := range []struct {
		filter, fields string
		want           []string // regular expressions of lines, in this order
	}{
		{"evt.type=execve and evt.dir=<", "proc.vpid proc.exe proc.args proc.cwd evt.res", []string{
			`^1\|/bin/sh\|-c cd /tmp; .* name argument\|/\|SUCCESS$`, `^\d+\|cat\|note /etc/nothing\|/tmp/\|SUCCESS$`,
			fmt.Sprintf(`^\d+\|nc\|127.0.0.1 %d\|/tmp/\|SUCCESS$`, port),
		}},
		{"evt.type=clone and evt.dir=< and proc.vpid>1", "proc.name proc.pname evt.res", []string{`^sh\|sh\|SUCCESS$`}},
		{"fd.name=/tmp/note", "evt.type evt.dir fd.num fd.type evt.failed evt.buffer", []string{
			`^openat\|<\|3\|file\|false\|<NA>$`, `^write\|>\|1\|file\|false\|<NA>$`,
			`^write\|<\|1\|file\|false\|hello, sysdig\.$`, `^openat\|<\|3\|file\|false\|<NA>$`,
		}},
		{"evt.type=write and fd.num=2 and evt.dir=<", "fd.type evt.buffer", []string{ // it was open before
			`^pipe\|cat: can't open '/etc/nothing': No such file or directory\.$`,
		}},
		{"evt.failed=true", "evt.type evt.res fd.name evt.rawres", []string{`^openat\|ENOENT\|/etc/nothing\|-2$`}},
		{"fd.type=ipv4 and evt.dir=<", "evt.type fd.sip fd.sport fd.l4proto evt.buffer proc.exe", []string{
			fmt.Sprintf(`^connect\|127.0.0.1\|%d\|tcp\|<NA>\|nc$`, port),
			fmt.Sprintf(`^write\|127.0.0.1\|%d\|tcp\|ping\.\|nc$`, port),
		}},
		{"evt.type in (mkdir,rename,unlink) and evt.dir=<", "evt.type evt.args", []string{
			`^mkdir\|res=0 path=dir\(/tmp/dir\)`, `^rename\|res=0 oldpath=note\(/tmp/note\) newpath=dir/moved\(/tmp/dir/moved\)`,
			`^unlink\|res=0 path=dir/moved\(/tmp/dir/moved\)`,
		}},
		{"evt.type in (kill,signaldeliver,procexit)", "evt.type evt.args", []string{
			`^kill\|pid=\d+ sig=15\(SIGTERM\)`, `^signaldeliver\|spid=\d+\(sh\) dpid=\d+\(\w+\) sig=15\(SIGTERM\)`,
			`^procexit\|status=15 ret=0 sig=15\(SIGTERM\) core=0`, `^procexit\|status=768 ret=3 sig=0 core=0`,
		}},
		{"evt.num>1", "container.id container.name container.image container.image.tag k8s.pod.name", []string{
			`^0123456789ab\|told\|docker.io/library/busybox:told\|told\|told$`,
		}},
		{"evt.type=getrandom", "evt.dir proc.vpid", []string{`^>\|1$`, `^<\|1$`}}, // it has no event of its own
	} {
		lines := x.sysdig(file, c.filter, c.fields)
		rest := lines
		for _, want := range c.want {
			at := slices.IndexFunc(rest, regexp.MustCompile(want).MatchString)
			if at < 0 {
				t.Errorf("sysdig %s: no line is like %s, in\n%s", c.filter, want, strings.Join(lines, "\n"))
				break
			}
			rest = rest[at+1:]
		}
	}

	// The IDs are those of the host, and the processes one tree.
	parents := map[string]string{}
	for _, line := range x.sysdig(file, "evt.num>1", "thread.tid proc.pid proc.ppid proc.vpid") {
		id := strings.Split(line, "|")
		if id[0] != id[1] || id[3] == id[1] {
			t.Errorf("thread, process, parent and inner process are %s", line)
		}
		parents[id[1]] = id[2]
	}
	init, others := x.sysdig(file, "proc.vpid=1", "proc.pid")[0], 0
	for pid, parent := range parents {
		if pid != init && parent == init {
			others++
		}
	}
	if len(parents) < 6 || others != len(parents)-1 {
		t.Errorf("the parents are %v, the container's init is %s", parents, init)
	}
	for _, line := range x.sysdig(file, "evt.num>1", "evt.rawtime") {
		var ns int64
		if _, err := fmt.Sscan(line, &ns); err != nil || ns < before.UnixNano()-1e9 || ns > after.UnixNano()+1e9 {
			t.Fatalf("a call was at %s, not between %v and %v", line, before, after)
		}
	}

	// A selection, and the runtime's own calls.
	x.tracectl("export", "told", "--format=scap", "-o", file, "-e", "write", "--comm", "sh")
	lines := x.sysdig(file, "evt.type=write and evt.dir=<", "proc.exe evt.buffer")
	if !slices.Contains(lines, "/bin/sh|hello, sysdig.") {
		t.Errorf("of a selection are left\n%s", strings.Join(lines, "\n"))
	}
	x.tracectl("export", "told", "--format=scap", "-o", file, "--runtime")
	if lines := x.sysdig(file, "proc.name contains runc", "evt.type"); len(lines) < 10 {
		t.Errorf("of the runtime's calls are left\n%s", strings.Join(lines, "\n"))
	}
}

// sysdig prints fields of the events of a file, a line each, with | between them.
func (x *tracer) sysdig(file, filter, fields string) []string {
	x.t.Helper()
	o := x.run("sysdig", "-r", file, "-p", "*%"+strings.ReplaceAll(fields, " ", "|%"), filter)
	if o.code != 0 || o.stderr != "" {
		x.t.Fatalf("sysdig %s: exit code %d, %s", filter, o.code, o.stderr)
	}
	return strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
}
