// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
)

func TestSweep(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "cri.sock")
	engine := agenttest.NewCRI(t, socket)
	engine.Put("s-here", "here", 1, false, set{"a": "1"}) // a sandbox that is not recorded
	api := agenttest.NewAPI(t, "node", false)
	for _, uid := range []string{"here", "ended", "gone"} {
		api.Put(agenttest.Pod(uid, set{"app": uid}))
	}
	m := newMemory()
	// Labels left by a previous agent.
	for _, s := range []subject{
		{bpf.SourceKubernetes, "long gone"}, {bpf.SourceCRI, "long gone"}, {bpf.SourceDocker, "long gone"},
		{bpf.SourceCRI, "ended"}, {bpf.SourceDocker, "c-ended"}, {9, "of a later version"},
	} {
		if err := m.Put(s.source, s.name, bpf.Labels{Set: set{"left": "1"}}); err != nil {
			t.Fatal(err)
		}
	}
	m.start(0, container{engine: "docker", id: "c-ended", pod: "ended"})
	m.end(0)
	n := &node{t: t, m: m}
	a := n.start(Config{Kubeconfig: api.Kubeconfig(), CRIEndpoints: []string{socket}})
	m.has(t, bpf.SourceKubernetes, "gone", bpf.Labels{Set: set{"app": "gone"}})
	api.Delete("ended")
	api.Delete("gone")
	for _, s := range []subject{{bpf.SourceKubernetes, "gone"}, {bpf.SourceKubernetes, "long gone"},
		{bpf.SourceCRI, "long gone"}, {bpf.SourceDocker, "long gone"}} {
		m.lacks(t, s.source, s.name)
	}
	a.swept(t)
	m.has(t, bpf.SourceKubernetes, "here", bpf.Labels{Set: set{"app": "here"}})
	m.has(t, bpf.SourceCRI, "here", bpf.Labels{Set: set{"a": "1"}})
	m.has(t, bpf.SourceKubernetes, "ended", bpf.Labels{Set: set{"app": "ended"}})
	m.has(t, bpf.SourceCRI, "ended", bpf.Labels{Set: set{"left": "1"}})
	m.has(t, bpf.SourceDocker, "c-ended", bpf.Labels{Set: set{"left": "1"}})
	m.has(t, 9, "of a later version", bpf.Labels{Set: set{"left": "1"}})
	if puts := m.written(bpf.SourceCRI, "here"); puts != 1 {
		t.Errorf("labels of a sandbox that is not traced were written %d times", puts)
	}

	// The slot of the ended container is reused: now nothing is known about it.
	m.start(0, container{engine: "containerd", id: "other", pod: "here"})
	m.lacks(t, bpf.SourceKubernetes, "ended")
	m.lacks(t, bpf.SourceCRI, "ended")
	m.lacks(t, bpf.SourceDocker, "c-ended")
}

// TestSweepKeepsWhatItCannotKnow keeps the labels of a pod that may be about to start, which only a previous agent
// knew.
func TestSweepKeepsWhatItCannotKnow(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	api.SetDown(true)
	m := newMemory()
	if err := m.Put(bpf.SourceKubernetes, "coming", bpf.Labels{Set: set{"app": "web"}}); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, m: m}
	a := n.start(Config{Kubeconfig: api.Kubeconfig()})
	eventually(t, "not ready", func() bool {
		err := a.Ready()
		return err != nil && strings.Contains(err.Error(), "down")
	})
	a.swept(t)
	m.has(t, bpf.SourceKubernetes, "coming", bpf.Labels{Set: set{"app": "web"}})
}

func TestKilledAndStartedAgain(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	api.Put(agenttest.Pod("a", set{"app": "a"}))
	api.Put(agenttest.Pod("b", set{"app": "b"}))
	m := newMemory()
	n := &node{t: t, m: m}
	first := n.start(Config{Kubeconfig: api.Kubeconfig()})
	m.has(t, bpf.SourceKubernetes, "b", bpf.Labels{Set: set{"app": "b"}})
	m.start(0, container{engine: "containerd", id: "c", pod: "a"})
	first.kill()
	if _, ok := m.set(bpf.SourceAgent, ""); !ok {
		t.Fatal("who is killed takes nothing back")
	}
	eventually(t, "its last heartbeat is old", func() bool { return m.age(bpf.SourceAgent, "") > 4*pace.heartbeat })
	m.has(t, bpf.SourceKubernetes, "b", bpf.Labels{Set: set{"app": "b"}})
	api.Delete("a")
	api.Delete("b")
	api.Put(agenttest.Pod("c", set{"app": "c"}))

	second := n.start(Config{Kubeconfig: api.Kubeconfig()})
	m.has(t, bpf.SourceKubernetes, "c", bpf.Labels{Set: set{"app": "c"}})
	m.lacks(t, bpf.SourceKubernetes, "b")
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "a"}})
	eventually(t, "its heart beats", func() bool { return m.age(bpf.SourceAgent, "") < 2*pace.heartbeat })
	second.end()
	if _, ok := m.set(bpf.SourceAgent, ""); !ok {
		t.Error("readers cannot tell when an agent that ended was alive")
	}
}

func TestTwoAgents(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	m := newMemory()
	n := &node{t: t, m: m}
	first := n.start(Config{Kubeconfig: api.Kubeconfig()})
	eventually(t, "the first one is ready", func() bool { return first.Ready() == nil })
	lists := api.Lists()
	second := n.start(Config{Kubeconfig: api.Kubeconfig()})
	eventually(t, "the second one waits", func() bool { return strings.Contains(second.log.String(), "another agent") })
	if err := second.Ready(); err != nil {
		t.Errorf("the node is served, but %v", err)
	}
	if api.Lists() != lists {
		t.Error("the second one works, too")
	}
	first.kill()
	api.Put(agenttest.Pod("a", set{"app": "a"}))
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "a"}})
	if got := strings.Count(second.log.String(), "another agent"); got != 1 {
		t.Errorf("it was said %d times", got)
	}
}

func TestLoadedAnew(t *testing.T) {
	var adopted atomic.Int32
	api := agenttest.NewAPI(t, "node", false)
	api.Put(agenttest.Pod("a", set{"app": "a"}))
	n := &node{t: t}
	a := n.start(Config{Kubeconfig: api.Kubeconfig(), Adopt: func(context.Context, string) (int, error) {
		adopted.Add(1)
		return 3, errors.New("one of four could not be")
	}})
	says := func(what, words string) {
		t.Helper()
		eventually(t, what, func() bool {
			err := a.Ready()
			return err == nil && words == "" || err != nil && words != "" && strings.Contains(err.Error(), words)
		})
	}
	says("nothing is loaded", "nothing is loaded")
	for range 2 {
		m := newMemory()
		n.load(m)
		says("ready", "")
		m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "a"}})
	}
	n.load(nil)
	says("it is unloaded", "nothing is loaded")
	if err := a.Alive(); err != nil {
		t.Error(err)
	}
	if adopted.Load() != 2 {
		t.Errorf("containers were adopted %d times, want twice", adopted.Load())
	}
	log := a.log.String()
	for words, want := range map[string]int{"waiting for programs": 2, "one of four": 2, "the programs were unloaded": 2} {
		if got := strings.Count(log, words); got != want {
			t.Errorf("%q was said %d times, want %d:\n%s", words, got, want, log)
		}
	}
}

func TestAlive(t *testing.T) {
	n := &node{t: t}
	a := n.start(Config{})
	a.end()
	a.beat.Store(-int64(time.Minute))
	if err := a.Alive(); err == nil {
		t.Error("a loop that stopped a minute ago is alive")
	}
}
