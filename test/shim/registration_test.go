// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/unified"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// TestRegistration compares the whole entry that the shim leaves with the expected one.
func TestRegistration(t *testing.T) {
	p := makePins(t, nil)
	fake := fakeRuntime(t)
	directory := t.TempDir()
	write(t, filepath.Join(directory, "relative.json"), `{"linux": {"cgroupsPath": "some/where", "namespaces": [{"type": "pid"}]}}`)
	write(t, filepath.Join(directory, "config.json"), `{
		"annotations": {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-name": "mypod", "mine/app": "web"},
		"linux": {"cgroupsPath": "kubepods-burstable-pod1.slice:cri-containerd:c", "namespaces": [{"type": "mount"}]}
	}`)
	sandbox := t.TempDir()
	write(t, filepath.Join(sandbox, "config.json"), `{"annotations": {"io.kubernetes.cri.container-type": "sandbox"}, "linux": {"namespaces": [{"type": "mount", "path": "/proc/self/ns/mnt"}]}}`)
	large := t.TempDir()
	write(t, filepath.Join(large, "config.json"), `{"process": {"env": ["X=`+strings.Repeat("x", 20<<20)+
		`"]}, "linux": {"cgroupsPath": "/large"}}}what an overwritten file left behind`)
	var namespace syscall.Stat_t
	if err := syscall.Stat("/proc/self/ns/mnt", &namespace); err != nil {
		t.Fatal(err)
	}
	crun := filepath.Join(filepath.Dir(fake), "crun")
	if err := os.Link(fake, crun); err != nil {
		t.Fatal(err)
	}

	annotations := map[string]string{"io.kubernetes.cri.container-type": "container",
		"io.kubernetes.cri.sandbox-name": "mypod", "mine/app": "web"}
	rules := identity.Rules{Prefixes: []string{"mine/"}}
	inSlices := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-c.scope"
	for _, test := range []struct {
		name, runtime, config string
		args                  []string
		leaf, path            string
		who                   abi.Who
		mounts                bool
		relative              bool
	}{
		{
			"systemd", fake, "[labels]\nprefixes = [\"mine/\"]",
			[]string{"--systemd-cgroup", "create", "--bundle", directory, "c"},
			"cri-containerd-c.scope", inSlices, identity.Parse("c", annotations, directory, rules), true, false,
		},
		{
			"cgroupfs, as run makes it of the same words", fake, "[labels]\nprefixes = [\"mine/\"]",
			[]string{"run", "c", "-b", directory},
			"kubepods-burstable-pod1.slice:cri-containerd:c", "/kubepods-burstable-pod1.slice:cri-containerd:c",
			identity.Parse("c", annotations, directory, rules), true, true,
		},
		{
			"restore", fake, "", []string{"--systemd-cgroup=true", "restore", "-b=" + directory, "c"},
			"cri-containerd-c.scope", inSlices, identity.Parse("c", annotations, directory, identity.Rules{}), true, false,
		},
		{
			"a sandbox without a path, in the runtime's own mount namespace", fake, "", []string{"create", "--bundle", sandbox, "s"},
			"s", "/s", identity.Parse("s", map[string]string{"io.kubernetes.cri.container-type": "sandbox"}, sandbox,
				identity.Rules{}), false, true,
		},
		{
			"a sandbox that is recorded", fake, "record-sandboxes = true",
			[]string{"--systemd-cgroup", "create", "--bundle", sandbox, "s"},
			"runc-s.scope", "/system.slice/runc-s.scope",
			identity.Parse("s", map[string]string{"io.kubernetes.cri.container-type": "sandbox"}, sandbox,
				identity.Rules{RecordSandboxes: true}), false, false,
		},
		{
			"a spec of 20 MiB, with more behind it", fake, "", []string{"create", "--bundle", large, "l"},
			"large", "/large", identity.Parse("l", nil, large, identity.Rules{}), false, false,
		},
		{
			"crun", crun, "", []string{"--cgroup-manager=systemd", "create", "-b" + sandbox, "s"},
			"crun-s.scope", "/system.slice/crun-s.scope",
			identity.Parse("s", map[string]string{"io.kubernetes.cri.container-type": "sandbox"}, sandbox,
				identity.Rules{}), false, false,
		},
		{
			"crun with another file", crun, "", []string{"run", "--conf", "relative.json", "-b", directory, "c"},
			"where", "/some/where", identity.Parse("c", nil, directory, identity.Rules{}), false, false,
		},
	} {
		shim := runner{path: shimPath,
			environment: []string{settings(t, fmt.Sprintf("runtime = %q", test.runtime), test.config), inPinDir(p.directory)}}
		before := boottime.Now()
		if got := shim.run(t, test.args...); got != (outcome{Status: "exit status 42"}) {
			t.Errorf("%s: %+v", test.name, got)
		}
		got := p.take(t, test.leaf)
		if got.Time < before || got.Time > boottime.Now() {
			t.Errorf("%s: left at %d, which is not between %d and now", test.name, got.Time, before)
		}
		want := abi.Pending{Time: got.Time, PathLength: uint32(len(test.path)), Who: test.who}
		copy(want.Path[:], test.path)
		if strings.Count(test.path, "/") > 1 || !test.relative {
			d, err := cgroup.Unmade(test.path)
			if err != nil {
				t.Fatal(err)
			}
			if _, want, err = d.Pending(); err != nil {
				t.Fatal(err)
			}
			want.Time, want.Who = got.Time, test.who
		}
		identity.SetHolders(&want.Who, secret)
		if test.mounts {
			want.Who.MountNamespace = uint32(namespace.Ino)
		}
		if slices.Contains(test.args, "restore") {
			want.Who.Flags |= abi.WhoRestored
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if n := p.entries(t); n != 0 {
			t.Errorf("%s: %d more entries", test.name, n)
		}
	}

	// A container's name or a flag's value is not a verb.
	shim := runner{path: shimPath, directory: directory,
		environment: []string{settings(t, fmt.Sprintf("runtime = %q", fake)), inPinDir(p.directory)}}
	for _, args := range [][]string{{"state", "create"}, {"delete", "run"}, {"--root", "create", "start", "c"},
		{"exec", "c", "create", "c"}, {"create"}, {"create", "--help", "c"}} {
		if got := shim.run(t, args...); got != (outcome{Status: "exit status 42"}) {
			t.Errorf("%q: %+v", args, got)
		}
		if n := p.entries(t); n != 0 {
			t.Errorf("%q left %d entries", args, n)
		}
	}
}

// TestExistingCgroup checks that an existing cgroup is bound at once.
func TestExistingCgroup(t *testing.T) {
	p := makePins(t, nil)
	fake := fakeRuntime(t)
	directory := bundle(t, t.TempDir(), "sleep", "1")
	name := cgroupOf(directory)
	hierarchy, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	cgroup := filepath.Join(hierarchy, name)
	log := filepath.Join(t.TempDir(), "log")
	shim := runner{path: shimPath,
		environment: []string{settings(t, fmt.Sprintf("runtime = %q\nlog = %q", fake, log)), inPinDir(p.directory)}}
	create := func() {
		t.Helper()
		if got := shim.run(t, "create", "--bundle", directory, "c"); got != (outcome{Status: "exit status 42"}) {
			t.Errorf("%+v", got)
		}
		p.take(t, filepath.Base(name))
	}
	create() // no cgroup, no program
	if _, err := os.Stat(log); err == nil {
		t.Errorf("something went wrong: %s", readLog(t, log))
	}

	if err := os.Mkdir(cgroup, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(cgroup) })
	create() // no program
	if got := readLog(t, log); !strings.Contains(got, "opening program") {
		t.Errorf("the log: %s", got)
	}
	os.Remove(log)

	requests := p.pinBind(t, 0)
	create()
	var id syscall.Stat_t
	if err := syscall.Stat(cgroup, &id); err != nil {
		t.Fatal(err)
	}
	var leaf [8]byte
	if err := requests.Lookup(id.Ino, &leaf); err != nil || !bytes.HasPrefix([]byte(filepath.Base(name)), leaf[:]) {
		t.Errorf("the program was asked to bind %q to cgroup %d: %v", leaf, id.Ino, err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Errorf("something went wrong: %s", readLog(t, log))
	}

	if err := os.Remove(filepath.Join(p.directory, abi.PinBind)); err != nil {
		t.Fatal(err)
	}
	p.pinBind(t, 1+abi.CountPendingElsewhere)
	create()
	if got := readLog(t, log); !strings.Contains(got, abi.Reasons[abi.CountPendingElsewhere].Text) {
		t.Errorf("the log: %s", got)
	}
}

// TestSandboxOfCRIO checks that a container of CRI-O gets the labels of its pod from the spec of a sandbox that the
// runtime never makes, and that an invalid sandbox costs only the labels.
func TestSandboxOfCRIO(t *testing.T) {
	p := makePins(t, nil)
	setting := settings(t, fmt.Sprintf("runtime = %q", fakeRuntime(t)))
	id, sandbox := strings.Repeat("c", 64), strings.Repeat("5a", 32)
	pod := map[string]string{
		"io.kubernetes.cri-o.ContainerType": "sandbox",
		"io.kubernetes.cri-o.Labels":        `{"app": "web", "tier": "front", "io.kubernetes.pod.uid": "uid"}`,
		"app":                               "web",
		"tier":                              "front",
		"unrelated":                         "x",
	}
	const longSandbox = "longer than any that is read"
	podSpec, err := json.Marshal(map[string]any{"annotations": pod})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, sandbox string
		make          func(file string) error
		told          bool
	}{
		{"as CRI-O writes it", sandbox, text(string(podSpec)), true},
		{"missing", sandbox, func(string) error { return nil }, false},
		{"no JSON", sandbox, text("{"), false},
		{"a pipe", sandbox, func(file string) error { return syscall.Mkfifo(file, 0o600) }, false},
		{"a link", sandbox, func(file string) error {
			if err := text(string(podSpec))(file + ".other"); err != nil {
				return err
			}
			return os.Symlink(file+".other", file)
		}, false},
		{longSandbox, sandbox, func(file string) error {
			return errors.Join(text(string(podSpec))(file), os.Truncate(file, 1<<20+1))
		}, false},
		{"elsewhere", "../../" + sandbox[6:], text(string(podSpec)), false},
		{"an ID in capitals", strings.ToUpper(sandbox), text(string(podSpec)), false},
		{"a short ID", sandbox[:12], text(string(podSpec)), false},
	} {
		storage := filepath.Join(t.TempDir(), "a/b/overlay-containers")
		bundle := filepath.Join(storage, id, "userdata")
		file := filepath.Join(storage, test.sandbox, "userdata/config.json")
		for _, directory := range []string{bundle, filepath.Dir(file)} {
			if err := os.MkdirAll(directory, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		annotations := map[string]string{
			"io.kubernetes.cri-o.Metadata":      "{}",
			"io.kubernetes.cri-o.ContainerType": "container",
			"io.kubernetes.cri-o.SandboxID":     test.sandbox,
			"io.kubernetes.cri-o.Name":          "k8s_main_mypod_shop_uid_0",
			"io.kubernetes.cri-o.Labels":        `{"io.kubernetes.pod.name": "mypod"}`,
		}
		spec, err := json.Marshal(map[string]any{"annotations": annotations, "linux": map[string]any{"cgroupsPath": "/x"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(test.make(file), os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o600)); err != nil {
			t.Fatal(err)
		}
		want := identity.Parse(id, annotations, bundle, identity.Rules{})
		if test.told {
			identity.AddPodLabels(&want, pod, identity.Rules{})
			if labels := identity.LabelsOf(&want); labels.Told["tier"] != "front" {
				t.Fatalf("labels: %+v", labels)
			}
		}
		if test.name == longSandbox {
			want.Flags |= abi.WhoLabelsTruncated
		}
		shim := runner{path: shimPath, environment: []string{setting, inPinDir(p.directory)}}
		if got := shim.run(t, "create", "--bundle", bundle, id); got != (outcome{Status: "exit status 42"}) {
			t.Errorf("%s: %+v", test.name, got)
		}
		identity.SetHolders(&want, secret)
		if diff := cmp.Diff(want, p.take(t, "x").Who); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
