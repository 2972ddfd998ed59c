// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

var boot = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)

// TestCommands checks the column ARGS for paths and arguments.
func TestCommands(t *testing.T) {
	long := "/" + strings.Repeat("d", 1022)
	for _, c := range []struct {
		what, path string
		args       []string
		result     int32
		flags      uint16
		want       string
	}{
		{"its path", "/bin/true", []string{"/bin/true"}, 0, 0, `/bin/true`},
		{"its name", "/usr/bin/sh", []string{"sh", "-c", "x=1; echo $x"}, 0, 0, `/usr/bin/sh -c "x=1; echo $x"`},
		{"a relative path", "./run", []string{"./run", "", "a b", `"`}, 0, 0, `./run "" "a b" "\""`},
		{"a shell's syntax", "/bin/sh", []string{"sh", "a;b", "$(c)", "`d`", "e|f", "*?[~#!", "$g h"}, 0, 0,
			"/bin/sh a;b $(c) `d` e|f *?[~#! \"$g h\""},
		{"words that are marks", "/bin/echo", []string{"echo", "...", "<unreadable>", "a..."}, 0, 0,
			`/bin/echo "..." "<unreadable>" "a..."`},
		{"a path of two words", "/my program", []string{"my program"}, 0, 0, `"/my program"`},
		{"no arguments at all", "/bin/true", nil, 0, 0, `/bin/true`},

		{"a script", "/entrypoint.sh", []string{"/bin/sh", "/entrypoint.sh", "--flag", "a b"}, 0, abi.ExecInterpreted,
			`/bin/sh /entrypoint.sh --flag "a b"`},
		{"a script of a script", "/tmp/b", []string{"/bin/sh", "-x", "/tmp/a", "opt", "/tmp/b", "one", "two"}, 0,
			abi.ExecInterpreted, `/bin/sh -x /tmp/a opt /tmp/b one two`},
		{"a script with an argument of two words", "/usr/bin/x", []string{"/usr/bin/env", "-S python3 -u", "/usr/bin/x"}, 0,
			abi.ExecInterpreted, `/usr/bin/env "-S python3 -u" /usr/bin/x`},
		{"a script that is called as its interpreter", "/opt/sh", []string{"/bin/sh", "/opt/sh"}, 0,
			abi.ExecInterpreted, `/bin/sh /opt/sh`},
		{"a script of a relative interpreter of its own name", "/opt/sh", []string{"sh", "/opt/sh"}, 0,
			abi.ExecInterpreted, `sh /opt/sh`},
		{"a script by its descriptor", "/dev/fd/3", []string{"/bin/sh", "/dev/fd/3", "x"}, 0, abi.ExecInterpreted,
			`/bin/sh /dev/fd/3 x`},
		{"another machine's program", "/opt/arm", []string{"/usr/bin/qemu-arm", "/opt/arm", "arm", "-v"}, 0,
			abi.ExecInterpreted, `/usr/bin/qemu-arm /opt/arm arm -v`},
		{"a script whose arguments are cut", "/opt/sh", []string{"/bin/sh", "/op"}, 0,
			abi.ExecInterpreted | abi.ExecTruncated, `/bin/sh "/op"... <path /opt/sh>`},
		{"a program that passes for a script", "/tmp/evil", []string{"/bin/ls", "/tmp/evil"}, 0, 0,
			`/bin/ls /tmp/evil <path /tmp/evil>`},
		{"a copy of itself", "/bin/cp", []string{"/bin/cp", "/bin/cp", "/tmp"}, 0, 0, `/bin/cp /bin/cp /tmp`},
		{"a script that is not found", "/bin/x", []string{"x", "/bin/x"}, -2, 0, `/bin/x /bin/x`},

		{"a login shell", "/bin/bash", []string{"-bash"}, 0, 0, `-bash <path /bin/bash>`},
		{"an applet", "/proc/self/exe", []string{"cat", "/etc/passwd"}, 0, 0, `cat /etc/passwd <path /proc/self/exe>`},
		{"an applet of busybox", "/bin/busybox", []string{"ls", "-l"}, 0, 0, `ls -l <path /bin/busybox>`},
		{"memory", "/proc/self/fd/3", []string{"[kworker/0:1]"}, 0, 0, `[kworker/0:1] <path /proc/self/fd/3>`},
		{"a name of its own", "/tmp/miner", []string{"nginx: worker process"}, 0, 0,
			`"nginx: worker process" <path /tmp/miner>`},
		{"no name", "/bin/true", []string{"", "x"}, 0, 0, `"" x <path /bin/true>`},
		{"no path", "", []string{"x"}, -2, 0, `x <path "">`},

		{"an argument that is cut", "/bin/echo", []string{"echo", "aaaa"}, 0, abi.ExecTruncated, `/bin/echo "aaaa"...`},
		{"all arguments are cut", "/bin/echo", []string{"echo"}, 0, abi.ExecTruncated, `/bin/echo ...`},
		{"a path that may be cut", long, []string{long, "x"}, 0, 0, long + ` x <path "` + long + `"...>`},
		{"a path and arguments", long, []string{"d", "x"}, 0, abi.ExecTruncated, `d "x"... <path "` + long + `"...>`},
		{"arguments that cannot be read", "/bin/x", []string{"x", "a"}, -14, abi.ExecFault, `/bin/x a <unreadable>`},
		{"arguments that went away", "/bin/x", []string{"", "", ""}, 0, abi.ExecFault, `/bin/x <unreadable>`},
		{"an empty path, and arguments that cannot be read", "", nil, -2, abi.ExecFault, `"" <unreadable>`},
		{"an empty path, and some arguments that cannot be read", "", []string{"x"}, -2, abi.ExecFault,
			`x <unreadable> <path "">`},
		{"an empty argument", "/bin/x", []string{""}, 0, 0, `"" <path /bin/x>`},
		{"neither a path nor an argument", "", []string{""}, -2, 0, `""`},
		{"a newline, a tab, bytes", "/x", []string{"/x", "a\nb", "\t", `\`, "é"}, 0, 0, `/x "a\nb" "\t" "\\" é`},
		{"a path that cannot be read", "", []string{"x"}, -14, abi.ExecFault, `x <unreadable>`},
	} {
		arguments := strings.Join(c.args, "\x00") + "\x00"
		if c.args == nil {
			arguments = ""
		}
		r, err := Decode(execRecord(abi.Exec{Result: c.result, Entry: abi.Entry{Flags: c.flags}}, c.path, arguments))
		if err != nil {
			t.Fatal(err)
		}
		e := NewEvent(&r, nil, boot)
		if diff := cmp.Diff(" "+c.want, string(e.appendCommand(nil))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
		if wantPath := c.path == long; e.PathTruncated != wantPath ||
			e.Truncated != (wantPath || c.flags&abi.ExecTruncated != 0) {
			t.Errorf("%s: truncated is %v, of the path %v", c.what, e.Truncated, e.PathTruncated)
		}
		// A cluster prints text from the JSON of its nodes.
		line, err := e.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var far Event
		if err := json.Unmarshal(line, &far); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(e.appendCommand(nil)), string(far.appendCommand(nil))); diff != "" {
			t.Errorf("%s, from afar (-near +far):\n%s", c.what, diff)
		}
	}
}

// TestCells checks that each cell is one word, and that a container cannot choose a cell that reads "-" or
// "<evicted>".
func TestCells(t *testing.T) {
	e := Event{Comm: "a b", PID: 1, Path: "/x", Args: []string{"x"}, Namespace: "<evicted>", Pod: "-", Container: "c d"}
	line := string(Columns{Pod: true}.AppendText(nil, &e))
	if got := strings.Join(strings.Fields(line), " "); got != `"<evicted>" "-" "c d" "a b" 1 0 0 /x` {
		t.Error(got)
	}
}

// words splits a command line into words, and keeps quoted words whole.
func words(line string) []string {
	var all []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		end, quoted := 0, false
		for ; end < len(line) && (quoted || line[end] != ' '); end++ {
			if line[end] == '\\' {
				end++
			} else if line[end] == '"' {
				quoted = !quoted
			}
		}
		all = append(all, line[:end])
		line = line[end:]
	}
	return all
}

func quotedWord(text string) []byte { return terminal.AppendQuoted(nil, text) }

// FuzzCommand parses lines back: each stands for exactly one path and one list of arguments without args[0].
func FuzzCommand(f *testing.F) {
	f.Add("/bin/sh", "sh\x00-c\x00a b\x00", uint16(0), int32(0))
	f.Add("/entrypoint.sh", "/bin/sh\x00/entrypoint.sh\x00", uint16(0), int32(0))
	f.Add("/entrypoint.sh", "/bin/sh\x00/entrypoint.sh\x00", uint16(abi.ExecInterpreted), int32(0))
	f.Add("/bin/sh", "sh\x00-c\x00a;b|c\x00$(d)\x00`e`\x00", uint16(0), int32(0))
	f.Add("/x", "x\x00<path /y>\x00...\x00", uint16(1), int32(-2))
	f.Fuzz(func(t *testing.T, path, arguments string, flags uint16, result int32) {
		r, err := Decode(execRecord(abi.Exec{Result: result, Entry: abi.Entry{Flags: flags}},
			path[:min(len(path), 1023)], arguments))
		if err != nil {
			return
		}
		e := NewEvent(&r, &labels.Container{}, boot)
		line := words(string(e.appendCommand(nil)))
		var marks []string
		for len(line) > 0 && strings.ContainsAny(line[len(line)-1][:1], "<") ||
			len(line) > 1 && line[len(line)-2] == "<path" {
			n := len(line) - 1
			if n > 0 && line[n-1] == "<path" {
				n--
			}
			marks, line = append(line[n:len(line):len(line)], marks...), line[:n]
		}
		want := e.Args
		if e.calledByPath() {
			want = append([]string{e.Path}, want[min(1, len(want)):]...)
		} else if len(marks) == 0 && !e.Fault && !(e.Interpreted && slices.Contains(e.Args, e.Path)) {
			t.Errorf("%q has no path", e.appendCommand(nil))
		}
		if n := len(line) - 1; n >= 0 && (line[n] == "..." || strings.HasSuffix(line[n], `"...`)) {
			if line[n] = strings.TrimSuffix(line[n], "..."); line[n] == "" {
				line = line[:n]
			}
			if !e.ArgsTruncated {
				t.Errorf("%q is cut", e.appendCommand(nil))
			}
		}
		var got, expected []string
		for n, word := range line {
			got = append(got, strings.Trim(word, `"`))
			if n < len(want) {
				expected = append(expected, strings.Trim(string(quotedWord(want[n])), `"`))
			}
		}
		if !slices.Equal(expected, got) || len(want) != len(line) {
			t.Errorf("%q of %q and %q: %q", e.appendCommand(nil), e.Path, e.Args, got)
		}
	})
}

