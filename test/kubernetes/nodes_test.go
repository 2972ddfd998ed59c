// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/test/image"
)

// TestCluster checks the cluster itself. If it fails, the other tests mean nothing.
func TestCluster(t *testing.T) {
	c := use(t)
	namespace := c.namespace("cluster")
	c.load(busyboxArchive(t, "docker.io/library/loaded:e2e"))
	c.apply("testdata/everywhere.yaml")
	c.kubectl("rollout", "status", "daemonset/everywhere", "--namespace="+namespace, "--timeout=300s")
	pods := map[string]string{} // names to addresses
	for _, n := range c.nodes {
		if got := n.must("cat", "/proc/sys/kernel/hostname"); got != n.name {
			t.Errorf("the host name of %s is %q", n.name, got)
		}
		found := strings.Fields(c.kubectl("get", "pods", "--namespace="+namespace, "--field-selector=spec.nodeName="+n.name,
			"--output=jsonpath={.items[*]['metadata.name','status.podIP']}"))
		if len(found) != 2 {
			t.Fatalf("on %s there is %q, not a pod and its address", n.name, found)
		}
		pods[found[0]] = found[1]
		n.restartContainerd()
	}
	// The logs of a pod, and commands in it, pass through the API server and a kubelet; pods reach pods on other
	// nodes; and all of this still works after a restart of containerd.
	for from := range pods {
		// For a moment after the restart, a kubelet cannot ask containerd.
		c.eventually("the log of "+from+" is there", func() (string, bool) {
			o := c.do("kubectl", "logs", "--namespace="+namespace, from)
			return o.Stdout + o.Stderr, strings.TrimSpace(o.Stdout) == "started"
		})
		for to, address := range pods {
			c.eventually(from+" reaches "+to, func() (string, bool) {
				o := c.do("kubectl", "exec", "--namespace="+namespace, from, "--", "ping", "-c1", "-W10", address)
				return o.Stdout + o.Stderr, strings.Contains(o.Stdout, "1 packets received")
			})
		}
	}
	c.delete("testdata/everywhere.yaml")
	c.eventually("the pods are gone", func() (string, bool) {
		left := c.kubectl("get", "pods", "--namespace="+namespace, "--output=name")
		return left, left == ""
	})
	if said := c.tracectl("version"); !strings.Contains(said, "tracectl") {
		t.Errorf("a user's tracectl says of its version %q", said)
	}
}

// busyboxArchive writes an archive with busybox under another name. The image differs, too: the kubelet does not
// use an image under one name that it has pulled under another.
func busyboxArchive(t *testing.T, name string) string {
	t.Helper()
	layer, err := image.Busybox()
	if err != nil {
		t.Fatal(err)
	}
	i, err := image.New(name, layer, "/bin/ash")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := i.Save(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestServiceAccounts checks that pods can use the API server with the rights of their service account only.
func TestServiceAccounts(t *testing.T) {
	c := use(t)
	namespace := c.namespace("accounts")
	c.kubectl("create", "serviceaccount", "reader", "--namespace="+namespace)
	c.kubectl("create", "clusterrole", "node-reader", "--verb=list", "--resource=nodes")
	t.Cleanup(func() { c.kubectl("delete", "clusterrole", "node-reader") })
	c.kubectl("create", "clusterrolebinding", "node-reader", "--clusterrole=node-reader",
		"--serviceaccount="+namespace+":reader")
	t.Cleanup(func() { c.kubectl("delete", "clusterrolebinding", "node-reader") })
	tests := []struct {
		pod, account string
		hostNetwork  bool
		phase, want  string
	}{
		{"ordinary", "reader", false, "Succeeded", "node-0\nnode-1"},
		{"on-host", "reader", true, "Succeeded", "node-0\nnode-1"},
		{"without-rights", "default", false, "Failed", `nodes is forbidden: User "system:serviceaccount:accounts:default" cannot list resource "nodes" in API group "" at the cluster scope`},
	}
	for _, test := range tests {
		c.applyText(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s}
spec:
  restartPolicy: Never
  serviceAccountName: %s
  hostNetwork: %t
  containers:
  - {name: main, image: %q}
`, test.pod, namespace, test.account, test.hostNetwork, clientImage))
	}
	for _, test := range tests {
		c.await(namespace, "pod/"+test.pod, "jsonpath={.status.phase}="+test.phase)
		if got := c.kubectl("logs", "--namespace="+namespace, test.pod); got != test.want {
			t.Errorf("%s prints %q, not %q", test.pod, got, test.want)
		}
	}
}
