// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/cgroup"
	"github.com/runc-trace/runc-trace/test/patience"
)

// makeOther turns an instance into one of another layout: its programs and maps work on, but this version must not use
// them.
func makeOther(t *testing.T, dir string) {
	t.Helper()
	pinned(t, dir, abi.PinABI, func(m *ebpf.Map) error {
		value, err := m.LookupBytes(uint32(0))
		if err != nil {
			return err
		}
		binary.NativeEndian.PutUint32(value[unsafe.Offsetof(abi.ABI{}.Version):], abi.ABIVersion-1)
		return m.Put(uint32(0), value)
	})
	pin(t, filepath.Join(dir, "free_rings"), &ebpf.MapSpec{Type: ebpf.Queue, ValueSize: 4, MaxEntries: 1})
}

// registered makes a cgroup of a container that is registered below a pin directory.
func registered(t *testing.T, dir, id string) *cgroup.Directory {
	t.Helper()
	d := unmade(t, "/"+id)
	if err := d.Register(dir, cgroup.Recorded(id)); err != nil {
		t.Fatal(err)
	}
	return d
}

func mustLoadBeside(t *testing.T, dir string) *bpf.Beside {
	t.Helper()
	b, err := bpf.LoadBeside(dir, small)
	if err != nil || b == nil {
		t.Fatalf("loading beside: %+v, %v", b, err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// TestBeside loads beside programs of another layout: each instance records the containers that are registered with it,
// until one of them is removed.
func TestBeside(t *testing.T) {
	other := load(t, small)
	dir := other.Dir
	if b, err := bpf.LoadBeside(dir, small); b != nil || err != nil {
		t.Fatalf("beside programs of this layout: %+v, %v", b, err)
	}
	whole := entriesOf(t, dir)
	before := registered(t, dir, "rt-before")
	makeOther(t, dir)
	pins := append(entriesOf(t, dir), abi.PinBesideDir)
	slices.Sort(pins)

	for _, undone := range []bool{true, false} {
		b := mustLoadBeside(t, dir)
		if diff := cmp.Diff(pins, entriesOf(t, dir)); diff != "" {
			t.Errorf("pins (-want +got):\n%s", diff)
		}
		if b.Other != fmt.Sprintf("layout %d", abi.ABIVersion-1) {
			t.Errorf("beside %s", b.Other)
		}
		if again := mustLoadBeside(t, dir); again.Dir != b.Dir {
			t.Errorf("again: %+v", again)
		}
		i, err := bpf.Open(b.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		for id, of := range map[string]*bpf.Instance{"rt-other": other, "rt-new": i} {
			d := registered(t, of.Dir, fmt.Sprintf("%s-%t", id, undone))
			run(t, d, "/bin/true", id)
			id = filepath.Base(d.Path)
			if got := execs(t, of, id); len(got) != 1 {
				t.Errorf("%s: execs %v", id, got)
			}
		}
		known, err := b.Known()
		id, _ := before.ID()
		if err != nil || !known[id] {
			t.Errorf("registered with the others: %v, %v", known, err)
		}
		if undone {
			if err := b.Undo(); err != nil {
				t.Fatal(err)
			}
			run(t, before, "/bin/true", "after")
			if got := execs(t, other, "rt-before"); len(got) != 1 {
				t.Errorf("after Undo: execs %v", got)
			}
			if _, err := bpf.Open(dir); !errors.Is(err, bpf.ErrVersion) {
				t.Errorf("after Undo: %v", err)
			}
			continue
		}
		late, announced := registered(t, dir, "rt-late"), unmade(t, "/rt-announced")
		if err := announced.Announce(dir, cgroup.Recorded("rt-announced")); err != nil {
			t.Fatal(err)
		}
		finished := make(chan error, 1)
		go func() { finished <- b.Finish() }()
		patience.Until(t, "the programs replace the others", func() bool {
			replaced, err := bpf.Open(dir)
			if err == nil {
				replaced.Close()
			}
			return err == nil
		})
		select {
		case err := <-finished:
			t.Errorf("the others did not wait for a container that was announced to them: %v", err)
		default:
		}
		if err := announced.Make(); err != nil {
			t.Fatal(err)
		}
		if err := <-finished; err != nil {
			t.Fatal(err)
		}
		known, err = b.Known()
		for _, d := range []*cgroup.Directory{late, announced} {
			if id, _ := d.ID(); err != nil || !known[id] {
				t.Errorf("%s was registered before the others were removed: %v, %v", d.Path, known, err)
			}
		}
	}
	if diff := cmp.Diff(whole, entriesOf(t, dir)); diff != "" {
		t.Errorf("pins afterwards (-want +got):\n%s", diff)
	}
	now, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	identity(t, now, "rt-new-false")
	d := container(t, now, "/rt-after")
	run(t, d, "/bin/true", "x")
	if got := execs(t, now, "rt-after"); len(got) != 1 {
		t.Errorf("afterwards: execs %v", got)
	}
	if damage, err := bpf.Examine(dir); err != nil || damage != nil {
		t.Errorf("examined afterwards: %v, %v", damage, err)
	}
}

// TestBesideInterrupted ends a change of layouts at several of its steps: the next load completes it and keeps what the
// new programs have recorded, and an unload removes everything.
func TestBesideInterrupted(t *testing.T) {
	type stopped struct{}
	// finish stops Finish after a number of steps, and returns how many it made.
	finish := func(b *bpf.Beside, steps int) (made int, err error) {
		defer bpf.AfterReplaceStep(func() {})
		defer func() {
			if r := recover(); r != nil && r != (stopped{}) {
				panic(r)
			}
		}()
		bpf.AfterReplaceStep(func() {
			if made++; made == steps {
				panic(stopped{})
			}
		})
		return made, b.Finish()
	}
	all := 0
	for n := range 8 {
		i := load(t, small)
		whole := entriesOf(t, i.Dir)
		makeOther(t, i.Dir)
		b := mustLoadBeside(t, i.Dir)
		d := registered(t, b.Dir, "rt-before")
		steps := map[int]int{0: 0, 1: 1, 7: all - 1}
		at, ok := steps[n]
		if !ok {
			at = all * n / 8
		}
		made, err := finish(b, at)
		if n == 0 {
			all = made
		} else if made != at || err != nil {
			t.Fatalf("stopped after step %d: %d, %v", at, made, err)
		}
		if n%3 == 2 {
			if unloaded, err := bpf.Unload(i.Dir); !unloaded || err != nil {
				t.Errorf("unloading after step %d of %d: %v, %v", at, all, unloaded, err)
			}
			if _, err := os.Stat(i.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("unloaded after step %d of %d: %v, %v", at, all, err, entriesOf(t, i.Dir))
			}
		} else {
			if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil || r.Loaded || r.Lost != "" {
				t.Errorf("loading after step %d of %d: %+v, %v", at, all, r, err)
			}
			if diff := cmp.Diff(whole, entriesOf(t, i.Dir)); diff != "" {
				t.Errorf("pins after step %d of %d (-want +got):\n%s", at, all, diff)
			}
			stillRecords(t, i.Dir, fmt.Sprintf("rt-stopped-%d", n))
			if _, err := bpf.Unload(i.Dir); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}
