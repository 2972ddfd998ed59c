// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
)

type set = map[string]string

func TestKubernetes(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old server %v", old), func(t *testing.T) {
			api := agenttest.NewAPI(t, "node", old)
			api.Put(agenttest.Pod("a", set{"app": "web"}))
			api.Put(agenttest.Pod("none", nil))
			m := newMemory()
			n := &node{t: t, m: m}
			a := n.start(Config{Kubeconfig: api.Kubeconfig()})
			m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "web"}})
			m.has(t, bpf.SourceKubernetes, "none", bpf.Labels{})
			eventually(t, "ready", func() bool { return a.Ready() == nil })

			// A pod that is scheduled, and one whose labels change; other changes do not count.
			api.Put(agenttest.Pod("b", set{"app": "db"}))
			m.has(t, bpf.SourceKubernetes, "b", bpf.Labels{Set: set{"app": "db"}})
			api.Put(agenttest.Pod("a", set{"app": "web", "tier": "front"}))
			m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "web", "tier": "front"}})
			puts := m.written(bpf.SourceKubernetes, "a")
			annotated := agenttest.Pod("a", set{"app": "web", "tier": "front"})
			annotated.Annotations = set{"x": "y"}
			api.Put(annotated)

			// The connection is lost, and pods change meanwhile.
			api.SetDown(true)
			eventually(t, "not ready", func() bool { return a.Ready() != nil })
			api.Put(agenttest.Pod("b", set{"app": "cache"}))
			api.Put(agenttest.Pod("c", set{"app": "new"}))
			api.SetDown(false)
			m.has(t, bpf.SourceKubernetes, "b", bpf.Labels{Set: set{"app": "cache"}})
			m.has(t, bpf.SourceKubernetes, "c", bpf.Labels{Set: set{"app": "new"}})
			eventually(t, "ready", func() bool { return a.Ready() == nil })

			// The versions that the watch would continue from are expired.
			lists := api.Lists()
			api.SetDown(true)
			api.Delete("c")
			api.Put(agenttest.Pod("d", set{"app": "late"}))
			api.Forget()
			api.SetDown(false)
			m.has(t, bpf.SourceKubernetes, "d", bpf.Labels{Set: set{"app": "late"}})
			m.lacks(t, bpf.SourceKubernetes, "c")
			if now := api.Lists(); now <= lists {
				t.Errorf("%d lists were made before, and %d since", lists, now-lists)
			}
			if now := m.written(bpf.SourceKubernetes, "a"); now != puts {
				t.Errorf("labels that did not change were written %d times more", now-puts)
			}
		})
	}
}

// TestExpiredWatch has the server end a watch as expired while it is running.
func TestExpiredWatch(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	api.Put(agenttest.Pod("a", set{"app": "web"}))
	m := newMemory()
	n := &node{t: t, m: m}
	n.start(Config{Kubeconfig: api.Kubeconfig()})
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "web"}})
	api.Forget()
	api.Put(agenttest.Pod("a", set{"app": "again"}))
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "again"}})
}

// TestNewCredentials replaces the credentials in the file after the server has rejected the old ones.
func TestNewCredentials(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	api.SetToken("first")
	api.Put(agenttest.Pod("a", set{"app": "web"}))
	kubeconfig := api.Kubeconfig()
	m := newMemory()
	n := &node{t: t, m: m}
	a := n.start(Config{Kubeconfig: kubeconfig})
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "web"}})
	api.SetToken("second")
	eventually(t, "not ready", func() bool { return a.Ready() != nil })
	api.Put(agenttest.Pod("a", set{"app": "again"}))
	api.WriteKubeconfig(kubeconfig)
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "again"}})
	if strings.Contains(a.log.String(), "first") || strings.Contains(a.log.String(), "second") {
		t.Errorf("the log shows credentials:\n%s", a.log)
	}
}

