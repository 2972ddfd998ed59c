// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/test/cgroup"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// small is a pool that is sufficient for most tests and loads quickly.
var small = config.Pool{Rings: 4, RingSize: 256 << 10, Identities: 8, ExecLogSize: 256 << 10,
	CaptureSize: 128, ArgvSize: 4096}

// load loads the programs below a pin directory of the test's own, and unloads them when the test ends.
func load(t *testing.T, o config.Pool) *bpf.Instance {
	t.Helper()
	dir := pinDir(t)
	if _, err := bpf.Load(dir, bpf.Options{Pool: o}); err != nil {
		t.Fatalf("loading needs root and a kernel with BTF: %v", err)
	}
	i, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func pinDir(t *testing.T) string {
	t.Helper()
	roottest.Require(t)
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
	dir := fmt.Sprintf("/sys/fs/bpf/runc-trace-test-%d-%s", os.Getpid(), name)
	t.Cleanup(func() {
		if _, err := bpf.Unload(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ownCgroup is the cgroup below which this process makes all others, so that the cgroups that a killed test leaves are
// not in the way of the next one.
var ownCgroup = fmt.Sprintf("/runc-trace-test-%d", os.Getpid())

// container registers a container and makes its cgroup at path, below ownCgroup.
func container(t *testing.T, i *bpf.Instance, path string) *cgroup.Directory {
	t.Helper()
	d := unmade(t, path)
	if err := d.Register(i.Dir, cgroup.Recorded(filepath.Base(path))); err != nil {
		t.Fatal(err)
	}
	return d
}

func unmade(t *testing.T, path string) *cgroup.Directory {
	t.Helper()
	d, err := cgroup.Unmade(ownCgroup + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(strings.TrimSuffix(d.Name(), path), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// identity returns the identity of a container by its ID, and fails the test if it finds none.
func identity(t *testing.T, i *bpf.Instance, id string) abi.Identity {
	t.Helper()
	if found, ok := find(i, id); ok {
		return found
	}
	t.Fatalf("no identity %q", id)
	return abi.Identity{}
}

func find(i *bpf.Instance, id string) (abi.Identity, bool) {
	for n := range i.Pool().Identities {
		found, ok := i.Identity(n)
		if ok && string(found.Who.ID[:len(id)+1]) == id+"\x00" {
			return found, true
		}
	}
	return abi.Identity{}, false
}

// calls returns the recorded calls of a container, of all lanes, in the order in which they ended. None may be missing,
// so its tasks have to be quiet.
func calls(t *testing.T, i *bpf.Instance, id string) []syscalls.Call {
	t.Helper()
	found, missing := callsSoFar(t, i, id)
	for _, text := range missing {
		t.Error(text)
	}
	return found
}

// callsSoFar is calls for a container whose tasks make calls at the same time.
func callsSoFar(t *testing.T, i *bpf.Instance, id string) (found []syscalls.Call, missing []string) {
	t.Helper()
	slot := identity(t, i, id).Ring
	if slot == 0 {
		t.Fatalf("container %s has no ring", id)
	}
	r, err := i.Recording(int(slot) - 1)
	if err != nil {
		t.Fatal(err)
	}
	for n, lane := range r.Lanes {
		s, err := lane.Read(0, false)
		if err != nil {
			t.Fatal(err)
		}
		if s.Gaps != 0 || s.Torn != 0 {
			missing = append(missing, fmt.Sprintf("container %s, lane %d: %d gaps, %d torn", id, n, s.Gaps, s.Torn))
		}
		for _, record := range s.Records {
			var c syscalls.Call
			if err := c.Decode(record); err != nil {
				t.Fatalf("lane %d: %v", n, err)
			}
			found = append(found, c)
		}
	}
	// A call that is new is in two lanes.
	slices.SortStableFunc(found, func(a, b syscalls.Call) int {
		return cmp.Or(cmp.Compare(a.Time+a.Duration, b.Time+b.Duration), cmp.Compare(a.TID, b.TID))
	})
	return slices.CompactFunc(found, func(a, b syscalls.Call) bool {
		return a.TID == b.TID && a.Time == b.Time && a.Nr == b.Nr && a.Result == b.Result
	}), missing
}

// lines returns the calls of one command name as text.
func lines(calls []syscalls.Call, comm string) []string {
	var text []string
	for n := range calls {
		if string(calls[n].Comm) == comm {
			text = append(text, string(calls[n].AppendText(nil)))
		}
	}
	return text
}

// run runs a command in a cgroup and returns its exit state.
func run(t *testing.T, in *cgroup.Directory, name string, args ...string) *os.ProcessState {
	t.Helper()
	c := command(in, name, args...)
	out, err := c.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %s: %v", name, err)
	}
	if len(out) > 0 {
		t.Logf("%s: %s", name, out)
	}
	return c.ProcessState
}

func command(in *cgroup.Directory, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: in.FD()}
	return c
}

// work runs one of the workers below, in this test's own binary, in a cgroup. Its calls have the command name "worker".
func work(t *testing.T, in *cgroup.Directory, worker string) *os.ProcessState {
	t.Helper()
	c := command(in, os.Args[0])
	c.Env = as(worker)
	out, err := c.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running worker %s: %v", worker, err)
	}
	if len(out) > 0 {
		t.Logf("worker %s: %s", worker, out)
	}
	return c.ProcessState
}

const workerEnv = "RUNC_TRACE_TEST_WORKER"

// as returns the environment, with more variables, of the test program as a worker. No signals of the Go runtime
// interrupt its calls: these would be restarted and recorded twice, or, of an io_uring, cancelled.
func as(worker string, more ...string) []string {
	return append(append(os.Environ(), workerEnv+"="+worker, "GODEBUG=asyncpreemptoff=1"), more...)
}

func TestMain(m *testing.M) {
	if name := os.Getenv(workerEnv); name != "" {
		workers[name]()
		os.Exit(0)
	}
	roottest.OwnPins()
	code := m.Run()
	if d, err := cgroup.Unmade(ownCgroup); err == nil {
		_ = os.Remove(d.Name()) // there is none if no test made a cgroup
	}
	os.Exit(code)
}

func counters(t *testing.T, i *bpf.Instance) [abi.CountersMax]uint64 {
	t.Helper()
	c, err := i.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
