// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

const journalctl = "/usr/bin/journalctl --unit=containerd.service"

// refusing returns a machine with a running containerd that does not work with our configuration.
func refusing(t *testing.T) *machine {
	m := newMachine(t, engine.Containerd)
	treetest.Write(t, m.root, map[string]string{"usr/bin/journalctl": program})
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	m.says[journalctl] = "starting containerd\nlevel=fatal msg=\"unknown \x1b[2J field\"\nstopped"
	m.refuses[engine.Containerd] = "BinaryName"
	return m
}

// outside returns a tree without the journal's files.
func outside(tree map[string]string) map[string]string {
	for name := range tree {
		if strings.HasPrefix(name, "var/lib/runc-trace") {
			delete(tree, name)
		}
	}
	return tree
}

// TestRejected restores everything if an engine does not work after its restart, and tries again only if the attempt
// differs.
func TestRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRejected)
}

func testRejected(t *testing.T) {
	m := refusing(t)
	before := m.tree()
	restart := []string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl restart containerd.service"}
	again := []string{"systemctl daemon-reload", "/usr/bin/systemctl daemon-reload",
		"/usr/bin/systemctl reset-failed containerd.service", "/usr/bin/systemctl restart containerd.service", "unload"}
	try := []string{"load", "systemctl daemon-reload", "systemctl start runc-trace.service"}
	whole := append(append(append([]string{}, try...), restart...), again...)
	attempt := func(r Request, commands []string) string {
		t.Helper()
		report, err := m.host().Install(t.Context(), r)
		if err == nil || len(report.Changes) > 0 {
			t.Fatalf("%+v, %v", report, err)
		}
		if diff := cmp.Diff(commands, m.ran()); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(outside(before), outside(m.tree())); diff != "" {
			t.Errorf("a rejected install (-before +after):\n%s", diff)
		}
		return err.Error()
	}
	r := request(t, "one", Request{Default: true, Restart: true})
	said := attempt(r, whole)
	for _, words := range []string{
		"containerd does not work with its new configuration: timed out after 10s: asking containerd: connection refused",
		`it printed: level=fatal msg="unknown \x1b[2J field"`,
		"everything was put back, and containerd works again, with plain runc, without runc-trace",
		"--retry",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("%q does not say %q", said, words)
		}
	}
	for range 2 {
		if again := attempt(r, nil); again != said {
			t.Errorf("the same attempt says %q, it said %q", again, said)
		}
	}
	dry := r
	dry.DryRun = true
	if _, err := m.host().Install(t.Context(), dry); err != nil {
		t.Error(err)
	}
	m.ran()
	retry := r
	retry.Retry = true
	attempt(retry, whole)
	attempt(r, nil)
	attempt(request(t, "two", Request{Default: true, Restart: true}), whole)
	attempt(r, whole) // only the last attempt is remembered
	treetest.Write(t, m.root, map[string]string{
		"etc/containerd/config.toml": engines[engine.Containerd]["etc/containerd/config.toml"] + "\n# edited\n",
	})
	before = m.tree()
	attempt(r, whole)
	attempt(r, nil)

	// A successful installation clears the note, and so does uninstalling.
	delete(m.refuses, engine.Containerd)
	retry.Restart = true
	if report := m.install(retry); report.Engines[0].Taken != restart[1][len("/usr/bin/"):] {
		t.Errorf("%+v", report)
	}
	m.ran()
	if report := m.install(r); len(report.Changes) > 0 || report.Engines[0].Taken != "" {
		t.Errorf("again: %+v", report)
	}
	for _, command := range m.ran() {
		if strings.Contains(command, "restart") {
			t.Errorf("installing again runs %q", command)
		}
	}
	m.started["/usr/bin/containerd"] = time.Now()
	m.uninstall(Removal{Restart: true})
	if diff := cmp.Diff(outside(before), m.tree()); diff != "" {
		t.Errorf("uninstalled (-before +after):\n%s", diff)
	}
}

// TestRejectedLater restores the files of an earlier installation that the engine reads only now.
func TestRejectedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRejectedLater)
}

func testRejectedLater(t *testing.T) {
	m := refusing(t)
	before := m.tree()
	m.install(request(t, "one", Request{Default: true}))
	m.ran()
	r := request(t, "one", Request{Default: true, Restart: true})
	var said string
	for i := range 2 {
		_, err := m.host().Install(t.Context(), r)
		says(t, err, "containerd works again, with plain runc")
		if text := m.contents("etc/containerd/config.toml"); strings.Contains(text, "BinaryName") {
			t.Errorf("containerd's configuration:\n%s", text)
		}
		if ran := m.ran(); i == 1 && (len(ran) > 0 || err.Error() != said) {
			t.Errorf("again: %q, %v", ran, err)
		}
		said = err.Error()
	}
	m.uninstall(Removal{Restart: true})
	m.same("uninstalling", before)
}

// TestRestartCommand restarts the engine with the user's command instead of systemd.
func TestRestartCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRestartCommand)
}

func testRestartCommand(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	before := m.tree()
	const command = "sv restart $1"
	report := m.install(request(t, "one", Request{Restart: true, RestartCommand: command}))
	if report.Engines[0].Taken != command || len(report.Commands) > 0 {
		t.Errorf("%+v", report)
	}
	installed := m.ran()
	m.uninstall(Removal{Restart: true, RestartCommand: command})
	m.same("install and uninstall", before)
	for _, ran := range [][]string{installed, m.ran()} {
		if text := strings.Join(ran, "\n"); !strings.Contains(text, "sh -c sv restart $1 sh containerd") ||
			strings.Contains(text, "systemctl restart") {
			t.Errorf("commands:\n%s", text)
		}
	}

	// One command fails, and one does nothing.
	for command, words := range map[string][]string{
		"sv restart": {`running the restart command "sv restart": exit status 1: no such service`},
		"true": {"containerd does not work with its new configuration", errOld.Error(),
			"restoring everything failed, too", "containerd: timed out"},
		"sv restart.": {"unknown"},
	} {
		m.fails["sh -c sv restart sh"] = "no such service"
		m.fails["sh -c sv restart. sh"] = "unknown"
		m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
		_, err := m.host().Install(t.Context(), request(t, command, Request{Restart: true, RestartCommand: command}))
		says(t, err, words...)
		m.uninstall(Removal{})
		m.same("install and uninstall", before)
	}
}

