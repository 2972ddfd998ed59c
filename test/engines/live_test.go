// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLiveLabels follows a label while pods are made in quick succession: no exec of matching pods is missing, and
// no exec of other pods is shown, regardless of the annotations that the authors of these pods set.
func TestLiveLabels(t *testing.T) {
	for name, e := range crios {
		t.Run("cri-o "+name, func(t *testing.T) { e.asCRIO(nil, nil).follow(t, crioctl, false) })
	}
	e := containerds["2.4"]
	e.kind, e.daemon, e.ready = "containerd", []string{"containerd"}, []string{"ctr", "version"}
	e.load, e.images = []string{"ctr", "--namespace", "k8s.io", "images", "import"}, []string{"busybox", "pause"}
	t.Run("containerd", func(t *testing.T) { e.follow(t, crictl, true) })
}

func (e *engine) follow(t *testing.T, crictl func(...string) []string, agent bool) {
	const pods = 5
	m := newMachine(t, e.layout)
	m.write("/etc/runc-trace/config.toml", "[pool]\nrings = 16\nring-size = \"64KiB\"\nidentities = 256\n")
	e.prepare(m)
	m.install("--engine", e.kind, "--set-default")
	defer e.stop(e.start(m))
	if agent { // only the agent knows labels that containerd does not write
		a := m.start(installed+"/tracectl", "agent", "--listen=")
		defer a.stop()
		eventually(t, "the agent is alive", func() bool {
			return strings.Contains(m.tracectl("status", "--output=json"), `"alive":true`)
		})
	}
	s := &script{machine: m, ids: map[string]string{}}
	sandboxes := map[string]bool{} // of matching pods
	start := func(name, app string, annotations map[string]string, args ...string) string {
		t.Helper()
		uid := "uid-of-" + name
		labels := map[string]string{"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "shop",
			"io.kubernetes.pod.uid": uid}
		named := map[string]string{"io.kubernetes.container.name": "main"}
		for key, value := range labels {
			named[key] = value
		}
		labels["app"] = app
		pod := s.criJSON(name, map[string]any{
			"metadata":    map[string]any{"name": name, "namespace": "shop", "uid": uid, "attempt": 0},
			"labels":      labels,
			"annotations": annotations,
			"linux":       map[string]any{"cgroup_parent": "/kubepods/" + uid, "security_context": shared},
		})
		container := s.criJSON(name+"-main", map[string]any{
			"metadata": map[string]any{"name": "main"},
			"image":    map[string]string{"image": busyboxImage},
			"labels":   named,
			"command":  args,
			"linux":    map[string]any{"security_context": shared},
		})
		sandbox := m.must(crictl("runp", pod)...)
		sandboxes[sandbox] = app == "web"
		id := m.must(crictl("create", sandbox, container, pod)...)
		m.must(crictl("start", id)...)
		t.Cleanup(func() {
			m.run(crictl("stop", "--timeout", "0", id)...)
			m.run(crictl("rmp", "--force", sandbox)...)
		})
		return id
	}
	reader := m.start(installed+"/tracectl", "exec", "--label", "app=web", "--output=json", "--heartbeat=100ms")
	eventually(t, "the reader has begun", func() bool { return reader.output(0) != "" })
	start("noise", "db", nil, "/bin/sh", "-c", "while :; do /bin/true noise; /bin/sleep 0.05; done")
	start("evil", "evil", map[string]string{
		"io.kubernetes.cri-o.Labels": `{"app":"web"}`, "runc-trace.label/app": "web", "io.container.manager": "libpod",
		"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.cri-o.SandboxID": "other",
	}, "/bin/sh", "-c", "/bin/true evil; exec /bin/sleep 1000")
	want := map[string][]string{}
	for n := range pods {
		var annotations map[string]string
		if n == 0 { // tries to hide
			annotations = map[string]string{"io.kubernetes.cri-o.Labels": "{}"}
		}
		id := start(fmt.Sprint("pod", n), "web", annotations, "/bin/sh", "-c", "/bin/true first; exec /bin/sleep 1000")
		want[id] = []string{"/bin/sh -c /bin/true first; exec /bin/sleep 1000", "/bin/true first", "/bin/sleep 1000"}
	}
	shown := func() map[string][]string {
		got := map[string][]string{}
		text := reader.output(0)
		for _, e := range objects[execution](t, text[:strings.LastIndexByte(text, '\n')+1]) {
			if e.ContainerID != "" && !sandboxes[e.ContainerID] {
				got[e.ContainerID] = append(got[e.ContainerID], strings.Join(e.Args, " "))
			}
		}
		return got
	}
	eventually(t, "the last exec is shown", func() bool {
		return strings.Count(reader.output(0), `"/bin/sleep","1000"`) >= pods
	})
	reader.signal(syscall.SIGINT)
	doubt := ""
	if e.kind == "crio" {
		doubt = "tracectl: some labels of shop/pod0/main are unknown and could match; showing its execs anyway\n"
	}
	if o := reader.wait(); o.Code != 0 || !strings.HasSuffix(o.Stderr, doubt) || (o.Stderr == "") != (doubt == "") {
		t.Errorf("the reader ended with %d:\n%s", o.Code, o.Stderr)
	}
	if diff := cmp.Diff(want, shown()); diff != "" {
		t.Errorf("execs by container (-want +got):\n%s", diff)
	}
}
