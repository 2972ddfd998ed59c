// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/unified"
	"github.com/runc-trace/runc-trace/test/cgroup"
	"github.com/runc-trace/runc-trace/test/patience"
)

func adopter(t *testing.T, i *bpf.Instance) *bpf.Adopter {
	t.Helper()
	a, err := bpf.OpenAdopter(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// made makes a cgroup that was not announced.
func made(t *testing.T, path string) *cgroup.Directory {
	t.Helper()
	d := unmade(t, path)
	if err := d.Make(); err != nil {
		t.Fatal(err)
	}
	return d
}

// sleeper starts a process in a cgroup and returns it with its directory in /proc.
func sleeper(t *testing.T, in *cgroup.Directory) (*exec.Cmd, *os.File) {
	t.Helper()
	c := command(in, "/bin/sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	dir, err := os.Open(fmt.Sprintf("/proc/%d", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return c, dir
}

// TestAdopt adopts a running container that has cgroups of its own, and follows it to its end.
func TestAdopt(t *testing.T) {
	i := load(t, small)
	a := adopter(t, i)
	d, child, grandchild := made(t, "/rt-adopt"), made(t, "/rt-adopt/child"), made(t, "/rt-adopt/child/grandchild")
	c, process := sleeper(t, grandchild)
	id, err := d.ID()
	if err != nil {
		t.Fatal(err)
	}

	adopted, err := a.Adopt(d.Name(), cgroup.Recorded("rt-adopt"),
		bpf.Init{Process: process, Started: 12345 * time.Millisecond})
	if err != nil || !adopted {
		t.Fatalf("adopted: %v, %v", adopted, err)
	}
	got := identity(t, i, "rt-adopt")
	if got.Cgroup != id || got.State != abi.StateRunning || got.Created != 12345e6 ||
		got.Started != 12345e6 || got.Exited != 0 ||
		int(got.Init) != c.Process.Pid || got.Ring == 0 || got.Children != 2 ||
		got.Who.Flags != abi.WhoRecord|abi.WhoAdopted {
		t.Errorf("adopted: %s, flags %d, %d children; PID %d", summary(got), got.Who.Flags, got.Children, c.Process.Pid)
	}
	later := made(t, "/rt-adopt/child/later")
	for _, in := range []*cgroup.Directory{d, child, grandchild, later} {
		before := len(lines(calls(t, i, "rt-adopt"), "true"))
		run(t, in, "/bin/true")
		if len(lines(calls(t, i, "rt-adopt"), "true")) == before {
			t.Errorf("no calls of %s are recorded", in.Path)
		}
	}
	// A process that starts in the container later is not its init.
	if got := identity(t, i, "rt-adopt"); int(got.Init) != c.Process.Pid ||
		got.State != abi.StateRunning || got.Children != 3 {
		t.Errorf("after others ran: %s, %d children", summary(got), got.Children)
	}
	if adopted, err := a.Adopt(d.Name(), cgroup.Recorded("rt-adopt-again"), bpf.Init{}); err != nil || adopted {
		t.Errorf("adopted again: %v, %v", adopted, err)
	}
	if _, doubled := find(i, "rt-adopt-again"); doubled {
		t.Error("registered twice")
	}

	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if got := identity(t, i, "rt-adopt"); got.State != abi.StateExited || got.ExitStatus != 9 {
		t.Errorf("killed: %s", summary(got))
	}
	for _, gone := range []*cgroup.Directory{later, grandchild, child, d} {
		if err := gone.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if got := identity(t, i, "rt-adopt"); got.State != abi.StateEnded || got.Children != 0 {
		t.Errorf("removed: %s, %d children", summary(got), got.Children)
	}
	if left := entries(t, i); left[abi.PinContainers]+left[abi.PinPending]+left["live identities"] != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestAdoptUnstarted adopts a container whose program has not been started: its first exec becomes its init.
func TestAdoptUnstarted(t *testing.T) {
	i := load(t, small)
	d := made(t, "/rt-unstarted")
	if adopted, err := adopter(t, i).Adopt(d.Name(), cgroup.Recorded("rt-unstarted"),
		bpf.Init{Started: time.Second}); err != nil || !adopted {
		t.Fatalf("adopted: %v, %v", adopted, err)
	}
	if got := identity(t, i, "rt-unstarted"); got.State != abi.StateCreated || got.Created != 1e9 ||
		got.Started != 0 || got.Init != 0 {
		t.Errorf("adopted: %s", summary(got))
	}
	state := run(t, d, "/bin/sh", "-c", "exit 7")
	if got := identity(t, i, "rt-unstarted"); got.State != abi.StateExited || int(got.Init) != state.Pid() ||
		got.ExitStatus != 7<<8 {
		t.Errorf("exited: %s, PID %d", summary(got), state.Pid())
	}
}

// TestAdoptWhatIsNone checks that directories other than a container's cgroup are refused and that nothing is
// registered.
func TestAdoptWhatIsNone(t *testing.T) {
	i := load(t, small)
	a := adopter(t, i)
	root, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	for _, directory := range []string{root, root + "/rt-missing", t.TempDir(), filepath.Join(root, "cgroup.procs"),
		filepath.Join(root, "rt\x00missing")} {
		adopted, err := a.Adopt(directory, cgroup.Recorded("rt-none"), bpf.Init{})
		if adopted || err == nil || !errors.Is(err, bpf.ErrNoCgroup) && !strings.Contains(directory, "\x00") {
			t.Errorf("%q: adopted: %v, %v", directory, adopted, err)
		}
	}
	if left := entries(t, i); left[abi.PinContainers]+left[abi.PinPending]+left["live identities"] != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestAdoptFull adopts more containers than the pool has room for.
func TestAdoptFull(t *testing.T) {
	i := load(t, config.Pool{
		Rings: 1, RingSize: 32 << 10, Identities: 2, ExecLogSize: 64 << 10, CaptureSize: 8, ArgvSize: 64,
	})
	a := adopter(t, i)
	var got []string
	for n := range 3 {
		d := made(t, fmt.Sprint("/rt-full", n))
		adopted, err := a.Adopt(d.Name(), cgroup.Recorded(fmt.Sprint("rt-full", n)), bpf.Init{})
		switch {
		case errors.Is(err, bpf.ErrNoRing):
			got = append(got, fmt.Sprint(adopted, " no ring"))
		case errors.Is(err, bpf.ErrNoIdentity):
			got = append(got, fmt.Sprint(adopted, " no identity"))
		default:
			got = append(got, fmt.Sprint(adopted, " ", err))
		}
	}
	if diff := cmp.Diff([]string{"true <nil>", "true no ring", "false no identity"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left := entries(t, i); left[abi.PinPending] != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestAdoptBesidePending checks that adopting a container does not consume the entry of a container of the same name
// that is being created.
func TestAdoptBesidePending(t *testing.T) {
	i := load(t, small)
	other := made(t, "/rt-other")
	d := made(t, "/rt-other/rt-name")
	if err := unmade(t, "/rt-name").Announce(i.Dir, cgroup.Recorded("rt-created")); err != nil {
		t.Fatal(err)
	}
	if adopted, err := adopter(t, i).Adopt(d.Name(), cgroup.Recorded("rt-ran"), bpf.Init{}); err != nil || !adopted {
		t.Fatalf("adopted: %v, %v", adopted, err)
	}
	made(t, "/rt-name")
	if got := identity(t, i, "rt-created"); got.Who.Flags&abi.WhoAdopted != 0 {
		t.Error("the one that was created is taken for adopted")
	}
	if got := identity(t, i, "rt-ran"); got.Who.Flags&abi.WhoAdopted == 0 {
		t.Error("the one that ran is not taken for adopted")
	}
	for _, gone := range []*cgroup.Directory{d, other} {
		if err := gone.Remove(); err != nil {
			t.Error(err)
		}
	}
}

// TestAdoptTogether registers the same cgroups twice at the same time, by two adopters or by an adopter and the shim.
// Each cgroup is registered once, and no slot is lost.
func TestAdoptTogether(t *testing.T) {
	i := load(t, small)
	adopters := []*bpf.Adopter{adopter(t, i), adopter(t, i)}
	d := unmade(t, "/rt-together")
	child := unmade(t, "/rt-together/child")
	for round := range 2000 {
		for _, m := range []*cgroup.Directory{d, child} {
			if err := m.Make(); err != nil {
				t.Fatal(err)
			}
		}
		id, err := d.ID()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Announce(i.Dir, cgroup.Recorded("rt-together")); err != nil {
			t.Fatal(err)
		}
		key, _, err := d.Pending()
		if err != nil {
			t.Fatal(err)
		}
		var ready atomic.Int32
		var end sync.WaitGroup
		for n, a := range adopters {
			end.Add(1)
			go func() {
				defer end.Done()
				for ready.Add(1); ready.Load() < 2; {
					runtime.Gosched()
				}
				if n == 0 && round%2 == 0 {
					request := abi.BindRequest{Cgroup: id, Pending: key}
					if result := bindExisting(t, i, request); result != 0 {
						t.Errorf("binding says %d", result)
					}
				} else if _, err := a.Adopt(d.Name(), cgroup.Recorded("rt-together"), bpf.Init{}); err != nil {
					t.Error(err)
				}
			}()
		}
		end.Wait()
		live := 0
		for n := range i.Pool().Identities {
			if got, ok := i.Identity(n); ok && got.State == abi.StateCreated {
				live++
				if got.Cgroup != id || got.Children > 1 {
					t.Errorf("round %d: %s, %d children", round, summary(got), got.Children)
				}
			}
		}
		if live != 1 {
			t.Fatalf("round %d: registered %d times", round, live)
		}
		for _, gone := range []*cgroup.Directory{child, d} {
			if err := gone.Remove(); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkSlots(t, i)
}

// TestAdoptWhileRemoved adopts cgroups while they are made and removed: all slots are returned.
func TestAdoptWhileRemoved(t *testing.T) {
	i := load(t, small)
	d := unmade(t, "/rt-brief")
	child := unmade(t, "/rt-brief/child")
	var done atomic.Bool
	var adopting sync.WaitGroup
	var adopted atomic.Int64
	for range 2 {
		a := adopter(t, i)
		adopting.Add(1)
		go func() {
			defer adopting.Done()
			for !done.Load() {
				ok, err := a.Adopt(d.Name(), cgroup.Recorded("rt-brief"), bpf.Init{})
				if err != nil && !errors.Is(err, bpf.ErrNoCgroup) {
					t.Error(err)
				}
				if ok {
					adopted.Add(1)
				}
			}
		}()
	}
	for lasts := patience.For(3 * time.Second); lasts(adopted.Load() > 0); {
		for _, m := range []*cgroup.Directory{d, child} {
			if err := m.Make(); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range []*cgroup.Directory{child, d} {
			if err := m.Remove(); err != nil {
				t.Fatal(err)
			}
		}
	}
	done.Store(true)
	adopting.Wait()
	t.Logf("adopted %d times", adopted.Load())
	if left := entries(t, i); adopted.Load() == 0 ||
		left[abi.PinContainers]+left[abi.PinPending]+left["live identities"] != 0 {
		t.Errorf("adopted %d times; left: %v", adopted.Load(), left)
	}
	checkSlots(t, i)
}

// checkSlots checks that every slot of an instance without living containers is free or ended, that each identity is
// listed exactly once, and that the recordings are counted for their holders.
func checkSlots(t *testing.T, i *bpf.Instance) {
	t.Helper()
	open := func(name string) *ebpf.Map {
		m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	seen := map[uint32]int{}
	for _, name := range []string{abi.PinFreeIdentities, abi.PinEndedIdentities} {
		m := open(name)
		var slot uint32
		for m.LookupAndDelete(nil, &slot) == nil {
			seen[slot]++
		}
		m.Close()
	}
	for slot := range i.Pool().Identities {
		if seen[uint32(slot)] != 1 {
			t.Errorf("identity %d is there %d times", slot, seen[uint32(slot)])
		}
	}
	slots, held := open(abi.PinSlots), open(abi.PinHeld)
	defer slots.Close()
	defer held.Close()
	want := map[uint32]uint32{}
	for index := range uint32(i.Pool().Rings) {
		var s abi.Slot
		if err := slots.Lookup(index, &s); err != nil || s.Ended == 0 {
			t.Errorf("recording %d: %+v, %v", index, s, err)
		}
		if s.Ended != abi.SlotUnused {
			want[s.Pod]++
			want[s.Namespace]++
		}
	}
	got := map[uint32]uint32{}
	for holder := range uint32(2 * abi.Holders) {
		var n uint32
		if err := held.Lookup(holder, &n); err != nil {
			t.Fatal(err)
		}
		if n != 0 {
			got[holder] = n
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recordings by holder (-in slots +counted):\n%s", diff)
	}
	for element := uint32(2 * abi.Holders); element < abi.Held; element++ {
		if n := heldBy(t, i, element); n != 0 {
			t.Errorf("element %d of held is %d", element, n)
		}
	}
}
