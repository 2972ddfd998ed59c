// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

const shim = "/opt/runc-trace/bin/runc-trace"

var ownPaths = []string{shim, "/opt/runc-trace/bin/tracectl", "/etc/runc-trace/config.toml"}

// TestKeptForContainers keeps the files that containerd's containers need until they are gone.
func TestKeptForContainers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testKeptForContainers)
}

func testKeptForContainers(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	before := m.tree()
	m.install(request(t, "one", Request{Default: true}))
	task := "run/containerd/io.containerd.runtime.v2.task/k8s.io"
	treetest.Write(t, m.root, map[string]string{
		task + "/web\x1b[2J/runtime": shim, task + "/other/runtime": "/usr/sbin/runc",
	})
	installed := m.tree()

	wantKept := []Kept{{Engine: "containerd", Paths: ownPaths, Containers: []engine.Container{{ID: `k8s.io/web\x1b[2J`}}}}
	dry := m.uninstall(Removal{DryRun: true})
	m.same("a dry run", installed)
	got := m.uninstall(Removal{})
	for _, report := range []Report{dry, got} {
		if diff := cmp.Diff(wantKept, report.Kept); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		want := []string{"replace /etc/containerd/config.toml"}
		if diff := cmp.Diff(want, paths(report)); diff != "" {
			t.Errorf("dry run %v: changes (-want +got):\n%s", report.DryRun, diff)
		}
	}
	after := m.tree()
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s is %s, was %s", name, after[name], text)
		}
	}
	// Recordings stay as long as any file is kept.
	if m.contents(shim) == "" || !m.loaded || dry.Unloaded || dry.Recordings != 0 {
		t.Errorf("shim %q, loaded %v, %+v", m.contents(shim), m.loaded, dry)
	}
	if again := m.uninstall(Removal{}); len(again.Kept) != 1 || len(again.Changes) != 0 {
		t.Errorf("again: %+v", again)
	}
	if err := os.RemoveAll(filepath.Join(m.root, task)); err != nil {
		t.Fatal(err)
	}
	for _, r := range []Removal{{DryRun: true}, {}} {
		if last := m.uninstall(r); len(last.Kept) != 0 || !last.Unloaded || last.Recordings != 45 {
			t.Errorf("without containers: %+v", last)
		}
	}
	m.same("uninstalling when the containers are gone", before)

	// Force removes them.
	m.install(request(t, "one", Request{Default: true}))
	treetest.Write(t, m.root, map[string]string{task + "/web/runtime": shim})
	if forced := m.uninstall(Removal{Force: true}); len(forced.Kept) != 0 {
		t.Errorf("by force: %+v", forced)
	}
	if err := os.RemoveAll(filepath.Join(m.root, task)); err != nil {
		t.Fatal(err)
	}
	m.same("uninstalling by force", before)
}

func paths(r Report) []string {
	var list []string
	for _, c := range r.Changes {
		list = append(list, string(c.Action)+" "+c.Path)
	}
	return list
}

// TestKeptForEngine keeps the files that a running engine still calls, until it was restarted.
func TestKeptForEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testKeptForEngine)
}

