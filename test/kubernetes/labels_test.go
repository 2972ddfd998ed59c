// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// asText formats an event as `tracectl exec` does, with one space between columns.
func (e *event) asText() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %d %d %d %s", e.Comm, e.PID, e.PPID, e.Ret, e.line())), " ")
}

// sameTime tolerates small differences of an event's time: two programs compute it, each from its own reading of
// both clocks.
var sameTime = cmpopts.EquateApproxTime(10 * time.Millisecond)

// podsOn returns the names of the pods on a node that match a selector.
func (c *cluster) podsOn(n *node, namespace, selector string) []string {
	c.t.Helper()
	return strings.Fields(c.kubectl("get", "pods", "--namespace="+namespace, "--selector="+selector,
		"--field-selector=spec.nodeName="+n.name,
		"--output=jsonpath={.items[*].metadata.name}"))
}

// TestDemoLabel follows the execs of an application on all nodes by its label, before it runs. The output equals
// the output without a label, reduced to the application's pods.
func TestDemoLabel(t *testing.T) {
	c := use(t)
	c.deploy()
	const demo = "../../install/kubernetes/demo/"
	t.Cleanup(func() {
		c.delete(demo + "myapp.yaml")
		c.delete(demo + "noise.yaml")
	})
	c.apply(demo + "noise.yaml")
	c.kubectl("rollout", "status", "daemonset/noise", "--timeout=300s")
	f := c.follow("--label", "myapp=app-one")
	onNode := map[*node]*follower{}
	for _, n := range c.nodes {
		onNode[n] = n.follow(c, "--label", "myapp=app-one")
	}

	c.apply(demo + "myapp.yaml")
	c.kubectl("rollout", "status", "daemonset/myapp", "--timeout=300s")
	pods := map[*node][]string{}
	for _, n := range c.nodes {
		if pods[n] = c.podsOn(n, "default", "myapp=app-one"); len(pods[n]) != 1 {
			t.Fatalf("the pods of the application on %s are %q", n.name, pods[n])
		}
		// Each turn of the application's loop prints two lines.
		c.eventually("the application has printed something on "+n.name, func() (string, bool) {
			said := c.kubectl("logs", pods[n][0])
			return said, strings.Count(said, "Linux version") >= 3
		})
	}
	turns := map[*node]int{}
	for _, n := range c.nodes {
		turns[n] = strings.Count(c.kubectl("logs", pods[n][0]), "Linux version")
	}
	c.delete(demo + "myapp.yaml")
	c.eventually("the application's pods are gone", func() (string, bool) {
		left := c.kubectl("get", "pods", "--selector=myapp=app-one", "--output=name")
		return left, left == ""
	})
	all := c.execs()
	want, begin := map[*node][]string{}, map[*node]time.Time{}
	own := func(n *node) func(*event) bool {
		return func(e *event) bool { return e.Node == n.name && slices.Contains(pods[n], e.Pod) }
	}
	for _, n := range c.nodes {
		for i := range all {
			if own(n)(&all[i]) {
				want[n] = append(want[n], all[i].asText())
			}
			if begin[n].IsZero() && len(want[n]) > 0 {
				begin[n] = all[i].Time
			}
		}
		f.await(n, len(want[n]))
		onNode[n].await(n, len(want[n]))
		onNode[n].stop()
	}
	f.stop()
	t.Logf("tracectl cluster exec --label myapp=app-one\n%s", f.text())
	for _, n := range c.nodes {
		for who, f := range map[string]*follower{"outside": f, "on the node": onNode[n]} {
			if diff := cmp.Diff(sorted(want[n]), sorted(f.lines(n))); diff != "" {
				t.Errorf("what the application executes on %s, and what is printed by its label %s (-want +got):\n%s", n.name, who, diff)
			}
		}
		// The application's own command line.
		const loop = "/bin/sh -c while /bin/true ; do date ; cat /proc/version ; sleep 1 ; done"
		executed, count := lines(all, own(n)), map[string]int{}
		for _, line := range executed {
			count[line]++
		}
		if len(executed) < 6 || !slices.Equal(executed[:2], []string{"/pause", loop}) ||
			count["/pause"] != 1 || count[loop] != 1 {
			t.Errorf("the application on %s does not begin with its sandbox and its shell, once each: %q", n.name, executed)
		}
		for _, line := range []string{"/bin/true", "/bin/date", "/bin/cat /proc/version", "/bin/sleep 1"} {
			if count[line] < turns[n] {
				t.Errorf("%q was executed %d times on %s, in at least %d turns", line, count[line], n.name, turns[n])
			}
		}
		noise := func(e *event) bool {
			return e.Node == n.name && strings.HasPrefix(e.Pod, "noise-") && e.Time.After(begin[n])
		}
		if len(lines(all, noise)) == 0 {
			t.Errorf("there was no noise on %s", n.name)
		}
	}

	// The pods are gone, but their execs can still be selected by label.
	later := c.execs("--since=10m", "--label=myapp=app-one")
	was := slices.DeleteFunc(slices.Clone(all), func(e event) bool { return e.Labels["myapp"] != "app-one" })
	if diff := cmp.Diff(was, later, sameTime); diff != "" {
		t.Errorf("by the label, after the pods were deleted (-want +got):\n%s", diff)
	}
}

