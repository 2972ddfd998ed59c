// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Texts that must never reach a terminal: they clear the screen, break the line, set a title, reverse the direction of
// writing, look blank, or are not text.
const (
	hostileText = "a\x1b[2J\r\nb\tc\x1b]0;title\x07\u009b31m\u202e\u2800d\x7f"
	hostileSh   = `$(printf 'a\033[2J\r\nb\tc\033]0;title\007\302\23331m\342\200\256\342\240\200d\177\377')`
)

// TestHostileText checks that, whatever names a container has or chooses, the output is printable, with one line for
// each item.
func TestHostileText(t *testing.T) {
	x := load(t)
	annotations := map[string]string{
		"io.container.manager":             "cri-o",
		"io.kubernetes.cri-o.SandboxID":    hostileText,
		"io.kubernetes.cri-o.ImageName":    hostileText,
		"io.kubernetes.pod.name":           hostileText,
		"io.kubernetes.pod.namespace":      hostileText,
		"io.kubernetes.pod.uid":            hostileText,
		"io.kubernetes.container.name":     hostileText,
		"runc-trace.label/" + hostileText:  hostileText,
		"runc-trace.label/invalid":         "INVALID",
		"runc-trace.label/large":           strings.Repeat("x", 10<<10),
		"runc-trace.label/large-but-fits":  strings.Repeat("é", 1<<10),
		"runc-trace.label/key=with-equals": "x",
	}
	b := bundle{id: "hostile", annotations: annotations, args: []string{"/bin/sh", "-c", strings.Join([]string{
		`printf '\033[2J\n' > /proc/self/comm`,
		`: > "/tmp/` + hostileSh + `"`,
		`/bin/echo "` + hostileSh + `"`,
		`/bin/ls /tmp`,
		`"/bin/` + hostileSh + `"`, // this exec fails
		`:`,
	}, "\n")}}
	file := filepath.Join(x.write(b), "config.json")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, bytes.ReplaceAll(text, []byte("INVALID"), []byte("\xff\xfe")), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	x.runtime("run", "--bundle", filepath.Dir(file), b.id)

	execs := x.execs()
	want := Identity{
		Namespace: hostileText, Pod: hostileText, PodUID: hostileText, Container: hostileText, ContainerID: "hostile",
		SandboxID: hostileText, Image: hostileText, Engine: "cri-o",
		Labels: map[string]string{hostileText: hostileText, "invalid": "\ufffd\ufffd",
			"large-but-fits": strings.Repeat("é", 1<<10)},
	}
	var tried []string
	for _, e := range execs {
		if diff := cmp.Diff(want, e.Identity); diff != "" {
			t.Errorf("identity (-want +got):\n%s", diff)
		}
		tried = append(tried, e.Errno+e.Path)
	}
	if diff := cmp.Diff([]string{"/bin/sh", "/bin/echo", "/bin/ls", "ENOENT/bin/" + hostileText + "\ufffd"},
		tried); diff != "" {
		t.Errorf("execs (-want +got):\n%s", diff)
	}
	calls := x.calls("hostile")
	created := slices.ContainsFunc(calls, func(c callJSON) bool {
		return c.data("filename") == `/tmp/a\33[2J\r\nb\tc\33]0;title\7\302\23331m\342\200\256\342\240\200d\177\377` && c.Comm == "\x1b[2J\n"
	})
	if !created {
		t.Error("the file with the hostile name is not in the recording")
	}
	for _, command := range []struct {
		args  []string
		lines int // maximum; 0: any number
	}{
		{[]string{"exec", "--no-follow", "-w", "-T"}, 1 + len(execs)},
		{[]string{"exec", "--no-follow", "-o=json"}, len(execs)},
		{[]string{"containers", "--all"}, 2},
		{[]string{"containers", "--all", "-o=json"}, 1},
		{[]string{"straceback", "list"}, 2},
		{[]string{"straceback", "list", "-o=json"}, 1},
		{[]string{"straceback", "show", "--runtime", "hostile"}, 2 * len(calls)},
		{[]string{"straceback", "show", "--runtime", "hostile", "-o=json"}, len(calls)},
		{[]string{"straceback", "show", hostileText[:4] + "?"}, 0},
		{[]string{"straceback", "show", "x" + hostileText}, 0},
		{[]string{"exec", "--no-follow", "--label", hostileText}, 0},
		{[]string{"status"}, 0},
		{[]string{"__complete", "straceback", "show", ""}, 0},
		{[]string{"__complete", "exec", "--pod", ""}, 0},
		{[]string{"__complete", "containers", "--label", ""}, 0},
	} {
		o := x.run(tracectlPath, command.args...)
		for _, output := range []string{o.stdout, o.stderr} {
			expectPrintable(t, command.args, output)
		}
		lines := splitLines(o.stdout)
		if n := len(lines); command.lines != 0 && (n > command.lines || n < command.lines/2) {
			t.Errorf("%q prints %d lines, not %d", command.args, n, command.lines)
		}
	}
}

// expectPrintable checks that text contains only printable characters and newlines.
func expectPrintable(t *testing.T, args []string, text string) {
	t.Helper()
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 || r != '\n' && !unicode.IsPrint(r) || r == '\u2800' {
			t.Errorf("tracectl %q prints %q", args, text[max(0, i-20):min(len(text), i+20)])
			return
		}
		i += n
	}
}
