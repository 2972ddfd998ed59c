// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// The JSON output of tracectl. The names of fields are part of the test.

// Identity identifies the container of an exec, a call or a recording.
type Identity struct {
	Namespace   string            `json:"namespace"`
	Pod         string            `json:"pod"`
	PodUID      string            `json:"podUID"`
	Container   string            `json:"container"`
	ContainerID string            `json:"containerID"`
	SandboxID   string            `json:"sandboxID"`
	Image       string            `json:"image"`
	Engine      string            `json:"engine"`
	Labels      map[string]string `json:"labels"`
}

type execJSON struct {
	Identity
	Time      time.Time `json:"time"`
	Pcomm     string    `json:"pcomm"`
	Comm      string    `json:"comm"`
	PID       int       `json:"pid"`
	PPID      int       `json:"ppid"`
	Ret       int       `json:"ret"`
	Errno     string    `json:"errno"`
	Path      string    `json:"path"`
	Args      []string  `json:"args"`
	Truncated bool      `json:"truncated"`
	CgroupID  uint64    `json:"cgroupID"`
}

type containerJSON struct {
	Identity
	State    string     `json:"state"`
	ExitCode *int       `json:"exitCode"`
	Signal   string     `json:"signal"`
	CgroupID uint64     `json:"cgroupID"`
	Sandbox  bool       `json:"sandbox"`
	Recorded string     `json:"recorded"`
	Contents string     `json:"contents"`
	Created  *time.Time `json:"created"`
	Ended    *time.Time `json:"ended"`
}

type recordingJSON struct {
	containerJSON
	Name        string `json:"name"`
	Syscalls    int    `json:"syscalls"`
	Overwritten uint64 `json:"overwritten"`
	Lost        uint64 `json:"lost"`
	Kept        bool   `json:"kept"`
	Archive     string `json:"archive"`
}

type callJSON struct {
	PID     int    `json:"pid"`
	TID     int    `json:"tid"`
	Comm    string `json:"comm"`
	Syscall string `json:"syscall"`
	Args    []struct {
		Name  string  `json:"name"`
		Value string  `json:"value"`
		Data  *string `json:"data"`
	} `json:"args"`
	Ret        *int64 `json:"ret"`
	Errno      string `json:"errno"`
	Unfinished bool   `json:"unfinished"`
	NoEnter    bool   `json:"noEnter"`
	Signal     string `json:"signal"`
	ExitCode   *int   `json:"exitCode"`
}

// data returns the memory that the argument with a name points to.
func (c *callJSON) data(name string) string {
	for _, a := range c.Args {
		if a.Name == name && a.Data != nil {
			return *a.Data
		}
	}
	return ""
}

type statusJSON struct {
	Containers struct{ Created, Running, Exited, Ended int } `json:"containers"`
	Recordings struct{ Live, Ended, Free int }               `json:"recordings"`
	ExecLog    struct{ Execs, Lost uint64 }                  `json:"execLog"`
	Dropped    map[string]uint64                             `json:"dropped"`

	Unregistered map[string]uint64 `json:"unregistered"`
}

// objects decodes one JSON object per line.
func objects[T any](t *testing.T, text string) []T {
	t.Helper()
	var all []T
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var one T
		if err := d.Decode(&one); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatalf("decoding %q: %v", text, err)
		}
		all = append(all, one)
	}
}

func (x *tracer) execs(flags ...string) []execJSON {
	x.t.Helper()
	return objects[execJSON](x.t, x.tracectl(append([]string{"exec", "--no-follow", "-o=json"}, flags...)...))
}

func (x *tracer) recordings(flags ...string) []recordingJSON {
	x.t.Helper()
	return objects[recordingJSON](x.t, x.tracectl(append([]string{"straceback", "list", "-o=json"}, flags...)...))
}

func (x *tracer) containers(flags ...string) []containerJSON {
	x.t.Helper()
	return objects[containerJSON](x.t, x.tracectl(append([]string{"containers", "--all", "-o=json"}, flags...)...))
}

// calls returns the calls of a recording, ordered by their start.
func (x *tracer) calls(name string, flags ...string) []callJSON {
	x.t.Helper()
	args := append([]string{"straceback", "show", "--runtime", "-o=json", name}, flags...)
	return objects[callJSON](x.t, x.tracectl(args...))
}

// lines returns the calls of a recording as a terminal shows them.
func (x *tracer) lines(name string) []string {
	x.t.Helper()
	return splitLines(x.tracectl("straceback", "show", "--runtime", name))
}

func (x *tracer) status() statusJSON {
	x.t.Helper()
	return objects[statusJSON](x.t, x.tracectl("status", "-o=json"))[0]
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// grep returns the lines that contain a text.
func grep(lines []string, text string) []string {
	var found []string
	for _, line := range lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestOutputFails checks that each command that reads fails if its output cannot be written, and that none complains if
// its reader goes away.
func TestOutputFails(t *testing.T) {
	x := load(t)
	x.runContainer(simple("mypod", "/bin/true"))
	for _, args := range []string{
		"status", "containers --all", "straceback list", "straceback list --names", "straceback show mypod",
		"exec --no-follow", "doctor",
	} {
		for _, format := range []string{"text", "json"} {
			command := tracectlPath + " " + args + " -o " + format
			o := x.run("/bin/sh", "-c", command+" >/dev/full")
			if o.code != 1 || !strings.Contains(o.stderr, "no space left on device") {
				t.Errorf("%s to a full device: %+v", command, o)
			}
			o = x.run("/bin/bash", "-c", "set -o pipefail; "+command+" | true")
			if strings.Contains(o.stderr, "pipe") || o.code != 0 && args != "doctor" {
				t.Errorf("%s to nobody: %+v", command, o)
			}
		}
	}
}