func testKeptForEngine(t *testing.T) {
	for _, kind := range []engine.Kind{engine.Containerd, engine.CRIO} {
		m := newMachine(t, kind)
		before := m.tree()
		program := "/usr/bin/" + string(kind)

		// An engine that started before the installation does not know the shim.
		m.started[program] = time.Now().Add(-time.Hour)
		m.install(request(t, "one", Request{Default: true}))
		if report := m.uninstall(Removal{}); len(report.Kept) != 0 || len(report.Commands) != 0 {
			t.Errorf("an engine that was not restarted: %+v", report)
		}
		m.same("uninstalling without any restart", before)

		m.install(request(t, "one", Request{Default: true}))
		m.started[program] = time.Now()
		for range 2 {
			want := []Kept{{Engine: string(kind), Paths: ownPaths, Command: "systemctl restart " + string(kind) + ".service"}}
			if diff := cmp.Diff(want, m.uninstall(Removal{}).Kept, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		}
		m.started[program] = time.Now()
		m.uninstall(Removal{})
		m.same("uninstalling after a restart", before)

		m.install(request(t, "one", Request{Default: true}))
		m.started[program] = time.Now()
		m.ran()
		report := m.uninstall(Removal{Restart: true})
		if len(report.Kept) != 0 || len(report.Engines) != 1 ||
			report.Engines[0].Taken != "systemctl restart "+string(kind)+".service" || !report.Unloaded {
			t.Errorf("with a restart: %+v", report)
		}
		want := []string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl restart " + string(kind) + ".service",
			"systemctl disable --now runc-trace-agent.service", "systemctl stop runc-trace.service", "unload",
			"systemctl daemon-reload"}
		if diff := cmp.Diff(want, m.ran()); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
		m.same("uninstalling with a restart", before)

		m.install(request(t, "one", Request{Default: true}))
		m.started[program] = time.Now()
		if report := m.uninstall(Removal{Force: true}); len(report.Kept) != 0 || len(report.Commands) != 1 {
			t.Errorf("by force: %+v", report)
		}
		m.same("uninstalling by force", before)
	}
}

// TestDocker never leaves Docker without a runtime that its containers have, or that is its default.
func TestDocker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testDocker)
}

