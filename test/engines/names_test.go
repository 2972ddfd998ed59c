// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDockerNames runs very short containers. Without an agent, their names come from Docker's files; with an
// agent, from Docker's API.
func TestDockerNames(t *testing.T) {
	for name, e := range dockers {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, e.layout)
			m.write("/etc/runc-trace/config.toml", "[pool]\nrings = 16\nring-size = \"64KiB\"\nidentities = 256\n")
			e.daemon, e.ready = []string{"dockerd"}, []string{"docker", "version"}
			e.load, e.images = []string{"docker", "load", "--input"}, []string{"busybox"}
			e.prepare(m)
			m.install("--engine", "docker", "--set-default")
			dockerd := e.start(m)
			defer func() { e.stop(dockerd) }()

			m.shortLived(8, "docker run --label app=kept")
			m.named("without an agent", 8, "kept")
			if got := objects[container](t,
				m.tracectl("containers", "--all", "--label", "app=kept", "--output", "json")); len(got) != 8 {
				t.Errorf("%d of 8 are selected by a label", len(got))
			}

			// Docker's files for these are larger than the shim reads.
			m.write("/tmp/labels", "app=told\nlong="+strings.Repeat("x", 60_000)+"\nlonger="+strings.Repeat("x", 60_000)+"\n")
			agent := m.start(installed+"/tracectl", "agent", "--listen=")
			defer agent.stop()
			eventually(t, "the agent hears Docker", func() bool {
				return strings.Contains(m.tracectl("status", "--output", "json"), `"alive":true`) && m.followed()
			})
			m.shortLived(40, "docker run --label-file /tmp/labels")
			m.named("with an agent", 40, "told")
			id := m.must("docker", "ps", "--all", "--no-trunc", "--quiet", "--filter", "name=told-1-")
			m.must("docker", "rename", id, "another-name")
			eventually(t, "it has another name", func() bool {
				known := m.known(id)
				return len(known) == 1 && known[0].Container == "another-name"
			})

			// The agent catches up on containers that ran while it had no connection.
			e.stop(dockerd)
			dockerd = e.start(m)
			m.write("/tmp/again", m.must("cat", "/tmp/labels")+"\n")
			m.shortLived(4, "docker run --label-file /tmp/again")
			m.named("after Docker was started again", 4, "again")
		})
	}
}

// TestPodmanNames does the same with Podman, which needs no agent.
func TestPodmanNames(t *testing.T) {
	m := newMachine(t, layout{})
	m.write("/etc/runc-trace/config.toml", "[pool]\nrings = 16\nring-size = \"64KiB\"\nidentities = 256\n")
	e := engine{
		config: map[string]string{"/etc/containers/containers.conf": podmanConfig + "runtime = \"runc\"\n"},
		load:   []string{"podman", "load", "--input"}, images: []string{"busybox"},
	}
	e.prepare(m)
	m.install("--engine", "podman", "--set-default")
	m.shortLived(40, "podman run --annotation app=short")
	m.named("Podman", 40, "short")
}

// shortLived runs containers that live for 50 ms, one after another, and removes every second one at once. A
// container's name has the command's label app, a number, and the way in which it ends.
func (m *machine) shortLived(count int, command string) {
	m.t.Helper()
	app := command[strings.LastIndexByte(command, ' ')+1:]
	app = strings.TrimPrefix(strings.TrimPrefix(strings.Replace(app, "/tmp/labels", "told", 1), "/tmp/"), "app=")
	m.must("sh", "-e", "-c", fmt.Sprintf(`
		i=0
		while [ $i -lt %d ]; do
			%s --rm --network none --name %s-$i-removed %s /bin/sleep 0.05
			%s --network none --name %s-$((i+1))-kept %s /bin/sleep 0.05
			i=$((i+2))
		done`, count, command, app, busyboxImage, command, app, busyboxImage))
}

// named waits until all of them are known by name and image.
func (m *machine) named(what string, count int, app string) {
	m.t.Helper()
	want := map[string]string{}
	for n := range count {
		end := "removed"
		if n%2 == 1 {
			end = "kept"
		}
		want[fmt.Sprintf("%s-%d-%s", app, n, end)] = busyboxImage
	}
	began := time.Now()
	var got map[string]string
	for end := began.Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got = map[string]string{}
		for _, c := range objects[container](m.t, m.tracectl("containers", "--all", "--output=json")) {
			if strings.HasPrefix(c.Container, app+"-") || c.Container == "" {
				got[c.Container] = c.Image
			}
		}
		if cmp.Equal(want, got) || time.Now().After(end) {
			break
		}
	}
	m.t.Logf("%s: %d were known after %v", what, len(got), time.Since(began))
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("%s: names and images (-want +got):\n%s", what, diff)
	}
}

// followed reports whether a client follows Docker's events.
func (m *machine) followed() bool {
	m.t.Helper()
	return m.run("docker", "run", "--rm", "--network", "none", "--name", "probe", "--label-file", "/tmp/labels",
		busyboxImage, "/bin/true").Code == 0 &&
		strings.Contains(m.tracectl("containers", "--all", "--output=json"), `"probe"`)
}