func TestMirrorPods(t *testing.T) {
	const static, uuid = "0123456789abcdef0123456789abcdef", "11111111-2222-3333-4444-555555555555"
	const dead = "22222222-2222-3333-4444-555555555555"
	mirror := func(uid, of, owner, label string) *metav1.PartialObjectMetadata {
		p := agenttest.Pod(uid, set{"app": label})
		p.Annotations = set{mirrorAnnotation: of}
		if owner != "" {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: owner, UID: "n"}}
		}
		return p
	}
	api := agenttest.NewAPI(t, "node", false)
	m := newMemory()
	n := &node{t: t, m: m}
	n.start(Config{Kubeconfig: api.Kubeconfig()})
	api.Put(agenttest.Pod(uuid, set{"app": "victim"}))
	api.Put(mirror("m1", static, "node", "true"))
	m.has(t, bpf.SourceKubernetes, static, bpf.Labels{Set: set{"app": "true"}})
	m.has(t, bpf.SourceKubernetes, uuid, bpf.Labels{Set: set{"app": "victim"}})

	// A pod that is not the mirror of a static pod here counts as itself, or not at all, even if it claims to be a
	// pod that no longer exists, whose recordings may be left.
	api.Put(mirror("m2", static, "node", "second"))
	api.Put(mirror("m3", uuid, "node", "liar"))
	api.Put(mirror("m3b", dead, "node", "liar"))
	api.Put(mirror("m4", "feed", "other", "elsewhere"))
	api.Put(mirror("m5", "beef", "", "nobody's"))
	m.has(t, bpf.SourceKubernetes, "m4", bpf.Labels{Set: set{"app": "elsewhere"}})
	m.has(t, bpf.SourceKubernetes, "m5", bpf.Labels{Set: set{"app": "nobody's"}})
	m.has(t, bpf.SourceKubernetes, static, bpf.Labels{Set: set{"app": "true"}})
	m.has(t, bpf.SourceKubernetes, uuid, bpf.Labels{Set: set{"app": "victim"}})
	for _, other := range []string{"m1", "m2", "m3", "m3b", dead, "feed", "beef"} {
		if l, ok := m.set(bpf.SourceKubernetes, other); ok {
			t.Errorf("%s has labels: %v", other, l.Set)
		}
	}

	// The kubelet makes the mirror pod again, and its labels continue.
	api.Delete("m2")
	api.Delete("m1")
	api.Put(mirror("m6", static, "node", "again"))
	m.has(t, bpf.SourceKubernetes, static, bpf.Labels{Set: set{"app": "again"}})
}

func TestHostileLabels(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	many := set{"app": "web"}
	for i := range 5000 {
		many[fmt.Sprintf("k%04d", i)] = strings.Repeat("v", 60)
	}
	api.Put(agenttest.Pod("many", many))
	api.Put(agenttest.Pod("odd", set{"": "x", "a=b": "x", "nul\x00": "x", "v": "\x00", "esc": "\x1b[2J", "ok": "y"}))
	m := newMemory()
	n := &node{t: t, m: m}
	n.start(Config{Kubeconfig: api.Kubeconfig()})
	m.has(t, bpf.SourceKubernetes, "odd", bpf.Labels{Set: set{"esc": "\x1b[2J", "ok": "y"}})
	eventually(t, "some of the many", func() bool {
		l, ok := m.set(bpf.SourceKubernetes, "many")
		return ok && l.Truncated && l.Set["app"] == "web" && len(l.Set) < 100
	})
}

func TestPodsWithoutRoom(t *testing.T) {
	api := agenttest.NewAPI(t, "node", false)
	m := newMemory()
	m.room = 3 // the heartbeat takes one
	n := &node{t: t, m: m}
	a := n.start(Config{Kubeconfig: api.Kubeconfig()})
	for _, uid := range []string{"a", "b"} {
		api.Put(agenttest.Pod(uid, set{"app": uid}))
		m.has(t, bpf.SourceKubernetes, uid, bpf.Labels{Set: set{"app": uid}})
	}
	api.Put(agenttest.Pod("c", set{"app": "c"}))
	eventually(t, "the log says that there is no room", func() bool { return strings.Contains(a.log.String(), "no room") })
	api.Delete("a")
	m.lacks(t, bpf.SourceKubernetes, "a")
	m.has(t, bpf.SourceKubernetes, "c", bpf.Labels{Set: set{"app": "c"}})
}
