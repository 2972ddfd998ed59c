// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// TestFind asks over all recordings who deleted a file, who talked to an address, and who met an error.
func TestFind(t *testing.T) {
	x := load(t)
	x.runContainer(simple("keeper", "/bin/sh", "-c", "echo lease > /tmp/state; cat /tmp/state; exec /bin/true"))
	x.runContainer(simple("remover", "/bin/sh", "-c",
		"echo lease > /tmp/state; cd /tmp; rm state; rm state; nc 127.0.0.1 1; echo the last words; :"))
	for _, c := range []struct {
		args []string
		want string // all lines but the header, in order
	}{
		{[]string{"/tmp/state", "-e", "unlink,unlinkat"}, `(?s)^[\d:.]+ +default/remover/remover +rm\[\d+\] +\w+\("/tmp/state"\) = 0\n$`},
		{[]string{"127.0.0.1:1"}, `(?m)^[\d:.]+ +default/remover/remover +nc\[\d+\] .*connect\("127.0.0.1:1"\) = ECONNREFUSED$`},
		{[]string{"127.0.0.0/8:2"}, `^$`},
		{[]string{"the last words", "-n", "default"}, `default/remover/remover +sh\[1\] +write\("the last words\\n"\) = 15\n`},
		{[]string{"the last words", "-n", "def", "-l", "x=y"}, `^$`},
		{[]string{"ENOENT", "--comm", "rm"}, `"/tmp/state"\) = ENOENT\n`},
		{[]string{"--path", "/bin/true", "-e", "execve"}, `^[^\n]*default/keeper/keeper +true\[1\] +execve\("/bin/true"[^\n]*\n$`},
	} {
		o := x.run(tracectlPath, append([]string{"find"}, c.args...)...)
		_, lines, _ := strings.Cut(o.stdout, "\n")
		if !regexp.MustCompile(c.want).MatchString(lines) {
			t.Errorf("find %q does not print %s, but\n%s%s", c.args, c.want, o.stdout, o.stderr)
		}
	}
	type match struct {
		Name string
		Call callJSON
	}
	all := objects[match](t, x.tracectl("find", "/tmp/state", "-o", "json", "--limit=2", "--failed"))
	if len(all) == 0 || all[0].Name != "default/remover/remover" || all[0].Call.Errno != "ENOENT" {
		t.Errorf("the newest failure is %+v", all)
	}
	if o := x.run(tracectlPath, "find"); o.code != 2 || !strings.Contains(o.stderr, "missing argument: QUERY") {
		t.Errorf("find without a query exits with %d: %s", o.code, o.stderr)
	}
}
