// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mypod runs a command line in a pod called mypod, on a user's terminal, and deletes the pod. It returns the output
// and the pod's node.
func (c *cluster) mypod(line string) (printed string, on *node) {
	c.t.Helper()
	c.t.Cleanup(func() { c.kubectl("delete", "pod", "mypod", "--ignore-not-found", "--now") })
	printed = c.terminal("kubectl run --restart=Never -ti --image=busybox mypod -- sh -c '" + line + "'").Stdout
	name := c.kubectl("get", "pod", "mypod", "--output=jsonpath={.spec.nodeName}")
	c.kubectl("delete", "pod", "mypod")
	return printed, c.node(name)
}

// grep returns the lines that match.
func grep(text, pattern string) string {
	return strings.Join(regexp.MustCompile(`(?m)^.*(?:`+pattern+`).*$`).FindAllString(text, -1), "\n")
}

// halves matches a call printed in two lines because another line came between.
var halves = regexp.MustCompile(`(?m)^(.* pid (\d+) .*\] (\w+)\(.*\))\.\.\.$`)

// whole joins the two lines of such calls.
func whole(shown string) string {
	return halves.ReplaceAllStringFunc(shown, func(begin string) string {
		half := halves.FindStringSubmatch(begin)
		_, rest, _ := strings.Cut(shown, begin+"\n")
		end := regexp.MustCompile(`(?m)^.* pid ` + half[2] + ` .*\] \.\.\.` + half[3] +
			`\(\)( = .*)$`).FindStringSubmatch(rest)
		if end == nil {
			return begin
		}
		return half[1] + end[1]
	})
}

func TestWhole(t *testing.T) {
	const shown = `00:00.000000001 cpu#1 pid 7 [sh] openat(dfd=AT_FDCWD, filename=0x1 "/tmp/a", flags=O_RDONLY, mode=0)...
00:00.000000002 cpu#0 pid 8 [cat] openat(dfd=AT_FDCWD, filename=0x1 "/tmp/b", flags=O_RDONLY, mode=0)...
00:00.000000003 cpu#0 pid 8 [cat] ...openat() = 4
00:00.000000004 cpu#1 pid 7 [sh] ...openat() = -1 ENOENT (No such file or directory)
00:00.000000005 cpu#1 pid 7 [sh] exit_group(error_code=1)...
`
	const want = `00:00.000000001 cpu#1 pid 7 [sh] openat(dfd=AT_FDCWD, filename=0x1 "/tmp/a", flags=O_RDONLY, mode=0) = -1 ENOENT (No such file or directory)
00:00.000000002 cpu#0 pid 8 [cat] openat(dfd=AT_FDCWD, filename=0x1 "/tmp/b", flags=O_RDONLY, mode=0) = 4
00:00.000000003 cpu#0 pid 8 [cat] ...openat() = 4
00:00.000000004 cpu#1 pid 7 [sh] ...openat() = -1 ENOENT (No such file or directory)
00:00.000000005 cpu#1 pid 7 [sh] exit_group(error_code=1)...
`
	if diff := cmp.Diff(want, whole(shown)); diff != "" {
		t.Errorf("whole (-want +got):\n%s", diff)
	}
}

// show prints the recording of mypod, named NODE_NAMESPACE_POD. Either name of the command prints the same for a
// user as tracectl does on the node.
func (c *cluster) show(on *node) string {
	c.t.Helper()
	name := on.name + "_default_mypod"
	list := c.tracectl("cluster", "straceback", "list")
	if !regexp.MustCompile(`(?m)^` + on.name + ` +default +mypod +mypod `).MatchString(list) {
		c.t.Errorf("mypod is not in the list:\n%s", list)
	}
	shown := c.tracectl("cluster", "straceback", "show", name)
	if diff := cmp.Diff(on.tracectl("straceback", "show", name), shown); diff != "" {
		c.t.Errorf("what was recorded of mypod, on the node and from outside (-node +outside):\n%s", diff)
	}
	if diff := cmp.Diff(shown, c.kubectl("runc-trace", "straceback", "show", name)); diff != "" {
		c.t.Errorf("tracectl cluster, and the same as a plugin of kubectl (-tracectl +kubectl):\n%s", diff)
	}
	return shown
}

// TestDemoFiles runs one program in a pod, deletes the pod, and finds all files that the program looked at.
func TestDemoFiles(t *testing.T) {
	c := use(t)
	c.deploy()
	printed, n := c.mypod("ls -l /bin | grep wget")
	if !regexp.MustCompile(`(?m)^-rwxr-xr-x .* wget\r?$`).MatchString(printed) || strings.Contains(printed, "whoami") {
		t.Errorf("the pod has printed %q", printed)
	}
	shown := whole(c.show(n))
	t.Logf("tracectl cluster straceback list\n%s", c.tracectl("cluster", "straceback", "list"))
	t.Logf("tracectl cluster straceback show %s_default_mypod | grep /bin/w\n%s", n.name, grep(shown, `/bin/w`))
	for _, path := range []string{"/bin/watch", "/bin/wc", "/bin/wget", "/bin/which", "/bin/who", "/bin/whoami"} {
		call := regexp.MustCompile(`(?m)^\d\d:\d\d\.\d{9} cpu#\d+ pid \d+ \[ls\] \w+\(.*"` + path + `", .*\) = 0$`)
		if !call.MatchString(shown) {
			t.Errorf("there is no call with %s in\n%s", path, shown)
		}
	}
}

// TestDemoResult has a pod write its result to one file and read another, deletes the pod, and finds
// the result and the names of both files.
func TestDemoResult(t *testing.T) {
	c := use(t)
	c.deploy()
	printed, n := c.mypod(`RANDOM=output ; echo "3*7*2" | bc > /tmp/file-$RANDOM ; cat /tmp/file-$RANDOM`)
	missing := regexp.MustCompile(`cat: can't open '(/tmp/file-\d+)': No such file or directory`).FindStringSubmatch(printed)
	if missing == nil {
		t.Fatalf("the pod has printed %q", printed)
	}
	shown := whole(c.show(n))
	t.Logf("tracectl cluster straceback show %s_default_mypod | grep -E 'write|/tmp/file'\n%s", n.name, grep(shown, `write|/tmp/file`))
	call := func(pattern string) string {
		found := regexp.MustCompile(`(?m)^\d\d:\d\d\.\d{9} cpu#\d+ pid \d+ ` + pattern + `$`).FindStringSubmatch(shown)
		if found == nil {
			t.Fatalf("there is no call %s in\n%s", pattern, shown)
		}
		return found[1]
	}
	written := call(`\[sh\] open\w*\(.*"(/tmp/file-\d+)", flags=O_WRONLY\|O_CREAT\|O_TRUNC, mode=0666\) = \d+(?:<[^>]*>)?`)
	read := call(`\[cat\] open\w*\(.*"(/tmp/file-\d+)", .*\) = -1 ENOENT \(No such file or directory\)`)
	if read != missing[1] || written == read {
		t.Errorf("the pod wrote %s and read %s, and said that there is no %s", written, read, missing[1])
	}
	if result := call(`\[bc\] write\(fd=1(?:<[^>]*>)?, buf=\w+ "(.*)\\n", count=3\) = 3`); result != "42" {
		t.Errorf("the result is %q", result)
	}
}
