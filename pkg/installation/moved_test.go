// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/engine"
)

// TestMovedRuntime installs again after the real runtime was moved, and after it was removed.
func TestMovedRuntime(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Containerd)
	m.install(request(t, "one", Request{Default: true}))
	before, after := filepath.Join(m.root, "usr/sbin/runc"), filepath.Join(m.root, "usr/local/bin/runc")
	if err := os.MkdirAll(filepath.Dir(after), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(before, after); err != nil {
		t.Fatal(err)
	}
	m.install(request(t, "one", Request{Default: true}))
	if text := m.contents("etc/runc-trace/config.toml"); !strings.Contains(text, "\nruntime = \"/usr/local/bin/runc\"\n") {
		t.Errorf("after it was moved:\n%s", text)
	}
	if err := os.Remove(after); err != nil {
		t.Fatal(err)
	}
	_, err := m.host().Install(t.Context(), request(t, "one", Request{Default: true}))
	if err == nil || !strings.Contains(err.Error(), "the program behind it, /usr/local/bin/runc, does not exist") {
		t.Errorf("after it was removed: %v", err)
	}
}
