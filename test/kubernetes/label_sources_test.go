// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// soon is the longest time until a change of labels takes effect.
const soon = 2 * time.Second

// TestLabelsChange changes a label while a pod runs: from then on its execs are selected by the new one, including
// those of the container that replaces the first.
func TestLabelsChange(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("change")
	stages := [2]*follower{c.follow("--label=stage=one"), c.follow("--label=stage=two")}
	n := c.nodes[1]
	const loop = "n=0; until [ -e /tmp/stop ]; do n=$((n+1)); /bin/true $n; /bin/sleep 0.1; done"
	c.applyText(fmt.Sprintf(counting, "changes", namespace, "stage: one", n.name, "Always", loop))
	stages[0].await(n, 20)
	before := time.Now()
	c.kubectl("label", "pod", "changes", "--namespace="+namespace, "--overwrite", "stage=two")
	after := time.Now()
	stages[1].await(n, 50) // longer than soon
	c.kubectl("exec", "--namespace="+namespace, "changes", "--", "touch", "/tmp/stop")
	c.eventually("the second container executes something", func() (string, bool) {
		text := stages[1].text()
		return text, strings.Count(text, " /bin/true 9\n") > 0
	})
	c.checkLabels(namespace, "kubernetes")
	c.kubectl("delete", "pod", "changes", "--namespace="+namespace)

	events := c.execs("--namespace=" + namespace)
	var last string
	c.eventually("the last exec is printed", func() (string, bool) {
		last = events[len(events)-1].asText()
		return last, slices.Contains(stages[1].lines(n), last)
	})
	shown := [2]map[string]bool{{}, {}}
	for stage, f := range stages {
		for _, line := range f.lines(n) {
			shown[stage][line] = true
		}
		if other := f.lines(c.nodes[0]); len(other) > 0 {
			t.Errorf("on the other node there is %q", other)
		}
		f.stop()
	}
	var first time.Time
	shells := map[string]int{}
	for _, e := range events {
		by := [2]bool{shown[0][e.asText()], shown[1][e.asText()]}
		want := [2]bool{e.Time.Before(before), e.Time.After(after.Add(soon))}
		if between := !want[0] && !want[1]; !between && by != want {
			t.Errorf("%s, %v after the change, is selected by the old and the new label: %v, not %v", e.asText(), e.Time.Sub(after), by, want)
		}
		if by[1] && first.IsZero() {
			first = e.Time
		}
		if e.line() == "/bin/sh -c "+loop {
			shells[fmt.Sprint(by)]++
		}
	}
	t.Logf("the new label counts %v after the change", first.Sub(after).Round(time.Millisecond))
	if diff := cmp.Diff(map[string]int{"[true false]": 1, "[false true]": 1}, shells); diff != "" {
		t.Errorf("shells of the two containers, by the label that selects them (-want +got):\n%s", diff)
	}
}

// TestLabelSources removes one source of labels after another.
func TestLabelSources(t *testing.T) {
	c := use(t)
	c.deploy()
	t.Cleanup(func() {
		c.apply(base)
		c.replaceAgents()
	})
	const last = 10
	count := func(source string) {
		namespace := c.namespace("only-" + source)
		f := c.follow("--label=source=" + source)
		want := map[string][]string{}
		for _, n := range c.nodes {
			for _, labels := range []string{"source: " + source, "other: label"} {
				pod := labels[:6] + "-" + n.name
				pod = strings.Trim(strings.ReplaceAll(pod, ":", ""), "-")
				c.applyText(fmt.Sprintf(counting, pod, namespace, labels, n.name, "Never", countTo(last)))
				want[pod] = counted(last)
			}
		}
		c.succeeded(namespace)
		for _, n := range c.nodes {
			f.await(n, len(counted(last)))
		}
		f.stop()
		for _, n := range c.nodes {
			if diff := cmp.Diff(counted(last), f.args(n)); diff != "" {
				t.Errorf("with %s alone, execs of what is selected on %s (-want +got):\n%s", source, n.name, diff)
			}
		}
		if diff := cmp.Diff(want, c.execsByPod("--namespace="+namespace)); diff != "" {
			t.Errorf("with %s alone, execs of all pods (-want +got):\n%s", source, diff)
		}
		c.checkLabels(namespace, source)
	}
	c.kubectl("delete", "clusterrolebinding", "runc-trace-agent")
	c.replaceAgents()
	count("cri")
	c.applyPatched(`[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--cri-endpoint=/run/no-such.sock"}]`)
	c.replaceAgents()
	count("kubernetes")
}

// applyPatched applies the manifests with a patched DaemonSet.
func (c *cluster) applyPatched(patch string) {
	c.t.Helper()
	dir := c.t.TempDir()
	there, err := filepath.Abs(base)
	if err == nil {
		there, err = filepath.Rel(dir, there)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "kustomization.yaml"),
			fmt.Appendf(nil, "resources: [%s]\npatches: [{target: {kind: DaemonSet}, patch: %q}]\n", there, patch), 0o644)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.apply(dir)
}

// replaceAgents deletes the pods of all agents, and returns when the new ones are ready.
func (c *cluster) replaceAgents() {
	c.t.Helper()
	c.kubectl("delete", "pods", "--all", "--namespace=runc-trace")
	c.rolledOut()
}
