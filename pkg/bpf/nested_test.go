// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// TestManyCgroups makes thousands of cgroups below a container's own: all are followed, and so is the next container,
// whether or not the kernel has storage for cgroups.
func TestManyCgroups(t *testing.T) {
	t.Run("this kernel", testManyCgroups)
	t.Run("older kernel", func(t *testing.T) {
		if !bpf.HaveCgroupStorage() {
			t.Skip("this kernel is one")
		}
		t.Cleanup(bpf.WithoutCgroupStorage())
		testManyCgroups(t)
	})
}

func testManyCgroups(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-many")
	const many = 10000
	above := d.Path[len(ownCgroup):]
	for n := range many / 10 {
		parent := made(t, fmt.Sprintf("%s/%d", above, n))
		for m := range 9 {
			child := fmt.Sprintf("%s/%d", parent.Name(), m)
			if err := os.Mkdir(child, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Remove(child) })
		}
	}
	deep := fmt.Sprintf("%s/%d/8", d.Path, many/10-1)
	for n, program := range []string{"true", "sleep"} {
		last, err := cgroup.Unmade(deep)
		if err != nil {
			t.Fatal(err)
		}
		if err := last.Open(); err != nil {
			t.Fatal(err)
		}
		run(t, last, "/bin/"+program, "0")
		if len(lines(calls(t, i, "rt-many"), program)) == 0 {
			t.Errorf("calls in %s are not recorded", deep)
		}
		if n > 0 {
			break
		}
		// No directory is too deep.
		for range 40 {
			deep += "/d"
			made(t, deep[len(ownCgroup):])
		}
	}
	if got := identity(t, i, "rt-many").Children; got < abi.ChildrenMax || got > many+40 {
		t.Errorf("%d cgroups are counted below the container's", got)
	}
	next := container(t, i, "/rt-next")
	run(t, next, "/bin/true")
	if len(lines(calls(t, i, "rt-next"), "true")) == 0 {
		t.Error("the next container is not recorded")
	}
}

// TestNoRoomBelow fills the room for cgroups below that of a container, on kernels that have no storage for them: those
// that found none are counted only while they exist, and not after their container has ended either.
func TestNoRoomBelow(t *testing.T) {
	t.Cleanup(bpf.WithoutCgroupStorage())
	i := load(t, small)
	d, probe := container(t, i, "/rt-full"), container(t, i, "/rt-probe")
	const beyond = 5
	var below []*cgroup.Directory
	for n := range abi.ChildrenMax + beyond {
		below = append(below, made(t, fmt.Sprint("/rt-full/", n)))
	}
	check := func(when string, want uint32) {
		t.Helper()
		got := identity(t, i, "rt-full")
		if all := heldBy(t, i, abi.HeldNowhere); got.Children != abi.ChildrenMax || got.Nowhere != want || all != want {
			t.Errorf("%s: %d have room, %d have none, and %d of all containers; want %d, %d, %d", when, got.Children,
				got.Nowhere, all, abi.ChildrenMax, want, want)
		}
	}
	check("made", beyond)
	for _, m := range below[abi.ChildrenMax:] {
		if err := m.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	check("removed", 0)
	for _, m := range below[abi.ChildrenMax:] {
		if err := m.Make(); err != nil {
			t.Fatal(err)
		}
	}
	check("made again", beyond)
	detachRemoval(t, i, "rt-probe")
	for _, m := range append(below, d, probe) {
		if err := m.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	check("removed while no program ran", beyond)
	if _, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil {
		t.Fatal(err)
	}
	if got := identity(t, i, "rt-full"); got.State != abi.StateEnded {
		t.Errorf("afterwards: %s", summary(got))
	}
	checkSlots(t, i)
}

// heldBy returns an element of the map held.
func heldBy(t *testing.T, i *bpf.Instance, element uint32) (n uint32) {
	t.Helper()
	held, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, abi.PinHeld), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := held.Lookup(element, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
