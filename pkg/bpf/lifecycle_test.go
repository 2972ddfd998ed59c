// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// TestLifecycle follows one container from the creation of its cgroup to the removal.
func TestLifecycle(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-life")
	id, err := d.ID()
	if err != nil {
		t.Fatal(err)
	}
	born := identity(t, i, "rt-life")
	if born.Cgroup != id || born.State != abi.StateCreated || born.Created == 0 || born.Init != 0 ||
		born.Ring == 0 || born.Generation != 2 {
		t.Errorf("created: %+v", summary(born))
	}
	state := run(t, d, "/bin/sh", "-c", "/bin/true; exit 7")
	exited := identity(t, i, "rt-life")
	if exited.State != abi.StateExited || int(exited.Init) != state.Pid() || exited.ExitStatus != 7<<8 ||
		exited.Started < born.Created || exited.Exited < exited.Started {
		t.Errorf("exited: %+v, PID %d", summary(exited), state.Pid())
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	ended := identity(t, i, "rt-life")
	if ended.State != abi.StateEnded || ended.Ended < exited.Exited || ended.ExitStatus != 7<<8 {
		t.Errorf("ended: %+v", summary(ended))
	}
	if n := len(calls(t, i, "rt-life")); n == 0 {
		t.Error("no calls are kept of the container that has ended")
	}
}

func summary(i abi.Identity) string {
	return fmt.Sprintf("cgroup %d state %d init %d status %#x ring %d generation %d created %d started %d exited %d ended %d",
		i.Cgroup, i.State, i.Init, i.ExitStatus, i.Ring, i.Generation, i.Created, i.Started, i.Exited, i.Ended)
}

// TestKilled records the signal that killed a container's init.
func TestKilled(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-killed")
	run(t, d, "/bin/sh", "-c", "kill -KILL $$")
	if got := identity(t, i, "rt-killed"); got.State != abi.StateExited || got.ExitStatus != 9 {
		t.Errorf("%s", summary(got))
	}
}

// TestOnlyItsOwnPlace makes directories of a pending name in other places than its own: no identity is bound to them.
func TestOnlyItsOwnPlace(t *testing.T) {
	i := load(t, small)
	for name, test := range map[string]struct {
		exist []string // when the identity is announced
		place string
		later []string
		made  string
		bound bool
	}{
		"its place":              {[]string{"/rt-a"}, "/rt-a/rt-x", nil, "/rt-a/rt-x", true},
		"a parent made later":    {nil, "/rt-b/rt-x", []string{"/rt-b"}, "/rt-b/rt-x", true},
		"two parents made later": {nil, "/rt-b/rt-c/rt-x", []string{"/rt-b", "/rt-b/rt-c"}, "/rt-b/rt-c/rt-x", true},
		"another parent":         {[]string{"/rt-c", "/rt-d"}, "/rt-c/rt-x", nil, "/rt-d/rt-x", false},
		"above":                  {[]string{"/rt-c"}, "/rt-c/rt-x", nil, "/rt-x", false},
		"below":                  {[]string{"/rt-c"}, "/rt-x", nil, "/rt-c/rt-x", false},
		"another parent made later": {[]string{"/rt-e"}, "/rt-e/rt-f/rt-x", []string{"/rt-e/rt-g"}, "/rt-e/rt-g/rt-x",
			false},
		"the same end elsewhere": {[]string{"/rt-e", "/rt-h", "/rt-h/rt-e"}, "/rt-e/rt-x", nil, "/rt-h/rt-e/rt-x", false},
		"the parent's end":       {[]string{"/rt-k"}, "/rt-k/c/rt-x", []string{"/rt-k/rt-c"}, "/rt-k/rt-c/rt-x", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := counters(t, i)
			for _, parent := range test.exist {
				made(t, parent)
			}
			if err := unmade(t, test.place).Announce(i.Dir, cgroup.Recorded(name)); err != nil {
				t.Fatal(err)
			}
			for _, parent := range test.later {
				made(t, parent)
			}
			made(t, test.made)
			if _, bound := find(i, name); bound != test.bound {
				t.Errorf("bound: %v, counters %v, before %v", bound, counters(t, i), before)
			}
		})
	}
}

