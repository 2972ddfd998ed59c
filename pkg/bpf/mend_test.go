// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/patience"
)

// TestMend removes each pin, and puts other things in its place. Load reports the damage and repairs it, and no
// recording is lost.
func TestMend(t *testing.T) {
	i := load(t, small)
	container(t, i, "/rt-before")
	first, pins := layout(t, i.Dir), entriesOf(t, i.Dir)
	pinMap := func(spec ebpf.MapSpec) func(*testing.T, string) {
		return func(t *testing.T, path string) { pin(t, path, &spec) }
	}
	standIns := map[string]func(t *testing.T, path string){
		"missing": func(*testing.T, string) {},
		"small":   pinMap(ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}),
		"hash":    pinMap(ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: 10}),
		"directory": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"program": func(t *testing.T, path string) {
			program := abi.PinHookPrefix + "exit"
			if filepath.Base(path) == program {
				program = abi.PinHookPrefix + "exec"
			}
			pinProgram(t, filepath.Join(i.Dir, program), path)
		},
		"like": func(t *testing.T, path string) { pinLike(t, path+"_aside", path) },
	}
	others := []string{"small", "hash", "directory", "program"}
	for n, name := range pins {
		kinds := []string{"missing", "like", others[n%len(others)]}
		switch name {
		case abi.PinABI:
			kinds = slices.Concat(others, kinds[:1])
		case abi.PinLabels: // no program uses it
			kinds = []string{"missing", "hash"}
		case abi.PinBindings: // only the kernel knows how to make one like it
			kinds = []string{"missing", "hash"}
		}
		for _, kind := range kinds {
			t.Run(name+" "+kind, func(t *testing.T) {
				path := filepath.Join(i.Dir, name)
				rename(t, path, path+"_aside")
				standIns[kind](t, path)
				// Otherwise the original stays pinned aside, as a reader might still hold it.
				gone := kind == "missing" || kind == "program"
				if gone {
					remove(t, path+"_aside")
				}
				damage, err := bpf.Examine(i.Dir)
				if err != nil || len(damage) == 0 || damage[0].Pin != name && damage[0].Pin != "slot_exit" {
					t.Errorf("examined: %v, %v", damage, err)
				}
				r, err := bpf.Load(i.Dir, bpf.Options{Pool: small})
				if err != nil || r.Loaded || r.Lost != "" || len(r.Mended) == 0 {
					t.Fatalf("loading: %+v, %v", r, err)
				}
				if !gone {
					remove(t, path+"_aside")
				}
				if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil || r.Loaded || r.Mended != nil {
					t.Errorf("loading again: %+v, %v", r, err)
				}
				if damage, err := bpf.Examine(i.Dir); err != nil || damage != nil {
					t.Errorf("examined afterwards: %v, %v", damage, err)
				}
				now := layout(t, i.Dir)
				now.Replaced, first.Replaced = 0, 0
				now.Loaded = first.Loaded // if the map abi was lost, the time is restored to within some milliseconds
				if diff := cmp.Diff(first, now); diff != "" {
					t.Errorf("layout (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(pins, entriesOf(t, i.Dir)); diff != "" {
					t.Errorf("pins (-before +after):\n%s", diff)
				}
				if kind == "missing" {
					stillRecords(t, i.Dir, "rt-mended-"+name)
				}
			})
		}
	}
}

// TestMendOtherOptions checks that a load with other sizes repairs the pins in the sizes that are loaded, before it
// refuses.
func TestMendOtherOptions(t *testing.T) {
	i := load(t, small)
	container(t, i, "/rt-before")
	other := small
	other.Rings = 2
	for _, replace := range []bpf.Replacement{bpf.ReplaceNone, bpf.ReplaceAll} {
		for _, pin := range []string{"link_exec", "abi", "pending", "slot_sys_enter"} {
			remove(t, filepath.Join(i.Dir, pin))
			r, err := bpf.Load(i.Dir, bpf.Options{Pool: other, Replace: replace})
			if !errors.Is(err, bpf.ErrOtherOptions) || len(r.Mended) != 1 || r.Mended[0].Pin != pin || r.Replaced {
				t.Errorf("without %s: %+v, %v", pin, r, err)
			}
			if damage, err := bpf.Examine(i.Dir); err != nil || damage != nil {
				t.Errorf("%s afterwards: %v, %v", pin, damage, err)
			}
		}
	}
	if !i.Allows(small) {
		t.Errorf("sizes %+v", i.Pool())
	}
	stillRecords(t, i.Dir, "rt-mended-other")
}