func testDocker(t *testing.T) {
	m := newMachine(t, engine.Docker)
	m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
	before := m.tree()
	calls := `runc-trace {"runc-trace":{"path":"/opt/runc-trace/bin/runc-trace"}}`
	interim := "{\n    \"log-driver\": \"local\",\n    \"runtimes\": {\n        \"runc-trace\": {\n            \"path\": \"/opt/runc-trace/bin/runc-trace\"\n        }\n    },\n    \"default-runtime\": \"runc\"\n}"
	forgetting := "{\n    \"log-driver\": \"local\",\n    \"runtimes\": {},\n    \"default-runtime\": \"runc\"\n}"
	keptPaths := append(ownPaths[:3:3], "/etc/docker/daemon.json")

	// Docker is not restarted.
	m.install(request(t, "one", Request{Default: true}))
	m.says["docker info"] = calls
	for range 2 {
		want := []Kept{{Engine: "docker", Paths: keptPaths, Command: "systemctl reload docker.service"}}
		if diff := cmp.Diff(want, m.uninstall(Removal{}).Kept, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(interim, m.contents("etc/docker/daemon.json")); diff != "" {
			t.Errorf("daemon.json (-want +got):\n%s", diff)
		}
	}
	m.says["docker info"] = strings.Replace(calls, "runc-trace", "runc", 1)
	m.uninstall(Removal{})
	m.same("uninstalling after a reload", before)

	// Docker has a stopped container.
	m.install(request(t, "one", Request{Default: true}))
	container := "var/lib/docker/containers/abc"
	treetest.Write(t, m.root, map[string]string{container + "/hostconfig.json": `{"Runtime": "runc-trace"}`})
	installed := m.tree()
	wantKept := []Kept{{Engine: "docker", Paths: keptPaths, Containers: []engine.Container{{ID: "abc"}}}}
	if diff := cmp.Diff(wantKept, m.uninstall(Removal{DryRun: true}).Kept); diff != "" {
		t.Errorf("would be kept (-want +got):\n%s", diff)
	}
	m.same("a dry run", installed)
	for i := range 2 {
		report := m.uninstall(Removal{Restart: true})
		if diff := cmp.Diff(wantKept, report.Kept); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		if len(report.Changes) != []int{1, 0}[i] {
			t.Errorf("changes: %+v", report.Changes)
		}
	}
	if err := os.RemoveAll(filepath.Join(m.root, container)); err != nil {
		t.Fatal(err)
	}
	m.uninstall(Removal{})
	m.same("uninstalling without containers", before)

	// Docker is restarted: it loads a configuration that names its own default runtime, and then its original one.
	m.install(request(t, "one", Request{Default: true}))
	m.says["docker info"] = calls
	m.ran()
	var seen []string
	host := m.host()
	run := host.Run
	host.Run = func(ctx context.Context, program string, args ...string) ([]byte, error) {
		if len(args) == 2 && args[0] == "reload" {
			seen = append(seen, m.contents("etc/docker/daemon.json"))
		}
		return run(ctx, program, args...)
	}
	if report, err := host.Uninstall(t.Context(), Removal{Restart: true}); err != nil || len(report.Kept) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if diff := cmp.Diff([]string{interim, forgetting}, seen); diff != "" {
		t.Errorf("what Docker was told to read (-want +got):\n%s", diff)
	}
	m.same("uninstalling with a restart", before)
}

// edit replaces text in a file of the machine.
func (m *machine) edit(name, old, new string) {
	m.t.Helper()
	text := m.contents(name)
	if !strings.Contains(text, old) {
		m.t.Fatalf("%s has no %q:\n%s", name, old, text)
	}
	if err := os.WriteFile(filepath.Join(m.root, name), []byte(strings.Replace(text, old, new, 1)), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// TestEdited removes our entries from edited files, even if they were installed again after the edit.
func TestEdited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testEdited)
}

func testEdited(t *testing.T) {
	for _, again := range []bool{false, true} {
		m := newMachine(t, engine.Docker, engine.Containerd)
		m.install(request(t, "one", Request{}))
		m.edit("etc/docker/daemon.json", "local", "journald")
		m.edit("etc/runc-trace/config.toml", "#log = ", "log = ")
		treetest.Write(t, m.root, map[string]string{"etc/containerd/config.toml": "version = 2\n# rendered again\n"})
		if again {
			m.install(request(t, "one", Request{Default: true}))
		}
		installed := m.tree()
		m.uninstall(Removal{DryRun: true})
		m.same("a dry run", installed)
		report := m.uninstall(Removal{})
		edited := map[string]hostfile.Action{}
		for _, c := range report.Changes {
			if c.Edited {
				edited[c.Path] = c.Action
			}
		}
		want := map[string]hostfile.Action{"/etc/runc-trace/config.toml": hostfile.Replace}
		if again {
			want = map[string]hostfile.Action{}
		}
		if diff := cmp.Diff(want, edited); diff != "" {
			t.Errorf("edited (-want +got):\n%s", diff)
		}
		if notes := strings.Join(report.Notes, ""); !again &&
			notes != "/etc/containerd/config.toml was changed after the installation and no longer names runc-trace: it is left unchanged" {
			t.Errorf("notes: %q", notes)
		}
		wantFiles := newMachine(t, engine.Docker, engine.Containerd).tree()
		for name, text := range map[string]string{"etc/docker/daemon.json": "{\n    \"log-driver\": \"journald\"\n}",
			"etc/containerd/config.toml": "version = 2\n# rendered again\n"} {
			if diff := cmp.Diff(text, m.contents(name)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			delete(wantFiles, name)
		}
		if text := m.contents("etc/runc-trace/config.toml"); !strings.Contains(text, "\nlog = ") ||
			strings.Contains(text, "\nruntime = ") {
			t.Errorf("config.toml:\n%s", text)
		}
		for name := range m.tree() {
			if _, ok := wantFiles[name]; !ok && !strings.HasPrefix(name, "etc/runc-trace") && name != "etc/docker/daemon.json" &&
				name != "etc/containerd/config.toml" {
				t.Errorf("%s is left", name)
			}
		}
	}
}

// TestRefused changes nothing if our part cannot be removed from a file, unless edits are to be discarded.
func TestRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRefused)
}

