// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// registered holds the fields of `tracectl containers -o json` that tell how a container was registered.
type registered struct {
	Namespace, Pod, State, Recorded string
	Sandbox, Adopted                bool
	Labels, LabelOrigins            map[string]string
}

// known returns the containers of a pod that a node knows, the sandbox first.
func (n *node) known(namespace, pod string) []registered {
	n.t.Helper()
	args := []string{"/opt/runc-trace/bin/tracectl", "containers", "--all", "--namespace=" + namespace, "--pod=" + pod,
		"--output=json"}
	o := n.run(args...)
	if o.Code == 4 {
		return nil // no container of the pod is known
	}
	found := decode[registered](n.t, succeeded(n.t, o, args...))
	slices.SortStableFunc(found, func(a, b registered) int {
		if a.Sandbox && !b.Sandbox {
			return -1
		}
		return 0
	})
	return found
}

// steadyKnown returns the expected containers of a running steady pod, once its labels are known.
func steadyKnown(namespace, pod string, adopted bool) []registered {
	set, origins := map[string]string{"steady": pod}, map[string]string{"steady": "kubernetes"}
	one := func(sandbox bool, recorded string) registered {
		return registered{namespace, pod, "running", recorded, sandbox, adopted, set, origins}
	}
	return []registered{one(true, "no"), one(false, "yes")}
}

// check is a line of `tracectl doctor -o json`.
type check struct{ Name, State, Detail, Remedy string }

// TestRollout deploys runc-trace on nodes with running pods: containerd is restarted once, old and new pods are
// recorded, and another deployment changes nothing.
func TestRollout(t *testing.T) {
	c := use(t)
	c.undeploy()
	namespace := c.namespace("rollout")
	before := c.steady(namespace, "before", "")
	running, containerd := map[string]string{}, map[*node]string{}
	for n, pod := range before {
		running[pod], containerd[n] = c.runs(namespace, pod), n.containerd()
	}
	c.deploy()
	after := c.steady(namespace, "after", "")
	deployed := map[*node]string{}
	for _, n := range c.nodes {
		if deployed[n] = n.containerd(); deployed[n] == containerd[n] {
			t.Errorf("containerd of %s runs since before", n.name)
		}
		for _, check := range decode[check](t, n.run("/opt/runc-trace/bin/tracectl", "doctor", "--output=json").Stdout) {
			told := strings.HasPrefix(check.Name, "engine ") || check.Name == "runtime" || check.Name == "shim" ||
				check.Name == "containers"
			if check.State == "fail" || told && check.State != "ok" {
				t.Errorf("on %s the doctor says %+v", n.name, check)
			}
		}
		for adopted, pod := range map[bool]string{true: before[n], false: after[n]} {
			c.eventually("the labels of "+pod+" are known", func() (string, bool) {
				diff := cmp.Diff(steadyKnown(namespace, pod, adopted), n.known(namespace, pod))
				return diff, diff == ""
			})
			// The recording has its writes and its execs.
			c.eventually(pod+" is recorded", func() (string, bool) {
				shown := n.tracectl("straceback", "show", namespace+"/"+pod, "--syscall=write")
				return shown, strings.Contains(shown, `"turn-of-`+pod+`\n"`)
			})
			c.eventually("execs of "+pod+" are logged", func() (string, bool) {
				log := n.tracectl("exec", "--no-follow", "--label=steady="+pod)
				return log, strings.Contains(log, "/bin/sleep 1")
			})
		}
		// Only containers made through the shim are recorded from their first exec on.
		first := func(pod string) bool {
			return strings.Contains(n.tracectl("exec", "--no-follow", "--label=steady="+pod), `/bin/sh -c "while`)
		}
		if !first(after[n]) || first(before[n]) {
			t.Errorf("on %s the first exec is to be known of the second pod alone: it is %t, of the other one %t", n.name, first(after[n]), first(before[n]))
		}
	}

	agents := c.agents()
	for _, n := range c.nodes {
		if name, rest, _ := strings.Cut(agents[n.name], " "); rest != "True 0 0" {
			t.Errorf("the pod %s on %s is not ready at once: %s", name, n.name, rest)
		}
	}
	c.deploy()
	if diff := cmp.Diff(agents, c.agents()); diff != "" {
		t.Errorf("deployed again, other agents run (-first +second):\n%s", diff)
	}
	// New agents, and therefore an install step that finds nothing to do.
	c.kubectl("rollout", "restart", "daemonset/runc-trace", "--namespace=runc-trace")
	c.rolledOut()
	for _, n := range c.nodes {
		if again := c.agents()[n.name]; again == agents[n.name] || !strings.HasSuffix(again, " True 0 0") {
			t.Errorf("the pod on %s after a restart of the DaemonSet: %s, before: %s", n.name, again, agents[n.name])
		}
		if now := n.containerd(); now != deployed[n] {
			t.Errorf("containerd of %s was restarted again", n.name)
		}
	}
	messages := c.kubectl("get", "pods", "--namespace=runc-trace",
		"--output=jsonpath={.items[*].status.initContainerStatuses[0].state.terminated.message}")
	if strings.Count(messages, "nothing was changed") != len(c.nodes) {
		t.Errorf("the install steps say %q", messages)
	}
	for pod, was := range running {
		if now := c.runs(namespace, pod); now != was {
			t.Errorf("%s was disturbed: %s, before: %s", pod, now, was)
		}
	}
}

// TestOptIn deploys runc-trace for pods that ask for it.
func TestOptIn(t *testing.T) {
	c := use(t)
	c.undeploy()
	const overlay = "../../install/kubernetes/overlays/opt-in"
	t.Cleanup(func() {
		c.delete(overlay)
		c.undeploy()
	})
	namespace := c.namespace("opt-in")
	before := c.steady(namespace, "before", "")
	c.loadImage()
	c.deployed = true
	c.apply(overlay)
	c.rolledOut()
	asks, others := c.steady(namespace, "asks", "runc-trace"), c.steady(namespace, "others", "")
	verify := func(when string) {
		t.Helper()
		for _, n := range c.nodes {
			c.eventually("labels are known on "+n.name, func() (string, bool) {
				diff := cmp.Diff(steadyKnown(namespace, asks[n], false), n.known(namespace, asks[n]))
				return diff, diff == ""
			})
			for _, pod := range []string{before[n], others[n]} {
				if known := n.known(namespace, pod); len(known) > 0 {
					t.Errorf("%s, %s has not asked for it, and is known: %+v", when, pod, known)
				}
			}
		}
	}
	verify("at first")
	c.kubectl("rollout", "restart", "daemonset/runc-trace", "--namespace=runc-trace")
	c.rolledOut()
	verify("with other agents")
}
