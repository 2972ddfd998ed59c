// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/test/machine"
)

// traffic makes pods on all nodes, one after another, and deletes those that have ended. Each pod writes a known
// line and ends with a known exit code.
type traffic struct {
	*environment
	namespace string
	begun     time.Time
	stopping  chan struct{}
	stopped   chan struct{}

	mu      sync.Mutex
	pods    map[string]*short // by name
	deleted int
	problem error // error of the traffic itself, which stops it
}

// short is a pod that ends by itself.
type short struct {
	node string
	code int // expected exit code
	end  string
}

// Limits of the traffic: unfinished pods, pods on a node (whose recordings must all be kept), and the duration of a
// pod.
const (
	mostAtATime = 6
	mostOnANode = 80
	patience    = 3 * time.Minute
)

const shortPod = `
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: %[2]s, labels: {traffic: short, name: %[1]s}}
spec:
  nodeName: %[3]s
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, "echo word-of-$0; /bin/true $0; exit $1", %[1]s, "%[4]d"]}
---`

// startTraffic starts it. The pods get a namespace of their own.
func (c *cluster) startTraffic(namespace string) *traffic {
	c.t.Helper()
	tr := &traffic{
		environment: c.environment, namespace: c.namespace(namespace), begun: time.Now(),
		stopping: make(chan struct{}), stopped: make(chan struct{}), pods: map[string]*short{},
	}
	go func() {
		defer close(tr.stopped)
		if err := tr.run(); err != nil {
			tr.mu.Lock()
			tr.problem = err
			tr.mu.Unlock()
		}
	}()
	c.t.Cleanup(tr.stop)
	return tr
}

// stop makes no more pods, and waits until the last ones have ended.
func (tr *traffic) stop() {
	select {
	case <-tr.stopping:
	default:
		close(tr.stopping)
	}
	<-tr.stopped
}

// tell runs a user's kubectl, with an optional manifest as its input.
func (tr *traffic) tell(manifest string, args ...string) (machine.Outcome, error) {
	c := tr.control.Command(tr.user(append([]string{"kubectl", "--namespace=" + tr.namespace}, args...)...)...)
	c.Stdin = strings.NewReader(manifest)
	p, err := tr.control.Start(c)
	if err != nil {
		return machine.Outcome{}, err
	}
	o, err := p.Wait(time.Minute)
	if err == nil && o.Code != 0 {
		err = fmt.Errorf("kubectl %q: exit code %d: %s", args, o.Code, o.Stderr)
	}
	return o, err
}

func (tr *traffic) run() error {
	var deadline time.Time
	for turn := 1; ; turn++ {
		running, err := tr.look()
		if err != nil {
			return err
		}
		select {
		case <-tr.stopping:
			if running == 0 {
				return nil
			}
			if deadline.IsZero() {
				deadline = time.Now().Add(patience)
			}
			if time.Now().After(deadline) {
				return errors.New("pods have not ended")
			}
		default:
			if running+nodeCount <= mostAtATime {
				if turn > mostOnANode {
					return fmt.Errorf("%d pods on each node are more than what is recorded of them can be kept", mostOnANode)
				}
				if err := tr.create(turn); err != nil {
					return err
				}
			} else {
				turn--
			}
		}
		time.Sleep(time.Second)
	}
}

// create makes a pod on each node.
func (tr *traffic) create(turn int) error {
	manifest := ""
	tr.mu.Lock()
	for i := range nodeCount {
		name, code := fmt.Sprintf("short-%d-%d", i, turn), 1+2*turn+i
		tr.pods[name] = &short{node: nodeName(i), code: code}
		manifest += fmt.Sprintf(shortPod, name, tr.namespace, nodeName(i), code)
	}
	tr.mu.Unlock()
	_, err := tr.tell(manifest, "create", "--filename=-")
	return err
}

