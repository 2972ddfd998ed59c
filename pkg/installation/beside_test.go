// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/engine"
)

// TestBeside installs while programs are loaded whose recordings cannot be kept: nothing is done unless they may be
// deleted, and then they record until the engines work with the new shim.
func TestBeside(t *testing.T) {
	m := newMachine(t, engine.Containerd)
	m.restart(engine.Containerd)
	shim := "opt/runc-trace/bin/runc-trace"
	at := map[bool]string{true: " after the shim was installed", false: " before the shim was installed"}
	do := func(what string) {
		m.commands = append(m.commands, what+at[m.tree()[shim] != ""])
	}
	host := m.host()
	host.Beside = func(discard, dryRun bool) (*Beside, error) {
		b := &Beside{Loaded: Loaded{New: true, Lost: "they differ", Memory: 2 << 20}}
		switch {
		case !discard:
			return nil, errors.New("they cannot be kept")
		case dryRun:
			return b, nil
		}
		do("load beside")
		b.Finish = func() error { do("remove the others"); return nil }
		b.Undo = func() error { do("remove these"); return nil }
		return b, nil
	}
	attempt := func(r Request) (Report, []string, error) {
		r.Default, r.Restart = true, true
		report, err := host.Install(context.Background(), request(t, "1", r))
		var ran []string
		for _, c := range m.ran() {
			c = strings.TrimPrefix(c, "/usr/bin/")
			if c != "systemctl daemon-reload" && c != "systemctl reset-failed containerd.service" {
				ran = append(ran, c)
			}
		}
		return report, ran, err
	}

	before := m.tree()
	for _, r := range []Request{{}, {DryRun: true}} {
		if _, ran, err := attempt(r); err == nil || err.Error() != "they cannot be kept" || len(ran) != 0 {
			t.Errorf("%+v: %v, %q", r, err, ran)
		}
	}
	report, ran, err := attempt(Request{DryRun: true, Discard: true})
	if err != nil || len(ran) != 0 || report.Loaded == nil || report.Loaded.Lost != "they differ" {
		t.Errorf("dry run: %+v, %v, %q", report.Loaded, err, ran)
	}
	m.same("nothing was installed", before)

	// The engine does not work with the shim: the others stay.
	m.refuses[engine.Containerd] = "BinaryName"
	_, ran, err = attempt(Request{Discard: true})
	says(t, err, "connection refused", "everything was put back")
	want := []string{"load beside" + at[false], "systemctl restart containerd.service",
		"systemctl restart containerd.service", "remove these" + at[false]}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("after a failure (-want +got):\n%s", diff)
	}
	delete(m.refuses, engine.Containerd)

	report, ran, err = attempt(Request{Discard: true, Retry: true})
	if err != nil || report.Loaded == nil || report.Loaded.Lost != "they differ" {
		t.Errorf("%+v, %v", report.Loaded, err)
	}
	want = []string{"load beside" + at[false], "systemctl restart containerd.service", "remove the others" + at[true],
		"systemctl start runc-trace.service"}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
