// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/execlog"
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
	log, err := i.ExecLog()
	if err != nil {
		t.Fatal(err)
	}
	b, err := execlog.NewPastReader(log).Poll(true)
	if err != nil || b.More {
		t.Fatalf("%v; more than one poll: %v", err, b.More)
	}
	var found []logged
	n := uint64(0)
	for e := range b.Records() {
		if e.Sequence < n {
			t.Errorf("a record with sequence number %d comes after number %d", e.Sequence, n-1)
		}
		n = e.Sequence + 1
		owner, ok := i.Identity(int(e.Identity))
		if !ok || owner.Generation != e.Generation || unix.ByteSliceToString(owner.Who.ID[:]) != id {
			continue
		}
		found = append(found, logged{
			Comm: unix.ByteSliceToString(e.Comm[:]), Path: string(e.Path),
			Args: strings.ReplaceAll(string(e.Arguments), "\x00", "|"), Result: e.Result, Argc: e.Argc, Flags: e.Entry.Flags,
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

// TestExecShares floods the exec log from one container: it pushes out neither the execs of another one nor, with execs
// that fail, its own that succeeded. Its last ones are there, too.
func TestExecShares(t *testing.T) {
	i := load(t, small)
	victim, flood := container(t, i, "/rt-victim"), container(t, i, "/rt-flood")
	count := func(id, path string) int {
		n := 0
		for _, e := range execs(t, i, id) {
			if e.Path == path {
				n++
			}
		}
		return n
	}
	const before = 20
	for range before {
		run(t, victim, "/bin/true")
		run(t, flood, "/bin/true")
	}
	work(t, flood, "failing execs")
	if n := count("rt-flood", "/bin/true"); n != before {
		t.Errorf("of %d execs that succeeded, %d are left after many that failed", before, n)
	}
	run(t, flood, "/bin/sh", "-c", "i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done; exec /bin/echo")
	if n := count("rt-victim", "/bin/true"); n != before {
		t.Errorf("of %d execs of another container, %d are left", before, n)
	}
	if n := count("rt-flood", "/bin/echo"); n != 1 {
		t.Errorf("the last exec of the flood is there %d times", n)
	}
	if n := identity(t, i, "rt-flood").ExecsBeyond; n < 2000 || identity(t, i, "rt-victim").ExecsBeyond != 0 {
		t.Errorf("%d execs of the flood are beyond its share, %d of the other", n, identity(t, i, "rt-victim").ExecsBeyond)
	}
}
