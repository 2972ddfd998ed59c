// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// agentRun is a `tracectl agent` with the same privileges as in its unit or DaemonSet.
type agentRun struct {
	*process
	socket string // the path at which it listens
}

func (x *tracer) agent(flags ...string) *agentRun {
	x.t.Helper()
	socket := filepath.Join(x.t.TempDir(), "agent.sock")
	command := []string{
		"--bounding-set=-all,+bpf,+perfmon", "--inh-caps=-all", "--no-new-privs",
		tracectlPath, "agent", "--node=node", "--listen=unix://" + socket, "--docker-socket=/nowhere", "--no-adopt",
		"--check-socket=" + filepath.Join(filepath.Dir(socket), "check.sock"),
	}
	a := &agentRun{x.spawn("setpriv", append(command, flags...)...), socket}
	x.t.Cleanup(func() { _ = a.cmd.Process.Kill(); _ = a.cmd.Wait() })
	return a
}

// get requests a page. The code is 0 if nothing answers.
func (a *agentRun) get(path string) (code int, text string) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", a.socket) },
	}}
	answer, err := client.Get("http://agent" + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(body)
}

// ready waits until the agent reports that it is ready or, with but, why it is not.
func (a *agentRun) ready(but string) {
	a.t.Helper()
	var last string
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		code, text := a.get("/readyz")
		last = fmt.Sprint(code, " ", text)
		if but == "" && code == http.StatusOK ||
			but != "" && code == http.StatusServiceUnavailable && strings.Contains(text, but) {
			return
		}
		if time.Now().After(end) {
			a.t.Fatalf("readyz says %s\nthe log:\n%s", last, a.read(1))
		}
	}
}

// stop ends the agent as systemd stops a unit. It must end at once.
func (a *agentRun) stop() {
	a.t.Helper()
	before := time.Now()
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		a.t.Fatal(err)
	}
	if o := a.wait(); o.code != 0 || time.Since(before) > 4*time.Second {
		a.t.Errorf("it ended with code %d after %v\n%s", o.code, time.Since(before), o.stderr)
	}
	if _, err := os.Lstat(a.socket); !errors.Is(err, fs.ErrNotExist) {
		a.t.Errorf("its socket is left: %v", err)
	}
}

