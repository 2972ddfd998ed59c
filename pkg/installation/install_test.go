// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/install"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

// TestThereAndBack installs and uninstalls for each engine alone and for all of them. Uninstalling restores the
// original files, and dry runs change nothing.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	combinations := [][]engine.Kind{engine.Kinds}
	for _, kind := range engine.Kinds {
		combinations = append(combinations, []engine.Kind{kind})
	}
	for _, kinds := range combinations {
		for _, setDefault := range []bool{false, true} {
			for _, image := range []bool{false, true} {
				if testing.Short() && len(kinds) == 1 && image == setDefault {
					continue // the first combination does both for all engines
				}
				t.Run(fmt.Sprint(kinds, setDefault, image), func(t *testing.T) {
					m := newMachine(t, kinds...)
					host := m.host()
					if image {
						host = Host{Root: m.root}
					}
					do := func(r Request, changes bool) {
						t.Helper()
						report, err := host.Install(t.Context(), r)
						if err != nil {
							t.Fatal(err)
						}
						if len(report.Engines) != len(kinds) || changes != (len(report.Changes) > 0) {
							t.Fatalf("%+v gives %+v", r, report)
						}
					}
					undo := func(r Removal) {
						t.Helper()
						if report, err := host.Uninstall(t.Context(), r); err != nil || len(report.Kept) > 0 || len(report.Changes) == 0 {
							t.Fatalf("%+v gives %+v, %v", r, report, err)
						}
					}
					before := m.tree()
					first := request(t, "one", Request{Default: setDefault})
					dry := first
					dry.DryRun = true
					do(dry, true)
					m.same("a dry run of install", before)
					if len(m.ran()) != 0 {
						t.Error("a dry run runs commands")
					}

					do(first, true)
					installed := m.tree()
					do(first, false)
					do(dry, false)
					m.same("installing again", installed)
					do(request(t, "two", Request{Default: setDefault}), true)
					upgraded := m.tree()

					undo(Removal{DryRun: true})
					m.same("a dry run of uninstall", upgraded)
					m.ran()
					undo(Removal{})
					m.same("install and uninstall", before)
					if image != (len(m.ran()) == 0) {
						t.Errorf("image: %v, commands: %q", image, m.commands)
					}
					if report, err := host.Uninstall(t.Context(), Removal{}); err != nil || len(report.Changes) > 0 {
						t.Errorf("uninstalling again: %+v, %v", report, err)
					}
					m.same("uninstalling again", before)
				})
			}
		}
	}
}

