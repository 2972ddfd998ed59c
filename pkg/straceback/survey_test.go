// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestSurveys compares surveys with what is read.
func TestSurveys(t *testing.T) {
	n := newNode(3)
	for index := range 3 {
		n.record(index, "", "", "", string(rune('a'+index)), 1)
		n.write(index, 10+200*index)
		n.put(index, Distinct, call(7, "openat", 1, 2))
	}
	c := call(7, "openat", 5e9, 6e9) // it is in two lanes
	n.put(1, First, c)
	n.put(1, Recent, c)
	list := n.list(t)
	list[2].Generation++
	for i, s := range Surveys(list) {
		calls, err := list[i].Read()
		if i == 2 {
			if !errors.Is(s.Err, ErrReused) {
				t.Errorf("a recording that was reused: %v", s.Err)
			}
			continue
		}
		if err != nil || s.Err != nil {
			t.Fatal(err, s.Err)
		}
		if s.Kept != len(calls.Records) {
			t.Errorf("%d calls are kept, not %d", len(calls.Records), s.Kept)
		}
		calls.Records = nil
		if diff := cmp.Diff(calls, s.Calls); diff != "" {
			t.Errorf("(-read +survey):\n%s", diff)
		}
	}
}

// BenchmarkSurveys surveys a node of 256 full recordings of 768 KiB, as `list` does.
func BenchmarkSurveys(b *testing.B) {
	defer func(before uint64) { laneSize = before }(laneSize)
	laneSize = 128 << 10
	const recordings = 256
	n := newNode(recordings)
	var list []*Recording
	for index := range recordings {
		n.record(index, "", "", "", "x", 1)
		for i := range uint64(5000) {
			c := call(1, "openat", 1e6+i*1000, 1e6+i*1000+900)
			c.NArgs = 4
			c.Captures = []syscalls.Capture{{Arg: 1, Data: []byte("/usr/share/a/directory/with/a/file/of/some/length.so.1")}}
			n.put(index, Recent, c)
			if i%3 == 0 {
				n.put(index, []Lane{First, Distinct, Said, Files}[i/3%4], c)
			}
		}
		list = append(list, &Recording{Index: index, Generation: 1, memory: n})
	}
	kept := 0
	for b.Loop() {
		kept = 0
		for _, s := range Surveys(list) {
			if s.Err != nil {
				b.Fatal(s.Err)
			}
			kept += s.Kept
		}
	}
	b.ReportMetric(float64(kept), "calls")
}
