// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
)

func TestCRI(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "cri.sock")
	m := newMemory()
	n := &node{t: t, m: m}
	m.start(0, container{engine: "containerd", id: "before", sandbox: "s0", pod: "u0"})
	a := n.start(Config{CRIEndpoints: []string{"unix://" + socket}})
	eventually(t, "the socket is missed", func() bool {
		err := a.Ready()
		return err != nil && strings.Contains(err.Error(), "socket does not exist")
	})
	engine := agenttest.NewCRI(t, socket)
	eventually(t, "ready", func() bool { return a.Ready() == nil })

	// The kubelet's labels are not labels of the pod. The newer of two sandboxes of a pod counts.
	engine.Put("s0", "u0", 2, false, set{"app": "web", "io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n",
		"io.kubernetes.pod.uid": "u0", "io.kubernetes.container.name": "POD", "io.kubernetes.io/x": "kept"})
	engine.Put("old", "u0", 1, false, set{"app": "old"})
	engine.Put("older", "u0", 0, true, set{"app": "older"})
	m.has(t, bpf.SourceCRI, "u0", bpf.Labels{Set: set{"app": "web", "io.kubernetes.io/x": "kept"}})
	for index, id := range []string{"old", "older"} {
		m.start(10+index, container{engine: "containerd", id: id, sandbox: id, pod: "u0"})
		eventually(t, "it is asked for", func() bool { return engine.Asked(id) > 0 })
	}
	// It asks one after another: when it asks for a third, it has handled the first two.
	engine.Put("later", "later", 1, false, set{"app": "later"})
	m.start(12, container{engine: "containerd", id: "later", sandbox: "later", pod: "later"})
	m.has(t, bpf.SourceCRI, "later", bpf.Labels{Set: set{"app": "later"}})
	m.has(t, bpf.SourceCRI, "u0", bpf.Labels{Set: set{"app": "web", "io.kubernetes.io/x": "kept"}})
	if got := m.written(bpf.SourceCRI, "u0"); got > 2 {
		t.Errorf("labels of two sandboxes of a pod were written %d times", got)
	}

	// A sandbox that is known only some time after it appeared, and is not listed.
	m.start(1, container{engine: "containerd", id: "s1", sandbox: "s1", pod: "claimed"})
	eventually(t, "it is asked for", func() bool { return engine.Asked("s1") > 1 })
	engine.Put("s1", "u1", 3, true, set{"app": "late"})
	m.start(2, container{engine: "containerd", id: "c1", sandbox: "s1", pod: "u1"})
	m.has(t, bpf.SourceCRI, "u1", bpf.Labels{Set: set{"app": "late"}})
	if l, ok := m.set(bpf.SourceCRI, "claimed"); ok {
		t.Errorf("labels of a UID that the engine does not know: %v", l)
	}

	// The engine is restarted.
	engine.Stop()
	eventually(t, "not ready", func() bool { return a.Ready() != nil })
	m.start(3, container{engine: "containerd", id: "c2", sandbox: "s2", pod: "u2"})
	engine.Put("s2", "u2", 4, true, nil)
	engine.Start()
	m.has(t, bpf.SourceCRI, "u2", bpf.Labels{})
	eventually(t, "ready", func() bool { return a.Ready() == nil })
}

// TestNoCRI checks an engine that listens without serving CRI, such as Docker's containerd.
func TestNoCRI(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	n := &node{t: t, m: newMemory()}
	a := n.start(Config{CRIEndpoints: []string{socket}})
	eventually(t, "it is known to serve no CRI", func() bool {
		err := a.Ready()
		return err != nil && strings.Contains(err.Error(), "does not serve CRI")
	})
	if conditions := a.health.conditions(); conditions[bpf.SourceCRI] != off {
		t.Errorf("conditions: %v", conditions)
	}
}

func TestCRIGivesUp(t *testing.T) {
	q := newQueue()
	q.add("gone")
	q.add("not an/ID")
	q.add(strings.Repeat("a", 129))
	now, attempts := time.Now(), 0
	for ; attempts < 100; attempts++ {
		ids, wait := q.due(now)
		if len(ids) == 0 {
			if wait > enough {
				t.Fatalf("the next attempt is in %v", wait)
			}
			if len(q.items) == 0 {
				break
			}
			now = now.Add(wait)
			continue
		}
		if len(ids) != 1 || ids[0] != "gone" {
			t.Fatalf("due: %q", ids)
		}
		q.missing("gone", now)
	}
	if len(q.items) != 0 {
		t.Error("it is asked for without end")
	}
}

