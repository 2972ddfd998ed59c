// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMentions finds the places outside our own files that make an engine need the shim.
func TestMentions(t *testing.T) {
	const (
		programs = "-- /opt/runc-trace/bin/runc-trace --\n#!/bin/sh\n-- /usr/sbin/runc --\n-- /usr/bin/crun --\n-- /run/systemd/system/x --\n" +
			"-- /usr/lib/systemd/systemd --\n"
		docker = "-- /usr/bin/dockerd --\nDocker version 27.0.1\n-- /usr/lib/systemd/system/docker.service --\n[Unit]\nAfter=runc-trace.service\n[Service]\n" +
			"EnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n"
		containerd = "-- /usr/bin/containerd --\ncontainerd x 1.7.20\n-- /usr/lib/systemd/system/containerd.service --\n[Service]\nExecStart=/usr/bin/containerd\n" +
			"-- /etc/containerd/config.toml --\nversion = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n"
		k3s = "-- /var/lib/rancher/k3s/data/current/bin/containerd --\ncontainerd x 2.0.0-k3s1\n-- /etc/systemd/system/k3s.service --\n[Service]\n" +
			"ExecStart=/usr/local/bin/k3s server\n-- /var/lib/rancher/k3s/agent/etc/containerd/config.toml --\nversion = 2\n" +
			"[plugins.'io.containerd.grpc.v1.cri'.containerd]\ndefault_runtime_name = 'runc-trace'\n" +
			"[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc-trace.options]\nBinaryName = '" + shim + "'\n"
		template = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl"
		crio     = "-- /usr/bin/crio --\ncrio version 1.30.1\n-- /usr/lib/systemd/system/crio.service --\n[Service]\nExecStart=/usr/bin/crio\n" +
			"-- /etc/crio/crio.conf --\n[crio.runtime.runtimes.runc]\nruntime_path = \"/usr/sbin/runc\"\n"
		ours   = "/etc/crio/crio.conf.d/99-runc-trace.conf"
		podman = "-- /usr/bin/podman --\npodman version 5.4.0\n-- /usr/share/containers/containers.conf --\n[engine]\nruntime = \"crun\"\n"
		daemon = "/etc/docker/daemon.json"
		table  = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes"
	)
	for name, test := range map[string]struct {
		kind   Kind
		files  string
		undone map[string]string // "" for no file
		want   []string
	}{
		"Docker: ours alone": {Docker, docker + "-- " + daemon + " --\n{\"default-runtime\": \"runc-trace\", \"runtimes\": {\"runc-trace\": {\"path\": \"" + shim + "\"}}}\n",
			map[string]string{daemon: "{}\n"}, nil},
		"Docker: a label of our name": {Docker, docker + "-- " + daemon + " --\n{\"labels\": [\"a=runc-trace\"]}\n", nil, nil},
		"Docker: a flag in an environment file": {Docker, docker + "-- /etc/default/docker --\n# --default-runtime=runc-trace\nDOCKER_OPTS=\"--default-runtime=runc-trace\"\n",
			map[string]string{daemon: ""}, []string{"/etc/default/docker:2: DOCKER_OPTS=\"--default-runtime=runc-trace\""}},
		"Docker: a flag in a drop-in": {Docker, docker + "-- /etc/systemd/system/docker.service.d/a.conf --\n[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --default-runtime runc-trace\n",
			nil, []string{"/etc/systemd/system/docker.service.d/a.conf:4: --default-runtime runc-trace"}},
		"Docker: an added runtime": {Docker, docker + "-- /etc/default/docker --\nDOCKER_OPTS=--add-runtime=mine=" + shim + "\n",
			nil, []string{"/etc/default/docker:1: DOCKER_OPTS=--add-runtime=mine=" + shim}},
		"Docker: a link": {Docker, docker + "-- /usr/local/bin/myrunc --\n-> " + shim + "\n-- " + daemon + " --\n{\n\"runtimes\": {\"m\": {\"path\": \"/usr/local/bin/myrunc\"}}}\n",
			nil, []string{daemon + ":2: \"runtimes\": {\"m\": {\"path\": \"/usr/local/bin/myrunc\"}}}"}},
		"Docker: a script": {Docker, docker + "-- /usr/local/bin/myrunc --\n#!/bin/sh\nexec " + shim + " \"$@\"\n-- " + daemon + " --\n{\"runtimes\": {\"m\": {\"path\": \"/usr/local/bin/myrunc\"}}}\n",
			nil, []string{daemon + ":1: {\"runtimes\": {\"m\": {\"path\": \"/usr/local/bin/myrunc\"}}}"}},
		"Docker: another spelling": {Docker, docker + "-- " + daemon + " --\n{\"runtimes\": {\"m\": {\"path\": \"\\/opt/x/../runc-trace/bin/runc-trace\"}}}\n",
			nil, []string{daemon + `:1: {"runtimes": {"m": {"path": "\\/opt/x/../runc-trace/bin/runc-trace"}}}`}},
		"Docker: our tracectl in its unit": {Docker, docker + "-- /etc/systemd/system/docker.service.d/a.conf --\n[Service]\nExecStartPre=/opt/runc-trace/bin/tracectl load\n",
			nil, []string{"/etc/systemd/system/docker.service.d/a.conf:2: ExecStartPre=/opt/runc-trace/bin/tracectl load"}},

		"containerd: ours alone": {Containerd, containerd + "-- /etc/containerd/conf.d/99-runc-trace.toml --\n" + table + ".runc.options]\nBinaryName = \"" + shim + "\"\n",
			map[string]string{"/etc/containerd/conf.d/99-runc-trace.toml": ""}, nil},
		"containerd: a default in a drop-in": {Containerd, containerd + "-- /etc/containerd/conf.d/zz.toml --\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\ndefault_runtime_name = \"runc-trace\"\n",
			map[string]string{"/etc/containerd/conf.d/99-runc-trace.toml": ""}, []string{"/etc/containerd/conf.d/zz.toml:2: default_runtime_name = \"runc-trace\""}},
		"containerd: a program in a drop-in": {Containerd, containerd + "-- /etc/containerd/conf.d/zz.toml --\n" + table + ".runc.options]\nBinaryName = \"" + shim + "\"\n",
			nil, []string{"/etc/containerd/conf.d/zz.toml:2: BinaryName = \"" + shim + "\""}},
		"containerd: of a type that tracectl does not know": {Containerd, containerd + "-- /etc/containerd/conf.d/zz.toml --\n" + table + ".x]\nruntime_type = \"io.containerd.runc.v1\"\n" + table + ".x.options]\nBinaryName = \"" + shim + "\"\n",
			nil, []string{"/etc/containerd/conf.d/zz.toml:4: BinaryName = \"" + shim + "\""}},

		"k3s: ours alone": {Containerd, k3s + "-- " + template + " --\n" + baseTemplate + table + ".runc-trace]\n", map[string]string{template: ""}, nil},
		"k3s: a default": {Containerd, k3s + "-- /etc/rancher/k3s/config.yaml --\nnode-name: runc-trace\ndefault-runtime: runc-trace\n",
			map[string]string{template: ""}, []string{"/etc/rancher/k3s/config.yaml:2: default-runtime: runc-trace"}},
		"k3s: a template by hand": {Containerd, k3s + "-- " + template + " --\n" + baseTemplate + table + ".runc-trace.options]\nBinaryName = '" + shim + "'\n",
			nil, []string{template + ":3: BinaryName = '" + shim + "'"}},
		"k3s: a default in a template by hand": {Containerd, k3s + "-- " + template + "2 --\n-- /var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl --\ndefault_runtime_name = \"runc-trace\"\n",
			map[string]string{template: ""}, []string{"/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl:1: default_runtime_name = \"runc-trace\""}},

		"CRI-O: ours alone": {CRIO, crio + "-- " + ours + " --\n[crio.runtime.runtimes.runc]\nruntime_path = \"" + shim + "\"\n", map[string]string{ours: ""}, nil},
		"CRI-O: our drop-in, copied": {CRIO, crio + "-- /etc/crio/crio.conf.d/zz.conf --\n[crio.runtime.runtimes.runc]\nruntime_path = \"" + shim + "\"\n",
			map[string]string{ours: ""}, []string{"/etc/crio/crio.conf.d/zz.conf:2: runtime_path = \"" + shim + "\""}},
		"CRI-O: a default": {CRIO, crio + "-- /etc/crio/crio.conf.d/zz.conf --\n[crio.runtime]\ndefault_runtime = \"runc-trace\"\n",
			map[string]string{ours: ""}, []string{"/etc/crio/crio.conf.d/zz.conf:2: default_runtime = \"runc-trace\""}},
		"CRI-O: a variable": {CRIO, crio + "-- /etc/systemd/system/crio.service.d/a.conf --\n[Service]\nEnvironment=CONTAINER_DEFAULT_RUNTIME=runc-trace\n",
			map[string]string{ours: ""}, []string{"/etc/systemd/system/crio.service.d/a.conf:2: Environment=CONTAINER_DEFAULT_RUNTIME=runc-trace"}},

		"Podman: a later file": {Podman, podman + "-- /etc/containers/containers.conf.d/zz.conf --\n[engine]\nruntime = \"runc-trace\"\n",
			map[string]string{"/etc/containers/containers.conf.d/99-runc-trace.conf": ""}, []string{"/etc/containers/containers.conf.d/zz.conf:2: runtime = \"runc-trace\""}},
		"Podman: a file of a variable": {Podman, podman + "-- /etc/environment --\nCONTAINERS_CONF=/etc/mine.conf\n-- /etc/mine.conf --\n[engine]\nruntime = \"x\"\n[engine.runtimes]\nx = [\"" + shim + "\"]\n",
			nil, []string{"/etc/mine.conf:4: x = [\"" + shim + "\"]"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := tree(t, programs+test.files)
			h.Run = nil
			found, err := Detect(h)
			i := slices.IndexFunc(found, func(e Engine) bool { return e.Kind == test.kind })
			if i < 0 {
				t.Fatalf("%s was not found: %v, %v", test.kind, found, err)
			}
			undone := make(map[string][]byte)
			for path, text := range test.undone {
				if undone[path] = nil; text != "" {
					undone[path] = []byte(text)
				}
			}
			var got []string
			for _, m := range found[i].Mentions(h, undone, []string{shim, "/opt/runc-trace/bin/tracectl"}) {
				got = append(got, m.At+": "+m.Text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
