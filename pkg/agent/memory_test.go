// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

const (
	sourceEnv   = "RUNC_TRACE_TEST_SOURCE"
	fullNode    = 110      // pods: the default limit of a kubelet
	memoryBound = 80 << 20 // bytes: of the 128 MiB in the manifests, the rest is for parts that this test does not run
)

// TestMemory runs an agent in a process of its own, and checks its peak memory. The node's pods have the largest
// labels, annotations or lists of owners that an API server accepts.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 200 MiB")
	}
	large := set{}
	for i := range 8000 {
		large[fmt.Sprintf("a%05d", i)+strings.Repeat("x", 50)] = strings.Repeat("v", 60)
	}
	owners := make([]metav1.OwnerReference, 3000)
	for i := range owners {
		owners[i] = metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: strings.Repeat("n", 250), UID: "u"}
	}
	for _, test := range []struct {
		name string
		pod  metav1.ObjectMeta
		old  bool // the API server does not stream lists
	}{
		{"labels streamed", metav1.ObjectMeta{Labels: large}, false},
		{"labels listed", metav1.ObjectMeta{Labels: large}, true},
		{"annotations and owners listed", metav1.ObjectMeta{OwnerReferences: owners,
			Annotations: set{"a": strings.Repeat("x", 100<<10), mirrorAnnotation: strings.Repeat("x", 150<<10)}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := agenttest.NewAPI(t, "node", test.old)
			for i := range fullNode {
				p := agenttest.Pod(fmt.Sprintf("pod-%d", i), nil)
				p.Labels, p.Annotations, p.OwnerReferences = test.pod.Labels, test.pod.Annotations, test.pod.OwnerReferences
				api.Put(p)
			}
			measure(t, "kubernetes", api.Kubeconfig())
		})
	}
	t.Run("engines list", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "cri.sock")
		engine := agenttest.NewCRI(t, socket)
		some := set{}
		for i := range 530 { // makes a list just below the limit
			some[fmt.Sprintf("a%05d", i)+strings.Repeat("x", 50)] = strings.Repeat("v", 60)
		}
		for i := range fullNode {
			engine.Put(containerID(i), fmt.Sprintf("pod-%d", i), 1, false, some)
		}
		measure(t, "cri", socket)
	})
	t.Run("engines tell of each", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "cri.sock")
		engine := agenttest.NewCRI(t, socket)
		for i := range fullNode {
			engine.Put(containerID(i), fmt.Sprintf("pod-%d", i), 1, false, large)
		}
		measure(t, "cri", socket)
	})
	t.Run("docker", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "docker.sock")
		docker := agenttest.NewDocker(t, socket)
		text, err := json.Marshal(map[string]any{"Name": "/a", "Config": map[string]any{"Image": "i", "Labels": large}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range fullNode {
			docker.Put(containerID(i), string(text))
		}
		measure(t, "docker", socket)
	})
}

func containerID(i int) string { return fmt.Sprintf("%064x", i) }

// measure runs an agent with one source until it knows all its pods or containers, and checks the peak memory.
func measure(t *testing.T, source, at string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestAgentForMemory$", "-test.v")
	c.Env = append(os.Environ(), sourceEnv+"="+source+"="+at)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("it says %s", out)
	}
	peak, _ := strconv.Atoi(string(found[1]))
	t.Logf("%d MiB at most", peak>>10)
	if peak<<10 > memoryBound {
		t.Errorf("%d MiB at most: more than %d", peak>>10, memoryBound>>20)
	}
}

// TestAgentForMemory is the process of TestMemory.
func TestAgentForMemory(t *testing.T) {
	source, at, ok := strings.Cut(os.Getenv(sourceEnv), "=")
	if !ok {
		t.Skip("TestMemory runs it")
	}
	LimitMemory()
	m := newMemory()
	m.identities = make([]abi.Identity, fullNode)
	n := &node{t: t, m: m}
	var config Config
	of, subject := bpf.SourceKubernetes, func(i int) string { return fmt.Sprintf("pod-%d", i) }
	switch source {
	case "kubernetes":
		config.Kubeconfig = at
	case "cri":
		config.CRIEndpoints = []string{at}
		of = bpf.SourceCRI
	case "docker":
		config.DockerSocket = at
		of, subject = bpf.SourceDocker, containerID
	}
	for i := range fullNode {
		engine := map[string]string{"cri": "containerd", "docker": "docker"}[source]
		m.start(i, container{engine: engine, id: containerID(i), sandbox: containerID(i), pod: fmt.Sprintf("pod-%d", i)})
	}
	n.start(config)
	for i := range fullNode {
		for { // until the parent gives up: there is much to read, and the machine may be busy
			if _, ok := m.set(of, subject(i)); ok {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(status))
}