// counting is a pod that executes /bin/true with the numbers from 1 on, from its very first moment.
const counting = `
apiVersion: v1
kind: Pod
metadata: {name: %q, namespace: %q, labels: {%s}}
spec:
  nodeName: %s
  restartPolicy: %s
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, %q]}]
`

// countTo returns the script of such a pod; counted returns its execs, with those of its sandbox.
func countTo(last int) string {
	return fmt.Sprintf("n=0; while [ $n -lt %d ]; do n=$((n+1)); /bin/true $n; done", last)
}

func counted(last int) []string {
	all := []string{"/pause", "/bin/sh -c " + countTo(last)}
	for n := range last {
		all = append(all, fmt.Sprintf("/bin/true %d", n+1))
	}
	return all
}

// execsByPod returns the command lines executed in each pod of a namespace, in order.
func (c *cluster) execsByPod(args ...string) map[string][]string {
	c.t.Helper()
	all := map[string][]string{}
	for _, e := range c.execs(args...) {
		all[e.Pod] = append(all[e.Pod], e.line())
	}
	return all
}

// labelling is what a node knows of a pod's labels.
type labelling struct {
	Labels, Origins map[string]string
	Unlabelled      bool
}

// checkLabels compares the labels known for all containers of pods, including their sandboxes, with those of the
// API server. It returns the names of the containers by pod; the name of a sandbox is empty.
func (c *cluster) checkLabels(namespace, origin string) map[string][]string {
	c.t.Helper()
	var pods struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(c.kubectl("get", "pods", "--namespace="+namespace, "--output=json")),
		&pods); err != nil {
		c.t.Fatal(err)
	}
	want, got := map[string]labelling{}, map[string]labelling{}
	for _, p := range pods.Items {
		l := labelling{Labels: p.Metadata.Labels, Origins: map[string]string{}}
		for name := range l.Labels {
			l.Origins[name] = origin
		}
		want[p.Metadata.Name] = l
	}
	names := map[string][]string{}
	for _, r := range c.containers("--namespace=" + namespace) {
		l := labelling{r.Labels, r.LabelOrigins, r.Unlabelled}
		if before, ok := got[r.Pod]; ok && !cmp.Equal(before, l) {
			c.t.Errorf("containers of the pod %s have different labels: %v and %v", r.Pod, before, l)
		}
		got[r.Pod] = l
		names[r.Pod] = append(names[r.Pod], r.Container)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.t.Errorf("labels of pods in %s, as the API server has them, and as they are known (-want +got):\n%s", namespace, diff)
	}
	return names
}

// succeeded waits until all pods of a namespace have succeeded.
func (c *cluster) succeeded(namespace string) {
	c.t.Helper()
	o := c.do("kubectl", "wait", "pods", "--all", "--namespace="+namespace,
		"--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s")
	if o.Code != 0 {
		c.t.Fatalf("not all pods in %s have succeeded: %s\n%s", namespace, o.Stderr, c.describe(namespace))
	}
}

// TestLabelsFromTheFirstExec selects pods by a selector with several terms before they exist. It finds exactly the
// execs of these pods, at once and after they are gone.
func TestLabelsFromTheFirstExec(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("first-exec")
	const selector, last = "--label=tier in (one,two),!canary", 30
	f := c.follow(selector)
	all, selected := map[string][]string{}, map[string][]string{}
	for _, n := range c.nodes {
		for name, labels := range map[string]string{"one": "tier: one", "two": "tier: two",
			"canary": "tier: one, canary: yes-it-is", "three": "tier: three", "none": ""} {
			pod := name + "-" + n.name
			c.applyText(fmt.Sprintf(counting, pod, namespace, labels, n.name, "Never", countTo(last)))
			all[pod] = counted(last)
			if name == "one" || name == "two" {
				selected[pod] = counted(last)
			}
		}
	}
	c.succeeded(namespace)
	want := sorted(append(counted(last), counted(last)...))
	for _, n := range c.nodes {
		f.await(n, len(want))
	}
	f.stop()
	for _, n := range c.nodes {
		if diff := cmp.Diff(want, sorted(f.args(n))); diff != "" {
			t.Errorf("execs of what is selected on %s (-want +got):\n%s", n.name, diff)
		}
	}
	if diff := cmp.Diff(all, c.execsByPod("--namespace="+namespace)); diff != "" {
		t.Errorf("execs of all pods (-want +got):\n%s", diff)
	}
	c.checkLabels(namespace, "kubernetes")
	containers := c.containers(selector)

	c.kubectl("delete", "pods", "--all", "--namespace="+namespace)
	if diff := cmp.Diff(selected, c.execsByPod("--since=10m", selector)); diff != "" {
		t.Errorf("execs of what was selected, after it was deleted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(containers, c.containers(selector), sameTime); diff != "" {
		t.Errorf("containers that are selected, before and after they were deleted (-before +after):\n%s", diff)
	}
	var recorded []string
	for _, r := range c.recordings(selector) {
		recorded = append(recorded, r.Pod)
		shown := c.tracectl("cluster", "straceback", "show", r.Node+"_"+namespace+"_"+r.Pod, "--syscall=execve")
		if count := strings.Count(shown, `"/bin/true", argv=`); count != last {
			t.Errorf("%s has executed /bin/true %d times, and its recording shows %d:\n%s", r.Pod, last, count, shown)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(selected)), sorted(recorded)); diff != "" {
		t.Errorf("recordings of pods that were deleted (-want +got):\n%s", diff)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