// TestInstalled checks the path of each installed file.
func TestInstalled(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Containerd, engine.Podman)
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	report := m.install(request(t, "one", Request{Default: true, Restart: true}))

	var changed []string
	for _, c := range report.Changes {
		changed = append(changed, fmt.Sprintf("%s %s %v %s", c.Action, c.Path, c.Mode, c.Link))
	}
	want := []string{
		"create /opt/runc-trace/bin/runc-trace -rwxr-xr-x ",
		"create /opt/runc-trace/bin/tracectl -rwxr-xr-x ",
		"create /etc/runc-trace/config.toml -rw-r--r-- ",
		"create /opt/runc-trace/bin/runc-trace-crun ---------- runc-trace",
		"create /etc/systemd/system/runc-trace.service -rw-r--r-- ",
		"create /etc/systemd/system/multi-user.target.wants/runc-trace.service ---------- /etc/systemd/system/runc-trace.service",
		"create /etc/systemd/system/runc-trace-agent.service -rw-r--r-- ",
		"create /usr/local/bin/tracectl ---------- /opt/runc-trace/bin/tracectl",
		"replace /etc/containerd/config.toml -rw-r--r-- ",
		"create /etc/containers/containers.conf.d/99-runc-trace.conf -rw-r--r-- ",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	var routed []string
	for _, e := range report.Engines {
		routed = append(routed, fmt.Sprintf("%s: %s to %s; %s", e, e.Shim, e.Real, e.Taken))
	}
	want = []string{
		"containerd: /opt/runc-trace/bin/runc-trace to /usr/sbin/runc; systemctl restart containerd.service",
		"podman: /opt/runc-trace/bin/runc-trace-crun to /usr/bin/crun; ",
	}
	if diff := cmp.Diff(want, routed); diff != "" {
		t.Errorf("engines (-want +got):\n%s", diff)
	}
	// The programs are loaded after each engine has checked its configuration, and before an engine is restarted.
	want = []string{
		"load", "systemctl daemon-reload", "systemctl start runc-trace.service",
		"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl restart containerd.service",
	}
	if diff := cmp.Diff(want, m.ran()); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	c, err := config.Parse(m.contents("etc/runc-trace/config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	wantConfig := config.Default()
	wantConfig.Runtime, wantConfig.Runtimes = config.Runtime{"/usr/sbin/runc"}, map[string]string{"crun": "/usr/bin/crun"}
	if diff := cmp.Diff(wantConfig, c); diff != "" {
		t.Errorf("config.toml (-want +got):\n%s", diff)
	}
	if text := m.contents("etc/containerd/config.toml"); !strings.Contains(text,
		`BinaryName = "/opt/runc-trace/bin/runc-trace"`) || !strings.Contains(text, "SystemdCgroup = true # kept") {
		t.Errorf("containerd's configuration:\n%s", text)
	}
	unit, err := os.ReadFile("../../install/runc-trace.service")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(unit), m.contents("etc/systemd/system/runc-trace.service")); diff != "" {
		t.Errorf("unit (-want +got):\n%s", diff)
	}
	if link, err := os.Readlink(filepath.Join(m.root, "opt/runc-trace/bin/runc-trace-crun")); link != "runc-trace" {
		t.Errorf("runc-trace-crun leads to %q, %v", link, err)
	}
}

// TestDryRun foresees which programs are loaded and which engines are restarted.
func TestDryRun(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Kinds...)
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
	before := m.tree()
	taken := func(r Report) map[string]string {
		engines := map[string]string{}
		for _, e := range r.Engines {
			if e.Taken != "" {
				engines[e.String()] = e.Taken
			}
		}
		return engines
	}
	restarts := map[string]string{"containerd": "systemctl restart containerd.service",
		"docker": "systemctl reload docker.service"}
	for _, restart := range []bool{false, true} {
		report := m.install(request(t, "one", Request{Default: true, Restart: restart, DryRun: true}))
		if diff := cmp.Diff(&Loaded{New: true, Memory: 1 << 20}, report.Loaded); diff != "" {
			t.Errorf("loaded (-want +got):\n%s", diff)
		}
		wantTaken, wantCommands := map[string]string{}, []string{restarts["containerd"], restarts["docker"]}
		if restart {
			wantTaken, wantCommands = restarts, nil
		}
		if diff := cmp.Diff(wantTaken, taken(report)); diff != "" {
			t.Errorf("restart: %v; engines (-want +got):\n%s", restart, diff)
		}
		if diff := cmp.Diff(wantCommands, report.Commands); diff != "" {
			t.Errorf("restart: %v; left to do (-want +got):\n%s", restart, diff)
		}
	}
	m.same("a dry run", before)
	if ran := m.ran(); len(ran) > 0 {
		t.Errorf("a dry run runs %q", ran)
	}
	r := request(t, "one", Request{Default: true, Restart: true})
	if diff := cmp.Diff(restarts, taken(m.install(r))); diff != "" {
		t.Errorf("what was foreseen is not what was done (-want +got):\n%s", diff)
	}
	r.DryRun = true
	if again := m.install(r); again.Loaded.New || len(taken(again)) > 0 || len(again.Commands) > 0 ||
		len(again.Changes) > 0 {
		t.Errorf("again: %+v", again)
	}
}

