// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// measured skips the test unless measurements are requested, since they take minutes.
func measured(t *testing.T) {
	t.Helper()
	if os.Getenv("RUNC_TRACE_BENCH") != "1" {
		t.Skip("not run: `make bench-k8s` measures what runc-trace costs on a node")
	}
}

// idle is a pod that does nothing.
const idle = `
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: %[2]s, labels: {app: idle, number: "%[1]s"}}
spec:
  nodeName: node-0
  runtimeClassName: %[3]s
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "1000000"]}
---`

// usage is the resources that a process has used.
type usage struct {
	cpu           time.Duration
	resident, own int // KiB in memory, and those of them that are not file pages
}

func (n *node) usage(pid string) usage {
	n.t.Helper()
	stat := n.must("cat", "/proc/"+pid+"/stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // fields from the third one on
	var u usage
	for _, field := range fields[14-3 : 16-3] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			n.t.Fatal(err)
		}
		u.cpu += time.Duration(ticks) * time.Second / 100
	}
	status := n.must("cat", "/proc/"+pid+"/status")
	for name, to := range map[string]*int{"VmRSS": &u.resident, "RssAnon": &u.own} {
		found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindStringSubmatch(status)
		if found == nil {
			n.t.Fatalf("there is no %s in %s", name, status)
		}
		*to, _ = strconv.Atoi(found[1])
	}
	return u
}

// TestAgentCost measures the agent on a node with 60 idle pods for a minute.
func TestAgentCost(t *testing.T) {
	measured(t)
	const pods, span = 60, time.Minute
	begin := time.Now()
	c := use(t)
	t.Logf("the cluster is up after %v, if this is its first test", time.Since(begin).Round(100*time.Millisecond))
	c.deploy()
	namespace := c.namespace("cost")
	manifest := ""
	for i := range pods {
		manifest += fmt.Sprintf(idle, fmt.Sprintf("idle-%d", i), namespace, "null")
	}
	begin = time.Now()
	c.applyText(manifest)
	c.kubectl("wait", "--for=condition=Ready", "pods", "--all", "--namespace="+namespace, "--timeout=300s")
	t.Logf("%d pods run after %v", pods, time.Since(begin).Round(time.Second))
	n := c.nodes[0]
	c.eventually("all are known by their labels", func() (string, bool) {
		count := strings.Count(n.tracectl("containers", "--label=app=idle", "--output=json"), "\n") + 1
		return fmt.Sprint(count), count == 2*pods
	})
	pid := n.agentPID()
	before := n.usage(pid)
	time.Sleep(span)
	after := n.usage(pid)
	cpu := float64(after.cpu-before.cpu) / float64(span) * 100
	t.Logf("the agent, %d pods and so %d containers: %.2f%% of a CPU, %d KiB resident, %d KiB of them its own; %d KiB at the start of the minute",
		pods, 2*pods, cpu, after.resident, after.own, before.resident)
	if cpu > 5 || after.resident > 64<<10 {
		t.Error("that is more than 5% of a CPU, or more than 64 MiB")
	}
}

// starts returns how long containerd took to start the sandboxes and containers of each pod.
func starts(t *testing.T, n *node) (sandboxes, containers map[string]time.Duration) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(logs, n.name+"-containerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^time="([^"]+)" level=info msg="(.*)"$`)
	pod := regexp.MustCompile(`^RunPodSandbox for name:\\"([^\\]+)\\"(?:.* returns sandbox id \\"(\w+))?`)
	created := regexp.MustCompile(`^CreateContainer within sandbox \\"(\w+)\\" .* returns container id \\"(\w+)`)
	started := regexp.MustCompile(`^StartContainer for \\"(\w+)\\"( returns)?`)
	sandboxes, containers = map[string]time.Duration{}, map[string]time.Duration{}
	begins, pods := map[string]time.Time{}, map[string]string{}
	for l := range strings.Lines(string(text)) {
		m := line.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil {
			continue
		}
		switch f := pod.FindStringSubmatch(m[2]); {
		case f != nil && f[2] == "":
			begins[f[1]] = at
		case f != nil:
			sandboxes[f[1]], pods[f[2]] = at.Sub(begins[f[1]]), f[1]
		}
		if f := created.FindStringSubmatch(m[2]); f != nil {
			pods[f[2]] = pods[f[1]]
		}
		switch f := started.FindStringSubmatch(m[2]); {
		case f != nil && f[2] == "":
			begins[f[1]] = at
		case f != nil:
			containers[pods[f[1]]] = at.Sub(begins[f[1]])
		}
	}
	return sandboxes, containers
}

// TestStartCost compares how long pods take to start with and without runc-trace, alternating.
func TestStartCost(t *testing.T) {
	measured(t)
	const pairs = 40
	c := use(t)
	c.undeploy()
	c.loadImage()
	const overlay = "../../install/kubernetes/overlays/opt-in"
	t.Cleanup(func() {
		c.delete(overlay)
		c.undeploy()
	})
	c.deployed = true
	c.apply(overlay)
	c.rolledOut()
	namespace := c.namespace("starts")
	variants := []struct{ name, class string }{{"plain", "null"}, {"traced", "runc-trace"}, {"control", "null"}}
	for i := range pairs {
		for j := range variants {
			v := variants[(i+j)%len(variants)]
			name := fmt.Sprintf("%s-%d", v.name, i)
			c.applyText(fmt.Sprintf(idle, name, namespace, v.class))
			c.await(namespace, "pod/"+name, "condition=Ready")
		}
		c.kubectl("delete", "pods", "--all", "--namespace="+namespace)
	}
	sandboxes, containers := starts(t, c.nodes[0])
	for what, took := range map[string]map[string]time.Duration{"sandbox": sandboxes, "container": containers} {
		var plain, traced, ratios, control []float64
		for i := range pairs {
			of := func(name string) float64 {
				d, ok := took[fmt.Sprintf("%s-%d", name, i)]
				if !ok {
					t.Fatalf("how long the %s of %s-%d took is not known", what, name, i)
				}
				return float64(d) / float64(time.Millisecond)
			}
			plain, traced = append(plain, of("plain")), append(traced, of("traced"))
			ratios, control = append(ratios, of("traced")/of("plain")), append(control, of("control")/of("plain"))
		}
		t.Logf("%s: %.1f ms by runc, %.1f ms by runc-trace; of %d pairs the ratio is %s, and that of the control %s",
			what, quantile(plain, 0.5), quantile(traced, 0.5), pairs, spread(ratios), spread(control))
		if quantile(ratios, 0.5) > 1.5*quantile(control, 0.5) {
			t.Errorf("a %s takes more than half as long again", what)
		}
	}
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// spread formats the median and the quartiles around it.
func spread(values []float64) string {
	return fmt.Sprintf("%.3f (%.3f to %.3f)", quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75))
}
