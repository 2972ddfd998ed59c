// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
)

// host creates a directory with these files that looks like a host. All files are executable. A text "-> NAME" makes a
// hard link, and a path that ends in "/" a directory. Its programs print their own names and arguments.
func host(t *testing.T, files ...string) engine.Host {
	t.Helper()
	root := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name, text := filepath.Join(root, files[i]), files[i+1]
		dir := filepath.Dir(name)
		if strings.HasSuffix(files[i], "/") {
			dir = name
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Link(filepath.Join(root, target), name)
		} else if dir != name {
			err = os.WriteFile(name, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return engine.Host{Root: root, Run: func(_ context.Context, program string, args ...string) ([]byte, error) {
		if strings.Contains(program, "broken") {
			return nil, errors.New("broken")
		}
		return []byte("\n" + program + " " + strings.Join(args, " ") + "\nmore\n"), nil
	}}
}

func TestCgroupFacts(t *testing.T) {
	const v1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
	v2 := func(at string) string { return "41 31 0:38 / " + at + " rw,relatime - cgroup2 cgroup2 rw\n" }
	for mounts, want := range map[string]Cgroups{
		"":                                       {},
		"23 1 254:0 / / rw - ext4 /dev/vda rw\n": {},
		v2("/sys/fs/cgroup"):                     {"/sys/fs/cgroup", false},
		v1:                                       {"", true},
		v1 + v2("/sys/fs/cgroup/unified"):        {"/sys/fs/cgroup/unified", true},
		v2("/mnt") + v1:                          {"/mnt", true},
		v2("/sys/fs/cgroup/unified") + v2("/a"):  {"/sys/fs/cgroup/unified", false},
		v2("/a") + v2("/sys/fs/cgroup"):          {"/sys/fs/cgroup", false},
	} {
		if diff := cmp.Diff(want, cgroupFacts(host(t, "proc/self/mountinfo", mounts))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", mounts, diff)
		}
	}
}

func TestRunning(t *testing.T) {
	a, b, c, d := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64), strings.Repeat("d", 64)
	const unified = "sys/fs/cgroup/unified"
	h := host(t,
		"proc/1/cgroup", "2:cpu:/\n0::/init.scope\n",
		"proc/20/cgroup", "2:cpu:/docker/"+a+"\n0::/docker/"+a+"\n",
		"proc/21/cgroup", "2:cpu:/docker/"+a+"\n0::/docker/"+a+"/child\n", // the same container
		"proc/22/cgroup", "0::/system.slice/cri-containerd-"+b+".scope/container\n",
		"proc/23/cgroup", "0::/machine.slice/libpod-conmon-"+b[1:]+"c.scope\n",
		"proc/24/cgroup", "2:cpu:/"+c+"\n0::/\n", // not in a cgroup of the unified hierarchy
		"proc/25/cgroup", "0::/user.slice/user-1000.slice/libpod-"+d+".scope\n",
		"proc/26/cgroup", "0::/../"+d+"\n", // seen from a cgroup namespace
		"proc/27/other", "", "proc/version", "",
		unified+"/docker/"+a+"/child/", "", unified+"/system.slice/", "",
	)
	ids := func(paths ...string) []uint64 {
		var ids []uint64
		for _, path := range paths {
			var stat syscall.Stat_t
			if err := syscall.Stat(filepath.Join(h.Root, unified, path), &stat); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, stat.Ino)
		}
		return ids
	}
	layout := Cgroups{Unified: "/" + unified, V1: true}
	want := []Running{
		{a, "/docker/" + a, ids("docker/"+a, "docker", "")},
		{b, "/system.slice/cri-containerd-" + b + ".scope/container", nil}, // its directory does not exist
		{c, "/", ids("")},
		{d, "", nil},
	}
	if diff := cmp.Diff(want, running(h, layout)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ids("docker/"+a+"/child", "docker/"+a, "docker", ""), cgroupsOf(h, layout, 21)); diff != "" {
		t.Errorf("of a process (-want +got):\n%s", diff)
	}
	if ids := append(cgroupsOf(h, layout, 0), cgroupsOf(h, layout, 99)...); ids != nil {
		t.Errorf("of no process: %v", ids)
	}
}