// TestNotRestarted reports the remaining commands until they have been run.
func TestNotRestarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testNotRestarted)
}

func testNotRestarted(t *testing.T) {
	m := newMachine(t, engine.Kinds...)
	for _, program := range []string{"/usr/bin/containerd", "/usr/bin/dockerd", "/usr/bin/crio"} {
		m.started[program] = time.Now().Add(-time.Hour)
	}
	r := request(t, "one", Request{Default: true})
	want := []string{"systemctl restart containerd.service", "systemctl restart crio.service",
		"systemctl reload docker.service"}
	for range 2 {
		if diff := cmp.Diff(want, m.install(r).Commands); diff != "" {
			t.Errorf("left to do (-want +got):\n%s", diff)
		}
	}
	m.started["/usr/bin/containerd"] = time.Now()
	m.says["docker info"] = `runc-trace {"runc":{"path":"runc"},"runc-trace":{"path":"/opt/runc-trace/bin/runc-trace"}}`
	if diff := cmp.Diff(want[1:2], m.install(r).Commands); diff != "" {
		t.Errorf("left to do when some was done (-want +got):\n%s", diff)
	}
	if report := m.install(request(t, "one", Request{Default: true, Restart: true})); len(report.Commands) > 0 ||
		report.Engines[2].Taken != "systemctl restart crio.service" {
		t.Errorf("with --restart: %+v", report)
	}
}

// TestAdded adds an engine to an installation, and then uninstalls both.
func TestAdded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testAdded)
}

func testAdded(t *testing.T) {
	m := newMachine(t, engine.Kinds...)
	before := m.tree()
	for _, kind := range []engine.Kind{engine.Podman, engine.Docker, engine.CRIO, engine.Containerd} {
		m.install(request(t, "one", Request{Kind: kind}))
	}
	c, err := config.Parse(m.contents("etc/runc-trace/config.toml"))
	if want := (config.Runtime{"/usr/bin/crun"}); err != nil || !cmp.Equal(want, c.Runtime) ||
		!cmp.Equal(map[string]string{"runc": "/usr/sbin/runc"}, c.Runtimes) {
		t.Errorf("config.toml: %+v, %v", c, err)
	}
	if text := m.contents("etc/docker/daemon.json"); !strings.Contains(text, "/opt/runc-trace/bin/runc-trace-runc") {
		t.Errorf("Docker's configuration: %s", text)
	}
	m.uninstall(Removal{})
	m.same("uninstalling all", before)
}

// TestPackaged uses the files of a package in place.
func TestPackaged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testPackaged)
}

func testPackaged(t *testing.T) {
	m := newMachine(t, engine.Docker, engine.Podman)
	treetest.Write(t, m.root, map[string]string{
		"usr/bin/runc-trace":                        program,
		"usr/bin/tracectl":                          program,
		"usr/lib/systemd/system/runc-trace.service": install.Unit,
		"etc/runc-trace/config.toml":                config.File(config.Default()),
	})
	before := m.tree()
	r := Request{BinDir: install.BinDir, Executable: filepath.Join(m.root, "usr/bin/tracectl")}
	report := m.install(r)
	var paths []string
	for _, c := range report.Changes {
		paths = append(paths, strings.TrimSpace(c.Path+" "+c.Link))
	}
	want := []string{
		"/etc/runc-trace/config.toml",
		"/opt/runc-trace/bin/runc-trace-crun /usr/bin/runc-trace",
		"/etc/systemd/system/multi-user.target.wants/runc-trace.service /usr/lib/systemd/system/runc-trace.service",
		"/etc/docker/daemon.json",
		"/etc/containers/containers.conf.d/99-runc-trace.conf",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if report.Engines[0].Shim != "/usr/bin/runc-trace" {
		t.Errorf("Docker calls %s", report.Engines[0].Shim)
	}
	if got := m.install(r); len(got.Changes) > 0 {
		t.Errorf("installing again changes %+v", got.Changes)
	}
	m.uninstall(Removal{})
	m.same("install and uninstall", before)
}

// TestBinDir installs into another directory.
func TestBinDir(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Podman)
	before := m.tree()
	m.install(request(t, "one", Request{BinDir: "/srv/bin"}))
	if unit := m.contents("etc/systemd/system/runc-trace.service"); !strings.Contains(unit,
		"ExecStart=/srv/bin/tracectl load --no-adopt\n") || strings.Contains(unit, "/opt") {
		t.Errorf("unit:\n%s", unit)
	}
	if m.contents("srv/bin/runc-trace") != program+"# shim one" {
		t.Error("the shim is not in /srv/bin")
	}
	m.uninstall(Removal{})
	m.same("install and uninstall", before)
}