func testRefused(t *testing.T) {
	m := newMachine(t, engine.Docker, engine.Containerd)
	before := m.tree()
	m.install(request(t, "one", Request{}))
	m.edit("etc/docker/daemon.json", "{\n", "{\n    \"default-runtime\": \"runc-trace\",\n")
	installed := m.tree()
	for _, r := range []Removal{{DryRun: true}, {}, {Force: true, Restart: true}} {
		m.ran()
		_, err := m.host().Uninstall(t.Context(), r)
		var edited *hostfile.EditedError
		if !errors.As(err, &edited) || len(edited.Files) != 1 ||
			!strings.Contains(edited.Files[0].Diff, `+    "default-runtime": "runc-trace"`) {
			t.Errorf("%+v: %v, %+v", r, err, edited)
		}
		says(t, err, `/etc/docker/daemon.json: entries not written by tracectl name runc-trace`,
			`line 2: "\"default-runtime\": \"runc-trace\","`)
		m.same("a refused uninstall", installed)
		if len(m.ran()) > 0 {
			t.Error("a refused uninstall runs commands")
		}
	}
	report := m.uninstall(Removal{DiscardEdits: true})
	if report.Edited != "/var/lib/runc-trace/edited" {
		t.Errorf("%+v", report)
	}
	if text := m.contents("var/lib/runc-trace/edited/etc/docker/daemon.json"); !strings.Contains(text, "default-runtime") {
		t.Errorf("the edited file: %q", text)
	}
	if err := os.RemoveAll(filepath.Join(m.root, "var/lib/runc-trace")); err != nil {
		t.Fatal(err)
	}
	m.same("uninstalling what was edited", before)
}

// TestInterimOfEdited keeps edits of daemon.json also while containers need our runtime.
func TestInterimOfEdited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testInterimOfEdited)
}

func testInterimOfEdited(t *testing.T) {
	m := newMachine(t, engine.Docker)
	m.install(request(t, "one", Request{Default: true}))
	m.edit("etc/docker/daemon.json", "local", "journald")
	container := "var/lib/docker/containers/abc"
	treetest.Write(t, m.root, map[string]string{container + "/hostconfig.json": `{"Runtime": "runc-trace"}`})
	for range 2 {
		m.uninstall(Removal{})
		text := m.contents("etc/docker/daemon.json")
		if !strings.Contains(text, "journald") || !strings.Contains(text, shim) ||
			!strings.Contains(text, `"default-runtime": "runc"`) {
			t.Errorf("in between:\n%s", text)
		}
	}
	if err := os.RemoveAll(filepath.Join(m.root, container)); err != nil {
		t.Fatal(err)
	}
	m.uninstall(Removal{})
	if diff := cmp.Diff("{\n    \"log-driver\": \"journald\"\n}", m.contents("etc/docker/daemon.json")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMoved follows files that were replaced by symbolic links, and leaves removed files removed.
func TestMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testMoved)
}