// TestFollowDamage checks that a reader that follows learns once of each damage, and goes on after a repair.
func TestFollowDamage(t *testing.T) {
	i := load(t, small)
	follow, err := i.Follow()
	if err != nil {
		t.Fatal(err)
	}
	unrecorded := bpf.Unrecorded(i.Dir)
	var found []bpf.Damage
	look := func(calls int) {
		t.Helper()
		for range calls {
			found = append(found, unrecorded()...)
			if err := follow(); err != nil {
				t.Fatal(err)
			}
		}
	}
	look(5)
	if found != nil {
		t.Errorf("of what is whole: %v", found)
	}
	for _, pin := range []string{"link_exec", "hook_exec", "pending", "abi", "link_exec"} {
		found = nil
		remove(t, filepath.Join(i.Dir, pin))
		look(1)
		if found != nil {
			t.Errorf("%s while the pins change: %v", pin, found)
		}
		awaitDetached(t, i.Dir)
		look(5)
		want := 1
		if pin == "hook_exec" { // it is still attached
			want = 0
		}
		if len(found) != want || want == 1 && (found[0].Pin != pin || found[0].Unrecorded == "") {
			t.Errorf("without %s: %v", pin, found)
		}
		if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil || len(r.Mended) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		look(5)
	}
	found = nil
	pinned(t, i.Dir, "slot_exec", func(m *ebpf.Map) error { return m.Delete(uint32(0)) })
	look(60)
	if len(found) != 1 || found[0].Pin != "slot_exec" {
		t.Errorf("with an empty slot: %v", found)
	}
	if _, err := bpf.Unload(i.Dir); err != nil {
		t.Fatal(err)
	}
	if err := follow(); !errors.Is(err, bpf.ErrNotLoaded) {
		t.Errorf("after an unload: %v", err)
	}
}

// awaitDetached waits until the kernel has detached a hook whose link was removed.
func awaitDetached(t *testing.T, dir string) {
	t.Helper()
	patience.Until(t, "the hook is detached", func() bool {
		damage, err := bpf.Examine(dir)
		if err != nil {
			t.Fatal(err)
		}
		return !strings.HasPrefix(damage[0].Pin, abi.PinLinkPrefix) || damage[0].Unrecorded != ""
	})
}

// TestUnrecorded checks that damage names the events that are not recorded because of it.
func TestUnrecorded(t *testing.T) {
	i := load(t, small)
	for pin, want := range map[string]string{
		"link_cgroup_mkdir": "new containers", "link_cgroup_rmdir": "ends of containers", "link_exit": "exit statuses",
		"link_exec": "execs", "link_sys_enter": "system calls", "link_sys_exit": "system calls",
		"hook_exec": "", "pending": "new containers", "bind": "containers in existing cgroups", "containers": "",
	} {
		remove(t, filepath.Join(i.Dir, pin))
		damage := []bpf.Damage{{Pin: pin, Problem: "is missing", Unrecorded: want}}
		if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil || !cmp.Equal(damage, r.Mended) {
			t.Errorf("%s: %+v, %v; want %+v", pin, r.Mended, err, damage)
		}
	}
	// The attachment stays while a process has it open, and so does the program in a slot.
	for _, pin := range []string{"link_exec", "slot_exec"} {
		path := filepath.Join(i.Dir, pin)
		rename(t, path, path+"_aside")
		damage := []bpf.Damage{{Pin: pin, Problem: "is missing"}}
		if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil || !cmp.Equal(damage, r.Mended) {
			t.Errorf("%s aside: %+v, %v; want %+v", pin, r.Mended, err, damage)
		}
		remove(t, path+"_aside")
	}
}