// TestFailed restores everything, at whichever step the installation fails.
func TestFailed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(m *machine)
		words   []string
		ran     string // the last command that ran
	}{
		"an engine refuses": {
			func(m *machine) { m.fails["/usr/bin/dockerd --validate"] = "unable to configure the Docker daemon" },
			[]string{"unable to configure the Docker daemon", "everything was put back"}, "",
		},
		"the programs cannot be loaded": {
			func(m *machine) { m.loadErr = errors.New("kernel 4.19 lacks type information") },
			[]string{"loading the programs: kernel 4.19 lacks type information", "everything was put back"}, "load",
		},
		"the unit does not start": {
			func(m *machine) { m.fails["systemctl start"] = "Job failed" },
			[]string{"systemctl start runc-trace.service", "Job failed", "everything was put back"}, "unload",
		},
		"an engine does not start": {
			func(m *machine) { m.fails["/usr/bin/systemctl reload docker"] = "it is broken" },
			[]string{"docker did not load its new configuration", "it is broken",
				"everything was put back, and containerd works again, with plain runc"}, "unload",
		},
		"a file of ours cannot be written": {
			func(m *machine) { treetest.Write(m.t, m.root, map[string]string{"etc/runc-trace": "a file"}) },
			[]string{"etc/runc-trace"}, "",
		},
		"a configuration that cannot be read": {
			func(m *machine) {
				treetest.Write(m.t, m.root, map[string]string{"etc/runc-trace/config.toml": "runtime ="})
			},
			[]string{"/etc/runc-trace/config.toml is invalid, correct it first: "}, "",
		},
		"no shim": {
			func(m *machine) {}, []string{"runc-trace is not beside tracectl in "}, "",
		},
		"no runtime": {
			func(m *machine) {
				os.Remove(filepath.Join(m.root, "usr/sbin/runc"))
			}, []string{`has the runtime "runc", but its program does not exist`}, "",
		},
		"the shim for a runtime": {
			func(m *machine) {
				os.Remove(filepath.Join(m.root, "usr/sbin/runc"))
				treetest.Write(m.t, m.root,
					map[string]string{"usr/sbin/runc": "-> /opt/runc-trace/bin/runc-trace", "opt/runc-trace/bin/runc-trace": program})
			}, []string{"which is runc-trace itself"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, engine.Containerd, engine.Docker)
			for _, program := range []string{"/usr/bin/containerd", "/usr/bin/dockerd"} {
				m.started[program] = time.Now().Add(-time.Hour)
			}
			test.prepare(m)
			before := m.tree()
			r := request(t, "one", Request{Default: true, Restart: true})
			if name == "no shim" {
				os.Remove(filepath.Join(filepath.Dir(r.Executable), shimName))
			}
			_, err := m.host().Install(t.Context(), r)
			says(t, err, test.words...)
			ran := append([]string{""}, m.ran()...)
			if name == "an engine does not start" { // remembered until uninstall
				if after := m.tree(); after["etc/containerd/config.toml"] != before["etc/containerd/config.toml"] ||
					after["opt"] != before["opt"] {
					t.Error("a failed install changed something")
				}
				m.uninstall(Removal{})
			}
			m.same("a failed install", before)
			if last := ran[len(ran)-1]; last != test.ran || m.loaded {
				t.Errorf("commands %q, loaded: %v", ran, m.loaded)
			}
		})
	}
}