func testMoved(t *testing.T) {
	m := newMachine(t, engine.Kinds...)
	m.install(request(t, "one", Request{Default: true}))
	move := func(name, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(m.root, name), filepath.Join(m.root, to)); err != nil {
			t.Fatal(err)
		}
		treetest.Write(t, m.root, map[string]string{name: "-> /" + to})
	}
	treetest.Write(t, m.root, map[string]string{"srv/": ""})
	move("etc/docker/daemon.json", "srv/daemon.json")
	move("etc/crio/crio.conf.d", "srv/crio.conf.d")
	move("etc/containers/containers.conf.d/99-runc-trace.conf", "srv/podman.conf")
	if err := os.RemoveAll(filepath.Join(m.root, "etc/containerd")); err != nil {
		t.Fatal(err)
	}
	m.uninstall(Removal{})
	want := newMachine(t, engine.Kinds...)
	text := engines[engine.Docker]["etc/docker/daemon.json"]
	treetest.Write(t, want.root, map[string]string{
		"srv/": "", "srv/crio.conf.d/": "", "srv/daemon.json": text, "etc/crio/crio.conf.d": "-> /srv/crio.conf.d",
	})
	for _, name := range []string{"etc/containerd", "etc/docker/daemon.json"} {
		if err := os.RemoveAll(filepath.Join(want.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	treetest.Write(t, want.root, map[string]string{"etc/docker/daemon.json": "-> /srv/daemon.json"})
	if diff := cmp.Diff(names(want.tree()), names(m.tree())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(text, m.contents("srv/daemon.json")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func names(tree map[string]string) []string { return slices.Sorted(maps.Keys(tree)) }

// TestGone uninstalls although an engine is gone or cannot be read.
func TestGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testGone)
}

func testGone(t *testing.T) {
	m := newMachine(t, engine.Kinds...)
	m.install(request(t, "one", Request{Default: true}))
	for _, name := range []string{"usr/bin/dockerd", "usr/lib/systemd/system/docker.service", "usr/bin/podman"} {
		if err := os.Remove(filepath.Join(m.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.uninstall(Removal{})
	want := newMachine(t, engine.Kinds...).tree()
	for _, name := range []string{"usr/bin/dockerd", "usr/lib/systemd/system/docker.service", "usr/bin/podman"} {
		delete(want, name)
	}
	m.same("uninstalling without the engine", want)
}

// TestUnitGone uninstalls although the files of units, which systemd then does not know, were removed.
func TestUnitGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUnitGone)
}

func testUnitGone(t *testing.T) {
	for _, unit := range []string{agentName, unitName} {
		m := newMachine(t, engine.Containerd)
		before := m.tree()
		m.install(request(t, "one", Request{Default: true}))
		for _, command := range []string{"disable --now ", "stop "} {
			m.fails["systemctl "+command+unit] = "Unit file " + unit + " does not exist."
		}
		installed := m.tree()
		if _, err := m.host().Uninstall(t.Context(), Removal{}); err == nil || !m.loaded {
			t.Errorf("%s cannot be stopped: loaded %v, %v", unit, m.loaded, err)
		}
		if m.contents(shim) == "" || len(m.tree()) > len(installed) {
			t.Errorf("%s cannot be stopped: %q", unit, names(m.tree()))
		}
		if err := os.Remove(filepath.Join(m.root, unitDir, unit)); err != nil {
			t.Fatal(err)
		}
		if report := m.uninstall(Removal{}); !report.Unloaded {
			t.Errorf("without %s: %+v", unit, report)
		}
		m.same("uninstalling without "+unit, before)
	}
}

// TestUnreadable checks that an engine with an unreadable configuration blocks only its own uninstallation.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUnreadable)
}

func testUnreadable(t *testing.T) {
	for _, test := range []struct {
		installed engine.Kind
		blocked   bool
	}{{engine.Containerd, false}, {engine.Podman, true}} {
		m := newMachine(t, engine.Containerd, engine.Podman)
		treetest.Write(t, m.root, map[string]string{"etc/containers/containers.conf": "[engine]\n"})
		m.install(request(t, "one", Request{Kind: test.installed, Default: true}))
		treetest.Write(t, m.root, map[string]string{"etc/containers/containers.conf": "[engine"})
		m.fails["/usr/bin/podman"] = "broken"
		report, err := m.host().Uninstall(t.Context(), Removal{})
		if test.blocked {
			says(t, err, "podman", "use --force")
			if m.contents(shim) == "" {
				t.Errorf("%s: the shim is gone", test.installed)
			}
			report = m.uninstall(Removal{Force: true})
		} else if err != nil {
			t.Errorf("%s: %v", test.installed, err)
		}
		if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "podman") {
			t.Errorf("%s: the notes are %q", test.installed, notes)
		}
		if m.contents(shim) != "" ||
			m.contents("etc/containerd/config.toml") != engines[engine.Containerd]["etc/containerd/config.toml"] {
			t.Errorf("%s: something is left", test.installed)
		}
	}
}

// TestForgetsRuntime makes Docker forget the removed runtime, or reports that Docker still offers it.
func TestForgetsRuntime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testForgetsRuntime)
}

