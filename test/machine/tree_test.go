// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/test/roottest"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// TestTree sees changes on a machine, and ignores changes on the machine below.
func TestTree(t *testing.T) {
	roottest.Require(t)
	dir, err := os.MkdirTemp("/var/tmp", "machine-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	below := filepath.Join(dir, "below")
	if err := os.WriteFile(below, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := New(t.TempDir(), Layout{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	tree := func() string {
		t.Helper()
		text, err := m.Tree([]string{dir, "/opt", "/var/not/there"})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	sh := func(script string) {
		t.Helper()
		if out, err := m.Command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", script, err, out)
		}
	}
	before := tree()
	if err := os.WriteFile(filepath.Join(dir, "meanwhile"), []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tree()); diff != "" {
		t.Errorf("changed by the machine below (-before +after):\n%s", diff)
	}
	for _, c := range []struct{ change, undo, want string }{
		{"echo x >" + dir + "/new", "rm " + dir + "/new", dir + "/new f"},
		{"cp -p " + below + " /opt/kept; echo x >" + below, "cp -p /opt/kept " + below + "; rm /opt/kept", below + " f"},
		{"echo x >/opt/own", "rm /opt/own", "/opt/own f"},
	} {
		sh(c.change)
		if got := tree(); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q is not in\n%s", c.change, c.want, got)
		}
		sh(c.undo)
		if diff := cmp.Diff(before, tree()); diff != "" {
			t.Errorf("%s; %s (-before +after):\n%s", c.change, c.undo, diff)
		}
	}
	sh("rm " + below)
	if got := tree(); !strings.Contains(got, "missing: "+below) {
		t.Errorf("a file of the machine below is gone, but is not said to be missing:\n%s", got)
	}
}