func TestKernelFacts(t *testing.T) {
	for modes, want := range map[string]string{"[none] integrity confidentiality\n": "none",
		"none integrity [confidentiality]\n": "confidentiality", "": ""} {
		got := kernelFacts(host(t, "sys/kernel/security/lockdown", modes), Self{})
		if got.Lockdown != want || got.BTF || got.Release == "" {
			t.Errorf("%q: %+v", modes, got)
		}
	}
	if got := kernelFacts(host(t, "sys/kernel/btf/vmlinux", ""), Self{}); !got.BTF || got.Trial != nil {
		t.Errorf("%+v", got)
	}
}

func TestKubeletDriver(t *testing.T) {
	for text, want := range map[string]string{
		"kind: KubeletConfiguration\ncgroupDriver: systemd\n": "systemd",
		`{"cgroupDriver": "cgroupfs"}`:                        "cgroupfs",
		"a: b":                                                "",
		"\t:":                                                 "",
	} {
		if got := kubeletDriver(host(t, "var/lib/kubelet/config.yaml", text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := kubeletDriver(host(t)); got != "" {
		t.Errorf("without a kubelet: %q", got)
	}
}

func TestUnitFacts(t *testing.T) {
	h := host(t)
	h.Run = func(context.Context, string, ...string) ([]byte, error) {
		return []byte("Before=a.service b.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"), nil
	}
	want := Unit{Load: "loaded", File: "enabled", Active: "active", Before: []string{"a.service", "b.service"}}
	if diff := cmp.Diff(want, unitFacts(t.Context(), h)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrograms(t *testing.T) {
	t.Setenv("PATH", "/usr/bin:relative")
	h := host(t,
		"opt/runc-trace/bin/runc-trace", "shim", "usr/bin/runc-trace", "older", "here/runc-trace", "-> usr/bin/runc-trace",
		"opt/runc-trace/bin/runc-trace-crun", "-> opt/runc-trace/bin/runc-trace",
		"usr/bin/copy", "shim", "usr/bin/runc", "older", "sbin/runc", "real", "usr/bin/crun/", "", "usr/bin/broken", "x",
	)
	shims := programs(h, shimPaths(h, "/here"))
	c := config.Config{Runtime: config.Runtime{"runc", "never"}, Runtimes: map[string]string{
		"copy": "/usr/bin/copy", "dir": "/usr/bin/crun", "broken": "/usr/bin/broken", "none": "/none",
	}}
	runtimes := runtimeFacts(t.Context(), h, c, shims)
	for i, r := range runtimes {
		if r.Err != nil && r.Err.Error() == "broken" {
			runtimes[i].Err = nil
		}
	}
	want := []Runtime{
		{"", config.Runtime{"runc", "never"}, "/sbin/runc", false, "/sbin/runc --version", nil},
		{"broken", config.Runtime{"/usr/bin/broken"}, "/usr/bin/broken", false, "", nil},
		{"copy", config.Runtime{"/usr/bin/copy"}, "/usr/bin/copy", true, "", nil},
		{"dir", config.Runtime{"/usr/bin/crun"}, "", false, "", nil},
		{"none", config.Runtime{"/none"}, "", false, "", nil},
	}
	if diff := cmp.Diff(want, runtimes); diff != "" {
		t.Errorf("runtimes (-want +got):\n%s", diff)
	}
	wantShims := []Shim{
		{"/here/runc-trace", 0o755, uint32(os.Getuid()), true, "env RUNC_TRACE_CONFIG=/c /here/runc-trace --version", nil},
		{"/opt/runc-trace/bin/runc-trace", 0o755, uint32(os.Getuid()), false,
			"env RUNC_TRACE_CONFIG=/c /opt/runc-trace/bin/runc-trace --version", nil},
	}
	if diff := cmp.Diff(wantShims, shimFacts(t.Context(), h, Configuration{Path: "/c"}, shims)); diff != "" {
		t.Errorf("shims (-want +got):\n%s", diff)
	}
	silent := h
	silent.Run = func(context.Context, string, ...string) ([]byte, error) { return []byte("\n"), nil }
	if _, err := version(t.Context(), silent, "/x"); err == nil || err.Error() != "/x printed nothing" {
		t.Errorf("a program that says nothing: %v", err)
	}
}

func TestEngineFacts(t *testing.T) {
	const shim = "/opt/runc-trace/bin/runc-trace"
	docker := func(name, program, standard string) string {
		return fmt.Sprintf(`{"runtimes": {%q: {"path": %q}}, "default-runtime": %q}`, name, program, standard)
	}
	for _, test := range []struct {
		daemon string
		want   Engine
	}{
		{docker("runc-trace", shim, "runc-trace"), Engine{Use: engine.Use{Default: true, Runtimes: []string{"runc-trace"}}}},
		{docker("runc-trace", shim, "runc"), Engine{Use: engine.Use{Runtimes: []string{"runc-trace"}}}},
		{docker("other", "/usr/bin/copy", "other"), Engine{Use: engine.Use{Default: true}}},
		{docker("other", "/gone/runc-trace", "other"), Engine{Use: engine.Use{Default: true}, Missing: true}},
		{docker("other", "/gone", "other"), Engine{Missing: true}},
		{"{}", Engine{}},
	} {
		h := host(t, shim, "shim", "usr/bin/copy", "shim", "usr/bin/dockerd", "", "usr/bin/runc", "real",
			"etc/docker/daemon.json", test.daemon)
		engines, err := engineFacts(t.Context(), h, []string{shim}, programs(h, []string{shim}))
		if len(engines) != 1 || err != nil {
			t.Fatalf("%s: %+v, %v", test.daemon, engines, err)
		}
		test.want.Engine = engines[0].Engine
		if diff := cmp.Diff(test.want, engines[0], cmpopts.IgnoreUnexported(engine.Engine{}),
			cmpopts.IgnoreFields(Engine{}, "Reload", "Untraced")); diff != "" || engines[0].Kind != engine.Docker {
			t.Errorf("%s (-want +got):\n%s", test.daemon, diff)
		}
	}
	flagged, err := engineFacts(t.Context(), host(t, shim, "shim", "usr/bin/dockerd", "",
		"etc/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd --add-runtime crun=/usr/bin/crun\n",
		"etc/docker/daemon.json", docker("runc-trace", shim, "runc-trace")), []string{shim}, nil)
	if err != nil || len(flagged) != 1 {
		t.Fatal(flagged, err)
	}
	if diff := cmp.Diff([]engine.Runtime{{Name: "crun", Path: "/usr/bin/crun"}}, flagged[0].Loses); diff != "" {
		t.Errorf("runtimes that a reload loses (-want +got):\n%s", diff)
	}
	broken, err := engineFacts(t.Context(), host(t, "usr/bin/dockerd", "", "etc/docker/daemon.json", "{",
		"usr/bin/podman", ""), nil, nil)
	if err == nil || len(broken) != 1 || broken[0].Kind != engine.Podman {
		t.Errorf("a broken configuration of Docker: %v, %v", broken, err)
	}
}

// answers is an API with one answer to each question.
type answers struct {
	answer string
	err    error
}

func (a answers) Get(context.Context, string, string) ([]byte, error) { return []byte(a.answer), a.err }

func (a answers) Status(context.Context, string) (map[string]string, error) { return nil, a.err }

// TestRunningEngine asks the running engine, and no other.
func TestRunningEngine(t *testing.T) {
	const shim = "/opt/runc-trace/bin/runc-trace"
	const routed = `{"DefaultRuntime": "runc-trace", "Runtimes": {"runc": {"path": "runc"}, "runc-trace": {"path": "` + shim + `"}}}`
	for _, test := range []struct {
		name string
		runs bool
		api  answers
		want *engine.Use
		err  string
	}{
		{"stopped", false, answers{answer: routed}, nil, ""},
		{"it has read it", true, answers{answer: routed}, &engine.Use{Default: true, Runtimes: []string{"runc-trace"}}, ""},
		{"it has not", true, answers{answer: `{"DefaultRuntime": "runc", "Runtimes": {"runc": {"path": "runc"}}}`},
			&engine.Use{}, ""},
		{"no answer", true, answers{err: errors.New("connection refused")}, nil,
			"asking docker for its runtimes: connection refused"},
		{"an answer that is none", true, answers{answer: "<html>"}, nil,
			"asking docker for its runtimes: reading its answer: "},
		{"no such question", true, answers{err: engine.ErrNoAnswer}, nil, ""},
	} {
		h := host(t, "usr/bin/dockerd", "", "usr/bin/runc", "real", shim, "shim",
			"etc/docker/daemon.json", `{"default-runtime": "runc-trace", "runtimes": {"runc-trace": {"path": "`+shim+`"}}}`,
			"proc/7/stat", "7 (dockerd) S 1 7")
		h.API = test.api
		if test.runs {
			if err := os.Symlink("/usr/bin/dockerd", filepath.Join(h.Root, "proc/7/exe")); err != nil {
				t.Fatal(err)
			}
		}
		engines, err := engineFacts(t.Context(), h, []string{shim}, programs(h, []string{shim}))
		if len(engines) != 1 || err != nil {
			t.Fatalf("%s: %+v, %v", test.name, engines, err)
		}
		if diff := cmp.Diff(test.want, engines[0].Running); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if got := engines[0].RunningErr; (got == nil) != (test.err == "") ||
			got != nil && !strings.HasPrefix(got.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.name, got, test.err)
		}
	}
}

// TestGather examines this host, and an empty one.
func TestGather(t *testing.T) {
	h := host(t)
	known := Facts{Configuration: Configuration{Path: "/c", Config: config.Default()},
		PinDir: PinDir{Path: "/sys/fs/bpf/x"}}
	empty := Gather(t.Context(), h, known)
	if len(empty.Engines)+len(empty.Running) != 0 || empty.Cgroups != (Cgroups{}) || empty.Systemd || empty.Kernel.BTF {
		t.Errorf("of nothing: %+v", empty)
	}
	here := Gather(t.Context(), engine.Host{Root: "/", Run: Command}, known)
	if here.Cgroups.Unified == "" || !here.Kernel.BTF || here.Self.UID != os.Getuid() || !here.PinDir.Default ||
		here.Clock.Now.IsZero() {
		t.Errorf("of this host: %+v", here)
	}
	if checks := Checks(here); len(checks) < 10 {
		t.Errorf("%d checks: %+v", len(checks), checks)
	}
}

func TestCommand(t *testing.T) {
	for _, test := range []struct {
		script, output, problem string
	}{
		{"echo a; echo b >&2", "a\n", ""},
		{"echo a; echo b >&2; echo c >&2; exit 3", "a\n", "running sh: exit status 3: b"},
		{"exit 3", "", "running sh: exit status 3"},
		{"echo a; sleep 100", "a\n", "running sh: timed out: context deadline exceeded"},
		{"sleep 20 & echo a", "a\n", ""}, // it keeps the output open
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		text, err := Command(ctx, "sh", "-c", test.script)
		cancel()
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if string(text) != test.output || problem != test.problem || time.Since(began) > 15*time.Second {
			t.Errorf("%s: %q, %q after %v", test.script, text, problem, time.Since(began))
		}
	}
	text, err := Command(t.Context(), "sh", "-c", "head -c 2000000 /dev/zero")
	if len(text) != 1<<20 || err != nil {
		t.Errorf("of 2 MB %d bytes are kept, %v", len(text), err)
	}
	if _, err := Command(t.Context(), "/no/such/program"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}