// TestAnnouncedAgain announces a container again, as after its runtime was killed, when more of its path exists: its
// cgroup gets the younger entry, and no entry stays for a later cgroup of the same path.
func TestAnnouncedAgain(t *testing.T) {
	i := load(t, small)
	for _, name := range []string{"killed", "another place of the same name", "created"} {
		place := "/rt-again/rt-b/rt-x"
		switch name {
		case "another place of the same name":
			made(t, "/rt-again")
			place = "/rt-again/rt-c/rt-x"
		case "created":
			made(t, "/rt-again/rt-b")
		}
		if err := unmade(t, place).Announce(i.Dir, cgroup.Recorded(name)); err != nil {
			t.Fatal(err)
		}
	}
	made(t, "/rt-again/rt-b/rt-x")
	if _, bound := find(i, "created"); !bound {
		t.Errorf("not bound, counters %v", counters(t, i))
	}
	if n := entries(t, i)[abi.PinPending]; n != 1 {
		t.Errorf("%d entries are pending, want that of another place", n)
	}
	made(t, "/rt-again/rt-c")
	made(t, "/rt-again/rt-c/rt-x")
	if _, bound := find(i, "another place of the same name"); !bound {
		t.Errorf("the other place is not bound, counters %v", counters(t, i))
	}
}

// TestLongNames makes cgroups whose names are longer than those of files: the key of a pending entry has the beginning
// of the name, and the end of the path has all of it.
func TestLongNames(t *testing.T) {
	i := load(t, small)
	for _, length := range []int{255, 256, 300, abi.PathSize - 2} {
		leaf, id := strings.Repeat("n", length), fmt.Sprint("rt-long-", length)
		for _, test := range []struct {
			made  string
			bound bool
		}{{leaf[1:] + "m", false}, {leaf, true}} {
			if err := unmade(t, "/"+leaf).Announce(i.Dir, cgroup.Recorded(id)); err != nil {
				t.Fatal(err)
			}
			made(t, "/"+test.made)
			if _, bound := find(i, id); bound != test.bound {
				t.Errorf("%d bytes, ending in %q: bound: %v", length, test.made[length-1:], bound)
			}
		}
	}
	parent := ""
	for len(parent) < abi.ExecPathLimit {
		parent += "/" + strings.Repeat("p", 100)
		if err := unmade(t, parent).Make(); err != nil {
			t.Fatal(err)
		}
	}
	container(t, i, parent+"/rt-deep")
	if _, bound := find(i, "rt-deep"); bound {
		t.Error("a path was compared of which the kernel tells only the beginning")
	}
}

