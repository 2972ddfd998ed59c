// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

// container is a container in the output of `tracectl containers`.
type container struct {
	Namespace   string            `json:"namespace"`
	Pod         string            `json:"pod"`
	PodUID      string            `json:"podUID"`
	Container   string            `json:"container"`
	ContainerID string            `json:"containerID"`
	SandboxID   string            `json:"sandboxID"`
	Image       string            `json:"image"`
	Engine      string            `json:"engine"`
	Labels      map[string]string `json:"labels"`
	Sandbox     bool              `json:"sandbox"`
	State       string            `json:"state"`
	ExitCode    *int              `json:"exitCode"`
	Recorded    string            `json:"recorded"`
}

// call is a system call in the output of `tracectl straceback show`.
type call struct {
	Comm    string `json:"comm"`
	Syscall string `json:"syscall"`
	Args    []struct {
		Name string  `json:"name"`
		Data *string `json:"data"`
	} `json:"args"`
	Ret *int64 `json:"ret"`
}

// execution is an exec in the output of `tracectl exec`.
type execution struct {
	ContainerID string   `json:"containerID"`
	Ret         int      `json:"ret"`
	Args        []string `json:"args"`
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

// tracectl runs the installed tracectl. It must succeed.
func (m *machine) tracectl(args ...string) string {
	m.t.Helper()
	return m.must(append([]string{installed + "/tracectl"}, args...)...)
}

// known returns the known runs of the container with an ID, the newest first.
func (m *machine) known(id string) []container {
	m.t.Helper()
	all := objects[container](m.t, m.tracectl("containers", "--all", "--output=json"))
	all = slices.DeleteFunc(all, func(c container) bool { return c.ContainerID != id })
	for i := range all {
		if len(all[i].Labels) == 0 {
			all[i].Labels = nil
		}
	}
	return all
}

// executed returns the command lines executed in a container, in order.
func (m *machine) executed(id string) []string {
	m.t.Helper()
	var lines []string
	for _, e := range objects[execution](m.t, m.tracectl("exec", "--no-follow", "--output=json")) {
		if e.ContainerID == id {
			lines = append(lines, strings.Join(e.Args, " "))
		}
	}
	return lines
}

// wrote reports whether a recording has a program that wrote a text. The arguments name the recording.
func (m *machine) wrote(comm, text string, recording ...string) bool {
	m.t.Helper()
	calls := objects[call](m.t,
		m.tracectl(append([]string{"straceback", "show", "--output=json", "--syscall=write"}, recording...)...))
	return slices.ContainsFunc(calls, func(c call) bool {
		for _, a := range c.Args {
			if c.Comm == comm && a.Name == "buf" && a.Data != nil && *a.Data == text {
				return c.Ret != nil
			}
		}
		return false
	})
}
