// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// commands is a Run that records commands and answers them.
type commands struct {
	ran    []string
	answer map[string]string
	fail   string
}

func (c *commands) run(_ context.Context, program string, args ...string) ([]byte, error) {
	command := strings.Join(append([]string{program}, args...), " ")
	c.ran = append(c.ran, command)
	if c.fail != "" && strings.Contains(command, c.fail) {
		return nil, errors.New("it failed")
	}
	return []byte(c.answer[command]), nil
}

const booted = "-- /usr/bin/systemctl --\n-- /run/systemd/system/x --\n"

func TestReload(t *testing.T) {
	const show = "/usr/bin/systemctl show --property=ActiveState --value "
	for _, test := range []struct {
		name   string
		tree   string
		engine Engine
		answer map[string]string
		fail   string
		done   bool
		what   string
		err    string
		ran    []string
	}{
		{
			name: "containerd", tree: booted, engine: Engine{Kind: Containerd, Unit: "containerd.service"},
			answer: map[string]string{show + "containerd.service": "active\n"},
			done:   true, what: "systemctl restart containerd.service",
			ran: []string{show + "containerd.service", "/usr/bin/systemctl daemon-reload",
				"/usr/bin/systemctl restart containerd.service"},
		},
		{
			name: "Docker is only told", tree: booted, engine: Engine{Kind: Docker, Unit: "docker.service"},
			answer: map[string]string{show + "docker.service": "active\n"},
			done:   true, what: "systemctl reload docker.service",
			ran: []string{show + "docker.service", "/usr/bin/systemctl daemon-reload",
				"/usr/bin/systemctl reload docker.service"},
		},
		{
			name: "stopped", tree: booted, engine: Engine{Kind: CRIO, Unit: "crio.service"},
			answer: map[string]string{show + "crio.service": "inactive\n"},
			what:   "restart crio",
			ran:    []string{show + "crio.service", "/usr/bin/systemctl daemon-reload"},
		},
		{
			name:   "it fails",
			tree:   booted,
			engine: Engine{Kind: Containerd, Variant: "k3s", Unit: "k3s-agent.service"},
			fail:   "restart",
			answer: map[string]string{show + "k3s-agent.service": "active\n"},
			what:   "restart k3s-agent", err: "running systemctl restart k3s-agent.service: it failed",
			ran: []string{show + "k3s-agent.service", "/usr/bin/systemctl daemon-reload",
				"/usr/bin/systemctl restart k3s-agent.service"},
		},
		{name: "no systemd", tree: "-- /usr/bin/systemctl --\n", engine: Engine{Kind: Containerd, Unit: "containerd.service"},
			what: "restart containerd"},
		{name: "no systemd, Docker", engine: Engine{Kind: Docker, Unit: "docker.service"},
			what: "kill -HUP $(pidof dockerd), or restart dockerd"},
		{name: "no unit", tree: booted, engine: Engine{Kind: CRIO}, what: "restart crio"},
		{name: "Podman", tree: booted, engine: Engine{Kind: Podman}, done: true,
			what: "podman reads its configuration at every start"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := tree(t, test.tree)
			c := &commands{answer: test.answer, fail: test.fail}
			h.Run = c.run
			done, what, err := test.engine.Reload(t.Context(), h)
			got := []any{done, what, message(err), c.ran}
			if diff := cmp.Diff([]any{test.done, test.what, test.err, test.ran}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecover(t *testing.T) {
	const show = "/usr/bin/systemctl show --property=ActiveState --value "
	restart := []string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl reset-failed containerd.service",
		"/usr/bin/systemctl restart containerd.service"}
	for _, test := range []struct {
		name   string
		tree   string
		engine Engine
		state  string
		fail   string
		err    string
		ran    []string
	}{
		{name: "one that failed", tree: booted, engine: Engine{Kind: Containerd, Unit: "containerd.service"},
			state: "failed", ran: restart},
		{name: "one that runs", tree: booted, engine: Engine{Kind: Containerd, Unit: "containerd.service"},
			state: "active", ran: restart},
		{
			name: "nothing to reset", tree: booted, engine: Engine{Kind: Containerd, Unit: "containerd.service"},
			state: "active", fail: "reset-failed", ran: restart,
		},
		{
			name:   "it fails",
			tree:   booted,
			engine: Engine{Kind: Containerd, Unit: "containerd.service"},
			state:  "active",
			fail:   "restart",
			err:    "running systemctl restart containerd.service: it failed",
			ran:    restart,
		},
		{
			name: "Docker is told", tree: booted, engine: Engine{Kind: Docker, Unit: "docker.service"}, state: "active",
			ran: []string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl reset-failed docker.service",
				"/usr/bin/systemctl reload docker.service"},
		},
		{
			name: "Docker is gone", tree: booted, engine: Engine{Kind: Docker, Unit: "docker.service"}, state: "failed",
			ran: []string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl reset-failed docker.service",
				"/usr/bin/systemctl restart docker.service"},
		},
		{name: "no systemd", engine: Engine{Kind: Containerd, Unit: "containerd.service"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := tree(t, test.tree)
			c := &commands{answer: map[string]string{show + test.engine.Unit: test.state + "\n"}, fail: test.fail}
			h.Run = c.run
			err := test.engine.Recover(t.Context(), h)
			if test.ran != nil {
				test.ran = append([]string{show + test.engine.Unit}, test.ran...)
			}
			if diff := cmp.Diff([]any{test.err, test.ran}, []any{message(err), c.ran}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestComplaints(t *testing.T) {
	const ask = "/usr/bin/journalctl --unit=containerd.service --since=@7 --output=cat --no-pager --lines=200"
	e := Engine{Kind: Containerd, Unit: "containerd.service"}
	for name, test := range map[string]struct{ tree, log, want string }{
		"what is wrong": {booted + "-- /usr/bin/journalctl --\n",
			"Starting\nlevel=error msg=\"1\"\nlevel=error msg=\"2\"\nlevel=fatal msg=\"3\"\n\ncontainerd: invalid \x1b[2J\nStopped\n",
			`level=error msg="2"; level=fatal msg="3"; containerd: invalid \x1b[2J`},
		"nothing is wrong": {booted + "-- /usr/bin/journalctl --\n", "1\n2\n3\n4\n", "2; 3; 4"},
		"a long line": {booted + "-- /usr/bin/journalctl --\n", strings.Repeat("x", 1000),
			strings.Repeat("x", complaintLength) + "..."},
		"nothing":           {booted + "-- /usr/bin/journalctl --\n", "", ""},
		"no journal":        {booted, "error", ""},
		"no systemd at all": {"-- /usr/bin/journalctl --\n", "error", ""},
	} {
		h := tree(t, test.tree)
		h.Run = (&commands{answer: map[string]string{ask: test.log}}).run
		if got := e.Complaints(t.Context(), h, time.Unix(7, 5)); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		tree   string
		engine Engine
		fail   string
		err    string
		ran    []string
	}{
		{name: "containerd", engine: Engine{Kind: Containerd, Binary: "/usr/bin/containerd", Config: "/etc/c.toml"},
			ran: []string{"/usr/bin/containerd --config /etc/c.toml config dump"}},
		{
			name: "containerd's unit names another now",
			tree: "-- /etc/systemd/system/containerd.service --\n[Service]\nExecStart=/usr/bin/containerd -c /etc/new.toml\n",
			engine: Engine{Kind: Containerd, Binary: "/usr/bin/containerd", Config: "/usr/share/c.toml",
				Unit: "containerd.service"},
			fail: "dump",
			err:  "containerd refuses its configuration: it failed",
			ran:  []string{"/usr/bin/containerd --config /etc/new.toml config dump"},
		},
		{name: "Docker", tree: "-- /etc/docker/daemon.json --\n{}\n",
			engine: Engine{Kind: Docker, Binary: "/usr/bin/dockerd", Version: "28.5.2", Config: "/etc/docker/daemon.json"},
			ran:    []string{"/usr/bin/dockerd --validate --config-file /etc/docker/daemon.json"}},
		{name: "Docker without a file",
			engine: Engine{Kind: Docker, Binary: "/usr/bin/dockerd", Version: "28.5.2", Config: "/etc/docker/daemon.json"}},
		{name: "old Docker", tree: "-- /etc/docker/daemon.json --\n{}\n", engine: Engine{
			Kind: Docker, Binary: "/usr/bin/dockerd", Version: "20.10.24+dfsg1", Config: "/etc/docker/daemon.json",
		}},
		{
			name: "old Docker, no JSON",
			tree: "-- /etc/docker/daemon.json --\n{]\n",
			engine: Engine{Kind: Docker, Binary: "/usr/bin/dockerd", Version: "20.10.24+dfsg1",
				Config: "/etc/docker/daemon.json"},
			err: `checking the configuration of docker: parsing "/etc/docker/daemon.json": hujson: line 1, column 2: invalid character ']' at start of value`,
		},
		{name: "CRI-O", engine: Engine{Kind: CRIO, Binary: "/usr/bin/crio", Config: "/etc/crio/crio.conf"},
			ran: []string{"/usr/bin/crio config"}},
		{name: "Podman", engine: Engine{Kind: Podman, Binary: "/usr/bin/podman", Config: "/etc/containers/containers.conf"},
			ran: []string{"/usr/bin/podman --version"}},
		{name: "no program", engine: Engine{Kind: CRIO, Config: "/etc/crio/crio.conf"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := tree(t, test.tree)
			c := &commands{fail: test.fail}
			h.Run = c.run
			err := test.engine.Check(t.Context(), h)
			if diff := cmp.Diff([]any{test.err, test.ran}, []any{message(err), c.ran}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
