// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/test/image"
)

// supervisor restarts containerd whenever it ends, as on nodes without systemd. While the file /run/fussy exists,
// containerd does not start if its configuration names runc-trace.
const supervisor = `
while :; do
	echo start >>/run/starts
	if [ -e /run/fussy ] && grep -q runc-trace /etc/containerd/config.toml; then
		echo "fussy: refused" >>/run/containerd.log
		sleep 0.5
		continue
	fi
	containerd >>/run/containerd.log 2>&1 &
	echo $! >/run/containerd.pid
	wait $!
done
`

const (
	tracectlImage = "docker.io/library/runc-trace:e2e"
	restart       = "--restart-command=kill $(cat /run/$1.pid)"
	message       = "--termination-log=/dev/termination-log"
)

// node is a machine with containerd for pods, without systemd.
type node struct {
	*script
	pods int
}

func newNode(t *testing.T) *node {
	m := newMachine(t, containerds["2.4"].layout)
	for path, text := range containerds["2.4"].config {
		m.write(path, text)
	}
	n := &node{script: &script{machine: m, ids: map[string]string{}}}
	m.start("sh", "-c", supervisor)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last that containerd said:\n%s", m.run("tail", "-n", "20", "/run/containerd.log").Stdout)
		}
	})
	n.ready()
	made, err := image.New(tracectlImage, n.programs(), "/usr/local/bin/tracectl")
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(m.Dir, "tracectl.tar")
	if err := made.Save(archive); err != nil {
		t.Fatal(err)
	}
	for _, archive := range []string{images + "/busybox.tar", images + "/pause.tar", archive} {
		m.must("ctr", "--namespace", "k8s.io", "images", "import", archive)
	}
	return n
}

func (n *node) ready() {
	n.t.Helper()
	eventually(n.t, "containerd is ready", func() bool { return n.run(crictl("version")...).Code == 0 })
}

// programs returns the contents of the project's image as a layer.
func (n *node) programs() []byte {
	n.t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, name := range []string{"tracectl", "runc-trace"} {
		data, err := os.ReadFile(filepath.Join(programs, name))
		if err != nil {
			n.t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: "usr/local/bin/" + name, Mode: 0o755, Size: int64(len(data))}); err != nil {
			n.t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			n.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		n.t.Fatal(err)
	}
	return layer.Bytes()
}

// starts returns how often containerd was started, including failed starts.
func (n *node) starts() int {
	n.t.Helper()
	return strings.Count(n.must("cat", "/run/starts"), "start")
}

// unpinned checks that nothing is pinned.
func (n *node) unpinned() {
	n.t.Helper()
	if o := n.run("ls", "-d", "/sys/fs/bpf/runc-trace"); o.Code == 0 {
		n.t.Error("something is pinned")
	}
}

// pod is a pod of one container, like that of a DaemonSet.
type pod struct {
	*node
	name, sandbox, id string
}

// pod makes a pod. Its PID namespace is the node's (2) or its own (0).
func (n *node) pod(image string, privileged bool, pid int, args ...string) *pod {
	n.t.Helper()
	n.pods++
	name := fmt.Sprintf("pod-%d", n.pods)
	uid := fmt.Sprintf("22222222-2222-3333-4444-%012d", n.pods)
	n.write("/run/messages/"+name, "")
	security := map[string]any{"privileged": privileged, "readonly_rootfs": true,
		"namespace_options": map[string]int{"network": 2, "pid": pid}}
	config := n.criJSON(name, map[string]any{
		"metadata":      map[string]any{"name": name, "namespace": "runc-trace", "uid": uid, "attempt": 0},
		"log_directory": "/run/pods/" + name,
		"linux":         map[string]any{"cgroup_parent": "/kubepods/besteffort/pod" + uid, "security_context": security},
	})
	container := n.criJSON(name+"-container", map[string]any{
		"metadata": map[string]any{"name": "main", "attempt": 0},
		"image":    map[string]string{"image": image},
		"args":     args,
		"command":  map[string][]string{tracectlImage: {"/usr/local/bin/tracectl"}}[image],
		"log_path": "main.log",
		"mounts":   []any{map[string]any{"container_path": "/dev/termination-log", "host_path": "/run/messages/" + name}},
		"linux":    map[string]any{"security_context": security},
	})
	p := &pod{node: n, name: name}
	p.sandbox = n.must(crictl("runp", config)...)
	p.id = n.must(crictl("create", p.sandbox, container, config)...)
	n.must(crictl("start", p.id)...)
	return p
}

