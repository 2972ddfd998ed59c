// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// TestReasons checks that every counter has a text, and a name that no other counter has.
func TestReasons(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][A-Za-z]+$`)
	seen := map[string]bool{}
	for counter, r := range slices.Concat(abi.Reasons[:], Unregistered[:]) {
		if !name.MatchString(r.Name) || seen[r.Name] || r.Text == "" || r.Remedy == "" {
			t.Errorf("counter %d: %+v", counter, r)
		}
		seen[r.Name] = true
	}
}

// loaded is a fake Reader.
type loaded struct {
	identities  []abi.Identity
	rings       []ring.Header
	oldest      map[int][]byte // the oldest record of rings that have overwritten others
	execLog     ring.Header
	counters    [abi.CountersMax]uint64
	programsErr error
}

func (l *loaded) Pool() config.Pool {
	return config.Pool{Rings: len(l.rings), Identities: len(l.identities), ExecLogSize: 1 << 20}
}
func (l *loaded) Memory() (uint64, error)                    { return 7, nil }
func (l *loaded) Counters() ([abi.CountersMax]uint64, error) { return l.counters, nil }
func (l *loaded) Refusals() ([]abi.Refusal, error)           { return []abi.Refusal{{Time: 1, UID: 2}}, nil }
func (l *loaded) Kept() (map[int]bool, error)                { return map[int]bool{2: true}, nil }
func (l *loaded) Programs() ([]bpf.Program, error)           { return nil, l.programsErr }
func (l *loaded) ExecLogHeaders() ([]ring.Header, error) {
	return []ring.Header{l.execLog, {Head: 4096}, {Head: 1 << 30}}, nil
}

func (l *loaded) Identity(index int) (abi.Identity, bool) {
	return l.identities[index], l.identities[index].Generation != 0
}

func (l *loaded) RecordingHeaders(f func(int, ring.Header)) error {
	for i, h := range l.rings {
		f(i, h)
	}
	return nil
}

func (l *loaded) OldestRecord(index int) ([]byte, error) { return l.oldest[index], nil }

// old returns a record of a call that ended a while ago.
func old(ago time.Duration) []byte {
	const took = 300
	begin := boottime.Now() - uint64(ago) - took
	return recordtest.Append(nil, &syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Time: begin, Duration: took})
}

func TestRead(t *testing.T) {
	identity := func(state, ring, generation uint32) abi.Identity {
		return abi.Identity{Generation: 2, State: state, Ring: ring, RingGeneration: generation, Threads: 1}
	}
	l := &loaded{
		identities: []abi.Identity{
			{State: abi.StateRunning, Ring: 3}, // never used: other fields are ignored
			identity(abi.StateFree, 1, 1),      // evicted
			identity(abi.StateRunning, 1, 2),   // recorded in the first ring
			identity(abi.StateExited, 2, 1),    // its ring belongs to another container now
			identity(abi.StateCreated, 0, 0),   // without a ring
			identity(abi.StateEnded, 3, 1),     // its recording is kept
			identity(abi.StateRunning, 2, 2),   // has that ring now
			{Generation: 4, State: abi.StateRunning, Refused: 3, Left: 1, Who: abi.Who{ID: [256]byte{'x'}}},
			{Generation: 4, State: abi.StateEnded, Refused: 3},
			{Generation: 4, State: abi.StateEnded, Started: 1, Left: 2, Threads: 1, // lives on outside
				Who: abi.Who{ID: [256]byte{'y'}}},
			identity(^uint32(0), 0, 0),           // a state that does not exist
			{Generation: 0, State: 0, Ring: 100}, // never used
		},
		rings: []ring.Header{
			{Generation: 2, Written: 10, Lost: 1, Head: 9}, {Generation: 2, Written: 20, Head: 20, Base: 11},
			{Generation: 1, Written: 5, Lost: 2, Head: 9}, {},
		},
		oldest:      map[int][]byte{0: old(time.Minute), 1: old(time.Second), 2: old(0)}, // the last one ended
		execLog:     ring.Header{Head: 3 << 20, Written: 100, Lost: 4},
		counters:    [abi.CountersMax]uint64{abi.CountTorn: 3, abi.CountersMax - 1: 4},
		programsErr: errors.New("no"),
	}
	layout := abi.ABI{Version: 3, Build: bpf.Build(), Loaded: 5, Replaced: 6}
	layout.LaneSizes[abi.LaneRecent] = 8
	got, err := Read(l, layout)
	if err != nil {
		t.Fatal(err)
	}
	want := &Status{
		Layout: 3, Build: bpf.Build(), Current: true, Loaded: 5, Replaced: 6, Memory: 7, Pool: l.Pool(),
		Refusals: []abi.Refusal{{Time: 1, UID: 2}},
		Identities: Identities{Free: 4, Created: 1, Running: 4, Exited: 1, Ended: 2,
			Contents: [4]int{6, 0, 0, 0}, Threads: 7},
		Recordings:  Recordings{Live: 2, Ended: 1, Free: 1, Kept: 1, Syscalls: 35, Lost: 3},
		ExecLog:     ExecLog{Used: 512<<10 + 4096 + 256<<10, Written: 3<<20 + 4096 + 1<<30, Execs: 100, Lost: 4},
		ProgramsErr: l.programsErr,
		Incomplete: []Incomplete{
			{Index: 7, Generation: 4, Name: "x", ID: "x", Refused: 3, Left: 1},
			{Index: 9, Generation: 4, Name: "y", ID: "y", Left: 2},
		},
	}
	if got := want.Incomplete[0].Reasons(); got != "3 times no memory for a thread, 1 move of a process to a cgroup outside" {
		t.Error(got)
	}
	for n, reason := range abi.Reasons {
		want.Dropped = append(want.Dropped, Drop{reason, l.counters[n]})
	}
	want.Dropped = append(want.Dropped, Drop{abi.ReasonOf(abi.CountersMax - 1), 4}) // of another build
	if name := want.Dropped[abi.Counters].Name; name != "counter63" {
		t.Errorf("a counter that only another build knows is called %q", name)
	}
	reach := &got.Recordings.Reach
	if n := reach.Recordings; n != 2 || reach.Shortest < time.Second || reach.Median < time.Minute ||
		reach.Shortest > reach.Median-time.Second {
		t.Errorf("reach of %d recordings: %v, %v", n, reach.Shortest, reach.Median)
	}
	*reach = Reach{}
	same := cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Identities.Live() != 6 {
		t.Errorf("%d live", got.Identities.Live())
	}
}
