// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

const daemonJSON = "etc/docker/daemon.json"

// TestLostDefault uninstalls although the default runtime before install is gone: dockerd would not start if its
// configuration named that.
func TestLostDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLostDefault)
}

func testLostDefault(t *testing.T) {
	const (
		byFlag = "[Service]\nExecStart=/usr/bin/dockerd --add-runtime=crun=/usr/bin/crun\n"
		ours   = `{"default-runtime": "runc-trace", "runtimes": {"runc-trace": {"path": "` + shim + `"}}}` + "\n"
	)
	for name, test := range map[string]struct {
		original, unit, edited, want string
		removal                      Removal
	}{
		"in the file": {`{"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}}}`, "", ours,
			`{ "runtimes": {}}` + "\n", Removal{}},
		"in the file, discarded": {`{"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}}}`, "", ours,
			`{ "runtimes": {}}` + "\n", Removal{DiscardEdits: true, Force: true}},
		"by a flag":                  {`{"default-runtime": "crun"}`, byFlag, "", `{"default-runtime": "crun"}`, Removal{}},
		"by a flag that was removed": {`{"default-runtime": "crun"}`, byFlag, "", `{"default-runtime": "crun"}`, Removal{}},
	} {
		m := newMachine(t, engine.Docker)
		files := map[string]string{"usr/bin/crun": program, daemonJSON: test.original}
		if test.unit != "" {
			files["usr/lib/systemd/system/docker.service"] = test.unit
		}
		treetest.Write(t, m.root, files)
		m.install(request(t, "one", Request{Default: true}))
		if test.edited != "" {
			treetest.Write(t, m.root, map[string]string{daemonJSON: test.edited})
		}
		var notes []string
		if strings.HasSuffix(name, "removed") {
			treetest.Write(t, m.root, map[string]string{
				"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd\n"})
			notes = []string{`the restored /etc/docker/daemon.json has the default-runtime "crun", ` +
				"which nothing defines any more: docker does not start until you change that"}
		}
		report := m.uninstall(test.removal)
		if !slices.Equal(report.Notes, notes) {
			t.Errorf("%s: the notes are %q", name, report.Notes)
		}
		if got := m.contents(daemonJSON); got != test.want || len(report.Kept) > 0 || m.contents(shim) != "" {
			t.Errorf("%s: %+v\n%s", name, report.Kept, got)
		}
	}
}

// TestBrokenDaemonJSON leaves a daemon.json alone that others have made invalid and that does not name runc-trace. The
// shim stays if a container needs it.
func TestBrokenDaemonJSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testBrokenDaemonJSON)
}

func testBrokenDaemonJSON(t *testing.T) {
	m := newMachine(t, engine.Docker)
	m.install(request(t, "one", Request{Default: true}))
	const broken = `{"data-root": "/srv/docker",`
	treetest.Write(t, m.root, map[string]string{daemonJSON: broken,
		"srv/docker/containers/aaa/hostconfig.json": `{"Runtime": "runc-trace"}`})
	report := m.uninstall(Removal{})
	if len(report.Kept) != 1 || !slices.Equal(report.Kept[0].Containers, []engine.Container{{ID: "aaa"}}) ||
		m.contents(shim) == "" || m.contents(daemonJSON) != broken {
		t.Errorf("with a container: %+v\n%s", report.Kept, m.contents(daemonJSON))
	}
	treetest.Write(t, m.root, map[string]string{"srv/docker/containers/aaa/hostconfig.json": `{"Runtime": "runc"}`})
	report = m.uninstall(Removal{})
	if len(report.Kept) > 0 || m.contents(shim) != "" || m.contents(daemonJSON) != broken {
		t.Errorf("without: %+v\n%s", report.Kept, m.contents(daemonJSON))
	}
}

// TestFlaggedRuntimes checks that the running Docker keeps a runtime of a flag when it loads files that have runtimes,
// but not this one: after uninstall, and after install was taken back.
func TestFlaggedRuntimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testFlaggedRuntimes)
}

