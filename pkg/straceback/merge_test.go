// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// TestMerge joins lanes whose calls are almost in order. Calls that are in several lanes come once, from the one that
// has most of them.
func TestMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var lanes [abi.Lanes]*ring.Snapshot
	for n := range lanes {
		lanes[n] = &ring.Snapshot{}
	}
	add := func(lane Lane, thread uint32, begin uint64) {
		s := lanes[lane]
		s.Positions = append(s.Positions, uint64(len(s.Records)))
		c := call(thread, "getppid", begin, begin+10)
		s.Records = append(s.Records, recordtest.Append(nil, &c))
	}
	var want []string
	for n := range uint64(1000) {
		begin, thread := n*10+10, uint32(1+n%3)
		if n%5 > 0 && n%2 == 0 { // two CPUs, in the wrong order
			begin += 15
		}
		lane := []Lane{Recent, Recent, First, Files, Distinct, Said, Runtime}[random.IntN(7)]
		if lane != Recent && lane != Runtime && n > 500 {
			add(Recent, thread, begin)
		}
		if lane == Said && n%4 == 0 { // it may be new, too
			add(First, thread, begin)
		}
		add(lane, thread, begin)
		want = append(want, fmt.Sprintf("%06d %v", begin, lane))
	}
	slices.Sort(want)
	var got []string
	for _, r := range merge(&lanes, nil, merged{}).records {
		begin, _ := syscalls.Span(r.Bytes)
		got = append(got, fmt.Sprintf("%06d %v", begin, r.Lane))
	}
	if !slices.IsSortedFunc(got, func(a, b string) int { return cmp.Compare(a[:6], b[:6]) }) {
		t.Error("the calls are not in the order of their ends")
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d calls, want %d: %v", len(got), len(want), got)
	}
}

// TestMergeCounts joins a call that is new and said: its count is kept.
func TestMergeCounts(t *testing.T) {
	var lanes [abi.Lanes]*ring.Snapshot
	for n := range lanes {
		lanes[n] = &ring.Snapshot{}
	}
	c := call(1, "write", 10, 20)
	for _, lane := range []Lane{Recent, Distinct, Said} {
		lanes[lane].Positions = []uint64{8}
		lanes[lane].Records = [][]byte{recordtest.Append(nil, &c)}
	}
	repeats := map[ring.Place]ring.Repeats{{Lane: int(Distinct), Position: 8}: {Count: 3, Last: 90}}
	got := merge(&lanes, repeats, merged{}).records
	if len(got) != 1 || got[0].Lane != Said || got[0].Count != 3 || got[0].Last != 90 {
		t.Errorf("got %+v, want one record of what was said, with a count of 3", got)
	}
}