// labels returns the labels that the store has for a pod.
func (x *tracer) labels(source bpf.LabelSource, name string) map[string]string {
	x.t.Helper()
	s, err := bpf.OpenLabelStore(x.pins)
	if err != nil {
		x.t.Fatal(err)
	}
	defer s.Close()
	var found map[string]string
	err = s.Each(func(of bpf.LabelSource, subject string, l bpf.Labels) bool {
		if of == source && subject == name {
			found = l.Set
		}
		return found == nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return found
}

// hasLabels waits until the store has the wanted labels.
func (x *tracer) hasLabels(source bpf.LabelSource, name string, want map[string]string) {
	x.t.Helper()
	eventually(x.t, fmt.Sprintf("%v has %v of %s", source, want, name), func() bool {
		return cmp.Equal(want, x.labels(source, name))
	})
}

// crowd makes the cgroups of pods, each with a sandbox and a container, and more containers in the first pods.
func (x *tracer) crowd(pods, containers int, made func(pod, sandbox string)) {
	x.t.Helper()
	parent, err := cgroup.Unmade(x.cgroup)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := parent.Make(); err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { parent.Remove() })
	for n := range containers {
		pod, sandbox := fmt.Sprintf("uid-%d", n%pods), fmt.Sprintf("sandbox%d", n%pods)
		id := sandbox
		who := abi.Who{Flags: abi.WhoSandbox}
		if n >= pods {
			id, who.Flags = fmt.Sprintf("container%d", n), abi.WhoRecord
			identity.Put(who.Container[:], "main")
		} else {
			made(pod, sandbox)
		}
		identity.Put(who.ID[:], id)
		identity.Put(who.SandboxID[:], sandbox)
		identity.Put(who.PodUID[:], pod)
		identity.Put(who.Pod[:], pod)
		identity.Put(who.Namespace[:], "default")
		identity.Put(who.Engine[:], "containerd")
		d, err := cgroup.Unmade(x.cgroup + "/" + token + id)
		if err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(func() {
			if err := d.Remove(); err != nil {
				x.t.Error(err)
			}
		})
		if err := d.Register(x.pins, who); err != nil {
			x.t.Fatal(err)
		}
	}
}

// TestAgent checks that the agent adds labels of a container from two sources, and survives all events that can happen
// to it.
func TestAgent(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	api.Put(agenttest.Pod("uid-0", map[string]string{"app": "web"}))
	socket := filepath.Join(t.TempDir(), "cri.sock")
	engine := agenttest.NewCRI(t, socket)
	engine.Put("sandbox0", "uid-0", 1, true, map[string]string{"app": "web", "io.kubernetes.pod.uid": "uid-0"})
	flags := []string{"--kubeconfig=" + api.Kubeconfig(), "--cri-endpoint=" + socket}

	x := prepare(t)
	for range 5 { // it ends cleanly, however early
		a := x.agent(flags...)
		a.ready("nothing is loaded")
		a.stop()
	}
	first := x.agent(flags...)
	first.ready("nothing is loaded")
	load := func() { x.tracectl("load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB") }
	load()
	first.ready("")
	x.hasLabels(bpf.SourceKubernetes, "uid-0", map[string]string{"app": "web"})
	x.crowd(1, 2, func(string, string) {})
	x.hasLabels(bpf.SourceCRI, "uid-0", map[string]string{"app": "web"})

	// A label changes and can be selected.
	api.Put(agenttest.Pod("uid-0", map[string]string{"app": "web", "tier": "front"}))
	x.hasLabels(bpf.SourceKubernetes, "uid-0", map[string]string{"app": "web", "tier": "front"})
	var listed struct {
		Container string            `json:"container"`
		Labels    map[string]string `json:"labels"`
	}
	text := x.tracectl("containers", "-l", "tier=front", "--container", "main", "-o", "json")
	if err := json.Unmarshal([]byte(text), &listed); err != nil || listed.Labels["app"] != "web" {
		t.Errorf("selected by a label that the API server has: %v %+v\n%s", err, listed, text)
	}

	// The second of two agents waits, and takes over when the first one is killed.
	second := x.agent(flags...)
	second.ready("")
	metrics := func(a *agentRun, name, want string) {
		t.Helper()
		_, text := a.get("/metrics")
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
		if line == nil || line[1] != want {
			t.Errorf("%s is %v, want %s\n%s", name, line, want, text)
		}
	}
	metrics(first, "runc_trace_agent_active", "1")
	metrics(second, "runc_trace_agent_active", "0")
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait()
	api.Put(agenttest.Pod("uid-1", map[string]string{"app": "second"}))
	x.hasLabels(bpf.SourceKubernetes, "uid-1", map[string]string{"app": "second"})

	// The programs are replaced, and then unloaded and loaded.
	x.tracectl("load", "--replace", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB")
	api.Put(agenttest.Pod("uid-1", map[string]string{"app": "replaced"}))
	x.hasLabels(bpf.SourceKubernetes, "uid-1", map[string]string{"app": "replaced"})
	x.tracectl("unload")
	second.ready("nothing is loaded")
	load()
	x.hasLabels(bpf.SourceKubernetes, "uid-1", map[string]string{"app": "replaced"})
	second.ready("")
	metrics(second, `runc_trace_identities{state="free"}`, "64")
	metrics(second, `runc_trace_recordings_limit`, "16")
	metrics(second, `runc_trace_dropped_total{reason="noRing"}`, "0")
	metrics(second, `runc_trace_agent_source_up{source="kubernetes"}`, "1")
	metrics(second, `runc_trace_agent_source_up{source="cri"}`, "1")
	if code, text := second.get("/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d %s", code, text)
	}
	second.stop()
	x.hasLabels(bpf.SourceKubernetes, "uid-1", map[string]string{"app": "replaced"})

	// Readers wait for the labels of a new pod while the agent is replaced.
	if text := x.tracectl("status", "-o", "json"); strings.Contains(text, `"seen":null`) {
		t.Errorf("status does not tell when the agent was alive:\n%s", text)
	}
	reader := x.follow("--label=app=late")
	x.runContainer(bundle{id: "late", annotations: pod("late", nil), args: []string{"/bin/true"}})
	x.tell(bpf.SourceKubernetes, "uid-of-late", bpf.Labels{Set: map[string]string{"app": "late"}})
	eventually(t, "the first exec of a pod between two agents is shown", func() bool {
		return strings.Contains(reader.stdout(), "/bin/true")
	})
}

// TestAgentIsSmall measures the agent of a full node: 110 pods, each with labels from two sources, and 250 cgroups.
func TestAgentIsSmall(t *testing.T) {
	const pods, containers = 110, 250
	x := prepare(t)
	x.tracectl("load", "--no-adopt") // the default sizes
	api := agenttest.NewAPI(t, "node", false)
	socket := filepath.Join(t.TempDir(), "cri.sock")
	engine := agenttest.NewCRI(t, socket)
	x.crowd(pods, containers, func(pod, sandbox string) {
		labels := map[string]string{
			"app.kubernetes.io/name": pod, "app.kubernetes.io/instance": "instance", "app.kubernetes.io/component": "server",
			"pod-template-hash": "5d5c8f9b7c", "controller-revision-hash": "7d9f8c6b5d",
		}
		p := agenttest.Pod(pod, labels)
		// Fields that the API server also sends.
		p.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat("x", 4096)}
		api.Put(p)
		engine.Put(sandbox, pod, 1, false, labels)
	})
	a := x.agent("--kubeconfig="+api.Kubeconfig(), "--cri-endpoint="+socket)
	a.ready("")
	last := fmt.Sprintf("uid-%d", pods-1)
	eventually(t, "all labels are there", func() bool {
		return x.labels(bpf.SourceKubernetes, last) != nil && x.labels(bpf.SourceCRI, last) != nil
	})

	window := 5 * time.Second
	if os.Getenv("RUNC_TRACE_SOAK") != "" {
		window = 3 * time.Minute
	}
	before := a.cpu()
	time.Sleep(window)
	idle := a.cpu() - before
	before = a.cpu()
	for range 10 {
		if code, text := a.get("/metrics"); code != http.StatusOK {
			t.Fatalf("metrics: %d %s", code, text)
		}
	}
	scrape := (a.cpu() - before) / 10
	resident := a.kibibytes("VmRSS")
	t.Logf("resident %d KiB (of its own %d, files and shared %d; at most %d); idle for %v: %v of CPU, %.2f%%; a scrape: %v",
		resident, a.kibibytes("RssAnon"), resident-a.kibibytes("RssAnon"), a.kibibytes("VmHWM"), window, idle,
		100*idle.Seconds()/window.Seconds(), scrape)
	if limit := 80 << 10; a.kibibytes("VmHWM") > limit {
		t.Errorf("it took %d KiB, want at most %d", a.kibibytes("VmHWM"), limit)
	}
	a.stop()
}

