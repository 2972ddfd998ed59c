// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fussy replaces a node's containerd. It refuses to start while the configuration names runc-trace, unless the
// configuration is also marked as repaired.
const fussy = `#!/bin/sh
if grep -q runc-trace /etc/containerd/config.toml && ! grep -q repaired /etc/containerd/config.toml; then
	echo refused >>/run/containerd.starts
	echo "fussy: this containerd refuses its configuration" >&2
	sleep 0.5
	exit 1
fi
echo started >>/run/containerd.starts
exec /usr/bin/containerd "$@"
`

// TestRejection deploys runc-trace while the containerd of one node does not work with it: that node is restored,
// reports the failure, and is left alone; the other node is installed.
func TestRejection(t *testing.T) {
	c := use(t)
	c.undeploy()
	other, n := c.nodes[0], c.nodes[1]
	const wrapper = "/usr/local/sbin/containerd"
	if err := n.Write(wrapper, fussy); err != nil {
		t.Fatal(err)
	}
	n.must("chmod", "755", wrapper)
	t.Cleanup(func() {
		c.undeploy()
		n.must("rm", wrapper)
		if err := n.Write("/etc/containerd/config.toml", containerdConfig); err != nil {
			t.Error(err)
		}
		n.restartContainerd()
	})
	namespace := c.namespace("rejection")
	n.restartContainerd()
	before := c.steady(namespace, "before", "")[n]
	was, files := c.runs(namespace, before), n.files()
	n.must("rm", "/run/containerd.starts")
	starts := func() (started, refused int) {
		text := n.must("cat", "/run/containerd.starts")
		return strings.Count(text, "started"), strings.Count(text, "refused")
	}
	c.loadImage()
	c.deployed = true
	c.apply(base)

	// The kubelet restarts the pod again and again, but containerd is not restarted again.
	var message string
	tried := func(times int) {
		t.Helper()
		c.eventually(fmt.Sprintf("the kubelet has tried the install step %d times", times), func() (string, bool) {
			found := c.kubectl("get", "pods", "--namespace=runc-trace", "--field-selector=spec.nodeName="+n.name,
				"--output=jsonpath={.items[0].status.initContainerStatuses[0].restartCount} {.items[0].status.initContainerStatuses[0].lastState.terminated.message}")
			count, text, _ := strings.Cut(found, " ")
			message = text
			return found, len(count) == 1 && count >= fmt.Sprint(times) && text != ""
		})
	}
	tried(1)
	// When its configuration is restored, its supervisor may start containerd just before the install step restarts it.
	started, refused := starts()
	if started < 1 || started > 2 || refused == 0 {
		t.Errorf("containerd was started %d times after it refused %d times; want once or twice", started, refused)
	}
	tried(2)
	for _, words := range []string{"containerd did not load its new configuration",
		"everything was put back, and containerd works again, with plain runc", "are not tried again without --retry"} {
		if !strings.Contains(message, words) {
			t.Errorf("the install step's message does not say %q: %s", words, message)
		}
	}
	if again, refusals := starts(); again != started || refusals != refused {
		t.Errorf("containerd was started %d times and refused to %d times, and by the next attempt %d and %d times", started, refused, again, refusals)
	}
	// The attempt is recorded below /var/lib/runc-trace.
	const memory = "/var/lib/runc-trace"
	without := func(tree string) string {
		var kept []string
		for line := range strings.Lines(tree) {
			if !strings.Contains(line, memory) {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	if diff := cmp.Diff(without(files), without(n.files())); diff != "" {
		t.Errorf("files of %s (-before +after):\n%s", n.name, diff)
	}
	if pins := n.pins(); pins != "" {
		t.Errorf("on %s there is still\n%s", n.name, pins)
	}
	if now := c.runs(namespace, before); now != was {
		t.Errorf("%s was disturbed: %s, before: %s", before, now, was)
	}
	after := c.steady(namespace, "after", "")
	if known := other.known(namespace, after[other]); len(known) != 2 || known[0].Adopted || known[1].Adopted {
		t.Errorf("on %s, which is not fussy, this is known of %s: %+v", other.name, after[other], known)
	}

	// A changed configuration allows another attempt.
	n.must("sh", "-c", "echo '# repaired' >>/etc/containerd/config.toml")
	c.kubectl("delete", "pods", "--namespace=runc-trace", "--field-selector=spec.nodeName="+n.name)
	c.rolledOut()
	c.eventually(after[n]+" is adopted", func() (string, bool) {
		known := n.known(namespace, after[n])
		return fmt.Sprintf("%+v", known), len(known) == 2 && known[0].Adopted && known[1].Adopted
	})
}
