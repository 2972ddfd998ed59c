// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"strings"
)

// steady is a pod that executes a program every second until it is deleted.
const steady = `
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: %[2]s, labels: {steady: %[1]s}}
spec:
  nodeName: %[3]s
  runtimeClassName: %[4]s
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, "while :; do echo turn-of-$0; /bin/sleep 1; done", %[1]s]}
`

// steady makes such a pod on each node, with or without a runtime class, and returns their names when they run.
func (c *cluster) steady(namespace, name, class string) map[*node]string {
	c.t.Helper()
	if class == "" {
		class = "null"
	}
	pods := map[*node]string{}
	for _, n := range c.nodes {
		pods[n] = name + "-" + n.name
		c.applyText(fmt.Sprintf(steady, pods[n], namespace, n.name, class))
	}
	for _, pod := range pods {
		c.await(namespace, "pod/"+pod, "condition=Ready")
	}
	return pods
}

// runs returns the ID and the restart count of a pod's container: while they stay the same, it was not disturbed.
func (c *cluster) runs(namespace, pod string) string {
	c.t.Helper()
	return c.kubectl("get", "pod", pod, "--namespace="+namespace,
		"--output=jsonpath={.status.phase} {.status.containerStatuses[0].containerID} restarted {.status.containerStatuses[0].restartCount} times")
}

// agents returns the pods of the DaemonSet, by node, and the state of their containers.
func (c *cluster) agents() map[string]string {
	c.t.Helper()
	text := c.kubectl("get", "pods", "--namespace=runc-trace",
		`--output=jsonpath={range .items[*]}{.spec.nodeName} {.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.status.initContainerStatuses[*].restartCount} {.status.containerStatuses[*].restartCount}{"\n"}{end}`)
	found := map[string]string{}
	for line := range strings.Lines(text) {
		node, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[node] += rest
	}
	return found
}

// containerd returns the PID of the node's containerd.
func (n *node) containerd() string {
	n.t.Helper()
	return n.must("cat", "/run/containerd.pid")
}
