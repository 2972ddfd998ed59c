// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/test/machine"
)

// cluster is the cluster as seen by one test. Errors end the test.
type cluster struct {
	*environment
	t     *testing.T
	nodes []*node
}

// use returns the cluster for a test. The first call makes it.
func use(t *testing.T) *cluster {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the cluster's programs said is in %s", logs)
		}
	})
	e, err := makeEnvironment()
	if err != nil {
		t.Fatalf("making a cluster: %v", err)
	}
	c := &cluster{environment: e, t: t}
	for i, m := range e.nodes {
		c.nodes = append(c.nodes, &node{m, t, nodeName(i), nodeAddress(i)})
	}
	return c
}

// do runs a user's command and waits for it. Users are outside of the nodes, and have kubectl, tracectl and a
// kubeconfig.
func (c *cluster) do(args ...string) machine.Outcome {
	c.t.Helper()
	return finish(c.t, c.control, c.control.Command(c.user(args...)...))
}

// terminal runs a user's command line on a terminal without input.
func (c *cluster) terminal(line string) machine.Outcome {
	c.t.Helper()
	command := c.control.Command(c.user("script", "--quiet", "--return", "--command", line, "/dev/null")...)
	if _, err := command.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	return finish(c.t, c.control, command)
}

// finish runs a command in a machine for at most three minutes.
func finish(t *testing.T, m *machine.Machine, command *exec.Cmd) machine.Outcome {
	t.Helper()
	p, err := m.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Wait(3 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// succeeded ends the test if the command failed, and returns its output with surrounding space trimmed.
func succeeded(t *testing.T, o machine.Outcome, args ...string) string {
	t.Helper()
	if o.Code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", args, o.Code, o.Stdout, o.Stderr)
	}
	return strings.TrimSpace(o.Stdout)
}

// kubectl runs a user's kubectl, which must succeed.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	args = append([]string{"kubectl"}, args...)
	return succeeded(c.t, c.do(args...), args...)
}

// tracectl runs a user's tracectl, which must succeed.
func (c *cluster) tracectl(args ...string) string {
	c.t.Helper()
	args = append([]string{"tracectl"}, args...)
	return succeeded(c.t, c.do(args...), args...)
}

// apply applies a manifest's file, or a directory with kustomize. delete removes the objects again, and waits until
// they are gone.
func (c *cluster) apply(path string) string {
	c.t.Helper()
	return c.manifest(path, "apply", "--server-side")
}

func (c *cluster) delete(path string) string {
	c.t.Helper()
	return c.manifest(path, "delete", "--ignore-not-found", "--timeout=300s")
}

func (c *cluster) manifest(path string, args ...string) string {
	c.t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		c.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		c.t.Fatal(err)
	}
	flag := "--filename="
	if info.IsDir() {
		flag = "--kustomize="
	}
	return c.kubectl(append(args, flag+path)...)
}

// applyText applies a manifest.
func (c *cluster) applyText(manifest string) string {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return c.apply(file)
}

// namespace makes a namespace, and removes it with all its objects after the test.
func (c *cluster) namespace(name string) string {
	c.t.Helper()
	c.kubectl("create", "namespace", name)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("in namespace %s:\n%s", name, c.describe(name))
		}
		c.kubectl("delete", "namespace", name, "--timeout=300s")
	})
	// The kubelet refuses pods until these exist.
	c.eventually("namespace "+name+" has what pods need", func() (string, bool) {
		o := c.do("kubectl", "get", "serviceaccount/default", "configmap/kube-root-ca.crt",
			"--namespace="+name, "--output=name")
		return o.Stdout + o.Stderr, o.Code == 0
	})
	return name
}

// describe returns the state and events of the pods of a namespace.
func (c *cluster) describe(namespace string) string {
	return c.environment.kubectl("describe", "pods", "--namespace="+namespace) + "\n" +
		c.environment.kubectl("get", "events", "--namespace="+namespace, "--sort-by=.lastTimestamp")
}

// await waits until an object meets a condition, such as condition=Ready or jsonpath={.status.phase}=Succeeded.
func (c *cluster) await(namespace, object, condition string) {
	c.t.Helper()
	o := c.do("kubectl", "wait", "--namespace="+namespace, "--for="+condition, "--timeout=300s", object)
	if o.Code != 0 {
		c.t.Fatalf("%s in %s has not %s: %s\n%s", object, namespace, condition, o.Stderr, c.describe(namespace))
	}
}

// eventually waits up to three minutes until so returns true. If it does not, the test fails with the last found.
func (c *cluster) eventually(what string, so func() (found string, ok bool)) {
	c.t.Helper()
	if err := c.wait(what, so); err != nil {
		c.t.Fatal(err)
	}
}

// load imports an image archive into all nodes.
func (c *cluster) load(archive string) {
	c.t.Helper()
	path, err := filepath.Abs(archive)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range c.nodes {
		n.must("ctr", "--namespace=k8s.io", "images", "import", path)
	}
}

// node is a node as seen by one test.
type node struct {
	*machine.Machine
	t       *testing.T
	name    string
	address string
}

// run runs a program on the node and waits for it.
func (n *node) run(args ...string) machine.Outcome {
	n.t.Helper()
	return finish(n.t, n.Machine, n.Command(args...))
}

// must runs a program that has to succeed, and returns its output with surrounding space trimmed.
func (n *node) must(args ...string) string {
	n.t.Helper()
	return succeeded(n.t, n.run(args...), args...)
}

// tracectl runs the installed tracectl on the node. It must succeed.
func (n *node) tracectl(args ...string) string {
	n.t.Helper()
	return n.must(append([]string{"/opt/runc-trace/bin/tracectl"}, args...)...)
}

// restartContainerd restarts containerd, and returns when it answers again.
func (n *node) restartContainerd() {
	n.t.Helper()
	n.must("systemctl", "restart", "containerd.service")
}
