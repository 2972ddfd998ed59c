// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tracer reads the output of tracectl.
type tracer struct {
	tracectl    string   // path of the program
	environment []string // selects the pin directory, if not the default
}

// Container holds the tested fields of a container, or of a recording, in the output of tracectl -o json.
type Container struct {
	Namespace   string `json:"namespace"`
	Pod         string `json:"pod"`
	PodUID      string `json:"podUID"`
	Container   string `json:"container"`
	ContainerID string `json:"containerID"`
	SandboxID   string `json:"sandboxID"`
	Sandbox     bool   `json:"sandbox"`
	Image       string `json:"image"`
	Engine      string `json:"engine"`
	State       string `json:"state"`
	ExitCode    *int   `json:"exitCode"`
	CgroupID    uint64 `json:"cgroupID"`
	Recorded    string `json:"recorded"`
	Ended       string `json:"ended"`
	Overwritten uint64 `json:"overwritten"`
	Lanes       map[string]struct {
		Lapped bool `json:"lapped"`
	} `json:"lanes"`
}

// Call is a system call.
type Call struct {
	PID     int    `json:"pid"`
	Comm    string `json:"comm"`
	Syscall string `json:"syscall"`
}

// objects decodes the output of tracectl, one object per line.
func objects[T any](t *testing.T, x tracer, args ...string) []T {
	t.Helper()
	o := run(t, x.environment, x.tracectl, append(args, "-o=json")...)
	if o.code != 0 {
		t.Fatalf("tracectl %q: exit code %d\n%s", args, o.code, o.stderr)
	}
	var all []T
	for d := json.NewDecoder(strings.NewReader(o.stdout)); ; {
		var one T
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("decoding %q: %v", o.stdout, err)
		}
		all = append(all, one)
	}
}

// container returns the one container with an ID.
func (x tracer) container(t *testing.T, id string) Container {
	t.Helper()
	all := objects[Container](t, x, "containers", "--all")
	all = slices.DeleteFunc(all, func(c Container) bool { return c.ContainerID != id })
	if len(all) != 1 {
		t.Fatalf("containers of the ID %q: %+v", id, all)
	}
	return all[0]
}

// execs returns the paths of the programs that a container executed.
func (x tracer) execs(t *testing.T, id string) []string {
	t.Helper()
	type event struct {
		ContainerID string `json:"containerID"`
		Path        string `json:"path"`
		Ret         int    `json:"ret"`
	}
	var paths []string
	for _, e := range objects[event](t, x, "exec", "--since=1h", "--no-follow") {
		if e.ContainerID == id && e.Ret == 0 {
			paths = append(paths, e.Path)
		}
	}
	return paths
}

// checkBeginning checks that the newest recording of a container begins with the runtime's own preparations, before
// the container's program can have run.
func (x tracer) checkBeginning(t *testing.T, id string) {
	t.Helper()
	all := objects[Container](t, x, "straceback", "list")
	at := slices.IndexFunc(all, func(c Container) bool { return c.ContainerID == id })
	if at < 0 {
		t.Fatalf("no recording of %s among %+v", id, all)
	}
	if all[at].Overwritten != 0 {
		t.Errorf("%s: of the recording, %d calls are overwritten", id, all[at].Overwritten)
	}
	calls := objects[Call](t, x, "straceback", "show", "--runtime", all[at].Engine+"://"+id)
	// A runtime that does much pushes out its own first calls.
	within := all[at].Lanes["runtime"].Lapped && len(calls) > 0 && strings.HasPrefix(calls[0].Comm, "runc:")
	if !within && !beginsInRuntime(calls) {
		t.Errorf("%s: its recording of %d calls does not begin within the runtime: %+v", id, len(calls), calls[:min(len(calls), 20)])
	}
}

// beginsInRuntime reports whether the first call was made by crun, or by runc init before it makes the container's
// first process: until then, it calls itself runc:[0:PARENT], see nsexec.c in runc's libcontainer.
func beginsInRuntime(calls []Call) bool {
	return len(calls) > 0 && (strings.Contains(calls[0].Comm, "crun") || slices.ContainsFunc(calls, func(c Call) bool {
		return c.PID == calls[0].PID && c.Comm == "runc:[0:PARENT]" && (c.Syscall == "clone" || c.Syscall == "clone3")
	}))
}

// inode returns the inode number of a cgroup, from its path within the hierarchy.
func inode(t *testing.T, cgroup string) uint64 {
	t.Helper()
	info, err := os.Stat("/sys/fs/cgroup" + cgroup)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}
