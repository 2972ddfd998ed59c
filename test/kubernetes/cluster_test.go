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

// cluster is the cluster as a test sees it: what cannot be done there ends the test.
type cluster struct {
	*environment
	t     *testing.T
	nodes []*node
}

// use gives a test the cluster. The first one that asks has it made.
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

// do runs a user's command to its end. Users are outside of the nodes; they have kubectl, tracectl and a kubeconfig.
func (c *cluster) do(args ...string) machine.Outcome {
	c.t.Helper()
	return finish(c.t, c.control, c.control.Command(c.user(args...)...))
}

// terminal runs a user's command line on a terminal, on which nobody types.
func (c *cluster) terminal(line string) machine.Outcome {
	c.t.Helper()
	command := c.control.Command(c.user("script", "--quiet", "--return", "--command", line, "/dev/null")...)
	if _, err := command.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	return finish(c.t, c.control, command)
}

// finish runs a command in a machine to its end, no longer than three minutes.
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

// succeeded ends the test if the command failed, and returns its output without the space around it.
func succeeded(t *testing.T, o machine.Outcome, args ...string) string {
	t.Helper()
	if o.Code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", args, o.Code, o.Stdout, o.Stderr)
	}
	return strings.TrimSpace(o.Stdout)
}

// kubectl must succeed.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	args = append([]string{"kubectl"}, args...)
	return succeeded(c.t, c.do(args...), args...)
}

// tracectl is that of a user. It must succeed.
func (c *cluster) tracectl(args ...string) string {
	c.t.Helper()
	args = append([]string{"tracectl"}, args...)
	return succeeded(c.t, c.do(args...), args...)
}

// apply makes what the manifest in a file says, or what kustomize makes of a directory. delete removes it, and waits until it
// is gone.
func (c *cluster) apply(path string) string {
	c.t.Helper()
	return c.manifest(path, "apply", "--server-side")
}

func (c *cluster) delete(path string) string {
	c.t.Helper()
	return c.manifest(path, "delete", "--ignore-not-found", "--timeout=120s")
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

// applyText makes what a manifest says.
func (c *cluster) applyText(manifest string) string {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return c.apply(file)
}

// namespace makes a namespace, which is removed after the test with all that is in it.
func (c *cluster) namespace(name string) string {
	c.t.Helper()
	c.kubectl("create", "namespace", name)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("in namespace %s:\n%s", name, c.describe(name))
		}
		c.kubectl("delete", "namespace", name, "--timeout=120s")
	})
	// The kubelet refuses pods until these are there.
	c.eventually("namespace "+name+" has what pods need", func() (string, bool) {
		o := c.do("kubectl", "get", "serviceaccount/default", "configmap/kube-root-ca.crt", "--namespace="+name, "--output=name")
		return o.Stdout + o.Stderr, o.Code == 0
	})
	return name
}

// describe says how the pods of a namespace are, and what became of them.
func (c *cluster) describe(namespace string) string {
	return c.environment.kubectl("describe", "pods", "--namespace="+namespace) + "\n" +
		c.environment.kubectl("get", "events", "--namespace="+namespace, "--sort-by=.lastTimestamp")
}

// await waits until an object has a condition, such as condition=Ready or jsonpath={.status.phase}=Succeeded.
func (c *cluster) await(namespace, object, condition string) {
	c.t.Helper()
	o := c.do("kubectl", "wait", "--namespace="+namespace, "--for="+condition, "--timeout=120s", object)
	if o.Code != 0 {
		c.t.Fatalf("%s in %s has not %s: %s\n%s", object, namespace, condition, o.Stderr, c.describe(namespace))
	}
}

// eventually waits until something is so, no longer than three minutes. What was found last is said then.
func (c *cluster) eventually(what string, so func() (found string, ok bool)) {
	c.t.Helper()
	if err := c.wait(what, so); err != nil {
		c.t.Fatal(err)
	}
}

// load imports an archive with an image into all nodes.
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

// node is a node as a test sees it.
type node struct {
	*machine.Machine
	t       *testing.T
	name    string
	address string
}

// run runs a program on the node to its end.
func (n *node) run(args ...string) machine.Outcome {
	n.t.Helper()
	return finish(n.t, n.Machine, n.Command(args...))
}

// must runs a program that has to succeed, and gives what it prints, without the space around it.
func (n *node) must(args ...string) string {
	n.t.Helper()
	return succeeded(n.t, n.run(args...), args...)
}

// tracectl is the one that was installed on the node. It must succeed.
func (n *node) tracectl(args ...string) string {
	n.t.Helper()
	return n.must(append([]string{"/opt/runc-trace/bin/tracectl"}, args...)...)
}

// restartContainerd returns when it is back.
func (n *node) restartContainerd() {
	n.t.Helper()
	n.must("systemctl", "restart", "containerd.service")
}
