// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// TestManyPods runs more containers at once on a node than it has recordings. A container without a recording is
// counted, and its execs are still logged under its name and labels. The data of a pod that is long gone is kept.
func TestManyPods(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace, gone := c.namespace("many"), c.namespace("gone")
	n := c.nodes[0]
	c.applyText(fmt.Sprintf(counting, "gone", gone, "gone: long-ago", n.name, "Never", countTo(3)))
	c.succeeded(gone)
	c.kubectl("delete", "pod", "gone", "--namespace="+gone)
	swept := n.sweeps()

	before := n.state()
	room := before.Recordings.Ended + before.Recordings.Free - c.kept(n)
	f := c.follow("--wide", "--label=app=many")
	// Many pods with one container each, and one pod with enough containers to use up all recordings.
	const pods = 60
	const script = "/bin/true $NAME; exec /bin/sleep 1000"
	const container = `{name: %s, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, %q], env: [{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}`
	c.applyText(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: many, namespace: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %s}
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers: [%s]
`, namespace, pods, n.name, fmt.Sprintf(container, "main", script)))
	c.kubectl("rollout", "status", "deployment/many", "--namespace="+namespace, "--timeout=300s")
	want := map[string][]string{}
	for _, pod := range c.podsOn(n, namespace, "app=many") {
		want[pod+"/main"] = []string{"/bin/sh -c " + script, "/bin/true " + pod, "/bin/sleep 1000"}
	}
	if len(want) != pods {
		t.Fatalf("%d pods run", len(want))
	}
	more := room + 5 - pods
	var containers []string
	for i := range more {
		name := fmt.Sprintf("c%d", i)
		containers = append(containers, fmt.Sprintf(container, name, script))
		want["big/"+name] = []string{"/bin/sh -c " + script, "/bin/true big", "/bin/sleep 1000"}
	}
	c.applyText(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: big, namespace: %s, labels: {app: many}}
spec:
  nodeName: %s
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
  - %s
`, namespace, n.name, strings.Join(containers, "\n  - ")))
	c.await(namespace, "pod/big", "condition=Ready")

	for name := range maps.Clone(want) {
		pod, _, _ := strings.Cut(name, "/")
		want[pod+"/"] = []string{"/pause"}
	}
	if diff := cmp.Diff(want, c.execsByContainer("--namespace="+namespace)); diff != "" {
		t.Errorf("what the containers execute (-want +got):\n%s", diff)
	}
	f.await(n, len(c.execs("--namespace="+namespace)))
	f.stop()
	if diff := cmp.Diff(want, f.byContainer()); diff != "" {
		t.Errorf("what the containers execute, by their label (-want +got):\n%s", diff)
	}
	c.checkLabels(namespace, "kubernetes")

	after := n.state()
	if recorded := len(c.recordings("--label=app=many")); recorded != room {
		t.Errorf("%d of %d containers are recorded; there was room for %d", recorded, pods+more, room)
	}
	wantDropped := maps.Clone(before.Dropped)
	wantDropped["noRing"] += uint64(pods + more - room)
	if diff := cmp.Diff(wantDropped, after.Dropped); diff != "" {
		t.Errorf("what was dropped (-want +got):\n%s", diff)
	}
	if grown := after.Memory - before.Memory; grown > (pods+1)*(16<<10) || before.ExecLog.Lost != after.ExecLog.Lost {
		t.Errorf("there are %d bytes of memory more; before, %d execs were lost, after it %d", grown, before.ExecLog.Lost, after.ExecLog.Lost)
	}

	// The agent had two occasions to drop the labels of the deleted pod.
	c.eventually("labels were swept", func() (string, bool) {
		now := n.sweeps()
		return fmt.Sprintf("%v times", now-swept), now >= swept+2
	})
	if diff := cmp.Diff(map[string][]string{"gone": counted(3)},
		c.execsByPod("--since=15m", "--label=gone=long-ago")); diff != "" {
		t.Errorf("what a pod executed that is long gone (-want +got):\n%s", diff)
	}
}

// kept returns how many recordings of ended containers no other namespace gets: up to an eighth of all, with those of
// running ones, stay with each namespace.
func (c *cluster) kept(n *node) (kept int) {
	c.t.Helper()
	r := n.state().Recordings
	part := (r.Live + r.Ended + r.Free) / abi.KeptPart
	live, ended := map[string]int{}, map[string]int{}
	for _, r := range c.recordings() {
		switch {
		case r.Node != n.name:
		case r.Ended == nil:
			live[r.Namespace]++
		default:
			ended[r.Namespace]++
		}
	}
	for namespace, count := range ended {
		kept += min(count, max(0, part-live[namespace]))
	}
	return kept
}

// sweeps returns how often the node's agent has looked for labels that are no longer needed.
func (n *node) sweeps() float64 {
	n.t.Helper()
	metrics := n.must("busybox", "wget", "-q", "-O-", "http://127.0.0.1:7467/metrics")
	for line := range strings.Lines(metrics) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasSuffix(name, "_sweeps_total") {
			count, err := strconv.ParseFloat(value, 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return count
		}
	}
	n.t.Fatalf("the agent does not count its sweeps:\n%s", metrics)
	return 0
}
