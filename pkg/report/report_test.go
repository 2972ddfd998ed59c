// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/report"
	"github.com/runc-trace/runc-trace/pkg/report/reporttest"
)

// write returns the page, and its lines of data.
func write(t *testing.T, p *answers.Past) (page string, lines []map[string]any) {
	t.Helper()
	var text bytes.Buffer
	if err := report.Write(&text, p, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	page = text.String()
	_, rest, _ := strings.Cut(page, `id="data">`)
	data, _, _ := strings.Cut(rest, "</script>")
	unzipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	for all := json.NewDecoder(unzipped); ; {
		var line map[string]any
		if err := all.Decode(&line); err == io.EOF {
			return page, lines
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

// TestCalls compares the columns of calls, of which those of the second line go on from the first.
func TestCalls(t *testing.T) {
	r := reporttest.New(t)
	init := reporttest.Task{PID: 1001, TID: 1001, Comm: "sh"}
	worker := reporttest.Task{PID: 1001, TID: 1005, Comm: "worker"}
	r.Call(init, "openat", 5*time.Microsecond, -2, -100, "/etc/a", 0, 0)
	r.Call(worker, "close", time.Microsecond, 0, 3)
	r.Kill(init)
	_, lines := write(t, r.Past("app", 1))
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	n := func(values ...float64) (all []any) {
		for _, v := range values {
			all = append(all, v)
		}
		return all
	}
	s := func(values ...string) (all []any) {
		for _, v := range values {
			all = append(all, v)
		}
		return all
	}
	want := map[string]any{
		"names": s("openat", "close", "(end)"), "errnos": s("ENOENT"), "comms": s("sh", "worker"),
		"threads": []any{map[string]any{"process": 0.0, "tid": 1001.0, "inner": 1.0},
			map[string]any{"process": 0.0, "tid": 1005.0, "inner": 5.0}},
		"start": n(0, 8000, 4000), "duration": n(5000, 1000, 0), "thread": n(0, 1, 0), "name": n(0, 1, 2),
		"errno": n(0, -1, -1), "comm": n(0, 1, 0), "cpu": n(0, 0, 0), "flags": n(1, 0, 1|4|8), "repeats": []any{},
		"text": s(`openat(dfd=AT_FDCWD, filename="/etc/a", flags=O_RDONLY) = -1 ENOENT (No such file or directory)`,
			"close(fd=3) = 0", "+++ killed by SIGSEGV +++"),
	}
	if diff := cmp.Diff(want, lines[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLines has more calls than fit a line: all of them are there, and names come once.
func TestLines(t *testing.T) {
	const calls = 40000
	_, lines := write(t, reporttest.Crash(t, calls))
	names, n := map[string]int{}, 0
	for _, line := range lines[1:] {
		n += len(line["start"].([]any))
		for _, name := range line["names"].([]any) {
			names[name.(string)]++
		}
	}
	if len(lines) != 4 || n < calls || names["read"] != 1 {
		t.Errorf("%d lines, %d calls, names %v", len(lines), n, names)
	}
}

// TestHead has why the container ended, its processes and its output.
func TestHead(t *testing.T) {
	_, lines := write(t, reporttest.Crash(t, 0))
	head := lines[0]
	cause := head["causes"].([]any)[0].(map[string]any)
	if cause["title"] != "/etc/app/settings.yaml does not exist" || head["code"] != 1.0 || head["culprit"] != 0.0 {
		t.Errorf("cause %v, code %v, culprit %v", cause, head["code"], head["culprit"])
	}
	comms := ""
	for _, p := range head["processes"].([]any) {
		comms += p.(map[string]any)["comm"].(string) + " "
	}
	if comms != "python3 id mkdir chown " {
		t.Errorf("processes %q", comms)
	}
	if said := head["said"].([]any); len(said) != 5 {
		t.Errorf("output %v", said)
	}
	missed := false
	for _, f := range head["files"].([]any) {
		f := f.(map[string]any)
		missed = missed || f["what"] == "/etc/app/settings.yaml" && f["did"] == "ENOENT" && f["failed"] == 1.0 &&
			cmp.Equal(f["by"], []any{0.0})
	}
	if !missed {
		t.Errorf("files %v", head["files"])
	}
	if net := head["net"].([]any)[0].(map[string]any); net["what"] != "127.0.0.1:5432" || net["kind"] != "to" ||
		net["did"] != "ECONNREFUSED ×4" {
		t.Errorf("addresses %v", head["net"])
	}
}

// TestHostile plants markup everywhere: none of it is in the page but as data, of which invisible text is escaped.
func TestHostile(t *testing.T) {
	page, lines := write(t, reporttest.Hostile(t))
	for _, text := range []string{"<img", "onerror", "owned"} {
		if strings.Contains(page, text) {
			t.Errorf("the page has %q", text)
		}
	}
	if n := strings.Count(page, "</script>"); n != 2 {
		t.Errorf("%d elements end", n)
	}
	text, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "owned"); n < 10 {
		t.Errorf("the data have the name %d times only", n)
	}
	for _, c := range []string{`\u001b`, `\ufffd`, `\u2028`, "\u2028"} {
		if strings.Contains(string(text), c) {
			t.Errorf("the data have %q", c)
		}
	}
}

// TestSelfContained has a policy with the hashes of what the page has, no address of a network, and a bounded size.
func TestSelfContained(t *testing.T) {
	page, _ := write(t, reporttest.Crash(t, 0))
	policy := regexp.MustCompile(`content="default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; ` +
		`base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"`)
	if !policy.MatchString(page) {
		t.Errorf("no policy: %.600s", page)
	}
	outside := regexp.MustCompile(`(?i)https?://|@import|url\(|innerHTML|insertAdjacentHTML|\beval\(|document\.write`)
	if found := outside.FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	const most = 150 << 10
	if len(page) > most {
		t.Errorf("%d bytes, more than %d", len(page), most)
	}
}
