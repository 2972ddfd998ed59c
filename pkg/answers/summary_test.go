// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// summarized is a recording of which calls are missing: a loop that polls a file, and another process that reads.
func summarized(t *testing.T) *Past {
	r := &tape{}
	r.call(101, "openat", enoent, cwd, "/etc/a", 0, 0).again(40).call(101, "openat", enoent, cwd, "/etc/b", 0, 0).again(1)
	r.call(101, "stat", enoent, "/etc/b", 0).child(101, 102).call(102, "read", -11, 3, 0, 1).call(102, "read", 7, 3, 0, 9)
	r.call(101, "openat", enoent, cwd, "/etc/a", 0, 0).call(101, "openat", 3, cwd, "/etc/a", 0, 0)
	p := r.past(0)
	p.Program = "tracectl"
	p.Calls.Missing = 5000
	p.Calls.Totals = []straceback.Total{
		{Syscall: "read", Total: ring.Total{Count: 4000, Failed: 10, Time: 3e9}},
		{Syscall: "openat", Total: ring.Total{Count: 1000, Failed: 990, Time: 1e9}},
		{Syscall: "ia32:stat", Total: ring.Total{Count: 20, Failed: 20, Time: 2000}},
	}
	return p
}

func TestSummary(t *testing.T) {
	m := summarized(t).Summary(ByTime, 2)
	var errors []string
	for _, e := range m.Errors {
		errors = append(errors, fmt.Sprint(e.Errno, e.Count, e.Calls))
	}
	// The call that is counted 40 times is a record of its own when it came last.
	want := []string{"2 42 [{openat 41 0 0} {stat 1 0 0}]", "11 1 [{read 1 0 0}]"}
	if diff := cmp.Diff(want, errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	var processes []string
	for _, p := range m.Processes {
		processes = append(processes, fmt.Sprint(p.Name, p.Count, p.Failed, p.Time))
	}
	if diff := cmp.Diff([]string{"p101[1]6 4 6000", "p102[2]2 1 2000"}, processes); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	for order, want := range map[Order]string{ByTime: "read openat ia32:stat", ByCount: "read openat ia32:stat",
		ByErrors: "openat ia32:stat read", ByName: "ia32:stat openat read"} {
		var got []string
		for _, c := range summarized(t).Summary(order, 0).Calls {
			got = append(got, c.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %q", order, got)
		}
	}
	if mean := m.Calls[1].Mean(); mean != 1e6 {
		t.Errorf("mean is %d ns", mean)
	}
}

func TestSlowest(t *testing.T) {
	r := &tape{}
	for range 5 {
		r.call(101, "getpid", 1)
	}
	r.duration(3, 9000).duration(1, 8000).duration(4, 7000)
	m := r.past(0).Summary(ByTime, 3)
	var got []int64
	for _, s := range m.Slowest {
		got = append(got, int64(s.Took))
	}
	if diff := cmp.Diff([]int64{9000, 8000, 7000}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const summaryText = `c  ran 9ms, exited with code 0

% TIME    SECONDS   USECS/CALL   CALLS   ERRORS   SYSCALL
 75.00   3.000000          750   4,000       10   read
 25.00   1.000000        1,000   1,000      990   openat
  0.00   0.000002            0      20       20   ia32:stat
100.00   4.000002          796   5,020    1,020   total

Slowest       1
Errors     1,020 calls failed in all; of those kept, with their repeats:
               42  ENOENT: openat 41, stat 1
                1  EAGAIN: read 1
Kept       every call; nothing lost
More       tracectl summary c --all | --by process
`

func TestSummaryScreen(t *testing.T) {
	print := func(p *Past, s SummaryScreen) string {
		var text bytes.Buffer
		s.Width = 100
		if err := s.Write(&text, p.Summary(ByTime, 1)); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	var got []string
	for line := range strings.Lines(print(summarized(t), SummaryScreen{Screen: Screen{Lines: 24}})) {
		line, _, _ = strings.Cut(line, " at ") // times are local
		line, _, _ = strings.Cut(line, "µs ")
		got = append(got, strings.TrimSuffix(line, "\n"))
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(summaryText, "\n"), "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	p := summarized(t)
	for i := range 100 {
		p.Calls.Totals = append(p.Calls.Totals, straceback.Total{Syscall: fmt.Sprint("call", i), Total: ring.Total{Count: 1}})
	}
	text := print(p, SummaryScreen{Screen: Screen{Lines: 24}})
	if n := strings.Count(text, "\n"); n > 24 || !strings.Contains(text, "and 91 more") {
		t.Errorf("%d lines:\n%s", n, text)
	}
	if all := print(p, SummaryScreen{Screen: Screen{Lines: 24}, All: true}); !strings.Contains(all, " call99") {
		t.Errorf("--all prints\n%s", all)
	}
	text = print(p, SummaryScreen{Screen: Screen{Lines: 24}, ByProcess: true})
	for _, want := range []string{"only what is kept: 8 calls; of 5,000 calls only the totals are left", "PROCESS",
		"p102[2]   read"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestSummaryJSON(t *testing.T) {
	j, err := summarized(t).Summary(ByTime, 1).JSON()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"totals":[{"syscall":"read","count":4000,"failed":10,"time":3000000000,"mean":750000},`,
		`"errors":[{"errno":"ENOENT","error":2,"count":42,"calls":[{"syscall":"openat","count":41},`,
		`"took":1000}]`, `"kept":{"syscalls":8,"overwritten":5000,`, `"name":"c","containerID":"c"`,
		`{"pid":102,"innerPID":2,"comm":"p102","count":2,"failed":1,"time":2000,"calls":[{"syscall":"read",`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
