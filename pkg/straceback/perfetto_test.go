// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestPerfetto reads a trace back: names, calls as slices, and signals and ends as instants, each once.
func TestPerfetto(t *testing.T) {
	failed := did(100, 2_000, "openat", -2, cwd, 1, 0, 0)
	failed.Captures = []syscalls.Capture{{Arg: 1, Data: []byte("/a\x1b\u009b\u202e\"")}}
	failed.Duration, failed.Inner = 1_500, syscalls.IDs{TID: 7, PID: 7}
	thread := did(100, 5_000, "getpid", 100)
	thread.TID, thread.Comm = 101, []byte("worker")
	signal := syscalls.Call{Nr: syscalls.NumberSignal, TID: 100, PID: 100, Time: 6_000, NArgs: abi.SignalArgs,
		Comm: []byte("sh")}
	signal.Args[abi.SignalNumber] = 15
	ended := did(100, 7_000, "pause", 15)
	ended.Unfinished, ended.Duration = true, 2_000
	hanging := did(200, 8_000, "pause", 0)
	timeline := NewTimeline(records(failed, thread, signal, ended), records(hanging))
	f := Format{Container: "id", Boot: time.Unix(1000, 0).UTC(), Missing: 3, Complete: 4_001, Now: 10_000}
	var text bytes.Buffer
	if err := f.WritePerfetto(&text, timeline); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\u009b\u202e") {
		t.Errorf("text is not escaped:\n%q", &text)
	}
	var trace struct {
		DisplayTimeUnit string
		OtherData       map[string]any
		TraceEvents     []struct {
			Ph, Name, Cat, S, CName string
			Ts                      float64
			Dur                     *float64
			PID, TID                int
			Args                    map[string]any
		}
	}
	decoder := json.NewDecoder(&text)
	if err := decoder.Decode(&trace); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range trace.TraceEvents {
		line := fmt.Sprint(e.Ph, " ", e.Name, " ", e.Cat, e.S, " ", e.PID, "/", e.TID, " ", e.Ts)
		if e.Dur != nil {
			line += fmt.Sprint("+", *e.Dur)
		}
		for _, arg := range []string{"name", "errno", "innerPID"} {
			if value, ok := e.Args[arg]; ok {
				line += fmt.Sprint(" ", value)
			}
		}
		got = append(got, strings.TrimSpace(line+" "+e.CName))
	}
	want := []string{
		"M process_name  100/100 0 sh [7]", "M thread_name  100/100 0 sh", "M thread_name  100/101 0 worker",
		"M process_name  200/200 0 sh", "M thread_name  200/200 0 sh", "i from here on every call keptg 0/0 4.001",
		"X openat syscall,failed 100/100 2+1.5 ENOENT 7 terrible", "X getpid syscall 100/101 5+0.005 7",
		"i SIGTERM signalt 100/100 6 7", "X pause syscall,failed 100/100 7+2 7 terrible",
		"i killed by SIGTERM endt 100/100 9 terrible", "X pause syscall,unfinished 200/200 8+2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if call := fmt.Sprint(trace.TraceEvents[6].Args["call"]); !strings.HasPrefix(call, "openat(AT_FDCWD, ") {
		t.Errorf("the first call is %s", call)
	}
	data := map[string]any{"containerID": "id", "boot": "1970-01-01T00:16:40Z", "overwritten": 3.0, "complete": 4.001}
	if diff := cmp.Diff(data, trace.OtherData); diff != "" || trace.DisplayTimeUnit != "ns" {
		t.Errorf("%s (-want +got):\n%s", trace.DisplayTimeUnit, diff)
	}
}
