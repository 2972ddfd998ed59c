// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// holders makes containers of pods and namespaces, to see which of them have recordings.
type holders struct {
	t *testing.T
	i *bpf.Instance
	n int
}

// live registers a container.
func (h *holders) live(pod, namespace uint16) *cgroup.Directory {
	h.t.Helper()
	h.n++
	who := cgroup.Recorded(fmt.Sprint("rt-holder-", h.n))
	who.PodHash, who.NamespaceHash = pod, namespace
	d := unmade(h.t, "/"+fmt.Sprint("rt-holder-", h.n))
	if err := d.Register(h.i.Dir, who); err != nil {
		h.t.Fatal(err)
	}
	return d
}

// ended is live for a container that ends at once.
func (h *holders) ended(pod, namespace uint16) string {
	h.t.Helper()
	d := h.live(pod, namespace)
	if err := d.Remove(); err != nil {
		h.t.Fatal(err)
	}
	return filepath.Base(d.Path)
}

// kept returns those of the containers that still have a recording.
func (h *holders) kept(ids ...string) (kept []string) {
	h.t.Helper()
	for _, id := range ids {
		got, ok := find(h.i, id)
		if !ok || got.Ring == 0 {
			continue
		}
		r, err := h.i.Recording(int(got.Ring) - 1)
		if err != nil {
			h.t.Fatal(err)
		}
		if header := r.Header(); header.Generation == got.RingGeneration {
			kept = append(kept, id)
		}
	}
	return kept
}

func (h *holders) expect(what string, all, want []string) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.kept(all...)); diff != "" {
		h.t.Errorf("%s: (-want +got):\n%s", what, diff)
	}
}

// TestHolders reuses recordings: a pod or a namespace that has containers all the time pushes out its own.
func TestHolders(t *testing.T) {
	pool := small
	pool.Rings, pool.Identities = 8, 64
	type holder [2]uint16 // its hash of the pod and of the namespace
	for name, test := range map[string]struct {
		victims []holder // of containers that ended before
		flood   func(n uint16) holder
		kept    int // of the victims, the last ones
	}{
		"a pod that crashes, elsewhere": {
			[]holder{{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}}, func(uint16) holder { return holder{9, 2} }, 5,
		},
		"a namespace with many pods": {
			[]holder{{1, 1}, {2, 1}}, func(n uint16) holder { return holder{10 + n, 2} }, 2,
		},
		"many pods, against most of all": {
			[]holder{{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}}, func(n uint16) holder { return holder{10 + n, 2} }, 4,
		},
		"many pods that crash": {
			[]holder{{1, 1}, {1, 1}, {2, 1}}, func(n uint16) holder { return holder{10 + n/3, 2} }, 3,
		},
		"a pod that crashes among many holders": {
			[]holder{{1, 1}, {2, 2}, {3, 3}, {4, 4}}, func(uint16) holder { return holder{9, 9} }, 4,
		},
		"a pod that crashes in a large namespace": {
			[]holder{{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}}, func(uint16) holder { return holder{9, 1} }, 6,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &holders{t: t, i: load(t, pool)}
			var victims []string
			for _, v := range test.victims {
				victims = append(victims, h.ended(v[0], v[1]))
			}
			last := ""
			for n := range uint16(30) {
				flooder := test.flood(n)
				last = h.ended(flooder[0], flooder[1])
			}
			want := append([]string{}, victims[len(victims)-test.kept:]...)
			h.expect("of those before, and the last one", append(victims, last), append(want, last))
			checkSlots(t, h.i)
		})
	}
}

