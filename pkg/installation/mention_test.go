// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

// TestKeptForMentions keeps the shim, and the files of an engine, as long as a place that install did not write needs
// them.
func TestKeptForMentions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testKeptForMentions)
}

func testKeptForMentions(t *testing.T) {
	for _, test := range []struct {
		name, file, text, at string
		engine               engine.Kind
		paths                []string // besides our own
	}{
		{
			"a flag", "etc/systemd/system/docker.service.d/mine.conf",
			"[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --default-runtime=runc-trace\n", ":3",
			engine.Docker, []string{"/etc/docker/daemon.json"},
		},
		{
			"an engine that was not installed for", "etc/crio/crio.conf.d/zz.conf",
			"[crio.runtime.runtimes.crun]\nruntime_path = \"" + shim + "\"\n", ":2", engine.CRIO, nil,
		},
	} {
		m := newMachine(t, engine.Docker, engine.CRIO)
		before := m.tree()
		m.install(request(t, "one", Request{Kind: engine.Docker}))
		installed := m.contents("etc/docker/daemon.json")
		treetest.Write(t, m.root, map[string]string{test.file: test.text})
		changed := m.tree()
		line := strings.Split(strings.TrimSpace(test.text), "\n")
		want := []Kept{{
			Engine: string(test.engine), Paths: append(append([]string{}, ownPaths...), test.paths...),
			Mentions: []engine.Mention{{At: "/" + test.file + test.at, Text: line[len(line)-1]}},
		}}
		for _, r := range []Removal{{DryRun: true}, {}, {Restart: true}, {DiscardEdits: true}} {
			report := m.uninstall(r)
			if diff := cmp.Diff(want, report.Kept, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %+v: kept (-want +got):\n%s", test.name, r, diff)
			}
			if r.DryRun {
				m.same("a dry run", changed)
			}
			if m.contents(shim) == "" || !m.loaded {
				t.Fatalf("%s, %+v: the shim is gone", test.name, r)
			}
			if now := m.contents("etc/docker/daemon.json"); test.paths != nil && now != installed {
				t.Errorf("%s: its file is now %s", test.name, now)
			}
		}
		forced, err := m.host().Uninstall(t.Context(), Removal{DryRun: true, Force: true})
		notes := strings.Join(forced.Notes, "\n")
		if err != nil || len(forced.Kept) > 0 || !strings.Contains(notes, test.file+test.at) {
			t.Errorf("%s, by force: %v, %+v", test.name, err, forced)
		}
		if err := os.RemoveAll(filepath.Join(m.root, filepath.Dir(test.file))); err != nil {
			t.Fatal(err)
		}
		m.uninstall(Removal{})
		m.same("uninstalling without "+test.name, before)
	}
}

// TestKeptForRunning keeps the shim for a running engine that calls it, although none of its files does.
func TestKeptForRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testKeptForRunning)
}

func testKeptForRunning(t *testing.T) {
	m := newMachine(t, engine.Docker, engine.Containerd)
	before := m.tree()
	m.install(request(t, "one", Request{Kind: engine.Docker}))
	m.started["/usr/bin/containerd"] = time.Now().Add(-time.Hour)
	m.says["crictl info"] = `{"containerd": {"defaultRuntimeName": "mine",
		"runtimes": {"mine": {"options": {"BinaryName": "` + shim + `"}}}}}`
	want := []Kept{{Engine: "containerd", Paths: ownPaths, Command: "systemctl restart containerd.service"}}
	for _, r := range []Removal{{DryRun: true}, {}} {
		if diff := cmp.Diff(want, m.uninstall(r).Kept, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v: kept (-want +got):\n%s", r, diff)
		}
	}
	delete(m.says, "crictl info")
	m.uninstall(Removal{})
	m.same("uninstalling", before)
}