// TestChildren follows cgroups below a container's: they belong to the container, even if one has the name of another
// pending container.
func TestChildren(t *testing.T) {
	i := load(t, small)
	parent := container(t, i, "/rt-parent")
	if err := unmade(t, "/rt-victim").Announce(i.Dir, cgroup.Recorded("rt-victim")); err != nil {
		t.Fatal(err)
	}
	child, grandchild := unmade(t, "/rt-parent/child"), unmade(t, "/rt-parent/child/rt-victim")
	for _, d := range []*cgroup.Directory{child, grandchild} {
		if err := d.Make(); err != nil {
			t.Fatal(err)
		}
	}
	if _, taken := find(i, "rt-victim"); taken {
		t.Error("a directory below a container's took a pending identity")
	}
	if n := identity(t, i, "rt-parent").Children; n != 2 {
		t.Errorf("%d children", n)
	}
	run(t, grandchild, "/bin/true")
	if len(lines(calls(t, i, "rt-parent"), "true")) == 0 {
		t.Error("calls made in a grandchild's cgroup are not in the container's recording")
	}
	for _, d := range []*cgroup.Directory{grandchild, child} {
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if n := identity(t, i, "rt-parent").Children; n != 0 {
		t.Errorf("%d children after all were removed", n)
	}
	if got := identity(t, i, "rt-parent").State; got == abi.StateEnded {
		t.Error("the container ended with its child")
	}
	if err := parent.Remove(); err != nil {
		t.Fatal(err)
	}
}

// TestPendingLosesNothing fills the map from all CPUs: some kinds of maps drop entries long before they are full, the
// more CPUs there are.
func TestPendingLosesNothing(t *testing.T) {
	i := load(t, small)
	m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, abi.PinPending), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &before)
	var cpus []int
	for cpu := range len(before) * 64 {
		if before.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	key := func(n int) abi.PendingKey {
		k := abi.PendingKey{Ancestor: uint64(n)}
		copy(k.Leaf[:], "leaf")
		return k
	}
	for n := range abi.PendingMax {
		one.Zero()
		one.Set(cpus[n%len(cpus)])
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		if err := m.Put(key(n), abi.Pending{Time: boottime.Now()}); err != nil {
			t.Fatalf("entry %d: %v", n, err)
		}
	}
	lost := 0
	for n := range abi.PendingMax {
		if m.Lookup(key(n), new(abi.Pending)) != nil {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d entries are gone", lost, abi.PendingMax)
	}
}

// TestStalePending leaves an entry whose container was never made: later directories of its name are not bound to it.
func TestStalePending(t *testing.T) {
	i := load(t, small)
	d := unmade(t, "/rt-stale")
	key, entry, err := d.Pending()
	if err != nil {
		t.Fatal(err)
	}
	// If this is before boot, it wraps around, and so does the program's difference.
	entry.Time = boottime.Now() - (abi.PendingSeconds+1)*uint64(time.Second)
	entry.Who = cgroup.Recorded("rt-stale")
	if err := cgroup.Put(i.Dir, key, entry); err != nil {
		t.Fatal(err)
	}
	if err := d.Make(); err != nil {
		t.Fatal(err)
	}
	if _, bound := find(i, "rt-stale"); bound {
		t.Error("a stale entry was bound")
	}
	if n := counters(t, i)[abi.CountPendingStale]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// TestSlots reuses rings and identities, those that ended first first, and counts containers that get none.
func TestSlots(t *testing.T) {
	i := load(t, small) // 4 rings, 8 identities
	make4 := map[string]*cgroup.Directory{}
	for _, name := range []string{"a", "b", "c", "d"} {
		make4[name] = container(t, i, "/rt-slot-"+name)
	}
	container(t, i, "/rt-slot-e")
	if got := identity(t, i, "rt-slot-e"); got.Ring != 0 {
		t.Errorf("a fifth container got ring %d of four", got.Ring)
	}
	if n := counters(t, i)[abi.CountNoRing]; n != 1 {
		t.Errorf("containers without a ring counted: %d", n)
	}
	rings := map[string]uint32{}
	for _, name := range []string{"c", "a", "d"} { // the order in which the containers end
		rings[name] = identity(t, i, "rt-slot-"+name).Ring
		if err := make4[name].Remove(); err != nil {
			t.Fatal(err)
		}
	}
	var got, want []uint32
	for n, name := range []string{"c", "a", "d"} {
		next := fmt.Sprintf("rt-slot-next%d", n)
		container(t, i, "/"+next)
		got, want = append(got, identity(t, i, next).Ring), append(want, rings[name])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rings used again, oldest-ended first (-want +got):\n%s", diff)
	}
	// All eight identities are taken, and three have ended. The next container takes the one of c, which ended first.
	container(t, i, "/rt-slot-ninth")
	if _, kept := find(i, "rt-slot-c"); kept {
		t.Error("the identity that ended first was kept when a ninth was needed")
	}
	if _, kept := find(i, "rt-slot-a"); !kept {
		t.Error("an identity that ended later was used again first")
	}
}

// TestCyclesLeaveNothing makes and removes many containers: all slots are returned.
func TestCyclesLeaveNothing(t *testing.T) {
	i := load(t, small)
	cycles := 500
	if os.Getenv("RUNC_TRACE_SOAK") != "" {
		cycles = 10000
	}
	d := unmade(t, "/rt-cycle")
	cycle := func(n int) {
		for range n {
			if err := d.Register(i.Dir, cgroup.Recorded("rt-cycle")); err != nil {
				t.Fatal(err)
			}
			child := unmadeChild(t, d)
			if err := child.Remove(); err != nil {
				t.Fatal(err)
			}
			if err := d.Remove(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cycle(20)
	before := entries(t, i)
	cycle(cycles)
	if diff := cmp.Diff(before, entries(t, i)); diff != "" {
		t.Errorf("after %d cycles (-before +after):\n%s", cycles, diff)
	}
	if c := counters(t, i); c[abi.CountNoRing]+c[abi.CountNoIdentity]+c[abi.CountNoBinding] != 0 {
		t.Errorf("counters %v", c)
	}
}

func unmadeChild(t *testing.T, d *cgroup.Directory) *cgroup.Directory {
	child, err := cgroup.Unmade(d.Path + "/child")
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Make(); err != nil {
		t.Fatal(err)
	}
	return child
}

// entries counts the entries of the maps that grow and shrink, the pins, and the bytes of all maps.
func entries(t *testing.T, i *bpf.Instance) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, name := range []string{abi.PinPending, abi.PinContainers} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		var key, value []byte
		for iterate := m.Iterate(); iterate.Next(&key, &value); {
			found[name]++
		}
		m.Close()
	}
	states := [abi.StateEnded + 1]int{}
	for n := range i.Pool().Identities {
		if identity, ok := i.Identity(n); ok {
			states[identity.State]++
		}
	}
	found["live identities"] = states[abi.StateCreated] + states[abi.StateRunning] + states[abi.StateExited]
	pins, err := os.ReadDir(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	found["pins"] = len(pins)
	memory, err := i.Memory()
	if err != nil {
		t.Fatal(err)
	}
	found["memory"] = int(memory)
	return found
}

// TestBindExisting registers a cgroup that existed before its identity, as the shim does if an engine made the cgroup.
func TestBindExisting(t *testing.T) {
	i := load(t, small)
	d := unmade(t, "/rt-existing")
	if err := d.Make(); err != nil {
		t.Fatal(err)
	}
	id, err := d.ID()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Announce(i.Dir, cgroup.Recorded("rt-existing")); err != nil {
		t.Fatal(err)
	}
	request := abi.BindRequest{Cgroup: id}
	if request.Pending, _, err = d.Pending(); err != nil {
		t.Fatal(err)
	}
	if result := bindExisting(t, i, request); result != 0 {
		t.Errorf("binding says %d", result)
	}
	if got := identity(t, i, "rt-existing"); got.Cgroup != id {
		t.Errorf("bound to cgroup %d, not %d", got.Cgroup, id)
	}
	storeBinding(t, i, d, id)
	run(t, d, "/bin/true")
	if len(lines(calls(t, i, "rt-existing"), "true")) == 0 {
		t.Error("no calls recorded")
	}
	if result := bindExisting(t, i, request); result != 1+abi.CountPendingStale {
		t.Errorf("binding again, with nothing pending, says %d", result)
	}
}

// TestOccupied announces a container for a cgroup that has, or had, another one: it is registered once no process of
// that is left.
func TestOccupied(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-former")
	id, err := d.ID()
	if err != nil {
		t.Fatal(err)
	}
	request := abi.BindRequest{Cgroup: id}
	bindAs := func(name string, want uint32) {
		t.Helper()
		if err := d.Announce(i.Dir, cgroup.Recorded(name)); err != nil {
			t.Fatal(err)
		}
		if request.Pending, _, err = d.Pending(); err != nil {
			t.Fatal(err)
		}
		if result := bindExisting(t, i, request); result != want {
			t.Errorf("binding %s says %d, not %d", name, result, want)
		}
		if left := entries(t, i)[abi.PinPending]; left != 0 {
			t.Errorf("%s left %d entries", name, left)
		}
	}
	h := hold(t, command(d, "/bin/sh", "-c", "read x; exit 3"))
	bindAs("rt-former", 0) // itself
	bindAs("rt-next", 1+abi.CountOccupied)
	if _, found := find(i, "rt-next"); found || counters(t, i)[abi.CountOccupied] != 1 {
		t.Errorf("found: %v, counted %d times", found, counters(t, i)[abi.CountOccupied])
	}
	h.finish(t)
	bindAs("rt-former", 0)
	if got := identity(t, i, "rt-former"); got.State != abi.StateExited {
		t.Errorf("announced again after its end: %s", summary(got))
	}
	bindAs("rt-failed", 0)
	bindAs("rt-next", 0) // no process of the failed one came
	storeBinding(t, i, d, id)
	run(t, d, "/bin/sh", "-c", "exit 4")
	for name, want := range map[string]struct{ state, status uint32 }{
		"rt-former": {abi.StateEnded, 3 << 8}, "rt-failed": {abi.StateEnded, 0}, "rt-next": {abi.StateExited, 4 << 8},
	} {
		if got := identity(t, i, name); got.State != want.state || got.ExitStatus != want.status {
			t.Errorf("%s: %s", name, summary(got))
		}
	}
	if len(lines(calls(t, i, "rt-next"), "sh")) == 0 {
		t.Error("no calls recorded")
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	checkSlots(t, i)
}

// storeBinding stores the binding of a cgroup in the cgroup, as the shim does.
func storeBinding(t *testing.T, i *bpf.Instance, d *cgroup.Directory, id uint64) {
	t.Helper()
	open := func(name string) *ebpf.Map {
		m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	var binding uint64
	if err := open(abi.PinContainers).Lookup(id, &binding); err != nil {
		t.Fatal(err)
	}
	if bindings := open(abi.PinBindings); bindings.Type() == ebpf.CgroupStorage {
		if err := bindings.Put(int32(d.FD()), binding); err != nil {
			t.Fatal(err)
		}
	}
}

func bindExisting(t *testing.T, i *bpf.Instance, request abi.BindRequest) uint32 {
	t.Helper()
	program, err := ebpf.LoadPinnedProgram(filepath.Join(i.Dir, abi.PinBind), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	in, err := binary.Append(nil, binary.NativeEndian, request)
	if err != nil {
		t.Fatal(err)
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&in[0])
	result, err := program.Run(&ebpf.RunOptions{Context: uint64(uintptr(unsafe.Pointer(&in[0])))})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestNoRoomForCgroups fills the map of cgroups: what finds no room there leaves nothing behind, and no recording that
// nobody has.
func TestNoRoomForCgroups(t *testing.T) {
	i := load(t, small)
	containers, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, abi.PinContainers), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer containers.Close()
	n := uint64(0)
	for ; ; n++ {
		if err := containers.Update(1<<40+n, uint64(0), ebpf.UpdateNoExist); err != nil {
			break
		}
	}
	d := container(t, i, "/rt-no-room")
	if _, found := find(i, "rt-no-room"); found || counters(t, i)[abi.CountNoBinding] != 1 {
		t.Errorf("with %d cgroups: found: %v, counted %d times", n, found, counters(t, i)[abi.CountNoBinding])
	}
	for index := range i.Pool().Rings {
		r, err := i.Recording(index)
		if err != nil {
			t.Fatal(err)
		}
		if header := r.Header(); header.Generation != 0 {
			t.Errorf("recording %d belongs to identity %d", index, header.Identity)
		}
	}
	if err := containers.Delete(uint64(1 << 40)); err != nil {
		t.Fatal(err)
	}
	room := container(t, i, "/rt-room")
	if got := identity(t, i, "rt-room"); got.Ring == 0 {
		t.Error("there was room, and no recording")
	}
	for _, d := range []*cgroup.Directory{d, room} {
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	checkSlots(t, i)
}