func testForgetsRuntime(t *testing.T) {
	m := newMachine(t, engine.Docker)
	before := m.tree()
	offers := `runc {"runc":{"path":"runc"},"runc-trace":{"path":"/opt/runc-trace/bin/runc-trace"}}`
	const note = "docker offers the removed runtime runc-trace until it is restarted: containers that request it do not start"
	for _, test := range []struct {
		removal Removal
		running bool
		notes   []string
		told    int
	}{
		{Removal{}, true, []string{note}, 0},
		{Removal{DryRun: true}, true, []string{note}, 0},
		{Removal{Restart: true}, true, nil, 1},
		{Removal{Restart: true, DryRun: true}, true, nil, 0},
		{Removal{}, false, nil, 0},
	} {
		delete(m.started, "/usr/bin/dockerd")
		if test.running {
			m.started["/usr/bin/dockerd"] = time.Now().Add(-time.Hour)
		}
		m.install(request(t, "one", Request{}))
		m.says["docker info"] = offers
		m.ran()
		report := m.uninstall(test.removal)
		if diff := cmp.Diff(test.notes, report.Notes); diff != "" {
			t.Errorf("%+v: notes (-want +got):\n%s", test, diff)
		}
		told := 0
		for _, command := range m.ran() {
			told += strings.Count(command, "reload docker.service")
		}
		if told != test.told || len(report.Kept) > 0 {
			t.Errorf("%+v: told %d times, %+v", test, told, report)
		}
		if forgot := !strings.Contains(m.says["docker info"], "runc-trace"); forgot != (test.told > 0) {
			t.Errorf("%+v: Docker has %s", test, m.says["docker info"])
		}
		m.says["docker info"] = `runc {"runc":{"path":"runc"}}`
		m.uninstall(Removal{})
		m.same("uninstalling", before)
	}
}

// TestUnwritable goes on past a file that cannot be restored, and keeps the files that it needs, unless Force is set.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUnwritable)
}

func testUnwritable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chattr needs root")
	}
	m := newMachine(t, engine.Containerd, engine.Podman)
	before := m.tree()
	file := filepath.Join(m.root, "etc/containerd/config.toml")
	set := func(flag string) {
		t.Helper()
		if out, err := exec.Command("chattr", flag, file).CombinedOutput(); err != nil {
			t.Skipf("chattr %s: %v, %s", flag, err, out)
		}
	}
	set("-i")
	t.Cleanup(func() { set("-i") })
	for _, force := range []bool{false, true} {
		others := "the files that they need are kept"
		if force {
			others = "the others were removed"
		}
		m.install(request(t, "one", Request{Default: true}))
		set("+i")
		_, err := m.host().Uninstall(t.Context(), Removal{Force: force})
		says(t, err, "restoring /etc/containerd/config.toml: operation not permitted (if lsattr shows",
			others+": correct that, and run tracectl uninstall again")
		if there := m.contents(shim) != ""; there == force || m.loaded == force {
			t.Errorf("force: %v; the shim is there: %v, loaded: %v", force, there, m.loaded)
		}
		if m.contents("etc/containers/containers.conf.d/99-runc-trace.conf") != "" {
			t.Error("Podman's file is left")
		}
		set("-i")
		m.uninstall(Removal{})
		m.same("uninstalling when it can be written", before)
	}

	// Installing changes nothing.
	set("+i")
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Default: true}))
	says(t, err, "writing /etc/containerd/config.toml: operation not permitted (if lsattr shows", "; everything was put back")
	m.same("an install that cannot write a file", before)
}

// TestNotesOnce says only once that a file was removed by hand.
func TestNotesOnce(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Containerd)
	m.install(request(t, "one", Request{}))
	removed := "/etc/containerd/config.toml"
	if err := os.Remove(filepath.Join(m.root, removed)); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		var said []string
		for _, note := range m.uninstall(Removal{DryRun: dry}).Notes {
			if strings.HasPrefix(note, removed) {
				said = append(said, note)
			}
		}
		want := []string{removed + " was removed after the installation: it is not restored"}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("dry run: %v; notes (-want +got):\n%s", dry, diff)
		}
	}
}
