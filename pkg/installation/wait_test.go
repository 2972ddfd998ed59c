// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

// TestUninstallAll goes on until the last container is gone, reports changes of what it waits for, and otherwise only
// looks.
func TestUninstallAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUninstallAll)
}

func testUninstallAll(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	before := m.tree()
	m.install(request(t, "one", Request{Default: true}))
	m.ran()
	task := filepath.Join(m.root, "run/containerd/io.containerd.runtime.v2.task/k8s.io")
	own := strings.Repeat("0a", 32)
	for _, id := range []string{"web", own} {
		treetest.Write(t, m.root,
			map[string]string{"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id + "/runtime": shim})
	}
	m.self = []string{"cri-containerd-" + own + ".scope", "web2"}
	var kept [][]string
	var commands [][]string
	report, err := m.host().UninstallAll(t.Context(), Removal{Restart: true}, time.Millisecond, func(r Report, err error) {
		if err != nil {
			t.Error(err)
		}
		commands = append(commands, m.ran())
		kept = append(kept, []string{})
		for _, k := range r.Kept {
			for _, c := range append(k.Containers, k.Own...) {
				kept[len(kept)-1] = append(kept[len(kept)-1], c.ID)
			}
		}
		switch len(kept) {
		case 1:
			time.AfterFunc(20*time.Millisecond, func() { os.RemoveAll(filepath.Join(task, "web")) })
		case 2:
			time.AfterFunc(20*time.Millisecond, func() { os.RemoveAll(task) })
		}
	})
	if err != nil || len(report.Kept) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	want := [][]string{{"k8s.io/" + own, "k8s.io/web", "k8s.io/" + own}, {"k8s.io/" + own, "k8s.io/" + own}, {}}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("what was kept (-want +got):\n%s", diff)
	}
	stop := []string{"systemctl disable --now runc-trace-agent.service", "systemctl stop runc-trace.service", "unload",
		"systemctl daemon-reload"}
	if diff := cmp.Diff([][]string{{"systemctl daemon-reload"}, nil, stop}, commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if installed, err := m.host().Installed(); installed || err != nil {
		t.Errorf("installed: %v, %v", installed, err)
	}
	if err := os.MkdirAll(task, 0o755); err == nil {
		os.Remove(task)
	}
	m.same("uninstalling in the end", before)
}

// TestUninstallAllEnds stops when ctx ends, and if the first call fails.
func TestUninstallAllEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testUninstallAllEnds)
}

func testUninstallAllEnds(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	m.install(request(t, "one", Request{Default: true}))
	treetest.Write(t, m.root, map[string]string{"run/containerd/io.containerd.runtime.v2.task/k8s.io/web/runtime": shim})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	said := 0
	report, err := m.host().UninstallAll(ctx, Removal{}, time.Millisecond, func(Report, error) { said++ })
	if err != nil || len(report.Kept) != 1 || said != 1 {
		t.Errorf("%+v, %v; said %d times", report, err, said)
	}
	if installed, err := m.host().Installed(); !installed || err != nil {
		t.Errorf("installed: %v, %v", installed, err)
	}

	// The user has to resolve a file from which our part cannot be removed.
	m.install(request(t, "one", Request{Default: true}))
	m.edit("etc/containerd/config.toml", "version = 2", "version =")
	var edited *hostfile.EditedError
	if _, err := m.host().UninstallAll(t.Context(), Removal{}, time.Millisecond,
		func(Report, error) { t.Error("waits") }); !errors.As(err, &edited) {
		t.Error(err)
	}
}