// TestFailedUpgrade restores the installed version, which can still be uninstalled.
func TestFailedUpgrade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testFailedUpgrade)
}

func testFailedUpgrade(t *testing.T) {
	m := newMachine(t, engine.Kinds...)
	before := m.tree()
	m.install(request(t, "one", Request{}))
	installed := m.tree()
	m.fails["/usr/bin/crio config"] = "no"
	_, err := m.host().Install(t.Context(), request(t, "two", Request{Default: true}))
	says(t, err, "crio refuses its configuration", "no")
	after := m.tree()
	for name, text := range installed {
		if strings.HasPrefix(name, "var/lib/runc-trace/") {
			delete(installed, name)
			delete(after, name)
		} else if !strings.Contains(text, "link") {
			installed[name] = text
		}
	}
	if diff := cmp.Diff(installed, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	m.uninstall(Removal{})
	m.same("uninstalling after a failed upgrade", before)
}

// TestLeftAlone skips engines that cannot be configured, unless the user asked for them.
func TestLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLeftAlone)
}

func testLeftAlone(t *testing.T) {
	m := newMachine(t, engine.Containerd, engine.Docker)
	os.Remove(filepath.Join(m.root, "etc/containerd/config.toml"))
	treetest.Write(t, m.root, map[string]string{
		"etc/containerd/config.toml": "disabled_plugins = [\"cri\"]\nversion = 2\n", "etc/crio/crio.conf": "",
	})
	report := m.install(request(t, "one", Request{}))
	if len(report.Engines) != 1 || report.Engines[0].Kind != engine.Docker || len(report.Notes) != 3 {
		t.Errorf("%+v", report)
	}
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Kind: engine.Containerd}))
	says(t, err, "CRI plugin is disabled")
	_, err = m.host().Install(t.Context(), request(t, "one", Request{Kind: engine.Podman}))
	says(t, err, "podman was not found")
	_, err = newMachine(t).host().Install(t.Context(), request(t, "one", Request{}))
	says(t, err, "no configurable container engine was found", "containerd, docker, crio, podman")
}

// TestAllRuntimes routes all runtimes that call runc, names the others, and reverses all of it.
func TestAllRuntimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testAllRuntimes)
}

func testAllRuntimes(t *testing.T) {
	m := newMachine(t, engine.Docker)
	treetest.Write(t, m.root, map[string]string{
		"usr/bin/crun":           program,
		"etc/docker/daemon.json": `{"runtimes": {"crun": {"path": "/usr/bin/crun"}, "kata": {"runtimeType": "io.containerd.kata.v2"}}}`,
	})
	before := m.tree()
	report := m.install(request(t, "one", Request{Default: true}))
	if got, want := report.Engines[0].Untraced(),
		"not traced: containers of its runtimes kata (io.containerd.kata.v2), crun (--all-runtimes also routes the runc-compatible ones)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for range 2 { // the second round changes nothing
		report = m.install(request(t, "one", Request{All: true}))
		want := map[string]string{"crun": "/opt/runc-trace/bin/runc-trace-crun"}
		if diff := cmp.Diff(want, report.Engines[0].Others); diff != "" {
			t.Errorf("others (-want +got):\n%s", diff)
		}
		if got, want := report.Engines[0].Untraced(),
			"not traced: containers of its runtime kata (io.containerd.kata.v2)"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if c, err := config.Parse(m.contents("etc/runc-trace/config.toml")); err != nil ||
		c.Runtimes["crun"] != "/usr/bin/crun" {
		t.Errorf("%v, %v", c.Runtimes, err)
	}
	// They stay routed after another installation.
	if report = m.install(request(t, "one", Request{Default: true})); len(report.Changes) > 0 &&
		report.Engines[0].Others["crun"] == "" {
		t.Errorf("%+v", report)
	}
	m.uninstall(Removal{Force: true})
	m.same("install and uninstall", before)
}

