// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// upgraded is the tag of another build of the tree.
const upgraded = "upgraded"

// buildUpgrade builds an image of another version, in which both programs differ. It returns the archive and its
// shim.
func buildUpgrade(t *testing.T) (archive, shim string) {
	t.Helper()
	root := t.TempDir()
	shim, archive = filepath.Join(root, "usr/local/bin/runc-trace"), filepath.Join(t.TempDir(), "image.tar")
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{".", []string{"sh", "../../install/image/root.sh", root}},
		// The same program with its symbols.
		{".", []string{"go", "build", "-trimpath", "-buildvcs=false", "-o", shim, "../../cmd/runc-trace"}},
		{"../../install/image", []string{"go", "run", ".", "-o", archive, "-version", upgraded, "-revision", "tests", "-time",
			"0", runtime.GOARCH + "=" + root}},
	} {
		build := exec.Command(step.args[0], step.args[1:]...)
		build.Dir = step.dir
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "VERSION="+upgraded)
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building another version: %q: %v\n%s", step.args, err, text)
		}
	}
	return archive, shim
}

// upgrade writes a kustomization: the base with another tag.
func upgrade(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	to, err := filepath.Abs(base)
	if err == nil {
		to, err = filepath.Rel(dir, to)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "kustomization.yaml"),
			[]byte("resources: ["+to+"]\nimages: [{name: localhost/runc-trace, newTag: "+upgraded+"}]\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// agentPID returns the agent's PID on the node. Its probes, which run the same program, begin with --check.
func (n *node) agentPID() string {
	n.t.Helper()
	return n.must("pgrep", "--full", "^/usr/local/bin/tracectl agent --check-socket=")
}

// TestDisruption disrupts nodes in every usual way while pods are made and deleted: each pod ends as expected, and
// all are recorded.
func TestDisruption(t *testing.T) {
	c := use(t)
	archive, shim := buildUpgrade(t)
	t.Cleanup(c.undeploy)
	c.deploy()
	c.load(archive)
	before := c.steady(c.namespace("steady"), "before", "")
	running := map[string]string{}
	for _, pod := range before {
		running[pod] = c.runs("steady", pod)
	}
	tr := c.startTraffic("traffic")
	tr.goesOn(t, "the deployment")

	for _, n := range c.nodes {
		pid := n.agentPID()
		if strings.Count(pid, "\n") != 0 || pid == "" {
			t.Fatalf("the agents on %s are %q", n.name, pid)
		}
		n.must("kill", "-KILL", pid)
	}
	c.eventually("the agents are restarted", func() (string, bool) {
		agents := c.agents()
		ok := true
		for _, n := range c.nodes {
			ok = ok && strings.HasSuffix(agents[n.name], " True 0 1")
		}
		return strings.Join([]string{agents[c.nodes[0].name], agents[c.nodes[1].name]}, ", "), ok
	})
	tr.goesOn(t, "the agents were killed")

	c.kubectl("rollout", "restart", "daemonset/runc-trace", "--namespace=runc-trace")
	c.rolledOut()
	tr.goesOn(t, "a restart of the DaemonSet")

	for _, n := range c.nodes {
		n.restartContainerd()
	}
	tr.goesOn(t, "containerd was restarted")

	for _, n := range c.nodes {
		n.restartKubelet()
	}
	tr.goesOn(t, "the kubelet was restarted")

	containerd := map[*node]string{}
	for _, n := range c.nodes {
		containerd[n] = n.containerd()
	}
	c.apply(upgrade(t))
	c.rolledOut()
	for _, n := range c.nodes {
		if o := n.run("cmp", shim, "/opt/runc-trace/bin/runc-trace"); o.Code != 0 {
			t.Errorf("the shim on %s is not the other version's: %s", n.name, o.Stdout+o.Stderr)
		}
		if version := n.tracectl("version"); !strings.Contains(version, upgraded) {
			t.Errorf("tracectl on %s is not the other version's: %s", n.name, version)
		}
		if n.containerd() != containerd[n] {
			t.Errorf("containerd of %s was restarted by an upgrade", n.name)
		}
	}
	tr.goesOn(t, "an upgrade")

	for _, n := range c.nodes {
		if said := n.tracectl("load", "--replace", "--output=json"); !strings.Contains(said, `"replaced":true`) {
			t.Errorf("replacing the programs on %s: %s", n.name, said)
		}
	}
	tr.goesOn(t, "the programs were replaced")

	tr.verify(c)
	for _, n := range c.nodes {
		for _, s := range decode[struct{ Dropped map[string]uint64 }](t, n.tracectl("status", "--output=json")) {
			for reason, count := range s.Dropped {
				if count > 0 {
					t.Errorf("on %s something was dropped %d times: %s", n.name, count, reason)
				}
			}
		}
	}
	for pod, was := range running {
		if now := c.runs("steady", pod); now != was {
			t.Errorf("%s was disturbed: %s, before: %s", pod, now, was)
		}
	}
}

// restartKubelet restarts the kubelet, and returns when it answers again.
func (n *node) restartKubelet() {
	n.t.Helper()
	n.must("sh", "-c", `
old=$(cat /run/kubelet.pid)
kill $old
for _ in $(seq 300); do
	[ "$(cat /run/kubelet.pid)" = $old ] || ! busybox wget -q -O /dev/null http://127.0.0.1:10248/healthz 2>/dev/null || exit 0
	sleep 0.1
done
echo "the kubelet is not back"
exit 1`)
}
