// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kinds has every kind of container; each executes programs with its own name.
const kinds = `
apiVersion: v1
kind: Pod
metadata: {name: kinds, namespace: %[1]s, labels: {kinds: all}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - {name: first, image: busybox, imagePullPolicy: IfNotPresent, command: [/bin/true, first]}
  - name: sidecar
    image: busybox
    imagePullPolicy: IfNotPresent
    restartPolicy: Always
    command: [sh, -c, "/bin/true sidecar; exec /bin/sleep 1000"]
    startupProbe: {exec: {command: [/bin/true, startup]}}
  - {name: second, image: busybox, imagePullPolicy: IfNotPresent, command: [/bin/true, second]}
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "/bin/true main; exec /bin/sleep 1000"]
    lifecycle: {postStart: {exec: {command: [/bin/true, post-start]}}}
    readinessProbe: {exec: {command: [/bin/true, readiness]}, periodSeconds: 1}
  - {name: other, image: busybox, imagePullPolicy: IfNotPresent, command: [/bin/sleep, "2000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: %[1]s, labels: {kinds: host}}
spec:
  terminationGracePeriodSeconds: 0
  hostNetwork: true
  hostPID: true
  containers:
  - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [/bin/sleep, "3000"], securityContext: {privileged: true}}
`

// static is a pod that a kubelet makes from a file.
const static = `
apiVersion: v1
kind: Pod
metadata: {name: static, namespace: %s, labels: {kinds: static}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [/bin/sleep, "4000"]}
`

// TestKindsOfContainers runs every kind of container that a pod can have, and pods made in other ways. All their
// execs are logged under their names, from the first one on, and have the labels of their pods.
func TestKindsOfContainers(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("kinds")
	f := c.follow("--wide", "--label=kinds")
	n := c.nodes[1]
	const manifest = "/etc/kubernetes/manifests/static.yaml"
	t.Cleanup(func() { n.must("rm", "-f", manifest) })
	if err := n.Write(manifest, fmt.Sprintf(static, namespace)); err != nil {
		t.Fatal(err)
	}
	c.applyText(fmt.Sprintf(kinds, namespace))
	c.await(namespace, "pod/kinds", "condition=Ready")
	c.await(namespace, "pod/host", "condition=Ready")
	c.eventually("there is an image of the static pod", func() (string, bool) {
		o := c.do("kubectl", "get", "pod", "static-"+n.name, "--namespace="+namespace, "--output=jsonpath={.status.phase}")
		return o.Stdout + o.Stderr, o.Stdout == "Running"
	})
	c.kubectl("exec", "--namespace="+namespace, "kinds", "--container=main", "--", "/bin/true", "exec")
	c.kubectl("debug", "--namespace="+namespace, "kinds", "--image=busybox", "--image-pull-policy=IfNotPresent",
		"--container=debugger", "--profile=general", "--target=main", "--", "/bin/sleep", "5000")
	c.await(namespace, "pod/kinds", "jsonpath={.status.ephemeralContainerStatuses[0].state.running}")
	c.eventually("its exec is printed", func() (string, bool) {
		text := f.text()
		return text, strings.Contains(text, "/bin/sleep 5000\n")
	})

	// The programs of each container. Only the first one has a fixed order.
	want := map[string][]string{
		"kinds/":      {"/pause"},
		"kinds/first": {"/bin/true first"},
		"kinds/sidecar": {"/bin/sh -c /bin/true sidecar; exec /bin/sleep 1000", "/bin/sleep 1000",
			"/bin/true sidecar", "/bin/true startup"},
		"kinds/second": {"/bin/true second"},
		"kinds/main": {"/bin/sh -c /bin/true main; exec /bin/sleep 1000", "/bin/sleep 1000", "/bin/true exec",
			"/bin/true main", "/bin/true post-start", "/bin/true readiness"},
		"kinds/other":    {"/bin/sleep 2000"},
		"kinds/debugger": {"/bin/sleep 5000"},
		"host/":          {"/pause"},
		"host/main":      {"/bin/sleep 3000"},
	}
	mirror := "static-" + n.name
	want[mirror+"/"], want[mirror+"/main"] = []string{"/pause"}, []string{"/bin/sleep 4000"}
	executed := c.execsByContainer("--namespace=" + namespace)
	for name, all := range executed {
		if len(want[name]) > 0 && all[0] != want[name][0] {
			t.Errorf("%s executes %q first", name, all[0])
		}
		executed[name] = slices.Compact(sorted(all))
	}
	if diff := cmp.Diff(want, executed); diff != "" {
		t.Errorf("what containers execute (-want +got):\n%s", diff)
	}
	f.stop()
	selected := f.byContainer()
	for name, all := range selected {
		selected[name] = slices.Compact(sorted(all))
	}
	if diff := cmp.Diff(want, selected); diff != "" {
		t.Errorf("what containers execute, by their label (-want +got):\n%s", diff)
	}

	containers := map[string][]string{
		"kinds": {"", "debugger", "first", "main", "other", "second", "sidecar"},
		"host":  {"", "main"},
		mirror:  {"", "main"},
	}
	known := c.checkLabels(namespace, "kubernetes")
	for pod := range known {
		known[pod] = sorted(known[pod])
	}
	if diff := cmp.Diff(containers, known); diff != "" {
		t.Errorf("containers of pods (-want +got):\n%s", diff)
	}
	recorded := map[string][]string{}
	for _, r := range c.recordings("--namespace="+namespace, "--label=kinds") {
		recorded[r.Pod] = append(recorded[r.Pod], r.Container)
		if r.Syscalls == 0 {
			t.Errorf("nothing is recorded of %s", r.Name)
		}
	}
	for pod := range recorded {
		recorded[pod] = sorted(recorded[pod])
		containers[pod] = containers[pod][1:]
	}
	if diff := cmp.Diff(containers, recorded); diff != "" {
		t.Errorf("recordings of pods (-want +got):\n%s", diff)
	}
}