// TestNamedColumns checks which columns identify a container on a host with pods, on one without, and on one
// without to which a pod is added.
func TestNamedColumns(t *testing.T) {
	pod := &labels.Container{ID: "0123456789abcdef0123456789abcdef", Namespace: "default", Pod: "web-0",
		Name: "app", Image: "nginx"}
	sandbox := &labels.Container{ID: "76543210fedcba9876543210fedcba98", Namespace: "default", Pod: "web-0"}
	docker := &labels.Container{ID: "fedcba9876543210fedcba9876543210", Engine: "docker"}
	named := &labels.Container{ID: "fedcba9876543210fedcba9876543210", Engine: "docker", Name: "my db", Image: "postgres"}
	const header, line = "PCOMM            PID    PPID   RET ARGS\n", "sh               1      0        0 /bin/sh\n"
	for _, c := range []struct {
		what  string
		known []*labels.Container
		of    *labels.Container
		want  string
	}{
		{"nothing is known", nil, docker, "" +
			"NAMESPACE      POD                      CONTAINER        " + header +
			"-              -                        fedcba987654     " + line},
		{"pods", []*labels.Container{docker, pod}, pod, "" +
			"NAMESPACE      POD                      CONTAINER        " + header +
			"default        web-0                    app              " + line},
		{"a pod whose name is not known yet", []*labels.Container{{ID: "0", SandboxID: "1"}}, pod, "" +
			"NAMESPACE      POD                      CONTAINER        " + header +
			"default        web-0                    app              " + line},
		{"a pod of Podman", []*labels.Container{{ID: "0", SandboxID: "1", Engine: "podman"}}, docker, "" +
			"CONTAINER        " + header +
			"fedcba987654     " + line},
		{"no pods, no names", []*labels.Container{docker}, docker, "" +
			"CONTAINER        " + header +
			"fedcba987654     " + line},
		{"no pods", []*labels.Container{named}, named, "" +
			"CONTAINER        IMAGE                    " + header +
			"\"my db\"          postgres                 " + line},
		{"the first pod", []*labels.Container{docker}, pod, "" +
			"CONTAINER        " + header +
			"default/web-0/app " + line},
		{"the first pod's sandbox", []*labels.Container{docker}, sandbox, "" +
			"CONTAINER        " + header +
			"default/web-0/76543210fedc " + line},
		{"one that is not known any more", []*labels.Container{named}, nil, "" +
			"CONTAINER        IMAGE                    " + header +
			"<evicted>        <evicted>                " + line},
	} {
		columns := Columns{Pod: true}.Named(c.known)
		e := Event{Comm: "sh", PID: 1, Path: "/bin/sh", Args: []string{"sh"}, Evicted: c.of == nil}
		if c.of != nil {
			e.Namespace, e.Pod, e.Container, e.ContainerID, e.Image = c.of.Namespace, c.of.Pod, c.of.Name, c.of.ID, c.of.Image
		}
		if diff := cmp.Diff(c.want, string(columns.AppendText(columns.AppendHeader(nil), &e))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
	if all := (Columns{Pod: true, Image: true}); all.Named([]*labels.Container{docker}) != all {
		t.Error("columns are left out of all")
	}
	if (Columns{}).Named([]*labels.Container{docker}) != (Columns{}) {
		t.Error("columns that nobody asked for")
	}
}
