// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/engine"
)

// TestKeptByName keeps Podman's drop-in for a container that was made with the added runtime: Podman looks up the
// runtime by name for every command.
func TestKeptByName(t *testing.T) {
	t.Parallel()
	const dropin = "/etc/containers/containers.conf.d/99-runc-trace.conf"
	m := newMachine(t, engine.Podman)
	before := m.tree()
	m.install(request(t, "one", Request{}))
	installed := m.tree()
	m.says["env HOME=/proc /usr/bin/podman ps"] = "aaa"
	m.says["env HOME=/proc /usr/bin/podman container inspect"] = "aaa runc-trace web"
	for _, dry := range []bool{true, false} {
		report := m.uninstall(Removal{DryRun: dry})
		if len(report.Kept) != 1 || !slices.Contains(report.Kept[0].Paths, dropin) {
			t.Errorf("dry run: %v; kept %+v", dry, report.Kept)
		}
	}
	if diff := cmp.Diff(installed["etc/containers/containers.conf.d/99-runc-trace.conf"],
		m.tree()["etc/containers/containers.conf.d/99-runc-trace.conf"]); diff != "" {
		t.Errorf("the drop-in (-before +after):\n%s", diff)
	}
	m.says["env HOME=/proc /usr/bin/podman container inspect"] = "aaa crun web"
	if report := m.uninstall(Removal{}); len(report.Kept) != 0 {
		t.Errorf("kept %+v without a container", report.Kept)
	}
	m.same("uninstalling", before)
}