// TestAgentAdvice says at the first install how to start the agent, and not again at an upgrade.
func TestAgentAdvice(t *testing.T) {
	t.Parallel()
	for how, stopped := range map[string]bool{"systemctl enable --now runc-trace-agent": false,
		"keep tracectl agent running": true} {
		m := newMachine(t, engine.Containerd)
		if stopped {
			if err := os.RemoveAll(filepath.Join(m.root, "run/systemd")); err != nil {
				t.Fatal(err)
			}
		}
		for _, version := range []string{"one", "two"} {
			var advice []string
			for _, note := range m.install(request(t, version, Request{})).Notes {
				if strings.HasPrefix(note, "the agent is not running") {
					advice = append(advice, note)
				}
			}
			if first := version == "one"; len(advice) > 0 != first || first && !strings.HasSuffix(advice[0], ": "+how) {
				t.Errorf("%s, version %s: %q", how, version, advice)
			}
		}
	}
}

// TestSharedRuntime creates one link for two engines with the same runtime.
func TestSharedRuntime(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Containerd, engine.CRIO, engine.Podman)
	treetest.Write(t, m.root, map[string]string{"etc/crio/crio.conf": "[crio.runtime]\ndefault_runtime = \"crun\"\n" +
		"[crio.runtime.runtimes.crun]\nruntime_path = \"/usr/bin/crun\"\n"})
	var links []string
	for _, c := range m.install(request(t, "one", Request{Default: true})).Changes {
		if c.Link == shimName {
			links = append(links, c.Path)
		}
	}
	if diff := cmp.Diff([]string{"/opt/runc-trace/bin/runc-trace-crun"}, links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// TestNotRunc reports a default runtime that is not runc, and goes on with the other engines.
func TestNotRunc(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testNotRunc)
}

func testNotRunc(t *testing.T) {
	m := newMachine(t, engine.Docker, engine.Containerd)
	treetest.Write(t, m.root, map[string]string{
		"etc/docker/daemon.json": `{"default-runtime": "runsc", "runtimes": {"runsc": {"runtimeType": "io.containerd.runsc.v1"}}}`,
	})
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Kind: engine.Docker, Default: true}))
	says(t, err, `its default-runtime "runsc" has type "io.containerd.runsc.v1", which does not call runc: choose a runtime that does`)
	report := m.install(request(t, "one", Request{Default: true}))
	if len(report.Engines) != 1 || report.Engines[0].Kind != engine.Containerd ||
		len(report.Notes) != 3 || !strings.Contains(report.Notes[0],
		`docker is left unchanged: editing "/etc/docker/daemon.json": its default-runtime "runsc"`) {
		t.Errorf("%+v", report)
	}
	report = m.install(request(t, "one", Request{Kind: engine.Docker}))
	if len(report.Engines) != 1 || report.Engines[0].Real != "/usr/sbin/runc" {
		t.Errorf("%+v", report)
	}

	// No other runtime is known.
	m = newMachine(t, engine.CRIO, engine.Containerd)
	treetest.Write(t, m.root, map[string]string{"etc/crio/crio.conf": "[crio.runtime]\ndefault_runtime = \"kata\"\n" +
		"[crio.runtime.runtimes.kata]\nruntime_path = \"/usr/bin/kata\"\nruntime_type = \"vm\"\n"})
	const unknown = `crio has the default runtime "kata", which does not call runc, and no other that does: ` +
		"add one to its configuration"
	_, err = m.host().Install(t.Context(), request(t, "one", Request{Kind: engine.CRIO}))
	says(t, err, unknown)
	if report = m.install(request(t, "one", Request{})); len(report.Engines) != 1 ||
		!slices.Contains(report.Notes, "crio is left unchanged: "+unknown) {
		t.Errorf("%+v", report)
	}
}