// end waits for the pod's container, which may restart containerd. It returns the exit code and the termination
// message.
func (p *pod) end(limit time.Duration) (code int, message string) {
	p.t.Helper()
	var state []string
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		o := p.run(crictl("inspect", "--output", "go-template", "--template",
			"{{.status.state}} {{.status.exitCode}}", p.id)...)
		if state = strings.Fields(o.Stdout); len(state) == 2 && state[0] == "CONTAINER_EXITED" {
			break
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s has not ended after %v: %+v\n%s", p.name, limit, o, p.log())
		}
	}
	code, err := strconv.Atoi(state[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return code, p.must("cat", "/run/messages/"+p.name)
}

// log returns the output of the pod's container.
func (p *pod) log() string { return p.run("cat", "/run/pods/"+p.name+"/main.log").Stdout }

// remove deletes the pod.
func (p *pod) remove() {
	p.t.Helper()
	p.must(crictl("stopp", p.sandbox)...)
	p.must(crictl("rmp", p.sandbox)...)
}

// once runs tracectl in a pod of its own and waits for it.
func (n *node) once(limit time.Duration, args ...string) (code int, message, log string) {
	n.t.Helper()
	p := n.pod(tracectlImage, true, 2, args...)
	code, message = p.end(limit)
	log = p.log()
	p.remove()
	return code, message, log
}

// outside removes tracectl's own state from a tree.
func outside(tree string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(tree, "\n"), func(line string) bool {
		return strings.Contains(line, "var/lib/runc-trace")
	}), "\n")
}

// TestHost installs from pods, first with an engine that refuses the configuration, and uninstalls from pods.
func TestHost(t *testing.T) {
	n := newNode(t)
	before := n.tree()
	install := []string{"install", "--host", "--engine=containerd", "--set-default", "--restart", restart, message}

	// Pods without the necessary rights, and the node itself.
	for _, test := range []struct {
		privileged bool
		pid        int
		words      string
	}{
		{true, 1, "PID 1 is not the host's: the pod needs hostPID: true"},
		{false, 2, "not privileged enough to enter the host's namespaces"},
	} {
		p := n.pod(tracectlImage, test.privileged, test.pid, install...)
		code, said := p.end(30 * time.Second)
		if code != 1 || !strings.Contains(said, test.words) || !strings.Contains(p.log(), test.words) {
			t.Errorf("exit code %d: %q, not %q\n%s", code, said, test.words, p.log())
		}
		p.remove()
	}
	if o := n.run("sh", "-c", programs+"/tracectl install --host; exit $?"); o.Code != 1 ||
		!strings.Contains(o.Stderr, "leave --host out") {
		t.Errorf("on the node itself: %+v", o)
	}

	// An engine that does not start with the new configuration.
	n.write("/run/fussy", "")
	code, said, log := n.once(3*time.Minute, install...)
	for _, words := range []string{"containerd does not work with its new configuration: timed out after 1m0s",
		"connect: ", "everything was put back, and containerd works again, with plain runc"} {
		if code != 1 || !strings.Contains(said, words) {
			t.Errorf("exit code %d, the message does not say %q: %q", code, words, said)
		}
	}
	if !strings.Contains(log, said) {
		t.Errorf("the log does not have the message: %s", log)
	}
	n.ready()
	if diff := cmp.Diff(outside(before), outside(n.tree())); diff != "" {
		t.Errorf("rolled back (-before +after):\n%s", diff)
	}
	n.unpinned()
	starts := n.starts()
	for range 2 {
		began := time.Now()
		code, again, _ := n.once(30*time.Second, install...)
		if code != 1 || again != said {
			t.Errorf("the second try: exit code %d, %q", code, again)
		}
		t.Logf("the same attempt failed after %v", time.Since(began))
	}
	if now := n.starts(); now != starts {
		t.Errorf("containerd was started %d times for nothing", now-starts)
	}

	// An engine that starts with it.
	n.must("rm", "/run/fussy")
	code, said, log = n.once(time.Minute, append(install, "--retry")...)
	if code != 0 || said != "containerd: its default runtime goes through /opt/runc-trace/bin/runc-trace to /usr/sbin/runc (kill $(cat /run/$1.pid))" {
		t.Fatalf("exit code %d: %q\n%s", code, said, log)
	}
	if now := n.starts(); now != starts+1 {
		t.Errorf("containerd was started %d times", now-starts)
	}
	for _, name := range []string{"tracectl", "runc-trace"} {
		n.must("cmp", programs+"/"+name, installed+"/"+name)
	}
	web := n.pod(busyboxImage, false, 1, "/bin/sh", "-c", "echo from the pod; exec /bin/sleep 1000")
	eventually(t, "the container is recorded", func() bool {
		return slices.Equal([]string{"/bin/sh -c echo from the pod; exec /bin/sleep 1000", "/bin/sleep 1000"},
			n.executed(web.id))
	})
	afterwards := n.tree()
	code, said, log = n.once(30*time.Second, install...)
	if code != 0 || !strings.HasSuffix(said, "to /usr/sbin/runc; nothing was changed") || n.starts() != starts+1 {
		t.Errorf("again: exit code %d, %q, %d starts\n%s", code, said, n.starts()-starts, log)
	}
	if diff := cmp.Diff(afterwards, n.tree()); diff != "" {
		t.Errorf("installed again (-before +after):\n%s", diff)
	}
	n.uninstallFromPods(before, web)
}

