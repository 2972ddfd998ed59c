// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

// TestLostOriginal restores the other engines if the original of one file was lost, and keeps the shim for that file.
func TestLostOriginal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLostOriginal)
}

func testLostOriginal(t *testing.T) {
	m := newMachine(t, engine.Docker, engine.Containerd)
	before := m.tree()
	m.install(request(t, "one", Request{Default: true}))
	sum := sha256.Sum256([]byte(engines[engine.Docker]["etc/docker/daemon.json"]))
	kept := filepath.Join(m.root, hostfile.StateDir, "files", hex.EncodeToString(sum[:]))
	original, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	for _, r := range []Removal{{DryRun: true}, {}, {DiscardEdits: true}} {
		_, err := m.host().Uninstall(t.Context(), r)
		says(t, err, "restoring /etc/docker/daemon.json: its original was lost: ", "the files that they need are kept")
		const file = "etc/containerd/config.toml"
		if done := m.contents(file) == engines[engine.Containerd][file]; done == r.DryRun {
			t.Errorf("%+v: containerd's file is restored: %v", r, done)
		}
		if m.contents(shim) == "" || !m.loaded {
			t.Errorf("%+v: the shim is gone", r)
		}
	}
	if err := os.WriteFile(kept, original, 0o600); err != nil {
		t.Fatal(err)
	}
	m.uninstall(Removal{})
	m.same("uninstalling with the original", before)
}

// TestNoJournal names what is left of an installation if its journal was removed.
func TestNoJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testNoJournal)
}

func testNoJournal(t *testing.T) {
	m := newMachine(t, engine.Docker, engine.Containerd)
	before := m.tree()
	if report := m.uninstall(Removal{}); len(report.Changes) > 0 {
		t.Errorf("without an installation: %+v", report)
	}
	m.install(request(t, "one", Request{Default: true}))
	state := filepath.Join(m.root, hostfile.StateDir)
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	installed := m.tree()
	for _, r := range []Removal{{DryRun: true}, {}, {Force: true}} {
		_, err := m.host().Uninstall(t.Context(), r)
		says(t, err, "no installation is recorded in /var/lib/runc-trace, but parts of one are there: ",
			"/etc/containerd/config.toml:7, /etc/docker/daemon.json:5, "+shim+", /opt/runc-trace/bin/tracectl, "+
				"/etc/systemd/system/runc-trace.service", "by hand")
		m.same("a refusal", installed)
	}
	if there, err := m.host().Installed(); !there || err != nil {
		t.Errorf("installed: %v, %v", there, err)
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	m.uninstall(Removal{})
	m.same("uninstalling with the journal", before)
	if there, err := m.host().Installed(); there || err != nil {
		t.Errorf("installed after uninstall: %v, %v", there, err)
	}
}

// TestPlainBinDir refuses a directory whose name would need quotes, that does not outlive a reboot, or that is none. It
// checks that install says which foreign programs it replaces.
func TestPlainBinDir(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testPlainBinDir)
}

func testPlainBinDir(t *testing.T) {
	m := newMachine(t, engine.Docker)
	treetest.Write(t, m.root, map[string]string{"usr/local/bin/tracectl": program + "# foreign"})
	if err := os.Symlink("/run/x", filepath.Join(m.root, "opt/link")); err != nil {
		t.Fatal(err)
	}
	before := m.tree()
	for _, dir := range []string{
		"/opt/my bin", "/opt/100%h", `/opt/a"b`, "/opt/a'b", `/opt/a\b`,
		"/opt/$HOME", "/opt/a:b", "/opt/\u00e9", "/opt/a\nb", "opt",
		"/", "//", "/run", "/run/x", "/opt/../tmp", "/tmp/x/y", "/var/tmp", "/proc/self/x", "/dev/shm", "/opt/link/x",
		"/etc/docker/daemon.json", "/etc/docker/daemon.json/x",
	} {
		_, err := m.host().Install(t.Context(), request(t, "one", Request{BinDir: dir}))
		says(t, err, "directory for programs", "must ")
		m.same("a refusal", before)
	}
	for _, dir := range []string{"/etc/runc-trace/config.toml", "/etc/systemd/system/runc-trace.service/x"} {
		_, err := m.host().Install(t.Context(), request(t, "one", Request{BinDir: dir}))
		says(t, err, "cannot be below the file ")
		m.same("a refusal", before)
	}
	const note = "/usr/local/bin/tracectl is replaced, although tracectl did not install it: uninstall restores it"
	for _, dry := range []bool{true, false} {
		report := m.install(request(t, "one", Request{BinDir: "/usr/local/bin/", DryRun: dry}))
		if !slices.Contains(report.Notes, note) {
			t.Errorf("dry run %v: notes: %q", dry, report.Notes)
		}
	}
	if report := m.install(request(t, "two", Request{BinDir: "/usr/local/bin"})); slices.Contains(report.Notes, note) {
		t.Errorf("an upgrade: notes: %q", report.Notes)
	}
	m.uninstall(Removal{})
	m.same("uninstalling", before)
}

// TestEditedCopy says that containerd does not read an edited copy of its configuration any more.
func TestEditedCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testEditedCopy)
}

func testEditedCopy(t *testing.T) {
	const file = "etc/containerd/config.toml"
	m := newMachine(t, engine.Containerd)
	treetest.Write(t, m.root, map[string]string{
		"usr/share/containerd/config.toml": m.contents(file),
		"usr/lib/systemd/system/containerd.service": "[Service]\n" +
			"ExecStart=/usr/bin/containerd --config /usr/share/containerd/config.toml\n",
	})
	if err := os.Remove(filepath.Join(m.root, file)); err != nil {
		t.Fatal(err)
	}
	before := m.tree()
	m.install(request(t, "one", Request{Default: true}))
	installed := m.contents(file)
	if report := m.uninstall(Removal{}); len(report.Notes) > 0 {
		t.Errorf("unedited: notes: %q", report.Notes)
	}
	m.same("uninstalling an unedited copy", before)

	m.install(request(t, "one", Request{Default: true}))
	treetest.Write(t, m.root, map[string]string{file: installed + "[mine]\n  key = 1\n"})
	const note = "/etc/containerd/config.toml keeps its edits, but containerd does not read it any more: " +
		"move them, and delete it"
	for _, dry := range []bool{true, false} {
		if report := m.uninstall(Removal{DryRun: dry}); !slices.Equal(report.Notes, []string{note}) {
			t.Errorf("dry run %v: notes: %q", dry, report.Notes)
		}
	}
	if now := m.contents(file); !strings.Contains(now, "[mine]") || strings.Contains(now, shim) {
		t.Errorf("the copy is now %s", now)
	}
}