// look records the pods that have ended, deletes them, and counts the others.
func (tr *traffic) look() (running int, err error) {
	o, err := tr.tell("", "get", "pods", "--output=json")
	if err != nil {
		return 0, err
	}
	var list struct {
		Items []struct {
			Metadata struct{ Name, DeletionTimestamp string }
			Status   struct {
				Phase, Reason, Message string
				ContainerStatuses      []struct {
					RestartCount int
					State        struct {
						Terminated *struct {
							ExitCode        int
							Reason, Message string
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(o.Stdout), &list); err != nil {
		return 0, err
	}
	ended := []string{"delete", "pod", "--wait=false"}
	tr.mu.Lock()
	for _, item := range list.Items {
		status := item.Status
		if item.Metadata.DeletionTimestamp != "" {
			continue
		}
		if status.Phase != "Failed" && status.Phase != "Succeeded" {
			running++
			continue
		}
		end := fmt.Sprintf("%s %s %s", status.Phase, status.Reason, status.Message)
		for _, s := range status.ContainerStatuses {
			if t := s.State.Terminated; t != nil && t.Reason == "Error" && t.Message == "" && s.RestartCount == 0 {
				end = fmt.Sprint(t.ExitCode)
			} else {
				end += fmt.Sprintf(" %+v, restarted %d times", t, s.RestartCount)
			}
		}
		tr.pods[item.Metadata.Name].end = end
		tr.deleted++
		ended = append(ended, item.Metadata.Name)
	}
	tr.mu.Unlock()
	if len(ended) > 3 {
		_, err = tr.tell("", ended...)
	}
	return running, err
}

// goesOn waits until pods that were made after this call have ended on all nodes.
func (tr *traffic) goesOn(t *testing.T, after string) {
	t.Helper()
	const turns = 3
	tr.mu.Lock()
	made := len(tr.pods)
	tr.mu.Unlock()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		tr.mu.Lock()
		// At most this number of pods, made before, can still end.
		ok, problem, deleted := tr.deleted >= made+turns*nodeCount, tr.problem, tr.deleted
		tr.mu.Unlock()
		switch {
		case problem != nil:
			t.Fatalf("after %s: %v", after, problem)
		case ok:
			return
		case time.Now().After(end):
			t.Fatalf("after %s, when %d pods had been made, only %d have ended after %v", after, made, deleted, patience)
		}
	}
}

// verify checks that each pod ended with its exit code, and that it is recorded: its line, its exit code, and its
// execs with their labels.
func (tr *traffic) verify(c *cluster) {
	c.t.Helper()
	tr.stop()
	if tr.problem != nil {
		c.t.Error(tr.problem)
	}
	since := time.Since(tr.begun).Round(time.Second) + time.Minute
	var all []event
	for _, e := range c.execs("--since="+since.String(), "--label=traffic=short") {
		name := e.Labels["name"]
		if len(e.Labels) != 2 || e.Namespace != tr.namespace || e.Pod != name {
			c.t.Errorf("an exec with wrong labels: %+v", e)
		}
		all = append(all, e)
	}
	recordings := map[string][]recording{}
	for _, r := range c.recordings("--label=traffic=short") {
		recordings[r.Pod] = append(recordings[r.Pod], r)
	}
	for name, p := range tr.pods {
		if p.end != fmt.Sprint(p.code) {
			c.t.Errorf("%s on %s has not ended with exit code %d: %s", name, p.node, p.code, p.end)
		}
		// The sandbox's first program is started before the container, but may run later.
		for container, want := range map[string]string{
			"":     "/pause",
			"main": fmt.Sprintf("/bin/sh -c echo word-of-$0; /bin/true $0; exit $1 %s %d|/bin/true %[1]s", name, p.code),
		} {
			var lines, times []string
			for _, e := range all {
				if e.Pod == name && e.Container == container {
					lines, times = append(lines, e.line()), append(times, e.Time.Format(time.RFC3339Nano))
				}
			}
			if got := strings.Join(lines, "|"); got != want {
				c.t.Errorf("the execs of %s's container %q on %s at %q are %q, not %q", name, container, p.node, times, got, want)
			}
		}
		found := recordings[name]
		if len(found) != 1 || found[0].ExitCode == nil || *found[0].ExitCode != p.code || found[0].Node != p.node {
			c.t.Errorf("of %s on %s, which ended with exit code %d, the recordings are %+v", name, p.node, p.code, found)
			continue
		}
		shown := c.node(p.node).tracectl("straceback", "show", found[0].ContainerID)
		for _, call := range []string{`"word-of-` + name + `\n"`, fmt.Sprintf("exit_group(error_code=%d)", p.code)} {
			if strings.Count(shown, call) != 1 {
				c.t.Errorf("what is recorded of %s on %s has %d times %s, and not once:\n%.3000s", name, p.node,
					strings.Count(shown, call), call, shown)
			}
		}
	}
	c.t.Logf("%d pods in %v", len(tr.pods), time.Since(tr.begun).Round(time.Second))
}
