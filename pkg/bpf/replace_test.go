// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// running returns the IDs of the running programs: those in the slots, and the pinned program bind.
func running(t *testing.T, dir string) map[string]ebpf.ProgramID {
	t.Helper()
	found := map[string]ebpf.ProgramID{}
	slots, err := filepath.Glob(filepath.Join(dir, abi.PinSlotPrefix+"*"))
	if err != nil || len(slots) != 11 {
		t.Fatalf("slots %v: %v", slots, err)
	}
	for _, path := range slots {
		m, err := ebpf.LoadPinnedMap(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var id ebpf.ProgramID
		err = m.Lookup(uint32(0), &id)
		m.Close()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[filepath.Base(path)] = id
	}
	bind, err := ebpf.LoadPinnedProgram(filepath.Join(dir, abi.PinBind), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer bind.Close()
	info, err := bind.Info()
	if err != nil {
		t.Fatal(err)
	}
	found[abi.PinBind], _ = info.ID()
	return found
}

func layout(t *testing.T, dir string) abi.ABI {
	t.Helper()
	i, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	return i.Layout
}

// TestReplace loads through Replace, and then replaces: the programs are new, and the rest is unchanged.
func TestReplace(t *testing.T) {
	dir := pinDir(t)
	older := bpf.Descriptions()
	older[unix.SYS_LSEEK].Args = 0
	if r, err := bpf.Load(dir, bpf.Options{Pool: small, Replace: bpf.ReplaceAll}.With(older)); r.Replaced || err != nil {
		t.Fatalf("if nothing is loaded: %+v, %v", r, err)
	}
	before, first := layout(t, dir), running(t, dir)
	if before.Build != bpf.BuildWith(older) || before.Replaced != 0 {
		t.Errorf("loaded: build %x, replaced %d", before.Build, before.Replaced)
	}
	if bpf.BuildWith(older) == bpf.Build() {
		t.Error("other descriptions make no other build")
	}
	if r, err := bpf.Load(dir, bpf.Options{Pool: small}); r.Loaded || err != nil || layout(t, dir) != before {
		t.Errorf("load changes what another build loaded: %+v, %v, %+v", r, err, layout(t, dir))
	}
	if r, err := bpf.Load(dir, bpf.Options{Pool: small, Replace: bpf.ReplaceAll}); !r.Replaced || err != nil {
		t.Fatalf("replacing: %v, %v", r, err)
	}
	after := layout(t, dir)
	if after.Replaced < before.Loaded {
		t.Errorf("loaded at %d, replaced at %d", before.Loaded, after.Replaced)
	}
	want := before
	want.Build, want.Replaced = bpf.Build(), after.Replaced
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
	for name, id := range running(t, dir) {
		if id == first[name] {
			t.Errorf("%s is the same as before", name)
		}
	}
	i, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	expect(t, worked(t, i, "calls"), `lseek(fd=999, offset=-5, whence=SEEK_END) = -1 EBADF (Bad file descriptor)`)
}

// TestReplaceRefuses checks that Replace changes nothing if it cannot keep the recordings, and says why.
func TestReplaceRefuses(t *testing.T) {
	other := small
	other.Rings = 2
	dir := load(t, small).Dir
	for name, test := range map[string]struct {
		options config.Pool
		pin     string        // the pin to move away
		instead *ebpf.MapSpec // the map to pin in its place
		version uint32        // the version to write into the map abi
		is      error
		want    string
	}{
		"other options": {options: other, is: bpf.ErrOtherOptions, want: "recordings 4, ring-size 256KiB"},
		"a later version": {small, abi.PinABI,
			&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: abi.SizeofABI, MaxEntries: 1},
			abi.ABIVersion + 1, bpf.ErrVersion,
			fmt.Sprintf("(layout %d, this tracectl needs %d)", abi.ABIVersion+1, abi.ABIVersion)},
		"a version of another size": {small, abi.PinABI,
			&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 64, MaxEntries: 1},
			1, bpf.ErrVersion,
			fmt.Sprintf("(layout 1, this tracectl needs %d): read and export the recordings with the tracectl that loaded them",
				abi.ABIVersion)},
	} {
		t.Run(name, func(t *testing.T) {
			if test.pin != "" {
				path, aside := filepath.Join(dir, test.pin), filepath.Join(dir, "aside")
				rename(t, path, aside)
				defer rename(t, aside, path)
				if test.instead != nil {
					pin(t, path, test.instead)
				}
			}
			if test.version != 0 {
				value := make([]byte, test.instead.ValueSize)
				binary.NativeEndian.PutUint32(value[unsafe.Offsetof(abi.ABI{}.Version):], test.version)
				pinned(t, dir, test.pin, func(m *ebpf.Map) error { return m.Put(uint32(0), value) })
			}
			before, pins := running(t, dir), entriesOf(t, dir)
			r, err := bpf.Load(dir, bpf.Options{Pool: test.options, Replace: bpf.ReplaceAll})
			if r.Replaced || r.Loaded || !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v: expected an error about %q", r, err, test.want)
			}
			if diff := cmp.Diff(before, running(t, dir)); diff != "" {
				t.Errorf("programs (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(pins, entriesOf(t, dir)); diff != "" {
				t.Errorf("pins (-before +after):\n%s", diff)
			}
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// pinned opens a pinned map and passes it to f.
func pinned(t *testing.T, dir, name string, f func(*ebpf.Map) error) {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := f(m); err != nil {
		t.Fatal(err)
	}
}

// pin pins a new map.
func pin(t *testing.T, path string, spec *ebpf.MapSpec) {
	t.Helper()
	m, err := ebpf.NewMap(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Pin(path); err != nil {
		t.Fatal(err)
	}
}

func entriesOf(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

// TestReplaceKilled kills a replacement after each of its steps: containers are still recorded, and the next
// replacement or Unload works.
func TestReplaceKilled(t *testing.T) {
	i := load(t, small)
	pins := entriesOf(t, i.Dir)
	last := 0
	for step := 1; last == 0; step++ {
		if !killedAfter(t, i.Dir, step) {
			last = step
		}
		name := fmt.Sprintf("rt-killed-%d", step)
		d := container(t, i, "/"+name)
		run(t, d, "/bin/true", name)
		want := []logged{{Comm: "true", Path: "/bin/true", Args: "/bin/true|" + name + "|", Argc: 2}}
		if diff := cmp.Diff(want, execs(t, i, name)); diff != "" {
			t.Errorf("killed after step %d: execs (-want +got):\n%s", step, diff)
		}
		exits := 0
		for _, line := range lines(calls(t, i, name), "true") {
			if line == "exit_group(error_code=0) = ?" {
				exits++
			}
		}
		if exits != 1 {
			t.Errorf("killed after step %d: %d records of its end", step, exits)
		}
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
		if got := identity(t, i, name); got.State != abi.StateEnded || got.ExitStatus != 0 {
			t.Errorf("killed after step %d: %s", step, summary(got))
		}
		if _, err := i.UnfinishedCalls(); err != nil {
			t.Errorf("killed after step %d: %v", step, err)
		}
		if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small}); r.Loaded || err != nil {
			t.Errorf("killed after step %d: load: %+v, %v", step, r, err)
		}
		// After its last step, the replacement is complete.
		if build := layout(t, i.Dir).Build; build != 0 && step < last-1 || build == 0 && last != 0 {
			t.Errorf("killed after step %d: build %x", step, build)
		}
	}
	if last != 17 {
		t.Errorf("there are %d steps: one for each of the eleven slots, and five others", last-1)
	}

	counter := ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}
	killedAfter(t, i.Dir, 5)
	if build := layout(t, i.Dir).Build; build != 0 {
		t.Errorf("half a replacement passes for build %x", build)
	}
	// A replacement that is killed between pinning and renaming leaves this pin.
	pin(t, filepath.Join(i.Dir, abi.PinNextPrefix+abi.PinBind), &counter)
	if r, err := bpf.Load(i.Dir, bpf.Options{Pool: small, Replace: bpf.ReplaceAll}); !r.Replaced || err != nil {
		t.Errorf("completing it: %+v, %v", r, err)
	}
	if build := layout(t, i.Dir).Build; build != bpf.Build() {
		t.Errorf("a completed one is build %x", build)
	}
	if diff := cmp.Diff(pins, entriesOf(t, i.Dir)); diff != "" {
		t.Errorf("pins (-before +after):\n%s", diff)
	}

	killedAfter(t, i.Dir, 5)
	pin(t, filepath.Join(i.Dir, abi.PinNextPrefix+abi.PinUnfinishedCalls), &counter)
	if unloaded, err := bpf.Unload(i.Dir); !unloaded || err != nil {
		t.Errorf("unloading: %v, %v", unloaded, err)
	}
	if _, err := os.Stat(i.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after unloading: %v, %v", err, entriesOf(t, i.Dir))
	}
}

// killedAfter runs Replace in another process that is killed after a number of steps. It returns false if Replace has
// fewer steps.
func killedAfter(t *testing.T, dir string, steps int) bool {
	t.Helper()
	// Outside of any container, but started as workers are.
	here := unmade(t, "/rt-replacer")
	if err := here.Make(); err != nil {
		t.Fatal(err)
	}
	defer here.Remove()
	c := command(here, os.Args[0])
	c.Env = append(os.Environ(), workerEnv+"=replace", "RUNC_TRACE_TEST_DIR="+dir,
		"RUNC_TRACE_TEST_STEPS="+strconv.Itoa(steps))
	out, err := c.CombinedOutput()
	if err == nil {
		return false
	}
	if status := c.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("replacing until step %d: %v: %s", steps, err, out)
	}
	return true
}
