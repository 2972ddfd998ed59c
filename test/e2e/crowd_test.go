// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// TestCrowd creates a hundred containers at once and kills the shim of every tenth: half of these at any point, half
// when it is about to exec the runtime. The other containers must not notice, and a killed shim may leave only its
// pending entry until the container is created again.
func TestCrowd(t *testing.T) {
	const crowd = 100
	x := load(t, "--recordings=128", "--ring-size=32KiB", "--identities=512", "--exec-log-size=1MiB")
	state := filepath.Join(x.dir, "state")
	containers := make([]bundle, crowd)
	for n := range containers {
		containers[n] = simple(fmt.Sprintf("crowd-%02d", n), "/bin/sh", "-c", fmt.Sprintf("exit %d", n))
		x.write(containers[n])
	}

	processes := make([]*process, crowd)
	var group sync.WaitGroup
	for n, c := range containers {
		command := []string{shimPath, "--root", state, "create", "--bundle", filepath.Join(x.dir, "bundles", c.id), c.id}
		switch {
		case n == 0:
			command = append(killAtOnce(), command...)
		case n%20 == 10:
			command = append(killAtExec(), command...)
		}
		processes[n] = x.spawn(command[0], command[1:]...)
		if n > 0 && n%20 == 0 {
			delay := time.Duration(rand.Int64N(1 + int64(n)*int64(50*time.Microsecond)))
			group.Go(func() {
				time.Sleep(delay)
				killShim(processes[n].cmd.Process.Pid)
			})
		}
	}
	group.Wait()
	killed, announced := map[string]bool{}, map[string]bool{}
	for n, p := range processes {
		o := p.wait()
		id := containers[n].id
		switch status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); {
		case n%10 == 0 && status.Signaled() && status.Signal() == syscall.SIGKILL:
			killed[id] = true
			announced[id] = n%20 == 10
		case o != outcome{}:
			t.Errorf("creating %s: %+v", id, o)
		}
	}
	t.Logf("%d shims were killed", len(killed))
	for n, c := range containers {
		if (n == 0 || n%20 == 10) && !killed[c.id] {
			t.Errorf("the shim of %s was not killed", c.id)
		}
	}

	// A killed shim may have left its entry, and must have if it reached its exec. All other entries are gone.
	for _, leaf := range x.pending() {
		if !killed[leaf] {
			t.Errorf("%s is pending", leaf)
		}
		delete(announced, leaf)
	}
	for id, late := range announced {
		if late {
			t.Errorf("%s is not pending", id)
		}
	}
	for id := range killed {
		if _, err := os.Stat(filepath.Join(state, id)); err == nil {
			t.Errorf("the runtime knows %s, whose shim was killed", id)
		}
	}
	if created := len(x.containers()); created != crowd-len(killed) {
		t.Errorf("%d containers are registered, want %d", created, crowd-len(killed))
	}
	for _, path := range x.cgroups() {
		if killed[filepath.Base(path)] {
			t.Errorf("%s is there, whose shim was killed", path)
		}
	}

	// All containers start, and those whose shim was killed can be created again.
	inParallel(8, crowd, func(n int) {
		id := containers[n].id
		if killed[id] {
			x.expectQuiet("create", "--bundle", filepath.Join(x.dir, "bundles", id), id)
		}
		x.expectQuiet("start", id)
	})
	want := map[string]int{}
	for n, c := range containers {
		want[c.id] = n
	}
	got := map[string]int{}
	eventually(t, "all have ended", func() bool {
		clear(got)
		for _, c := range x.containers() {
			if c.ExitCode != nil {
				got[c.Container] = *c.ExitCode
			}
		}
		return len(got) == crowd
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exit codes (-want +got):\n%s", diff)
	}
	if pending := x.pending(); len(pending) > 0 {
		t.Errorf("still pending: %q", pending)
	}
	inParallel(8, crowd, func(n int) { x.expectQuiet("delete", containers[n].id) })
	if dropped := x.status().Dropped; dropped["noIdentity"]+dropped["noRing"]+dropped["noBinding"]+dropped["pendingStale"]+
		dropped["pendingElsewhere"] != 0 {
		t.Errorf("dropped: %v", dropped)
	}
}

// killAtExec returns a command that kills a shim when it calls execve(2).
func killAtExec() []string {
	directory, name := filepath.Split(runcPath)
	// The shim spells the runtime's path this way: see pkg/shim.
	return []string{"strace", "-f", "-qq", "-o", "/dev/null", "-P", directory + "./" + name, "-e",
		"inject=execve:signal=KILL"}
}

// killAtOnce returns a command that kills a shim at its start: the Go runtime makes more calls than these before main.
func killAtOnce() []string {
	return []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=all:signal=KILL:when=50"}
}

// killShim kills a process if it is still the shim. It stops the process first, so that it cannot exec the runtime
// between the check and the kill.
func killShim(pid int) {
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return
	}
	proc := filepath.Join("/proc", fmt.Sprint(pid))
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		stat, err := os.ReadFile(filepath.Join(proc, "stat"))
		if err != nil {
			return
		}
		if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); fields[0] == "T" || fields[0] == "Z" {
			break
		}
	}
	if program, err := os.Readlink(filepath.Join(proc, "exe")); err == nil && program == shimPath {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// expectQuiet runs the shim instead of runc. It may be called from other goroutines than the test's.
func (x *tracer) expectQuiet(args ...string) {
	if o := x.run(shimPath, append([]string{"--root", filepath.Join(x.dir, "state")}, args...)...); o != (outcome{}) {
		x.t.Errorf("%q: %+v", args, o)
	}
}

// pending lists the leaf names of the pending entries.
func (x *tracer) pending() []string {
	x.t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(x.pins, abi.PinPending), nil)
	if err != nil {
		x.t.Fatal(err)
	}
	defer m.Close()
	var leaves []string
	var key abi.PendingKey
	var entry abi.Pending
	entries := m.Iterate()
	for entries.Next(&key, &entry) {
		leaves = append(leaves, string(bytes.TrimRight(key.Leaf[:], "\x00")))
	}
	if err := entries.Err(); err != nil {
		x.t.Fatal(err)
	}
	return leaves
}