// TestRunningHolders lets running containers have all recordings: those of another namespace get some all the same.
func TestRunningHolders(t *testing.T) {
	pool := small
	pool.Identities = 64
	t.Run("running against ended", func(t *testing.T) {
		h := &holders{t: t, i: load(t, pool)}
		victim := h.ended(1, 1)
		for n := range uint16(8) {
			h.live(10+n, 2)
		}
		h.expect("the last recording of a namespace", []string{victim}, []string{victim})
	})
	t.Run("running against running", func(t *testing.T) {
		h := &holders{t: t, i: load(t, pool)}
		var crowd []string
		for n := range uint16(8) {
			crowd = append(crowd, filepath.Base(h.live(10+n%2, 2).Path))
		}
		first, last := h.live(1, 1), ""
		h.expect("of a crowd of 8", crowd, crowd[1:4])
		for range 8 {
			last = h.ended(1, 1)
		}
		id := filepath.Base(first.Path)
		h.expect("of both, half", append(crowd, id, last), []string{crowd[2], crowd[3], id, last})
		if n := counters(t, h.i)[abi.CountDisplaced]; n != 2 {
			t.Errorf("%d recordings of running containers were taken", n)
		}
		// The first one of the crowd lives on, and writes nothing into the recording that it had.
		var d *cgroup.Directory
		if got := identity(t, h.i, crowd[0]); got.State == abi.StateCreated {
			d, _ = cgroup.Unmade(ownCgroup + "/" + crowd[0])
		}
		if err := d.Open(); err != nil {
			t.Fatal(err)
		}
		run(t, d, "/bin/true")
		if found := lines(calls(t, h.i, id), "true"); len(found) != 0 {
			t.Errorf("the recording of another container has %d calls of one that lost its recording", len(found))
		}
		if state := identity(t, h.i, crowd[0]).State; state != abi.StateExited {
			t.Errorf("state %d", state)
		}
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
		h.expect("after one without a recording ended", []string{id, last}, []string{id, last})
	})
}

// TestHoldersAtOnce has containers of two namespaces take the recordings of a third one while those of that end: each
// recording has one holder at a time, and is free in the end.
func TestHoldersAtOnce(t *testing.T) {
	pool := small
	pool.Rings, pool.Identities = 4, 128
	i := load(t, pool)
	parent := made(t, "/rt-holders")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pinned := func(name string) *ebpf.Map {
		m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, name), nil)
		must(err)
		t.Cleanup(func() { m.Close() })
		return m
	}
	slots, held := pinned(abi.PinSlots), pinned(abi.PinHeld)
	announced := func(round int, namespace uint16, n int) *cgroup.Directory {
		who := cgroup.Recorded(fmt.Sprintf("rt-holder-%d-%d-%d", round, namespace, n))
		who.PodHash, who.NamespaceHash = namespace, namespace
		d, err := cgroup.Unmade(parent.Path + "/" + unix.ByteSliceToString(who.ID[:]))
		must(err)
		must(d.Announce(i.Dir, who))
		return d
	}
	for round := range 300 {
		var crowd []*cgroup.Directory
		for n := range pool.Rings {
			crowd = append(crowd, announced(round, 1, n))
			must(crowd[n].Make())
		}
		second, third := announced(round, 2, 0), announced(round, 3, 0)
		end := make(chan error)
		go func() {
			var failed error
			for _, d := range crowd {
				time.Sleep(rand.N(100 * time.Microsecond)) // another moment in each round
				failed = errors.Join(failed, d.Remove())
			}
			end <- failed
		}()
		must(second.Make())
		must(third.Make())
		must(<-end)
		must(second.Remove())
		must(third.Remove())

		var want [4]uint32 // recordings by namespace
		for index := range uint32(pool.Rings) {
			var s abi.Slot
			must(slots.Lookup(index, &s))
			if s.Ended == 0 || s.Ended == abi.SlotUnused {
				t.Fatalf("round %d: recording %d: %+v", round, index, s)
			}
			want[s.Pod]++
			must(slots.Put(index, abi.Slot{Ended: abi.SlotUnused})) // for the next round
		}
		for holder := range uint32(len(want)) {
			for _, index := range []uint32{holder, abi.Holders + holder} {
				var n uint32
				must(held.Lookup(index, &n))
				if n != want[holder] {
					t.Fatalf("round %d: holder %d has %d recordings of %d", round, index, n, want[holder])
				}
				must(held.Put(index, uint32(0)))
			}
		}
	}
	if n := counters(t, i)[abi.CountDisplaced]; n < 10 {
		t.Errorf("only %d recordings of running containers were taken", n)
	}
}
