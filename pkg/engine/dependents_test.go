// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const used = `
-- /run/containerd/io.containerd.runtime.v2.task/k8s.io/aaa/runtime --
/opt/runc-trace/bin/runc-trace
-- /run/containerd/io.containerd.runtime.v2.task/k8s.io/aaa/config.json --
{"annotations": {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-namespace": "prod", "io.kubernetes.cri.sandbox-name": "web-0", "io.kubernetes.cri.container-name": "app\u001b"}}
-- /run/containerd/io.containerd.runtime.v2.task/k8s.io/bbb/runtime --
/usr/sbin/runc
-- /run/containerd/io.containerd.runtime.v2.task/k8s.io/ccc/config.json --
{}
-- /run/containerd/io.containerd.runtime.v2.task/moby/ddd/runtime --
/opt/runc-trace/bin/runc-trace
-- /elsewhere/io.containerd.runtime.v2.task/default/eee/runtime --
/opt/runc-trace/bin/runc-trace-crun
-- /etc/own.toml --
version = 2
state = "/elsewhere"
-- /var/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/fff/runtime --
/opt/runc-trace/bin/runc-trace
-- /var/lib/docker/containers/ddd/hostconfig.json --
{"Runtime": "runc-trace", "Binds": null}
-- /var/lib/docker/containers/ddd/config.v2.json --
{"Name": "/web"}
-- /var/lib/docker/containers/ggg/hostconfig.json --
{"Runtime": "runc-trace"}
-- /var/lib/docker/containers/hhh/hostconfig.json --
{"Runtime": "runc"}
-- /var/lib/docker/containers/iii/hostconfig.json --
{"Runtime": "named"} and more
-- /var/lib/docker/containers/jjj/hostconfig.json --
{"Runtime": "runc-trace"
-- /etc/docker/daemon.json --
{"runtimes": {"named": {"path": "/opt/runc-trace/bin/runc-trace"}}}
-- /run/containers/storage/overlay-containers/jjj/userdata/config.json --
{"annotations": {"io.kubernetes.cri-o.RuntimeHandler": "runc-trace"}}
-- /var/lib/containers/storage/overlay-containers/jjj/userdata/config.json --
{"annotations": {"io.kubernetes.cri-o.RuntimeHandler": "runc-trace"}}
-- /run/containers/storage/overlay-containers/kkk/userdata/config.json --
{"annotations": {"io.kubernetes.cri-o.RuntimeHandler": ""}}
-- /run/containers/storage/overlay-containers/lll/userdata/config.json --
{"annota
`

func TestDependents(t *testing.T) {
	h := tree(t, used)
	h.Run = func(_ context.Context, program string, args ...string) ([]byte, error) {
		switch strings.Join(append([]string{program}, args...), " ") {
		case "env HOME=/proc /usr/bin/podman ps --all --quiet --no-trunc":
			return []byte("mmm\nnnn\n\x1b[2Jooo\n"), nil
		case "env HOME=/proc /usr/bin/podman container inspect --format {{.Id}} {{.OCIRuntime}} {{.Name}} mmm nnn \x1b[2Jooo":
			return []byte("mmm runc-trace pod\nnnn crun other\n\x1b[2Jooo /opt/runc-trace/bin/runc-trace my name\n"), nil
		}
		return nil, fmt.Errorf("%s %q is not expected", program, args)
	}
	for _, test := range []struct {
		engine Engine
		want   []Container
	}{
		{Engine{Kind: Containerd, Config: "/etc/containerd/config.toml"}, []Container{{"k8s.io/aaa", `prod/web-0/app\x1b`}}},
		{Engine{Kind: Containerd, Config: "/etc/own.toml"}, []Container{{ID: "default/eee"}}},
		{Engine{Kind: Containerd, Variant: "k3s", Config: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml"}, nil},
		{Engine{Kind: Docker, Config: "/etc/docker/daemon.json"},
			[]Container{{"ddd", "web"}, {ID: "fff"}, {ID: "ggg"}, {ID: "iii"}}},
		{Engine{Kind: CRIO, Config: "/etc/crio/crio.conf"}, []Container{{ID: "jjj"}}},
		{Engine{Kind: Podman, Binary: "/usr/bin/podman", Config: "/etc/containers/containers.conf"},
			[]Container{{`\x1b[2Jooo`, "my name"}, {"mmm", "pod"}}},
		{Engine{Kind: Podman}, nil},
	} {
		got, err := test.engine.Dependents(h, []string{shim, shim + "-crun"})
		if err != nil {
			t.Errorf("%s: %v", test.engine, err)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.engine, diff)
		}
	}
}

func TestDependentsUnknown(t *testing.T) {
	h := tree(t, "-- /var/lib/docker/containers/a/hostconfig.json/b --\n-- /var/lib/containers/storage/x --\n")
	h.Run = func(context.Context, string, ...string) ([]byte, error) { return nil, errors.New("database is locked") }
	for _, e := range []Engine{{Kind: Docker, Config: "/etc/docker/daemon.json"},
		{Kind: Podman, Binary: "/usr/bin/podman", Config: "/etc/containers/containers.conf"}} {
		if got, err := e.Dependents(h, []string{shim}); err == nil ||
			!strings.HasPrefix(err.Error(), "finding containers of "+e.String()+" that need the shim: ") {
			t.Errorf("%s: %q, %v: who does not know must not say that there are none", e, got, err)
		}
	}
}

func TestKeep(t *testing.T) {
	e := Engine{Kind: Docker, Config: "/etc/docker/daemon.json", Unit: "docker.service"}
	for _, test := range []struct{ name, tree, before, want string }{
		{"flags name the default one", "-- /etc/systemd/system/docker.service --\n[Service]\nExecStart=/usr/bin/dockerd --default-runtime=crun\n", "",
			"{\n    \"runtimes\": {\n        \"runc-trace\": {\n            \"path\": \"/opt/runc-trace/bin/runc-trace\"\n        }\n    }\n}\n"},
		{"no file", "", "", "{\n    \"runtimes\": {\n        \"runc-trace\": {\n            \"path\": \"/opt/runc-trace/bin/runc-trace\"\n        }\n    },\n    \"default-runtime\": \"runc\"\n}\n"},
		{"another default", "", `{"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}}}`,
			`{"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}, "runc-trace": {"path": "/opt/runc-trace/bin/runc-trace"}}}`},
	} {
		got, err := e.Keep(tree(t, test.tree), []byte(test.before), shim)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(File{Path: e.Config, Data: []byte(test.want), Mode: 0o644}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	for _, test := range []struct{ name, before string }{
		{"nothing defines the default", `{"default-runtime": "gone"}`},
		{"a flag defines a runtime", `{"runtimes": {}}`},
	} {
		got, err := e.Keep(tree(t, "-- /etc/systemd/system/docker.service --\n[Service]\n"+
			"ExecStart=/usr/bin/dockerd --add-runtime=crun=/usr/bin/crun\n"), []byte(test.before), shim)
		var config daemonJSON
		if err := errors.Join(err, json.Unmarshal(got.Data, &config)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		want := map[string]dockerRuntime{"crun": {Path: "/usr/bin/crun"}, "runc-trace": {Path: shim}}
		if diff := cmp.Diff(want, config.Runtimes); diff != "" || config.DefaultRuntime != "runc" {
			t.Errorf("%s: the default is %q (-want +got):\n%s", test.name, config.DefaultRuntime, diff)
		}
	}
	if _, err := e.Keep(tree(t, ""), []byte("[]"), shim); err == nil {
		t.Error("a list was taken for Docker's configuration")
	}
}

// TestDependentsStorage finds containers whose storage is not at the usual place.
func TestDependentsStorage(t *testing.T) {
	const (
		usual  = "-- /var/lib/containers/storage/x --\n"
		pod    = "/vfs-containers/aaa/userdata/config.json --\n{\"annotations\": {\"io.kubernetes.cri-o.RuntimeHandler\": \"runc-trace\"}}\n"
		unit   = "-- /usr/lib/systemd/system/crio.service --\n[Service]\n"
		conmon = "-- /proc/7/exe --\n-> /usr/bin/conmon\n-- /proc/7/cmdline --\n/usr/bin/conmon|-c|mmm|-n|web|-r|/x|--exit-command|/usr/bin/podman" +
			"|--exit-command-arg|--root|--exit-command-arg|/data/g|--exit-command-arg|--log-level|--exit-command-arg|warning" +
			"|--exit-command-arg|--storage-driver|--exit-command-arg|vfs|--exit-command-arg|--runtime|--exit-command-arg|crun" +
			"|--exit-command-arg|--syslog|--exit-command-arg|container|--exit-command-arg|cleanup\n-- /data/g/x --\n"
	)
	asks := func(selects string) []string { return []string{"env HOME=/proc " + selects} }
	for _, test := range []struct {
		name, tree string
		asked      []string // commands of Podman that find a container
		want       []Container
	}{
		{"no storage", "", nil, nil},
		{"graphroot", "-- /etc/containers/storage.conf --\n[storage]\ngraphroot = \"/data/g\"\n-- /data/g/x --\n",
			asks("/usr/bin/podman"), []Container{{"mmm", "web"}}},
		{"packaged", "-- /usr/share/containers/storage.conf --\n[storage]\ngraphroot = \"/data/g\"\n-- /data/g/x --\n",
			asks("/usr/bin/podman"), []Container{{"mmm", "web"}}},
		{"packaged and overridden", "-- /usr/share/containers/storage.conf --\n[storage]\ngraphroot = \"/data/g\"\n-- /data/g/x --\n" +
			"-- /etc/containers/storage.conf --\n[storage]\n", nil, nil},
		{"runroot", "-- /etc/containers/storage.conf --\n[storage]\nrunroot = \"/data/r\"\n-- /data/r/x --\n",
			asks("/usr/bin/podman"), []Container{{"mmm", "web"}}},
		{"static_dir", "-- /etc/containers/containers.conf --\n[engine]\nstatic_dir = \"/data/s\"\n-- /data/s/x --\n",
			asks("/usr/bin/podman"), []Container{{"mmm", "web"}}},
		{"a variable", "-- /etc/environment --\nCONTAINERS_STORAGE_CONF=/etc/s\n-- /etc/s --\n[storage]\ngraphroot = \"/data/g\"\n-- /data/g/x --\n",
			asks("CONTAINERS_STORAGE_CONF=/etc/s /usr/bin/podman"), []Container{{"mmm", "web"}}},
		{"a driver", "-- /etc/environment --\nSTORAGE_DRIVER=vfs\n" + usual,
			append(asks("/usr/bin/podman"), asks("STORAGE_DRIVER=vfs /usr/bin/podman")...), []Container{{"mmm", "web"}}},
		{"a service", "-- /usr/lib/systemd/system/podman.service --\n[Service]\n" +
			"ExecStart=/usr/bin/podman --log-level info --root /data/g system service\n-- /data/g/x --\n",
			asks("/usr/bin/podman --root=/data/g"), []Container{{"mmm", "web"}}},
		{"a container that runs", conmon,
			asks("/usr/bin/podman --root=/data/g --storage-driver=vfs"), []Container{{"mmm", "web"}}},

		{"CRI-O's root", "-- /etc/crio/crio.conf --\n[crio]\nroot = \"/data/g\"\n-- /data/g" + pod, nil, []Container{{ID: "aaa"}}},
		{"CRI-O's drop-in", "-- /etc/crio/crio.conf.d/1 --\n[crio]\nrunroot = \"/data/r\"\n-- /data/r" + pod, nil,
			[]Container{{ID: "aaa"}}},
		{"CRI-O's driver", "-- /var/lib/containers/storage" + pod, nil, []Container{{ID: "aaa"}}},
		{"CRI-O's flag", unit + "ExecStart=/usr/bin/crio -root /data/g\n-- /data/g" + pod, nil, []Container{{ID: "aaa"}}},
		{"CRI-O's short flag", unit + "ExecStart=/usr/bin/crio --r=/data/g\n-- /data/g" + pod, nil, []Container{{ID: "aaa"}}},
		{"CRI-O's variable", unit + "Environment=CONTAINER_RUNROOT=/data/r\nExecStart=/usr/bin/crio\n-- /data/r" + pod, nil,
			[]Container{{ID: "aaa"}}},
		{"CRI-O's storage.conf", "-- /etc/containers/storage.conf --\n[storage]\ngraphroot = \"/data/g\"\n-- /data/g" + pod, nil,
			[]Container{{ID: "aaa"}}},
	} {
		e := Engine{Kind: Podman, Binary: "/usr/bin/podman", Config: "/etc/containers/containers.conf"}
		if strings.HasPrefix(test.name, "CRI-O") {
			e = Engine{Kind: CRIO, Config: "/etc/crio/crio.conf", Unit: "crio.service"}
		}
		h := tree(t, test.tree)
		var asked []string
		h.Run = func(_ context.Context, program string, args ...string) ([]byte, error) {
			line := strings.Join(append([]string{program}, args...), " ")
			if command, ok := strings.CutSuffix(line, " ps --all --quiet --no-trunc"); ok {
				asked = append(asked, command)
				return []byte("mmm\n"), nil
			}
			return []byte("mmm runc-trace web\n"), nil
		}
		got, err := e.Dependents(h, []string{shim})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.asked, asked, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: asked (-want +got):\n%s", test.name, diff)
		}
	}
}
