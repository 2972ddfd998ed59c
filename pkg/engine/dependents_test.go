// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
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
{"Runtime": "named"}
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
		case "/usr/bin/podman ps --all --quiet --no-trunc":
			return []byte("mmm\nnnn\n\x1b[2Jooo\n"), nil
		case "/usr/bin/podman container inspect --format {{.Id}} {{.OCIRuntime}} {{.Name}} mmm nnn \x1b[2Jooo":
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
		{Engine{Kind: Podman, Binary: "/usr/bin/podman"}, []Container{{`\x1b[2Jooo`, "my name"}, {"mmm", "pod"}}},
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
	h := tree(t, "-- /var/lib/docker/containers/a/hostconfig.json --\n{\n-- /var/lib/containers/storage/x --\n")
	h.Run = func(context.Context, string, ...string) ([]byte, error) { return nil, errors.New("database is locked") }
	for _, e := range []Engine{{Kind: Docker, Config: "/etc/docker/daemon.json"},
		{Kind: Podman, Binary: "/usr/bin/podman"}} {
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
	if _, err := e.Keep(tree(t, ""), []byte("[]"), shim); err == nil {
		t.Error("a list was taken for Docker's configuration")
	}
}
