// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// pins holds maps with the layout of the contract, without the programs that would use them.
type pins struct {
	directory string
	pending   *ebpf.Map
	abi       *ebpf.Map
}

// emptyPinDir makes a directory on the bpffs.
func emptyPinDir(t *testing.T) string {
	t.Helper()
	if err := bpf.Mount(); err != nil {
		t.Fatal(err)
	}
	directory, err := os.MkdirTemp("/sys/fs/bpf", "shim-test-")
	if err != nil {
		t.Fatalf("a bpffs at /sys/fs/bpf is needed: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	return directory
}

func pinSpecs() (pending, version *ebpf.MapSpec) {
	return &ebpf.MapSpec{Type: ebpf.Hash, KeySize: abi.SizeofPendingKey,
			ValueSize: abi.SizeofPending, MaxEntries: 64, Flags: unix.BPF_F_NO_PREALLOC},
		&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: abi.SizeofABI, MaxEntries: 1}
}

// makePins pins the maps that the shim needs. change, if not nil, modifies their specs.
func makePins(t *testing.T, change func(pending, version *ebpf.MapSpec)) pins {
	t.Helper()
	pending, version := pinSpecs()
	if change != nil {
		change(pending, version)
	}
	return pinBelow(t, emptyPinDir(t), pending, version, change == nil)
}

// pinBelow pins two maps in a directory.
func pinBelow(t *testing.T, directory string, pending, version *ebpf.MapSpec, loaded bool) pins {
	t.Helper()
	p := pins{directory: directory}
	p.pending = pinMap(t, filepath.Join(p.directory, abi.PinPending), pending)
	p.abi = pinMap(t, filepath.Join(p.directory, abi.PinABI), version)
	pinMap(t, filepath.Join(p.directory, abi.PinBindings), &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8,
		MaxEntries: 1}) // as on a kernel without storage for cgroups
	if loaded {
		p.setVersion(t, abi.ABIVersion)
	}
	return p
}

// readOnlyPins pins the maps on a separate file system that is then made read-only.
func readOnlyPins(t *testing.T) pins {
	t.Helper()
	directory := t.TempDir()
	if err := unix.Mount("bpf", directory, "bpf", 0, "mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	})
	pending, version := pinSpecs()
	p := pinBelow(t, directory, pending, version, true)
	if err := unix.Mount("", directory, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return p
}

// secret is the one of the programs that are said to be loaded.
const secret = 0xfeedface

func (p pins) setVersion(t *testing.T, version uint32) {
	t.Helper()
	if err := p.abi.Put(uint32(0), &abi.ABI{Version: version, Secret: secret}); err != nil {
		t.Fatal(err)
	}
}

// entries returns the number of pending entries.
func (p pins) entries(t *testing.T) int {
	t.Helper()
	count := 0
	key, value := make([]byte, p.pending.KeySize()), make([]byte, p.pending.ValueSize())
	entries := p.pending.Iterate()
	for entries.Next(&key, &value) {
		count++
	}
	if err := entries.Err(); err != nil {
		t.Fatal(err)
	}
	return count
}

// take removes the entry of a leaf and returns it.
func (p pins) take(t *testing.T, leaf string) abi.Pending {
	t.Helper()
	var key abi.PendingKey
	var entry abi.Pending
	for entries := p.pending.Iterate(); entries.Next(&key, &entry); {
		if identity.String(key.Leaf[:]) != leaf {
			continue
		}
		if err := p.pending.Delete(key); err != nil {
			t.Fatal(err)
		}
		return entry
	}
	t.Fatalf("there is no entry of %q", leaf)
	return entry
}

func pinMap(t *testing.T, path string, spec *ebpf.MapSpec) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(spec)
	if err != nil {
		t.Fatalf("making a map: %v", err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Pin(path); err != nil {
		t.Fatal(err)
	}
	return m
}

// pinBind pins a program as "bind". It copies the cgroup and the beginning of the leaf of each request into the
// returned map, and returns result.
func (p pins) pinBind(t *testing.T, result int64) *ebpf.Map {
	t.Helper()
	requests, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { requests.Close() })
	const leaf = unsafe.Offsetof(abi.BindRequest{}.Pending) + unsafe.Offsetof(abi.PendingKey{}.Leaf)
	const head = int32(leaf + 8) // the cgroup comes first
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.RawTracepoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R3, asm.R1, 0, asm.DWord),
			asm.Mov.Imm(asm.R2, head),
			asm.Mov.Reg(asm.R1, asm.R10),
			asm.Add.Imm(asm.R1, -head),
			asm.FnProbeReadUser.Call(),
			asm.LoadMapPtr(asm.R1, requests.FD()),
			asm.Mov.Reg(asm.R2, asm.R10),
			asm.Add.Imm(asm.R2, -head),
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, -8),
			asm.Mov.Imm(asm.R4, 0),
			asm.FnMapUpdateElem.Call(),
			asm.Mov.Imm(asm.R0, int32(result)),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatalf("loading a program: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	if err := program.Pin(filepath.Join(p.directory, abi.PinBind)); err != nil {
		t.Fatal(err)
	}
	return requests
}