// stillRecords checks that the tracer below a directory records a container, with each exec and call once, and still
// knows an earlier container.
func stillRecords(t *testing.T, dir, id string) {
	t.Helper()
	i, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	identity(t, i, "rt-before")
	d := container(t, i, "/"+id)
	run(t, d, "/bin/true", id)
	want := []logged{{Comm: "true", Path: "/bin/true", Args: "/bin/true|" + id + "|", Argc: 2}}
	if diff := cmp.Diff(want, execs(t, i, id)); diff != "" {
		t.Errorf("execs (-want +got):\n%s", diff)
	}
	exits := 0
	for _, line := range lines(calls(t, i, id), "true") {
		if line == "exit_group(error_code=0) = ?" {
			exits++
		}
	}
	if exits != 1 {
		t.Errorf("%d records of its end", exits)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := identity(t, i, id); got.State != abi.StateEnded || got.ExitStatus != 0 {
		t.Errorf("afterwards: %s", summary(got))
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestMendAll removes all hooks, links and slots, so that no program holds a map any more.
func TestMendAll(t *testing.T) {
	i := load(t, small)
	container(t, i, "/rt-before")
	for _, name := range entriesOf(t, i.Dir) {
		for _, prefix := range []string{
			abi.PinHookPrefix, abi.PinLinkPrefix, abi.PinSlotPrefix,
			abi.PinBind, abi.PinUnfinishedCalls, abi.PinCounters, abi.PinPending,
		} {
			if strings.HasPrefix(name, prefix) {
				if err := os.Remove(filepath.Join(i.Dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r, err := bpf.Load(i.Dir, bpf.Options{Pool: small, Replace: bpf.ReplaceAll})
	if err != nil || !r.Replaced || r.Loaded || len(r.Mended) != 38 {
		t.Errorf("%+v, %v", r, err)
	}
	stillRecords(t, i.Dir, "rt-mended")
}

// detachRemoval detaches the hook of removed cgroups. It makes cgroups below that of a container.
func detachRemoval(t *testing.T, i *bpf.Instance, id string) {
	t.Helper()
	remove(t, filepath.Join(i.Dir, abi.PinLinkPrefix+"cgroup_rmdir"))
	below := unmade(t, "/"+id+"/below")
	// The kernel detaches the hook soon. After that, a removed cgroup is still counted.
	patience.Until(t, "the hook is detached", func() bool {
		if err := below.Make(); err != nil {
			t.Fatal(err)
		}
		before := identity(t, i, id).Children
		if err := below.Remove(); err != nil {
			t.Fatal(err)
		}
		return identity(t, i, id).Children == before
	})
}

// TestMendEnds removes cgroups while no program runs: the slots of their containers become free, and the other
// containers stay.
func TestMendEnds(t *testing.T) {
	i := load(t, small)
	container(t, i, "/rt-before")
	d := container(t, i, "/rt-ends")
	run(t, d, "/bin/true", "x")
	detachRemoval(t, i, "rt-ends")
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := identity(t, i, "rt-ends"); got.State == abi.StateEnded {
		t.Error("it was seen")
	}
	if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); err != nil || len(r.Mended) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	got := identity(t, i, "rt-ends")
	if got.State != abi.StateEnded || got.Ended < got.Created || got.Children != 0 {
		t.Errorf("afterwards: %s, %d below it", summary(got), got.Children)
	}
	if got := identity(t, i, "rt-before"); got.State == abi.StateEnded {
		t.Errorf("the one that is there: %s", summary(got))
	}
	if known, err := i.Containers(); err != nil || len(known) != 1 {
		t.Errorf("cgroups that are known: %v, %v", known, err)
	}
	// As many as the recordings, except for the one of the remaining container.
	for n := range small.Rings - 1 {
		id := fmt.Sprintf("rt-next-%d", n)
		container(t, i, "/"+id)
		if identity(t, i, id).Ring == 0 {
			t.Errorf("%s has no recording", id)
		}
	}
}

// TestMendLost checks that Load loads everything again, and says so, if recordings are gone.
func TestMendLost(t *testing.T) {
	for name, gone := range map[string][]string{
		"recordings": {abi.PinRings, "link_", "hook_", "slot_", abi.PinBind},
		"layout":     {abi.PinABI, "link_", "hook_", "slot_", abi.PinBind},
	} {
		t.Run(name, func(t *testing.T) {
			i := load(t, small)
			container(t, i, "/rt-before")
			if err := i.Close(); err != nil {
				t.Fatal(err)
			}
			for _, name := range entriesOf(t, i.Dir) {
				for _, prefix := range gone {
					if strings.HasPrefix(name, prefix) {
						if err := os.Remove(filepath.Join(i.Dir, name)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			r, err := bpf.Load(i.Dir, bpf.Options{Pool: small})
			if err != nil || !r.Loaded || !strings.Contains(r.Lost, "the map "+gone[0]+" is gone") {
				t.Errorf("%+v, %v", r, err)
			}
			if damage, err := bpf.Examine(i.Dir); err != nil || damage != nil {
				t.Errorf("examined afterwards: %v, %v", damage, err)
			}
		})
	}
}

// pinProgram pins a program at a second path.
func pinProgram(t *testing.T, from, path string) {
	t.Helper()
	p, err := ebpf.LoadPinnedProgram(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	again, err := p.Clone()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Pin(path); err != nil {
		t.Fatal(err)
	}
}

// pinLike pins another map of the same form as the one at from. If from is a program or link, it pins nothing.
func pinLike(t *testing.T, from, path string) {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(from, nil)
	if err != nil {
		return
	}
	defer m.Close()
	spec := &ebpf.MapSpec{
		Type: m.Type(), KeySize: m.KeySize(), ValueSize: m.ValueSize(), MaxEntries: m.MaxEntries(), Flags: m.Flags(),
	}
	if m.Type() == ebpf.TaskStorage { // the kernel makes these only with type information
		spec.Type, spec.MaxEntries, spec.Flags = ebpf.Array, 1, 0
	}
	pin(t, path, spec)
}
