// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/identity"
)

const tasks = "/run/containerd/io.containerd.runtime.v2.task"

// TestFind reads state written by runc 1.5.2 (below containerd, on a host with the unified hierarchy alone), runc
// 1.1.5 (on a hybrid one) and crun 1.8.1.
func TestFind(t *testing.T) {
	found, problems := Host{Root: "testdata"}.find(100)
	if len(problems) != 0 {
		t.Errorf("problems: %v", problems)
	}
	for i := range found {
		found[i].state = strings.TrimPrefix(found[i].state, "testdata")
	}
	want := []container{
		{
			id: "7b8d3a4c5e6f", bundle: tasks + "/k8s.io/7b8d3a4c5e6f", rootfs: tasks + "/k8s.io/7b8d3a4c5e6f/rootfs",
			cgroup: "/kubepods/pod0f6b/7b8d3a4c5e6f", pid: 1779, start: 1365019,
			annotations: map[string]string{
				"io.kubernetes.cri.container-type":    "sandbox",
				"io.kubernetes.cri.sandbox-id":        "7b8d3a4c5e6f",
				"io.kubernetes.cri.sandbox-name":      "web-0",
				"io.kubernetes.cri.sandbox-namespace": "prod",
				"io.kubernetes.cri.sandbox-uid":       "0f6b",
			},
			state: "/run/containerd/runc/k8s.io/7b8d3a4c5e6f",
		},
		{
			id: "9c0d1e2f3a4b", bundle: tasks + "/k8s.io/9c0d1e2f3a4b", rootfs: tasks + "/k8s.io/9c0d1e2f3a4b/rootfs",
			cgroup: "/kubepods/pod0f6b/9c0d1e2f3a4b", pid: 1847, start: 1365041,
			annotations: map[string]string{
				"io.kubernetes.cri.container-type":    "container",
				"io.kubernetes.cri.sandbox-id":        "7b8d3a4c5e6f",
				"io.kubernetes.cri.sandbox-name":      "web-0",
				"io.kubernetes.cri.sandbox-namespace": "prod",
				"io.kubernetes.cri.sandbox-uid":       "0f6b",
				"io.kubernetes.cri.container-name":    "app",
				"io.kubernetes.cri.image-name":        "docker.io/library/busybox:1",
			},
			state: "/run/containerd/runc/k8s.io/9c0d1e2f3a4b",
		},
		{
			id: "1a2b3c4d5e6f", bundle: tasks + "/moby/1a2b3c4d5e6f", rootfs: tasks + "/moby/1a2b3c4d5e6f/rootfs",
			cgroup: "/docker/1a2b3c4d5e6f", pid: 1950, start: 1365094,
			annotations: map[string]string{}, state: "/run/docker/runtime-runc/moby/1a2b3c4d5e6f",
		},
		{
			// Its annotations imitate a bundle and a second namespace.
			id: "hostile", bundle: "/run/hostile", rootfs: "/run/hostile/rootfs", cgroup: "/hostile", pid: 2015, start: 1365121,
			annotations: map[string]string{
				"bundle": "/run/docker/evil", "io.kubernetes.cri.sandbox-name": "web-0", "esc": "\x1b[2J", "empty": "",
			},
			state: "/run/runc/hostile",
		},
		{
			id: "plain", bundle: "/run/plain", cgroup: "/plain", pid: 3437, start: 1366524,
			annotations: map[string]string{"runc-trace.label/app": "web", "a=b": "c"}, state: "/run/crun/plain",
		},
	}
	if diff := cmp.Diff(want, found, cmp.AllowUnexported(container{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	found, problems = Host{Root: "testdata"}.find(3)
	if len(found) != 3 || len(problems) != 1 || !strings.Contains(problems[0].Error(), "more than 3 containers") {
		t.Errorf("of at most 3: %d, %v", len(found), problems)
	}
	if found, problems := (Host{Root: t.TempDir()}).find(3); len(found)+len(problems) != 0 {
		t.Errorf("of an empty host: %v, %v", found, problems)
	}
}

// TestOtherVersion reads state in which a field that is not needed has another type than in the libraries used
// here.
func TestOtherVersion(t *testing.T) {
	const state = `{"id": "c", "init_process_pid": 7, "init_process_start": 8, "created": "2026-01-02T03:04:05Z", "intel_rdt_path": {"a": 1},
		"cgroup_paths": {"": "/sys/fs/cgroup/x/c"}, "config": {"rootfs": "/r", "umask": "0022", "rlimits": {"nofile": 1}, "labels": ["a=b", "bundle=/b"]}}`
	want := container{bundle: "/b", annotations: map[string]string{"a": "b"}, rootfs: "/r",
		cgroup: "/x/c", pid: 7, start: 8}
	if got, err := parseRunc([]byte(state)); err != nil || !cmp.Equal(want, got, cmp.AllowUnexported(container{})) {
		t.Errorf("runc's: %+v, %v", got, err)
	}
	const status = `{"pid": 7, "process-start-time": 8, "cgroup-path": "/x/c", "bundle": "/b"}`
	const config = `{"process": {"user": 5, "args": "sh"}, "root": {"path": "/r"}, "linux": [], "annotations": {"a": "b"}}`
	if got, err := parseCrun([]byte(status), []byte(config)); err != nil ||
		!cmp.Equal(want, got, cmp.AllowUnexported(container{})) {
		t.Errorf("crun's: %+v, %v", got, err)
	}
	if got, err := parseRunc([]byte(`{"init_process_pid": "7", "init_process_start": 8, "cgroup_paths": {"": "/sys/fs/cgroup/x/c"}}`)); err == nil {
		t.Errorf("a PID of another type: %+v", got)
	}
	if got, err := parseRunc([]byte(state[:len(state)-1])); err == nil {
		t.Errorf("half a state: %+v", got)
	}
}

func TestParse(t *testing.T) {
	runc := func(text string) (container, error) { return parseRunc([]byte(text)) }
	crun := func(status string) (container, error) { return parseCrun([]byte(status), []byte(`{}`)) }
	for _, test := range []struct {
		name   string
		parse  func(string) (container, error)
		text   string
		cgroup string // expected result, or
		err    string
	}{
		{"systemd's scope", runc,
			`{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/a.slice/cri-containerd-b.scope"}}`,
			"/a.slice/cri-containerd-b.scope", ""},
		{"a cgroup called unified", runc, `{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/unified/a"}}`, "/unified/a", ""},
		{"a hybrid host", runc, `{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/unified/a","pids":"/sys/fs/cgroup/pids/a"}}`, "/a", ""},
		{"no unified hierarchy", runc,
			`{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"pids":"/sys/fs/cgroup/pids/a"}}`, "",
			"no cgroup of its own"},
		{"the root", runc, `{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/"}}`, "", "no cgroup of its own"},
		{"the root in a roundabout way", runc,
			`{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/a/.."}}`, "",
			"no cgroup of its own"},
		{"somewhere else", runc, `{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/../../../etc"}}`, "", "no cgroup of its own"},
		{"no process", runc, `{"init_process_pid":-1,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/a"}}`, "", "its process is PID -1"},
		{"no start", runc, `{"init_process_pid":7,"cgroup_paths":{"":"/sys/fs/cgroup/a"}}`, "",
			"its process is PID 7, started at 0"},
		{"a NUL", runc, `{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/a\u0000b"}}`, "", `its cgroup is "/a\x00b"`},
		{"half a file", runc, `{"init_process_pid":7,`, "", "unexpected end"},
		{"another type", runc, `{"init_process_pid":"7"}`, "", "no cgroup of its own"},
		{"nothing", runc, ``, "", "unexpected end"},
		// As in libcrun_cgroup_enter_systemd of crun's src/libcrun/cgroup-systemd.c.
		{"crun below a scope", crun,
			`{"pid":7,"process-start-time":8,"cgroup-path":"/machine.slice/libpod-a.scope/container","scope":"libpod-a.scope"}`,
			"/machine.slice/libpod-a.scope", ""},
		{"crun deeper below a scope", crun,
			`{"pid":7,"process-start-time":8,"cgroup-path":"/machine.slice/libpod-a.scope/x/y","scope":"libpod-a.scope"}`,
			"/machine.slice/libpod-a.scope", ""},
		{"crun in a scope", crun,
			`{"pid":7,"process-start-time":8,"cgroup-path":"/machine.slice/libpod-a.scope","scope":"libpod-a.scope"}`,
			"/machine.slice/libpod-a.scope", ""},
		{"crun in another scope", crun,
			`{"pid":7,"process-start-time":8,"cgroup-path":"/machine.slice/b.scope","scope":"a.scope"}`,
			"/machine.slice/b.scope", ""},
		{"crun without a cgroup", crun, `{"pid":7,"process-start-time":8,"cgroup-path":"","scope":""}`,
			"", `its cgroup is "/"`},
		{"an old crun", crun, `{"pid":7,"cgroup-path":"/a"}`, "", "started at 0"},
	} {
		got, err := test.parse(test.text)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: error %v, want one with %q", test.name, err, test.err)
			}
		} else if err != nil || got.cgroup != test.cgroup {
			t.Errorf("%s: cgroup %q, error %v; want %q", test.name, got.cgroup, err, test.cgroup)
		}
	}
}

// TestGarbage puts other files into the state directories: they are reported, and all containers are still found.
func TestGarbage(t *testing.T) {
	root := t.TempDir()
	state := filepath.Join(root, "run/runc")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	good := `{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/a"}}`
	for name, text := range map[string]string{"good": good, "half": good[:40], "bad name": good, ".hidden": good} {
		must(os.MkdirAll(filepath.Join(state, name), 0o755))
		must(os.WriteFile(filepath.Join(state, name, runcState), []byte(text), 0o644))
	}
	for _, name := range []string{"being-created", "pipe", "link", "directory", "huge"} {
		must(os.Mkdir(filepath.Join(state, name), 0o755))
	}
	must(unix.Mkfifo(filepath.Join(state, "pipe", runcState), 0o644))
	must(os.Symlink(filepath.Join(state, "good", runcState), filepath.Join(state, "link", runcState)))
	must(os.Mkdir(filepath.Join(state, "directory", runcState), 0o755))
	must(os.WriteFile(filepath.Join(state, "huge", runcState), nil, 0o644))
	must(os.Truncate(filepath.Join(state, "huge", runcState), stateLimit+1))
	must(os.WriteFile(filepath.Join(state, "a-file"), nil, 0o644))
	must(os.WriteFile(filepath.Join(root, "run/crun"), nil, 0o644))

	found, problems := Host{Root: root}.find(100)
	if len(found) != 1 || found[0].id != "good" {
		t.Errorf("found %+v", found)
	}
	var told []string
	for _, err := range problems {
		_, name, _ := strings.Cut(err.Error(), `"`)
		name, _, _ = strings.Cut(name, `"`)
		told = append(told, name)
	}
	if diff := cmp.Diff([]string{"directory", "half", "huge", "link", "pipe"}, sorted(told)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// FuzzParse checks that any state file that is accepted names one cgroup below the hierarchy's root.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"init_process_pid":7,"init_process_start":8,"cgroup_paths":{"":"/sys/fs/cgroup/a/../b"},"config":{"labels":["a=b","a=c","bundle=/x"]}}`,
		`{"pid":7,"process-start-time":8,"cgroup-path":"//a/../b.scope/container","scope":"b.scope","bundle":"/x"}`,
	} {
		f.Add(seed, `{"annotations":{"a":"b"}}`)
	}
	f.Fuzz(func(t *testing.T, text, config string) {
		runc, err := parseRunc([]byte(text))
		hold(t, runc, err)
		crun, err := parseCrun([]byte(text), []byte(config))
		hold(t, crun, err)
	})
}

func hold(t *testing.T, c container, err error) {
	t.Helper()
	if err != nil {
		return
	}
	if c.cgroup == "/" || !path.IsAbs(c.cgroup) || path.Clean(c.cgroup) != c.cgroup || strings.ContainsRune(c.cgroup, 0) ||
		c.pid <= 0 || c.start == 0 {
		t.Errorf("%+v", c)
	}
	identity.Parse(c.id, c.annotations, c.bundle, identity.Rules{})
}