// TestUnconfirmed restores everything if an engine reports other settings than requested.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUnconfirmed)
}

func testUnconfirmed(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	before := m.tree()
	m.says["/usr/bin/containerd --config /etc/containerd/config.toml config dump"] =
		"version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n"
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Default: true}))
	says(t, err, "containerd ignores the change: `containerd config dump` shows that its runtime \"runc\" calls \"/usr/sbin/runc\", not /opt/runc-trace/bin/runc-trace", "everything was put back")
	m.same("install", before)

	delete(m.says, "/usr/bin/containerd --config /etc/containerd/config.toml config dump")
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	m.says["crictl info"] = `{"containerd": {"defaultRuntimeName": "runc", "runtimes": {"runc": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": ""}}}}}`
	_, err = m.host().Install(t.Context(), request(t, "one", Request{Default: true, Restart: true}))
	says(t, err, "containerd does not work with its new configuration",
		"it reports that its default runtime does not call /opt/runc-trace/bin/runc-trace", "everything was put back")
	if strings.Contains(m.contents("etc/containerd/config.toml"), "runc-trace") {
		t.Error("it was not put back")
	}
}

// TestBadFile names an engine with a configuration that cannot be read, and installs for the others. It is an error if
// the engine is asked for, or if there is no other.
func TestBadFile(t *testing.T) {
	t.Parallel()
	bad := func(kinds ...engine.Kind) *machine {
		m := newMachine(t, kinds...)
		treetest.Write(t, m.root, map[string]string{"etc/docker/daemon.json": "{"})
		return m
	}
	m := bad(engine.Docker, engine.Podman)
	report := m.install(request(t, "one", Request{}))
	if len(report.Engines) != 1 || report.Engines[0].Kind != engine.Podman ||
		!strings.Contains(strings.Join(report.Notes, "\n"), `docker is left unchanged: parsing "/etc/docker/daemon.json": `) {
		t.Errorf("%+v", report)
	}
	_, err := bad(engine.Docker, engine.Podman).host().
		Install(t.Context(), request(t, "one", Request{Kind: engine.Docker}))
	says(t, err, `inspecting docker: parsing "/etc/docker/daemon.json": `)
	_, err = bad(engine.Docker).host().Install(t.Context(), request(t, "one", Request{}))
	says(t, err, "no configurable container engine was found",
		`docker is left unchanged: parsing "/etc/docker/daemon.json": `)
}

// TestDefaultStays installs without a default runtime over an installation with one: the default runtime stays routed,
// install says so, and its containers are still adopted.
func TestDefaultStays(t *testing.T) {
	t.Parallel()
	for _, kind := range engine.Kinds {
		m := newMachine(t, kind)
		before := m.tree()
		adopts := func() bool {
			c, err := config.Parse(m.contents("etc/runc-trace/config.toml"))
			if err != nil {
				t.Fatal(err)
			}
			return c.Adopt
		}
		says := func(r Request) bool {
			notes := strings.Join(m.install(request(t, "one", r)).Notes, "\n")
			return strings.Contains(notes, " still goes through runc-trace: ")
		}
		for _, test := range []struct {
			request      Request
			adopt, noted bool
		}{
			{Request{}, false, false}, {Request{Default: true}, true, false}, {Request{DryRun: true}, true, true},
			{Request{}, true, true}, {Request{}, true, true}, {Request{Default: true}, true, false},
		} {
			noted := says(test.request)
			if adopt := adopts(); adopt != test.adopt || noted != test.noted {
				t.Errorf("%s, %+v: adopts %v, noted %v", kind, test.request, adopt, noted)
			}
		}
		m.uninstall(Removal{})
		m.same("uninstalling", before)
		m.install(request(t, "one", Request{}))
		if adopts() {
			t.Errorf("%s: adopts after only a runtime was added", kind)
		}
	}
}