// TestUnknownProgram has an engine without a known program, so that nothing can tell whether it runs. The report names
// the command to run.
func TestUnknownProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUnknownProgram)
}

func testUnknownProgram(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	for _, path := range []string{"usr/bin/containerd", "lib/systemd/system/containerd.service"} {
		if err := os.Remove(filepath.Join(m.root, path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	report := m.install(request(t, "one",
		Request{Kind: engine.Containerd, Restart: true, RestartCommand: "sv restart $1"}))
	if len(report.Commands) != 1 || !strings.Contains(report.Commands[0], "containerd") || report.Engines[0].Taken != "" {
		t.Errorf("%+v", report)
	}
}

// TestChangedAgain restarts an engine for a second change, too.
func TestChangedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testChangedAgain)
}

func testChangedAgain(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	for _, r := range []Request{{Restart: true}, {Restart: true, Default: true}} {
		if report := m.install(request(t, "one", r)); report.Engines[0].Taken != "systemctl restart containerd.service" {
			t.Errorf("%+v: %+v", r, report)
		}
		if report := m.install(request(t, "one", r)); report.Engines[0].Taken != "" || len(report.Changes) > 0 {
			t.Errorf("%+v again: %+v", r, report)
		}
		if report := m.install(request(t, "two", r)); report.Engines[0].Taken != "" || len(report.Changes) == 0 {
			t.Errorf("%+v, with other programs: %+v", r, report)
		}
	}
}

// TestDockerRejected makes Docker stop using our runtime as its default when everything is restored.
func TestDockerRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testDockerRejected)
}

func testDockerRejected(t *testing.T) {
	m := newMachine(t, engine.Docker)
	m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
	m.refuses[engine.Docker] = `"default-runtime": "runc-trace"`
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Default: true, Restart: true}))
	says(t, err, "docker does not work with its new configuration", "docker works again, with plain runc")
	if now := m.says["docker info"]; now != `runc {"runc":{"path":"runc"}}` {
		t.Errorf("Docker has %s", now)
	}
	if diff := cmp.Diff(engines[engine.Docker]["etc/docker/daemon.json"],
		m.contents("etc/docker/daemon.json")); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestShimTried checks that no engine is restarted for a shim that cannot run.
func TestShimTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testShimTried)
}

func testShimTried(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	m.fails["/opt/runc-trace/bin/runc-trace --version"] = "permission denied"
	before := m.tree()
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Default: true, Restart: true}))
	says(t, err, "running /opt/runc-trace/bin/runc-trace --version, which calls /usr/sbin/runc", "permission denied",
		"everything was put back")
	m.same("a failed install", before)
	for _, command := range m.ran() {
		if strings.Contains(command, "restart") {
			t.Errorf("ran %q", command)
		}
	}
}

// TestUnsteady fails if an engine that restarts over and over is taken for a working one.
func TestUnsteady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUnsteady)
}

func testUnsteady(t *testing.T) {
	h := newMachine(t, engine.Containerd).host()
	e := engine.Engine{Kind: engine.Containerd, Binary: "/usr/bin/containerd"}
	began := time.Now()
	h.Started = func(engine.Engine) (time.Time, bool) { return began, true }
	if err := h.works(t.Context(), e, func() bool { return false }); err != nil {
		t.Error(err)
	}
	h.Started = func(engine.Engine) (time.Time, bool) { return time.Now(), true }
	says(t, h.works(t.Context(), e, func() bool { return false }), "it stops again")
}

// TestUninstalledEngineFails reports an engine that does not work with its own configuration.
func TestUninstalledEngineFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUninstalledEngineFails)
}

func testUninstalledEngineFails(t *testing.T) {
	m := refusing(t)
	m.refuses[engine.Containerd] = "SystemdCgroup"
	before := m.tree()
	m.install(request(t, "one", Request{Default: true}))
	m.started["/usr/bin/containerd"] = time.Now()
	_, err := m.host().Uninstall(t.Context(), Removal{Restart: true})
	says(t, err, "containerd has its configuration back, but does not use it: timed out",
		"connection refused", "level=fatal")
	delete(m.refuses, engine.Containerd)
	m.uninstall(Removal{Restart: true})
	m.same("uninstalling", before)
	if errors.Is(err, errOld) {
		t.Error("it was restarted")
	}
}

// TestMuteDocker has a Docker that listens only on the network and cannot be queried. It is told once of each change.
func TestMuteDocker(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Docker)
	treetest.Write(t, m.root,
		map[string]string{"etc/docker/daemon.json": "{\n    \"hosts\": [\"tcp://127.0.0.1:2376\"]\n}"})
	before := m.tree()
	m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
	if report := m.install(request(t, "one", Request{})); len(report.Commands) != 1 ||
		report.Commands[0] != "systemctl reload docker.service" {
		t.Errorf("left to do: %q", report.Commands)
	}
	m.ran()
	if report := m.install(request(t, "one",
		Request{Restart: true})); report.Engines[0].Taken != "systemctl reload docker.service" {
		t.Errorf("%+v", report)
	}
	m.uninstall(Removal{Restart: true})
	m.same("install and uninstall", before)
}