func TestDocker(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	docker := agenttest.NewDocker(t, socket)
	docker.Put("aa", `{"Name": "/web", "Config": {"Image": "nginx:1", "Labels": {"app": "web", "com.docker.compose.service": "web"}}}`)
	m := newMemory()
	n := &node{t: t, m: m}
	m.start(0, container{engine: "docker", id: "aa"})
	m.start(1, container{engine: "containerd", id: "bb"})
	a := n.start(Config{DockerSocket: socket})
	m.has(t, bpf.SourceDocker, "aa",
		bpf.Labels{Name: "web", Image: "nginx:1", Set: set{"app": "web", "com.docker.compose.service": "web"}})
	eventually(t, "ready", func() bool { return a.Ready() == nil })

	// Without labels; an invalid answer; an answer that is too long; hostile labels.
	docker.Put("cc", `{"Name": "/plain", "Config": {"Image": "i", "Labels": null}}`)
	docker.Put("dd", `{"Name": 1`)
	docker.Put("ee", `{"Name": "`+strings.Repeat("x", inspectLimit)+`"}`)
	docker.Put("ff", `{"Name": "/f", "Config": {"Image": "i", "Labels": {"a\u0000": "x", "big": "`+
		strings.Repeat("y", 5000)+`", "ok": "\u001b[31m"}}}`)
	for n, id := range []string{"cc", "dd", "ee", "ff"} {
		m.start(2+n, container{engine: "docker", id: id})
	}
	m.has(t, bpf.SourceDocker, "cc", bpf.Labels{Name: "plain", Image: "i"})
	m.has(t, bpf.SourceDocker, "dd", bpf.Labels{Truncated: true})
	m.has(t, bpf.SourceDocker, "ee", bpf.Labels{Truncated: true})
	m.has(t, bpf.SourceDocker, "ff", bpf.Labels{Name: "f", Image: "i", Set: set{"ok": "\x1b[31m"}, Truncated: true})

	// Docker is restarted, with a container that was created meanwhile, and one that the agent would not ask for.
	docker.Stop()
	eventually(t, "not ready", func() bool { return a.Ready() != nil })
	m.start(6, container{engine: "docker", id: "1234"})
	m.start(7, container{engine: "docker", id: "../../secrets"})
	docker.Put("1234", `{"Name": "/late", "Config": {"Image": "i"}}`)
	docker.Start()
	m.has(t, bpf.SourceDocker, "1234", bpf.Labels{Name: "late", Image: "i"})
	if _, ok := m.set(bpf.SourceDocker, "bb"); ok {
		t.Error("Docker was asked for a container of another engine")
	}
}

// TestDockerEvents has containers that are gone before the agent can ask for them.
func TestDockerEvents(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	docker := agenttest.NewDocker(t, socket)
	event := func(action, id, name string, ago time.Duration, more string) {
		docker.Say(fmt.Sprintf(`{"Type":"container","Action":%q,"Actor":{"ID":%q,"Attributes":{"image":"busybox","name":%q%s}},"timeNano":%d}`,
			action, id, name, more, time.Now().Add(-ago).UnixNano()))
	}
	told := func(m *memory, id, name string, labels set) {
		t.Helper()
		m.has(t, bpf.SourceDocker, id, bpf.Labels{Name: name, Image: "busybox", Set: labels})
	}
	m := newMemory()
	n := &node{t: t, m: m}
	// Both existed before the agent; nothing is known about one of them.
	m.start(0, container{engine: "docker", id: "aa"})
	event("create", "aa", "before", time.Hour, "")
	event("create", "bb", "long-gone", time.Hour, "")
	a := n.start(Config{DockerSocket: socket})
	told(m, "aa", "before", nil)
	eventually(t, "events are followed", func() bool { return docker.Followers() == 1 })

	event("create", "cc", "short", 0, `,"app":"web","a=b":"refused"`)
	event("start", "cc", "short", 0, `,"app":"web"`)
	told(m, "cc", "short", set{"app": "web"})
	m.start(1, container{engine: "docker", id: "cc"})
	m.start(5, container{engine: "docker", id: "dd"})
	event("start", "dd", "created-before", 0, "")
	told(m, "dd", "created-before", nil)
	event("rename", "cc", "renamed", 0, `,"app":"web","oldName":"/short"`)
	told(m, "cc", "renamed", set{"app": "web"})

	// A label with the name of an attribute that Docker adds to events can be requested while the container exists.
	docker.Put("ee", `{"Name": "/labelled", "Config": {"Image": "busybox", "Labels": {"name": "UBI", "image": "x"}}}`)
	m.start(4, container{engine: "docker", id: "ee"})
	event("create", "ee", "labelled", 0, "")
	told(m, "ee", "labelled", set{"name": "UBI", "image": "x"})
	event("start", "ee", "labelled", 0, "")

	// Invalid and hostile events.
	for _, line := range []string{"", "{", `{"Action":"create","Actor":{"ID":"../x","Attributes":{"name":"x"}}}`,
		`{"Action":"create","Actor":{"ID":"ff","Attributes":null}}`, strings.Repeat("x", inspectLimit+1)} {
		docker.Say(line)
	}
	// Docker is restarted, and sends the events since then.
	docker.Stop()
	event("create", "gg", "meanwhile", 0, "")
	m.start(3, container{engine: "docker", id: "gg"})
	docker.Start()
	told(m, "gg", "meanwhile", nil)
	told(m, "ee", "labelled", set{"name": "UBI", "image": "x"})
	if l, ok := m.set(bpf.SourceDocker, "bb"); ok {
		t.Errorf("a container of which nothing is known: %+v", l)
	}
	eventually(t, "ready", func() bool { return a.Ready() == nil })

	// A proxy in front of Docker refuses to send events.
	docker.Refuse()
	docker.Stop()
	docker.Start()
	docker.Put("hh", `{"Name": "/asked", "Config": {"Image": "busybox"}}`)
	m.start(2, container{engine: "docker", id: "hh"})
	told(m, "hh", "asked", nil)
	eventually(t, "it is said", func() bool { return strings.Contains(a.log.String(), "refuses to stream its events") })
	if got := strings.Count(a.log.String(), "refuses to stream its events"); got != 1 {
		t.Errorf("it was said %d times", got)
	}
}
