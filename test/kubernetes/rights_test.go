// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/test/machine"
)

// rights returns all rights of a service account.
func (c *cluster) rights(account string) []string {
	c.t.Helper()
	// The namespace is that of the DaemonSet, in which it has the most rights.
	text := c.kubectl("auth", "can-i", "--list", "--no-headers", "--namespace=runc-trace",
		"--as=system:serviceaccount:"+account,
		"--as-group=system:serviceaccounts", "--as-group=system:serviceaccounts:runc-trace",
		"--as-group=system:authenticated")
	var all []string
	for line := range strings.Lines(text) {
		all = append(all, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(all)
	return all
}

// TestRights checks that watching pods is the only right that an agent has beyond everybody's, and that `tracectl
// cluster` needs the rights of a reader.
func TestRights(t *testing.T) {
	c := use(t)
	c.deploy()
	want := append(c.rights("runc-trace:nobody"), "pods [] [] [list watch]")
	slices.Sort(want)
	if diff := cmp.Diff(want, c.rights("runc-trace:runc-trace")); diff != "" {
		t.Errorf("what the agent may do (-want +got):\n%s", diff)
	}

	as := func(user string, groups ...string) func(args ...string) machine.Outcome {
		if err := c.authority.client(user, user, groups...); err != nil {
			t.Fatal(err)
		}
		return func(args ...string) machine.Outcome {
			return c.do(append([]string{"env", "KUBECONFIG=" + c.authority.file(user+".kubeconfig"), "tracectl", "cluster"},
				args...)...)
		}
	}
	reader, other := as("a-reader", "runc-trace:readers"), as("another-user", "developers")
	for _, verb := range [][]string{{"status"}, {"containers"}, {"exec", "--no-follow"}, {"straceback", "list"}} {
		o := reader(append(verb, "--output=json")...)
		succeeded(t, o, verb...)
		for _, n := range c.nodes {
			if !strings.Contains(o.Stdout, `"node":"`+n.name+`"`) {
				t.Errorf("%q as a reader prints nothing of %s: %.1000s", verb, n.name, o.Stdout)
			}
		}
	}
	o := other("status")
	for _, words := range []string{"list pods", "runc-trace-reader", "another-user"} {
		if o.Code != 1 || !strings.Contains(o.Stderr, words) {
			t.Errorf("as another user, the exit code is %d, and what is said does not name %q: %s", o.Code, words, o.Stderr)
		}
	}

	// A user with the right to see the agents, but not to run anything in them.
	c.kubectl("create", "rolebinding", "looker", "--namespace=runc-trace", "--clusterrole=view", "--group=lookers")
	t.Cleanup(func() { c.kubectl("delete", "rolebinding", "looker", "--namespace=runc-trace", "--ignore-not-found") })
	o = as("a-looker", "lookers")("status")
	for _, words := range []string{"pods/exec", "runc-trace-reader", "a-looker"} {
		if o.Code != 1 || !strings.Contains(o.Stderr, words) {
			t.Errorf("as one who may list pods, the exit code is %d, and what is said does not name %q: %s", o.Code, words, o.Stderr)
		}
	}
}