// cpu returns the CPU time of the process, as the scheduler counts it.
func (a *agentRun) cpu() time.Duration {
	a.t.Helper()
	var total int64
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", a.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		a.t.Fatalf("its threads: %v, %v", tasks, err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			a.t.Fatal(err)
		}
		ran, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			a.t.Fatal(err)
		}
		total += ran
	}
	return time.Duration(total)
}

// kibibytes returns the value of a line in the process's status: see proc_pid_status(5).
func (a *agentRun) kibibytes(name string) int {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	if err != nil {
		a.t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB$`).FindSubmatch(text)
	if line == nil {
		a.t.Fatalf("no %s in\n%s", name, text)
	}
	n, err := strconv.Atoi(string(line[1]))
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

// TestAgentCheck asks an agent that has no more privileges than in a DaemonSet, as its probes do.
func TestAgentCheck(t *testing.T) {
	x := load(t)
	a := x.agent()
	check := func(question string) outcome {
		return x.run(tracectlPath, "agent", question, "--check-socket="+filepath.Join(filepath.Dir(a.socket), "check.sock"))
	}
	eventually(t, "it is alive", func() bool { return check("--check").code == 0 })
	if o := check("--check=ready"); o.code != 1 || !strings.Contains(o.stderr, "no source of labels answers") {
		t.Errorf("ready without a source: %+v", o)
	}
	a.stop()
	if o := check("--check"); o.code != 1 || !strings.Contains(o.stderr, "no such file") {
		t.Errorf("after its end: %+v", o)
	}
}

// TestAgentFollowsRepair checks that an agent writes into the map of labels that a repair made.
func TestAgentFollowsRepair(t *testing.T) {
	x := load(t)
	x.agent()
	seen := func() bool { return !strings.Contains(x.tracectl("status"), "not run since loading") }
	eventually(t, "the agent is seen", seen)
	if err := os.Remove(filepath.Join(x.pins, "labels")); err != nil {
		t.Fatal(err)
	}
	x.tracectl("load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB")
	eventually(t, "the agent is seen after the repair", seen)
}

// TestExecFollowsRepair checks that a reader that follows reads the map of labels that a repair made.
func TestExecFollowsRepair(t *testing.T) {
	x := load(t)
	reader := x.follow("--label=app=web")
	if err := os.Remove(filepath.Join(x.pins, "labels")); err != nil {
		t.Fatal(err)
	}
	x.tracectl("load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB")
	x.tell(bpf.SourceKubernetes, "uid-of-web", bpf.Labels{Set: map[string]string{"app": "web"}})
	runs := 0
	eventually(t, "an exec is shown by a label that was told after the repair", func() bool {
		runs++
		x.runContainer(bundle{id: fmt.Sprint("run", runs), annotations: pod("web", nil), args: []string{"/bin/true"}})
		return strings.Contains(reader.stdout(), "/bin/true")
	})
}