func testFlaggedRuntimes(t *testing.T) {
	const (
		original = `{"runtimes": {"mine": {"path": "/usr/sbin/runc"}}}`
		all      = `runc {"crun":{"path":"/usr/bin/crun"},"mine":{"path":"/usr/sbin/runc"},"runc":{"path":"runc"}}`
	)
	for _, r := range []Request{{Restart: true}, {Restart: true, Default: true}} {
		for _, refuses := range []string{"", "runc-trace"} {
			m := newMachine(t, engine.Docker)
			treetest.Write(t, m.root, map[string]string{"usr/bin/crun": program, daemonJSON: original,
				"usr/lib/systemd/system/docker.service": "[Service]\n" +
					"ExecStart=/usr/bin/dockerd --add-runtime=crun=/usr/bin/crun\n"})
			m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
			m.says["docker info"], m.refuses[engine.Docker] = all, refuses
			_, err := m.host().Install(t.Context(), request(t, "one", r))
			if (err != nil) != (refuses != "") {
				t.Error(err)
			}
			if now := m.says["docker info"]; !strings.Contains(now, "crun") {
				t.Errorf("%+v: after install, Docker has %s", r, now)
			}
			if refuses == "" {
				m.uninstall(Removal{Restart: true})
			}
			if now := m.says["docker info"]; now != all || m.contents(daemonJSON) != original {
				t.Errorf("%+v %s: Docker has %s\n%s", r, refuses, now, m.contents(daemonJSON))
			}
		}
	}
}

// TestDockerShimDefault installs if Docker's default runtime is the type of a containerd shim, which no file defines.
func TestDockerShimDefault(t *testing.T) {
	t.Parallel()
	const why = `its default-runtime "io.containerd.mine.v2" has type "io.containerd.mine.v2", which does not call runc`
	machine := func() *machine {
		m := newMachine(t, engine.Docker, engine.Podman)
		treetest.Write(t, m.root, map[string]string{daemonJSON: `{"default-runtime": "io.containerd.mine.v2"}`})
		return m
	}
	report := machine().install(request(t, "one", Request{}))
	if len(report.Engines) != 2 || report.Engines[0].Real != "/usr/sbin/runc" {
		t.Errorf("adding a runtime: %+v", report.Engines)
	}
	report = machine().install(request(t, "one", Request{Default: true}))
	if len(report.Engines) != 1 || report.Engines[0].Kind != engine.Podman ||
		!strings.Contains(strings.Join(report.Notes, "\n"), why) {
		t.Errorf("for all engines: %+v %q", report.Engines, report.Notes)
	}
	_, err := machine().host().Install(t.Context(), request(t, "one", Request{Kind: engine.Docker, Default: true}))
	says(t, err, why, "install without --set-default")
}

// TestOtherRuntimes makes the running Docker read a configuration if only runtimes beside the default one differ: they
// go through the shim now, or a reload has lost one that was added to the flags after an installation.
func TestOtherRuntimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testOtherRuntimes)
}

func testOtherRuntimes(t *testing.T) {
	const traced, late = "/opt/runc-trace/bin/runc-trace", `"late":{"path":"/usr/bin/crun"},`
	const unit = "usr/lib/systemd/system/docker.service"
	m := newMachine(t, engine.Docker)
	treetest.Write(t, m.root, map[string]string{"usr/bin/crun": program,
		daemonJSON: `{"runtimes": {"mine": {"path": "/usr/bin/crun"}}}`})
	m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
	m.says["docker info"] = `runc {"mine":{"path":"/usr/bin/crun"},"runc":{"path":"runc"}}`
	installs := func(r Request, told bool, late, mine string) {
		t.Helper()
		time.Sleep(time.Hour)
		r.Restart, r.Default = true, true
		m.ran()
		m.install(request(t, "one", r))
		if got := strings.Contains(strings.Join(m.ran(), "\n"), "reload docker.service"); got != told {
			t.Errorf("%+v: Docker was told %v, want %v", r, got, told)
		}
		want := "runc-trace {" + late + `"mine":{"path":"` + mine + `"},"runc":{"path":"runc"},"runc-trace":{"path":"` +
			traced + `"}}`
		if diff := cmp.Diff(want, m.says["docker info"]); diff != "" {
			t.Errorf("%+v: Docker has (-want +got):\n%s", r, diff)
		}
	}
	installs(Request{}, true, "", "/usr/bin/crun")
	installs(Request{}, false, "", "/usr/bin/crun")
	treetest.Write(t, m.root, map[string]string{
		unit: "[Service]\nExecStart=/usr/bin/dockerd --add-runtime late=/usr/bin/crun\n"})
	installs(Request{}, true, late, "/usr/bin/crun")
	installs(Request{}, false, late, "/usr/bin/crun")
	late2 := strings.Replace(late, "/usr/bin/crun", traced+"-crun", 1)
	installs(Request{All: true}, true, late2, traced+"-crun")
	installs(Request{All: true}, false, late2, traced+"-crun")
}
