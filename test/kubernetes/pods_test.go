// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJob runs a job of many short pods, several at once.
func TestJob(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("job")
	const pods = 30
	f := c.follow("--wide", "--label=batch.kubernetes.io/job-name=numbers")
	const script = "/bin/true $JOB_COMPLETION_INDEX; exit 0"
	c.applyText(fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: numbers, namespace: %s}
spec:
  completions: %d
  parallelism: 10
  completionMode: Indexed
  template:
    metadata: {labels: {job: short}}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, %q]}]
`, namespace, pods, script))
	c.await(namespace, "job/numbers", "condition=Complete")
	indices := map[string]string{}
	for line := range strings.Lines(c.kubectl("get", "pods", "--namespace="+namespace,
		`--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.batch\.kubernetes\.io/job-completion-index}{"\n"}{end}`)) {
		name, index, _ := strings.Cut(strings.TrimSpace(line), " ")
		indices[name] = index
	}
	want := map[string][]string{}
	for pod, index := range indices {
		want[pod+"/"], want[pod+"/main"] = []string{"/pause"}, []string{"/bin/sh -c " + script, "/bin/true " + index}
	}
	if len(want) != 2*pods {
		t.Fatalf("the job had %d pods: %v", len(want), indices)
	}
	if diff := cmp.Diff(want, c.execsByContainer("--namespace="+namespace)); diff != "" {
		t.Errorf("what the job's pods execute (-want +got):\n%s", diff)
	}
	c.eventually("all execs are printed", func() (string, bool) {
		count := 0
		for _, n := range c.nodes {
			count += len(f.lines(n))
		}
		return fmt.Sprintf("%d are", count), count >= 3*pods
	})
	f.stop()
	if diff := cmp.Diff(want, f.byContainer()); diff != "" {
		t.Errorf("what the job's pods execute, by their label (-want +got):\n%s", diff)
	}
	c.checkLabels(namespace, "kubernetes")
	var recorded []string
	for _, r := range c.recordings("--label=job=short,batch.kubernetes.io/job-name=numbers") {
		recorded = append(recorded, r.Pod)
		if r.ExitCode == nil || *r.ExitCode != 0 {
			t.Errorf("%s is said to have ended with %v", r.Name, r.ExitCode)
		}
		shown := c.tracectl("cluster", "straceback", "show", r.Name, "--syscall=execve")
		if !strings.Contains(shown, `"/bin/true"`) {
			t.Errorf("the recording of %s has no exec of its program:\n%s", r.Name, shown)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(indices)), sorted(recorded)); diff != "" {
		t.Errorf("recordings (-want +got):\n%s", diff)
	}
}

// state holds the fields of `tracectl status -o json` that tests read.
type state struct {
	Memory     int
	Recordings struct{ Live, Ended, Free int }
	ExecLog    struct{ Lost uint64 }
	Dropped    map[string]uint64
}

func (n *node) state() state {
	n.t.Helper()
	var s state
	if err := json.Unmarshal([]byte(n.tracectl("status", "--output=json")), &s); err != nil {
		n.t.Fatal(err)
	}
	return s
}

// TestCrashLoop runs a container that ends again and again: each attempt has its own recording, as far as its pod has a
// share of them, and memory does not grow.
func TestCrashLoop(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("crash-loop")
	n := c.nodes[0]
	before := n.state()
	f := c.follow("--label=crashes=often")
	const crashes = 20
	const script = "n=0; [ -e /count/n ] && read n </count/n; n=$((n+1)); echo $n >/count/n; /bin/true $n; [ $n -gt 20 ] || exit 3"
	c.applyText(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: crashes, namespace: %s, labels: {crashes: often}}
spec:
  nodeName: %s
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 0
  volumes: [{name: count, emptyDir: {}}]
  containers: [{name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, %q], volumeMounts: [{name: count, mountPath: /count}]}]
`, namespace, n.name, script))
	c.await(namespace, "pod/crashes", "jsonpath={.status.phase}=Succeeded")
	want := []string{"/pause"}
	for attempt := range crashes + 1 {
		want = append(want, "/bin/sh -c "+script, "/bin/true "+strconv.Itoa(attempt+1))
	}
	f.await(n, len(want))
	f.stop()
	if diff := cmp.Diff(want, f.args(n)); diff != "" {
		t.Errorf("what the attempts execute, by their label (-want +got):\n%s", diff)
	}
	c.checkLabels(namespace, "kubernetes")
	c.kubectl("delete", "pod", "crashes", "--namespace="+namespace)

	if diff := cmp.Diff(map[string][]string{"crashes": want},
		c.execsByPod("--since=10m", "--label=crashes=often")); diff != "" {
		t.Errorf("what the attempts executed, when the pod is deleted (-want +got):\n%s", diff)
	}
	var codes []int
	for _, r := range c.recordings("--label=crashes=often") {
		if r.ExitCode == nil {
			t.Fatalf("a recording has no exit code: %+v", r)
		}
		codes = append(codes, *r.ExitCode)
	}
	// If all recordings are in use, those of a pod that has more than others are used again, the oldest first.
	kept := len(codes)
	if r := before.Recordings; kept < 2 || kept <= crashes && r.Free > crashes {
		t.Fatalf("%d of %d attempts are recorded; there was room for %d", kept, crashes+1, r.Free)
	}
	if diff := cmp.Diff(append(slices.Repeat([]int{3}, kept-1), 0), codes); diff != "" {
		t.Errorf("exit codes of the recordings (-want +got):\n%s", diff)
	}
	for previous := range kept {
		attempt := fmt.Sprint(crashes + 1 - previous)
		shown := c.tracectl("cluster", "straceback", "show", namespace+"/crashes", "--previous="+strconv.Itoa(previous),
			"--syscall=write,execve")
		if !strings.Contains(shown, `"`+attempt+`\n"`) || strings.Count(shown, `"/bin/true", argv=`) != 1 {
			t.Errorf("--previous=%d does not show attempt %s:\n%s", previous, attempt, shown)
		}
	}
	if o := c.do("tracectl", "cluster", "straceback", "show", namespace+"/crashes",
		"--previous="+strconv.Itoa(kept)); o.Code != 4 {
		t.Errorf("there is one attempt too many: exit code %d\n%s%s", o.Code, o.Stdout, o.Stderr)
	}
	after := n.state()
	if diff := cmp.Diff(before.Dropped, after.Dropped); diff != "" {
		t.Errorf("what was dropped (-before +after):\n%s", diff)
	}
	// Memory for a pod's labels and tasks varies. A recording would take 512 KiB.
	if grown := after.Memory - before.Memory; grown > 128<<10 || after.Recordings.Live > before.Recordings.Live {
		t.Errorf("there are %d bytes of memory more; before there were %+v, after it %+v", grown, before.Recordings, after.Recordings)
	}
}
