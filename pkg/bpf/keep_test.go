// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

func keeper(t *testing.T, i *bpf.Instance) *bpf.Keeper {
	t.Helper()
	k, err := bpf.OpenKeeper(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// asked calls a method of a Keeper for the recording of a container.
func asked(t *testing.T, i *bpf.Instance, id string, do func(*bpf.Keeper, int, uint32) error) error {
	t.Helper()
	k := keeper(t, i)
	defer k.Close()
	found := identity(t, i, id)
	return do(k, int(found.Ring)-1, found.RingGeneration)
}

// TestKeep keeps recordings of containers that run and that ended: neither the ends of containers nor new ones, nor
// other programs, change that until they are released.
func TestKeep(t *testing.T) {
	pool := small
	pool.Rings, pool.Identities = 8, 64
	h := &holders{t: t, i: load(t, pool)}
	keep, release := (*bpf.Keeper).Keep, (*bpf.Keeper).Release
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	flood := func() {
		for n := range uint16(30) {
			h.ended(10+n, 2)
		}
	}
	past := h.ended(1, 1)
	must(asked(t, h.i, past, keep))
	must(asked(t, h.i, past, keep))
	live := h.live(1, 1)
	name := filepath.Base(live.Path)
	must(asked(t, h.i, name, keep))
	third := h.ended(1, 1)
	if err := asked(t, h.i, third, keep); !errors.Is(err, bpf.ErrKeepLimit) {
		t.Errorf("keeping a third of 8: %v", err)
	}
	flood()
	h.expect("kept ones", []string{past, name, third}, []string{past, name, third})
	must(live.Remove())
	if _, err := bpf.Load(h.i.Dir, bpf.Options{Pool: pool, Replace: bpf.ReplaceAll}); err != nil {
		t.Fatal(err)
	}
	flood()
	h.expect("after its end, and a replacement", []string{past, name}, []string{past, name})
	kept, err := h.i.Kept()
	if err != nil || len(kept) != 2 {
		t.Errorf("kept are %v, %v", kept, err)
	}
	var crowd []*cgroup.Directory
	for n := range uint16(8) {
		crowd = append(crowd, h.live(20+n, 3))
	}
	h.expect("beside many that run", []string{past, name}, []string{past, name})
	for _, d := range crowd {
		must(d.Remove())
	}
	must(asked(t, h.i, past, release))
	must(asked(t, h.i, name, release))
	must(asked(t, h.i, name, release))
	if err := asked(t, h.i, past, func(k *bpf.Keeper, index int, generation uint32) error {
		return k.Keep(index, generation+1)
	}); !errors.Is(err, bpf.ErrGone) {
		t.Errorf("keeping one of another generation: %v", err)
	}
	flood()
	h.expect("once they were released, the last one of the namespace", []string{past, name}, []string{name})
	checkSlots(t, h.i)
}

// TestKeepAtOnce keeps, releases and removes recordings while containers take and release them: each is one
// container's, and free in the end.
func TestKeepAtOnce(t *testing.T) {
	pool := small
	pool.Rings, pool.Identities = 4, 64
	i := load(t, pool)
	parent := made(t, "/rt-keep")
	var made sync.WaitGroup
	done := make(chan struct{})
	for maker := range 2 {
		made.Go(func() {
			for n := range 300 {
				who := cgroup.Recorded(fmt.Sprintf("rt-keep-%d-%d", maker, n))
				who.PodHash, who.NamespaceHash = uint16(maker), uint16(maker)
				d, err := cgroup.Unmade(fmt.Sprintf("%s/rt-keep-%d-%d", parent.Path, maker, n))
				if err == nil {
					err = errors.Join(d.Register(i.Dir, who), d.Remove())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	go func() { made.Wait(); close(done) }()
	k := keeper(t, i)
	actions := []func(int, uint32) error{k.Keep, k.Release, k.Remove}
	did := map[int]int{}
	generations := make([]uint32, pool.Rings)
	look := func() {
		if err := i.RecordingHeaders(func(index int, h ring.Header) { generations[index] = h.Generation }); err != nil {
			t.Error(err)
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		look()
		index, action := rand.IntN(pool.Rings), rand.IntN(len(actions))
		err := actions[action](index, generations[index])
		switch {
		case err == nil:
			did[action]++
		case !errors.Is(err, bpf.ErrGone) && !errors.Is(err, bpf.ErrKeepLimit) && !errors.Is(err, bpf.ErrRuns):
			t.Fatal(err)
		}
		if kept, err := i.Kept(); err != nil || len(kept) > i.KeepLimit() {
			t.Fatalf("kept are %v, %v", kept, err)
		}
	}
	look()
	for index, generation := range generations {
		if err := k.Release(index, generation); err != nil && !errors.Is(err, bpf.ErrGone) {
			t.Error(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if did[0] == 0 || did[1] == 0 || did[2] == 0 {
		t.Errorf("kept, released and removed %v", did)
	}
	checkSlots(t, i)
}

// erase erases the execs of a container.
func erase(t *testing.T, i *bpf.Instance, k *bpf.Keeper, id string) error {
	t.Helper()
	for n := range i.Pool().Identities {
		if found, ok := i.Identity(n); ok && found == identity(t, i, id) {
			return k.EraseExecs(i, uint32(n), found.Generation)
		}
	}
	t.Fatalf("no identity of %s", id)
	return nil
}

// contains reports whether a map, all of its memory, has a text.
func contains(t *testing.T, i *bpf.Instance, name, text string) bool {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for index := range m.MaxEntries() {
		value, err := m.LookupBytes(index)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(value, []byte(text)) {
			return true
		}
	}
	return false
}

// TestRemove removes the recording of a container that wrote and executed secrets: no map has them any more, and all
// that other containers have is as before.
func TestRemove(t *testing.T) {
	pool := small
	pool.ExecLogSize = 64 << 10 // small, so that the log comes around
	i := load(t, pool)
	const secret, harmless = "Tr0ub4dor", "correct-horse"
	// Its own text is put together, so that the test's arguments are not the only place.
	script := func(text string) []string {
		return []string{"-c", "echo $0 >/dev/null; /bin/true $0; /bin/nothing $0; exit 3", text}
	}
	runs := func(id, text string) *cgroup.Directory {
		d := container(t, i, "/"+id)
		run(t, d, "/bin/sh", script(text)...)
		return d
	}
	other := runs("rt-other", harmless)
	d := runs("rt-secret", secret)
	remove := func(k *bpf.Keeper, index int, generation uint32) error {
		return errors.Join(k.Remove(index, generation), erase(t, i, k, "rt-secret"))
	}
	if err := asked(t, i, "rt-secret", (*bpf.Keeper).Remove); !errors.Is(err, bpf.ErrRuns) {
		t.Errorf("removing one that has not ended: %v", err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{abi.PinRings, abi.PinExecLog} {
		if !contains(t, i, name, secret) {
			t.Errorf("%s has nothing of the secret: the test is blind", name)
		}
	}
	calledBefore, executed := lines(calls(t, i, "rt-other"), "sh"), execs(t, i, "rt-other")
	if err := asked(t, i, "rt-secret", (*bpf.Keeper).Keep); err != nil {
		t.Fatal(err)
	}
	if err := asked(t, i, "rt-secret", remove); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{abi.PinRings, abi.PinExecLog} {
		if contains(t, i, name, secret) {
			t.Errorf("%s has the secret", name)
		}
		if !contains(t, i, name, harmless) {
			t.Errorf("%s has lost what another container wrote", name)
		}
	}
	if after := lines(calls(t, i, "rt-other"), "sh"); len(after) == 0 || len(after) != len(calledBefore) {
		t.Errorf("%d calls of another container, before there were %d", len(after), len(calledBefore))
	}
	if after := execs(t, i, "rt-other"); len(executed) != 3 || len(after) != 3 {
		t.Errorf("execs of another container: %+v, before there were %+v", after, executed)
	}
	if after := execs(t, i, "rt-secret"); len(after) != 0 {
		t.Errorf("execs that were removed: %+v", after)
	}
	if err := asked(t, i, "rt-secret", remove); !errors.Is(err, bpf.ErrGone) {
		t.Errorf("removing it again: %v", err)
	}
	unused := 0
	if err := i.RecordingHeaders(func(_ int, h ring.Header) {
		if !h.Used() {
			unused++
		}
	}); err != nil || unused != pool.Rings-1 {
		t.Errorf("%d recordings are unused, %v", unused, err)
	}
	next := runs("rt-next", "next")
	if got := lines(calls(t, i, "rt-next"), "sh"); len(got) == 0 {
		t.Error("the next container has no calls")
	}
	for _, d := range []*cgroup.Directory{next, other} {
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	checkSlots(t, i)
}

// TestEraseBesideExecs erases execs while others come around the log: no record of another container is damaged.
func TestEraseBesideExecs(t *testing.T) {
	pool := small
	pool.ExecLogSize = 64 << 10
	i := load(t, pool)
	busy, d := container(t, i, "/rt-busy"), container(t, i, "/rt-erased")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			_ = command(busy, "/bin/true", "an argument that stays").Run()
		}
	}()
	k := keeper(t, i)
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(time.Millisecond):
		}
		run(t, d, "/bin/true", "an argument that goes")
		if err := erase(t, i, k, "rt-erased"); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	got := execs(t, i, "rt-busy")
	for _, e := range got {
		if e.Path != "/bin/true" || e.Args != "/bin/true|an argument that stays|" {
			t.Errorf("an exec is %+v", e)
		}
	}
	if len(got) == 0 || len(execs(t, i, "rt-erased")) != 0 || contains(t, i, abi.PinExecLog, "that goes") {
		t.Errorf("%d execs are left", len(got))
	}
}
