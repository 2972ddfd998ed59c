// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// TestTooManyThreads plays containers with as many threads as may be recorded: others are recorded all the same, as
// long as they have few.
func TestTooManyThreads(t *testing.T) {
	i := load(t, small)
	open := func(name string) *ebpf.Map {
		m, err := ebpf.LoadPinnedMap(filepath.Join(i.Dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	identities, held := open(abi.PinIdentities), open(abi.PinHeld)
	containers := map[string]*cgroup.Directory{}
	for _, id := range []string{"rt-crowd", "rt-few"} {
		containers[id] = container(t, i, "/"+id)
	}
	threads := func(id string, n uint32) {
		t.Helper()
		for index := range uint32(i.Pool().Identities) {
			var one abi.Identity
			if err := identities.Lookup(index, &one); err != nil {
				t.Fatal(err)
			}
			if unix.ByteSliceToString(one.Who.ID[:]) != id {
				continue
			}
			one.Threads = n
			if err := identities.Put(index, one); err != nil {
				t.Fatal(err)
			}
		}
	}
	recorded := func(id string) bool {
		t.Helper()
		before := len(calls(t, i, id))
		run(t, containers[id], "/bin/true")
		return len(calls(t, i, id)) > before
	}
	threads("rt-crowd", abi.ThreadsMax)
	if recorded("rt-crowd") || counters(t, i)[abi.CountThreads] == 0 || identity(t, i, "rt-crowd").Refused == 0 {
		t.Error("a container with too many threads: its calls are recorded, or not counted as refused")
	}
	if len(execs(t, i, "rt-crowd")) != 1 {
		t.Error("the exec of a container with too many threads is not logged")
	}
	if !recorded("rt-few") {
		t.Error("a container with few threads is not recorded beside one with too many")
	}
	for _, total := range []uint32{abi.ThreadsTotal - 1, abi.ThreadsTotal} {
		if err := held.Put(uint32(abi.HeldThreads), total); err != nil {
			t.Fatal(err)
		}
		full := total == abi.ThreadsTotal
		threads("rt-crowd", abi.ThreadsShare)
		if recorded("rt-crowd") == full {
			t.Errorf("with its share of threads, of %d in all: recorded: %v", total, !full)
		}
		threads("rt-few", abi.ThreadsShare-2)
		if !recorded("rt-few") {
			t.Errorf("with less than its share of threads, of %d in all: not recorded", total)
		}
	}
}
