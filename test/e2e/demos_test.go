// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPastOfDeletedPod recovers output that a pipe had hidden, after the container was deleted: every name in /bin.
func TestPastOfDeletedPod(t *testing.T) {
	x := load(t)
	o := x.runContainer(simple("mypod", "sh", "-c", "ls -l /bin | grep wget"))
	if lines := splitLines(o.stdout); len(lines) != 1 || !strings.HasSuffix(lines[0], " wget") || o.code != 0 {
		t.Fatalf("the pod itself: %+v", o)
	}
	if list := grep(splitLines(x.tracectl("straceback", "list")), "default     mypod   mypod"); len(list) != 1 {
		t.Errorf("in the list: %q", list)
	}
	var want, got []string
	entries, err := os.ReadDir(filepath.Join(rootfs, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want = append(want, "/bin/"+e.Name())
	}
	for _, c := range x.calls("default/mypod") {
		if name := c.data("filename"); c.Comm == "ls" && strings.HasPrefix(name, "/bin/") && c.Ret != nil && *c.Ret == 0 {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("names that ls looked at: %d of %d\n%q", len(got), len(want), got)
	}
	line := regexp.MustCompile(`^00:0\d\.\d{9} cpu#\d+ pid \d+ \[ls\] \w+\(.*filename=0x[0-9a-f]+ "/bin/w".*\)( = 0|\.\.\.)$`)
	if lines := grep(x.lines("default/mypod"), `"/bin/w"`); len(lines) != 1 || !line.MatchString(lines[0]) {
		t.Errorf("the line of /bin/w: %q", lines)
	}
}

// TestLostResult recovers the result of a computation and the reason that it was lost.
func TestLostResult(t *testing.T) {
	x := load(t)
	o := x.runContainer(simple("mypod", "sh", "-c", `RANDOM=output ; echo "3*7*2" | bc > /tmp/file-$RANDOM ; cat /tmp/file-$RANDOM`))
	read := regexp.MustCompile(`^cat: can't open '(/tmp/file-\d+)': No such file or directory\n$`).FindStringSubmatch(o.stderr)
	if read == nil || o.code != 1 {
		t.Fatalf("the pod itself: %+v", o)
	}
	var result, written, missed string
	for _, c := range x.calls("node_default_mypod") {
		name := c.data("filename")
		switch {
		case c.Comm == "bc" && c.Syscall == "write":
			result += c.data("buf")
		case c.Comm == "sh" && strings.HasPrefix(name, "/tmp/file-") && c.Ret != nil && *c.Ret > 0:
			written = name
		case c.Comm == "cat" && strings.HasPrefix(name, "/tmp/file-") && c.Errno == "ENOENT":
			missed = name
		}
	}
	if result != `42\n` || missed != read[1] || !strings.HasPrefix(written, "/tmp/file-") || written == missed {
		t.Errorf("bc wrote %q into %q, and cat tried %q, as it said of %q", result, written, missed, read[1])
	}
	if lines := grep(x.lines("mypod"), " = -1 ENOENT (No such file or directory)"); len(lines) == 0 {
		t.Error("no line with ENOENT")
	}
}
