// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// TestLostOriginal restores the other engines if the original of one file was lost, and keeps the shim for that file.
func TestLostOriginal(t *testing.T) { synctest.Test(t, testLostOriginal) }

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
