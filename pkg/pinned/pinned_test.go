// SPDX-License-Identifier: Apache-2.0

package pinned

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	programs "github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/test/roottest"
)

func TestMain(m *testing.M) {
	roottest.OwnPins()
	os.Exit(m.Run())
}

// pinDir returns a fresh directory on a bpffs. Without root and a bpffs these tests fail: nothing else verifies the
// system calls.
func pinDir(t *testing.T) string {
	t.Helper()
	roottest.Require(t)
	if err := programs.Mount(); err != nil {
		t.Fatal(err)
	}
	directory, err := os.MkdirTemp("/sys/fs/bpf", "pinned-test-")
	if err != nil {
		t.Fatalf("root and a bpffs at /sys/fs/bpf are needed: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	return directory
}

func pinMap(t *testing.T, path string, spec *ebpf.MapSpec) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(spec)
	if err != nil {
		t.Fatalf("creating a map: %v", err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Pin(path); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMap(t *testing.T) {
	path := filepath.Join(pinDir(t), "map")
	other := pinMap(t, path, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 16, MaxEntries: 1})

	m, err := OpenMap(path, Shape{Type: unix.BPF_MAP_TYPE_HASH, KeySize: 8, ValueSize: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	flags, err := unix.FcntlInt(uintptr(m.fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the descriptor stays open at exec: flags %#x, %v", flags, err)
	}

	key, value := []byte("the key."), []byte("sixteen bytes ..")
	if err := m.Lookup(key, make([]byte, 16)); !errors.Is(err, unix.ENOENT) {
		t.Errorf("looking up a missing key: %v", err)
	}
	if err := m.Update(key, value); err != nil {
		t.Fatal(err)
	}
	var seen []byte
	if err := other.Lookup(key, &seen); err != nil || !bytes.Equal(seen, value) {
		t.Errorf("another reader sees %q, %v", seen, err)
	}
	got := make([]byte, 16)
	if err := m.Lookup(key, got); err != nil || !bytes.Equal(got, value) {
		t.Errorf("read back as %q, %v", got, err)
	}
	if err := m.Update([]byte("another."), value); !errors.Is(err, unix.E2BIG) {
		t.Errorf("writing into a full map: %v", err)
	}
	for _, wrong := range [][2][]byte{{key[:7], value}, {key, value[:15]}, {nil, value}, {key, nil}} {
		if err := m.Update(wrong[0], wrong[1]); !errors.Is(err, ErrShape) {
			t.Errorf("writing %d and %d bytes: %v", len(wrong[0]), len(wrong[1]), err)
		}
		if err := m.Lookup(wrong[0], wrong[1]); !errors.Is(err, ErrShape) {
			t.Errorf("reading %d and %d bytes: %v", len(wrong[0]), len(wrong[1]), err)
		}
	}
}

func TestOpenMapOfAnotherShape(t *testing.T) {
	directory := pinDir(t)
	path := filepath.Join(directory, "map")
	pinMap(t, path, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 16, MaxEntries: 1})
	want := Shape{Type: unix.BPF_MAP_TYPE_HASH, KeySize: 8, ValueSize: 16}
	for _, shape := range []Shape{
		{want.Type + 1, want.KeySize, want.ValueSize},
		{want.Type, want.KeySize + 1, want.ValueSize},
		{want.Type, want.KeySize, want.ValueSize - 1},
	} {
		if _, err := OpenMap(path, shape); !errors.Is(err, ErrShape) {
			t.Errorf("%+v: %v", shape, err)
		}
	}
	if _, err := OpenMap(filepath.Join(directory, "none"), want); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a missing pin: %v", err)
	}
	if _, err := OpenMap("/etc/passwd", want); err == nil {
		t.Error("a file that is not a pin was opened")
	}
	if _, err := OpenMap("a\x00b", want); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a path with a NUL: %v", err)
	}
	if _, err := OpenProgram(path); !errors.Is(err, ErrShape) {
		t.Errorf("a map opened as a program: %v", err)
	}
}

func TestProgram(t *testing.T) {
	directory := pinDir(t)
	// The program returns the last word of its request.
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.RawTracepoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R3, asm.R1, 0, asm.DWord),
			asm.Add.Imm(asm.R3, 260),
			asm.Mov.Imm(asm.R2, 4),
			asm.Mov.Reg(asm.R1, asm.R10),
			asm.Add.Imm(asm.R1, -4),
			asm.FnProbeReadUser.Call(),
			asm.LoadMem(asm.R0, asm.R10, -4, asm.Word),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatalf("loading a program: %v", err)
	}
	defer program.Close()
	path := filepath.Join(directory, "program")
	if err := program.Pin(path); err != nil {
		t.Fatal(err)
	}
	p, err := OpenProgram(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	request := make([]byte, 264)
	binary.NativeEndian.PutUint32(request[260:], 7)
	if result, err := p.Run(request); err != nil || result != 7 {
		t.Errorf("returned %d, %v", result, err)
	}
	if _, err := p.Run(nil); !errors.Is(err, ErrShape) {
		t.Errorf("an empty request: %v", err)
	}
	if _, err := OpenMap(path, Shape{Type: unix.BPF_MAP_TYPE_HASH, KeySize: 8, ValueSize: 16}); !errors.Is(err, ErrShape) {
		t.Errorf("a program opened as a map: %v", err)
	}
	if err := (Map{fd: p.fd, shape: Shape{KeySize: 8, ValueSize: 8}}).Update(make([]byte, 8),
		make([]byte, 8)); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a program written as a map: %v", err)
	}
}
