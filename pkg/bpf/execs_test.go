// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/test/cgroup"
	"github.com/runc-trace/runc-trace/test/patience"
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
	var found []logged
	n := uint64(0)
	err = execlog.NewPastReader(log).Finish(t.Context(), func(b *execlog.Batch) error {
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
		return nil
	})
	if err != nil {
		t.Fatal(err)
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

// TestUnreadableArguments checks that what could not be read of an exec is marked, and nothing else.
func TestUnreadableArguments(t *testing.T) {
	const late, failed = `filename=ADDR "/nonexistent", `, ` = -1 ENOENT (No such file or directory)`
	got := worked(t, load(t, small), "badexecs")
	for n := range got { // before Linux 6.8, the arguments are read before the program is opened
		got[n] = strings.Replace(got[n], ` = -1 EFAULT (Bad address)`, failed, 1)
	}
	expect(t, got,
		`execve(`+late+`argv=ADDR ["x"] <read late>, envp=ADDR <2 variables> <unreadable>)`+failed,
		`execve(`+late+`argv=ADDR ["x", "x"] <read late> <unreadable>, envp=ADDR <1 variable>)`+failed,
		`execve(`+late+`argv=ADDR ["x"] <read late> <unreadable>, envp=ADDR <1 variable>)`+failed,
		`execve(`+late+`argv=ADDR ["x"] <read late>, envp=0x10 <unreadable>)`+failed,
		`execve(`+late+`argv=0x10 <unreadable>, envp=ADDR <1 variable>)`+failed,
		`execve(`+late+`argv=NULL, envp=NULL)`+failed,
	)
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

// TestExecsOutside executes programs in the mount namespace of the runtime. Those of a process that came from outside
// are the runtime's own, but not those of one that the container's program forked and that went there.
func TestExecsOutside(t *testing.T) {
	i := load(t, small)
	d, fifo := unmade(t, "/rt-outside"), filepath.Join(t.TempDir(), "fifo")
	var host unix.Stat_t
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), unix.Stat("/proc/self/ns/mnt", &host)); err != nil {
		t.Fatal(err)
	}
	who := cgroup.Recorded("rt-outside")
	who.MountNamespace = uint32(host.Ino)
	if err := d.Register(i.Dir, who); err != nil {
		t.Fatal(err)
	}
	orphan := fmt.Sprintf("exec >/dev/null 2>&1; (setsid /bin/sh -c 'read x; exec /bin/true orphan' <%s &)", fifo)
	run(t, d, "/bin/sh", "-c", `exec unshare -m /bin/sh -c 'nsenter -t '$0' -m /bin/sh -c "$1"' "$0" "$1"`,
		strconv.Itoa(os.Getpid()), orphan)
	if err := os.WriteFile(fifo, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{} // by arguments: is it the runtime's
	patience.Until(t, "all its programs are in the exec log", func() bool {
		for _, e := range execs(t, i, "rt-outside") {
			switch {
			case strings.HasPrefix(e.Args, "/bin/sh|-c|exec unshare"):
				own["entered"] = e.Flags&abi.ExecRuntime != 0
			case strings.HasPrefix(e.Args, "setsid|"):
				own["went outside"] = e.Flags&abi.ExecRuntime != 0
			case strings.HasPrefix(e.Args, "/bin/true|orphan"):
				own["orphan"] = e.Flags&abi.ExecRuntime != 0
			}
		}
		return len(own) == 3
	})
	if diff := cmp.Diff(map[string]bool{"entered": true, "went outside": false, "orphan": false}, own); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExecShares floods the exec log from one container. It pushes out no exec of another one, which has executed more
// programs than its share holds. Of its own, those that fail push out none that succeeded.
func TestExecShares(t *testing.T) {
	pool := small
	pool.ExecLogSize = 2 << 20
	i := load(t, pool)
	victim, flood := container(t, i, "/rt-victim"), container(t, i, "/rt-flood")
	succeeded := func(id string) (numbers []string) {
		for _, e := range execs(t, i, id) {
			if e.Path == "/bin/true" {
				numbers = append(numbers, strings.Split(e.Args, "|")[1])
			}
		}
		return numbers
	}
	const loop = "i=0; while [ $i -lt 3000 ]; do /bin/true $i; i=$((i+1)); done"
	run(t, victim, "/bin/sh", "-c", loop)
	before := succeeded("rt-victim")
	n := 0
	for at := len(before) - 1; at >= 0 && before[at] == strconv.Itoa(2999-n); at-- {
		n++
	}
	if n < 400 || len(before) == 3000 {
		t.Errorf("%d execs are left of a container, and of its last ones, %d without a gap", len(before), n)
	}
	run(t, flood, "/bin/sh", "-c", loop)
	own := succeeded("rt-flood")
	work(t, flood, "failing execs")
	work(t, flood, "failing execs")
	// The execs of the two workers themselves succeeded.
	if left := len(succeeded("rt-flood")); left < len(own)-4 {
		t.Errorf("after execs that failed, %d of %d that succeeded are left", left, len(own))
	}
	if diff := cmp.Diff(before, succeeded("rt-victim")); diff != "" {
		t.Errorf("after the flood, of another container (-before +after):\n%s", diff)
	}
	for _, id := range []string{"rt-victim", "rt-flood"} {
		if n := identity(t, i, id).ExecsBeyond; n == 0 {
			t.Errorf("%s: no exec counts as beyond its share", id)
		}
	}
}

// TestExecSharesOfRestarts floods the exec log from a container that is started again and again: each run has an
// identity of its own, but the share is that of the pod. An exec of another container stays.
func TestExecSharesOfRestarts(t *testing.T) {
	pool := small
	pool.ExecLogSize = 256 << 10
	i := load(t, pool)
	run(t, container(t, i, "/rt-victim"), "/bin/true", "evidence")
	for range 2 * abi.ExecShare {
		d := container(t, i, "/rt-again")
		work(t, d, "failing execs")
		run(t, d, "/bin/sh", "-c", "i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done")
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if got := execs(t, i, "rt-victim"); len(got) != 1 {
		t.Errorf("%d execs of another container are left, want 1", len(got))
	}
}

// TestExecSharesOfMany lets more containers exceed their shares than there are rings for: each new one has the ring
// that was not used for the longest time.
func TestExecSharesOfMany(t *testing.T) {
	pool := small
	pool.ExecLogSize, pool.Identities = 64<<10, 8
	i := load(t, pool)
	for n := range 4 {
		id := fmt.Sprint("rt-many-", n)
		work(t, container(t, i, "/"+id), "failing execs")
		if got := execs(t, i, id); len(got) < 20 {
			t.Errorf("%s: %d execs are left", id, len(got))
		}
	}
}
