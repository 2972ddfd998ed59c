// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// logged holds the fields of an exec that tests compare.
type logged struct {
	Comm, Path, Args string
	Result           int32
	Argc             uint32
	Flags            uint16
}

// execs returns the records of one container in the exec log, in order.
func execs(t *testing.T, i *bpf.Instance, id string) []logged {
	t.Helper()
	r, err := i.ExecLog()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Read(0, false)
	if err != nil {
		t.Fatal(err)
	}
	var found []logged
	for n, record := range s.Records {
		var e abi.Exec
		if _, err := binary.Decode(record, binary.NativeEndian, &e); err != nil {
			t.Fatal(err)
		}
		if e.Sequence != uint64(n) {
			t.Errorf("record %d has sequence number %d", n, e.Sequence)
		}
		owner, ok := i.Identity(int(e.Identity))
		if !ok || owner.Generation != e.Generation || unix.ByteSliceToString(owner.Who.ID[:]) != id {
			continue
		}
		path := record[abi.SizeofExec:][:e.PathLength]
		args := record[abi.SizeofExec+e.PathLength:][:e.ArgvLength]
		found = append(found, logged{
			Comm: unix.ByteSliceToString(e.Comm[:]), Path: string(path), Args: strings.ReplaceAll(string(args), "\x00", "|"),
			Result: e.Result, Argc: e.Argc, Flags: e.Entry.Flags,
		})
	}
	return found
}

func TestExecs(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-exec")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n/bin/true a '' b\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, d, script, "argument")
	want := []logged{
		{Comm: "script", Path: script, Args: "/bin/sh|" + script + "|argument|", Argc: 3, Flags: abi.ExecInterpreted},
		{Comm: "true", Path: "/bin/true", Args: "/bin/true|a||b|", Argc: 4},
	}
	if diff := cmp.Diff(want, execs(t, i, "rt-exec")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFailedExecs(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-failed")
	work(t, d, "execs")
	got := execs(t, i, "rt-failed")
	if len(got) == 0 || got[0].Result != 0 {
		t.Fatalf("the worker's own exec comes first: %+v", got)
	}
	want := []logged{
		{Comm: "worker", Path: "/nonexistent", Args: "zero|o\nne|", Result: -int32(unix.ENOENT), Argc: 2},
		{Comm: "worker", Path: "", Args: "zero|o\nne|", Result: -int32(unix.EBADF), Argc: 2},
		{Comm: "worker", Result: -int32(unix.EFAULT), Flags: abi.ExecFault},
		{Comm: "worker", Path: "/nonexistent", Result: -int32(unix.ENOENT)},
	}
	if diff := cmp.Diff(want, got[1:min(5, len(got))]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got) != 6 || got[5].Result != 0 || got[5].Args != "echo|o\nne|" {
		t.Errorf("execveat of a descriptor: %+v", got[5:])
	}
}

// TestLongArguments keeps as many bytes of an argument vector as the pool allows, and marks the record as truncated.
func TestLongArguments(t *testing.T) {
	o := small
	o.ArgvSize = 100
	i := load(t, o)
	d := container(t, i, "/rt-long")
	argument := strings.Repeat("x", 200)
	run(t, d, "/bin/true", argument)
	run(t, d, "/bin/sh", "-c", "exec /nonexistent "+argument)
	run(t, d, "/bin/sh", "-c", "exec /nonexistent "+strings.Repeat("y ", 80))
	whole := logged{Comm: "true", Path: "/bin/true", Args: ("/bin/true|" + argument)[:100], Argc: 2,
		Flags: abi.ExecTruncated}
	got := execs(t, i, "rt-long")
	if diff := cmp.Diff(whole, got[0]); diff != "" {
		t.Errorf("success (-want +got):\n%s", diff)
	}
	for _, failed := range []logged{got[2], got[4]} {
		if failed.Result != -int32(unix.ENOENT) || failed.Flags != abi.ExecTruncated || len(failed.Args) > 100 ||
			!strings.HasPrefix(failed.Args, "/nonexistent|") {
			t.Errorf("failure: %+v", failed)
		}
	}
}

// TestUnrecordedContainer logs the execs of a container that has no ring.
func TestUnrecordedContainer(t *testing.T) {
	i := load(t, small)
	d := unmade(t, "/rt-sandbox")
	var who abi.Who
	copy(who.ID[:], "rt-sandbox")
	if err := d.Register(i.Dir, who); err != nil {
		t.Fatal(err)
	}
	run(t, d, "/bin/sh", "-c", "exec /nonexistent")
	if got := identity(t, i, "rt-sandbox"); got.Ring != 0 {
		t.Errorf("it got ring %d", got.Ring)
	}
	got := execs(t, i, "rt-sandbox")
	if len(got) != 2 || got[1].Result != -int32(unix.ENOENT) {
		t.Errorf("logged: %+v", got)
	}
}
