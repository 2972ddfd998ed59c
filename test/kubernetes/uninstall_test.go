// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUninstall deploys runc-trace and removes it with the overlay for that, while pods from before and from the
// time of the deployment keep running: afterwards each node is as it was.
func TestUninstall(t *testing.T) {
	c := use(t)
	c.undeploy()
	namespace := c.namespace("uninstall")
	files, settings := map[*node]string{}, map[*node]string{}
	for _, n := range c.nodes {
		files[n], settings[n] = n.files(), n.must("containerd", "config", "dump")
		if pins := n.pins(); pins != "" {
			t.Fatalf("pinned on %s before:\n%s", n.name, pins)
		}
	}
	before := c.steady(namespace, "before", "")
	running := map[string]string{}
	for _, pod := range before {
		running[pod] = c.runs(namespace, pod)
	}
	c.deploy()
	meanwhile := c.steady(namespace, "meanwhile", "")
	for _, pod := range meanwhile {
		running[pod] = c.runs(namespace, pod)
	}
	for _, n := range c.nodes {
		if diff := cmp.Diff(files[n], n.files()); diff == "" {
			t.Errorf("no file of %s was changed by an installation", n.name)
		}
	}

	const overlay = "../../install/kubernetes/overlays/uninstall"
	c.apply(overlay)
	said := func(n *node) string {
		o := c.do("kubectl", "logs", "--namespace=runc-trace", "--tail=-1",
			"pod/"+strings.Fields(c.agents()[n.name] + " none")[0])
		return o.Stdout + o.Stderr // not there yet, or already gone
	}
	// The first uninstall pods were made through runc-trace themselves.
	for _, n := range c.nodes {
		c.eventually("the pod on "+n.name+" waits for itself", func() (string, bool) {
			log := said(n)
			return log, strings.Contains(log, "this pod was itself started through runc-trace") &&
				strings.Contains(log, "delete it once")
		})
	}
	c.kubectl("rollout", "restart", "daemonset/runc-trace", "--namespace=runc-trace")
	// The next ones wait for other pods.
	for _, n := range c.nodes {
		_, id, _ := strings.Cut(running[meanwhile[n]], "containerd://")
		id, _, _ = strings.Cut(id, " ")
		c.eventually("the pod on "+n.name+" names the container that it waits for", func() (string, bool) {
			log := said(n)
			return log, !strings.Contains(log, "this pod was itself") && strings.Contains(log, "that runc-trace started") &&
				strings.Contains(log, id[:12])
		})
		if agent := c.agents()[n.name]; strings.Contains(agent, "True") {
			t.Errorf("the pod on %s is ready, with something left to remove: %s", n.name, agent)
		}
		// New pods do not prolong the wait.
		if got := n.must("containerd", "config", "dump"); strings.Contains(got, "/runc-trace") &&
			n.run("test", "-e", "/opt/runc-trace/bin/runc-trace").Code != 0 {
			t.Errorf("containerd of %s calls runc-trace, which is not there", n.name)
		}
	}
	after := c.steady(namespace, "after", "")
	for pod, was := range running {
		if now := c.runs(namespace, pod); now != was {
			t.Errorf("%s was disturbed: %s, before: %s", pod, now, was)
		}
	}
	for _, n := range c.nodes {
		c.kubectl("exec", "--namespace="+namespace, meanwhile[n], "--", "true")
		c.kubectl("delete", "pod", meanwhile[n], "--namespace="+namespace)
	}
	c.rolledOut()
	c.delete(overlay)
	c.deployed = false

	for _, n := range c.nodes {
		c.eventually("the DaemonSet's pod is gone from "+n.name, func() (string, bool) {
			left := n.must("ctr", "--namespace=k8s.io", "containers", "list")
			return left, !strings.Contains(left, "runc-trace")
		})
		if diff := cmp.Diff(files[n], n.files()); diff != "" {
			t.Errorf("files of %s (-before +after):\n%s", n.name, diff)
		}
		if diff := cmp.Diff(settings[n], n.must("containerd", "config", "dump")); diff != "" {
			t.Errorf("what containerd of %s makes of them (-before +after):\n%s", n.name, diff)
		}
		if pins := n.pins(); pins != "" {
			t.Errorf("still pinned on %s:\n%s", n.name, pins)
		}
		for _, pod := range []string{before[n], after[n]} {
			c.kubectl("exec", "--namespace="+namespace, pod, "--", "true")
			c.kubectl("delete", "pod", pod, "--namespace="+namespace)
		}
	}
	last := c.steady(namespace, "last", "")
	for _, pod := range last {
		c.kubectl("exec", "--namespace="+namespace, pod, "--", "true")
	}
	if left := c.kubectl("get", "all,clusterroles,clusterrolebindings,runtimeclasses,namespaces", "--all-namespaces",
		"--selector=app.kubernetes.io/name=runc-trace", "--output=name"); left != "" {
		t.Errorf("still in the cluster:\n%s", left)
	}
}