// uninstallFromPods does the same as the overlay for uninstalling.
func (n *node) uninstallFromPods(before string, web *pod) {
	t := n.t
	uninstall := []string{"uninstall", "--host", restart, "--wait", "--stay", message}
	removed := func(p *pod) int {
		return n.run(crictl("exec", "--sync", p.id, "/usr/local/bin/tracectl", "uninstall", "--host", "--check")...).Code
	}
	starts := n.starts()
	first := n.pod(tracectlImage, true, 2, uninstall...)
	const own = "this pod was itself started through runc-trace"
	eventually(t, "the first pod waits", func() bool { return strings.Contains(first.log(), own) })
	for _, id := range []string{web.id, web.sandbox, first.id, first.sandbox} {
		if !strings.Contains(first.log(), id[:12]) {
			t.Errorf("the log does not name %s:\n%s", id, first.log())
		}
	}
	_, after, _ := strings.Cut(first.log(), own)
	short := func(id string) bool { return strings.Contains(after, id[:12]) }
	if !short(first.id) || !short(first.sandbox) || short(web.id) || short(web.sandbox) {
		t.Errorf("what is the pod's own: %s", after)
	}
	n.ready()
	if n.starts() != starts+1 {
		t.Errorf("containerd was started %d times", n.starts()-starts)
	}
	if code := removed(first); code == 0 {
		t.Error("the pod is ready before all is removed")
	}
	web.remove()
	eventually(t, "what the pod waits for has changed", func() bool { return strings.Count(first.log(), own) == 2 })
	n.must(crictl("stop", "--timeout=10", first.id)...)
	if code, _ := first.end(time.Second); code != 5 {
		t.Errorf("stopped while it waits: exit code %d\n%s", code, first.log())
	}
	first.remove()

	second := n.pod(tracectlImage, true, 2, uninstall...)
	eventually(t, "the second pod is ready", func() bool { return removed(second) == 0 })
	if diff := cmp.Diff(before, n.tree()); diff != "" {
		t.Errorf("uninstalled (-before +after):\n%s", diff)
	}
	n.unpinned()
	n.must(crictl("stop", "--timeout=10", second.id)...)
	if code, said := second.end(time.Second); code != 0 || said != "everything was removed" {
		t.Errorf("stopped when all is done: exit code %d, %q\n%s", code, said, second.log())
	}
	second.remove()
	if n.starts() != starts+1 {
		t.Errorf("containerd was started %d times", n.starts()-starts)
	}
}

// TestHostSignals ends an installation with a signal while it waits for an engine: it first restores everything.
func TestHostSignals(t *testing.T) {
	n := newNode(t)
	before := n.tree()
	n.write("/run/fussy", "")
	p := n.pod(tracectlImage, true, 2, "install", "--host", "--engine=containerd", restart, message)
	eventually(t, "containerd refuses", func() bool {
		return n.run("grep", "-q", "refused", "/run/containerd.log").Code == 0
	})
	// A kubelet cannot send the signal while containerd is down.
	pids := strings.Fields(n.must("pidof", "tracectl"))
	for _, pid := range pids {
		n.must("kill", "-"+strconv.Itoa(int(syscall.SIGTERM)), pid)
	}
	if len(pids) != 2 {
		t.Errorf("processes: %v", pids)
	}
	code, said := p.end(3 * time.Minute)
	if code != 1 || !strings.Contains(said, "everything was put back") {
		t.Errorf("exit code %d: %q\n%s", code, said, p.log())
	}
	p.remove()
	if diff := cmp.Diff(outside(before), outside(n.tree())); diff != "" {
		t.Errorf("rolled back (-before +after):\n%s", diff)
	}
	n.must(programs+"/tracectl", "uninstall")
	if diff := cmp.Diff(before, n.tree()); diff != "" {
		t.Errorf("uninstalled (-before +after):\n%s", diff)
	}
}
