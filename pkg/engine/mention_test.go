// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mentionHosts holds the files of a host for each kind of engine.
var mentionHosts = map[Kind]string{
	Docker: `
-- /usr/bin/dockerd --
Docker version 27.0.1
-- /usr/lib/systemd/system/docker.service --
[Unit]
After=runc-trace.service
[Service]
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/bin/dockerd $DOCKER_OPTS
`,
	Containerd: `
-- /usr/bin/containerd --
containerd x 1.7.20
-- /usr/lib/systemd/system/containerd.service --
[Service]
ExecStart=/usr/bin/containerd
-- /etc/containerd/config.toml --
version = 2
imports = ["/etc/containerd/conf.d/*.toml"]
`,
	"k3s": `
-- /var/lib/rancher/k3s/data/current/bin/containerd --
containerd x 2.0.0-k3s1
-- /etc/systemd/system/k3s.service --
[Service]
ExecStart=/usr/local/bin/k3s server
-- /var/lib/rancher/k3s/agent/etc/containerd/config.toml --
version = 2
[plugins.'io.containerd.grpc.v1.cri'.containerd]
default_runtime_name = 'runc-trace'
[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc-trace.options]
BinaryName = '/opt/runc-trace/bin/runc-trace'
`,
	CRIO: `
-- /usr/bin/crio --
crio version 1.30.1
-- /usr/lib/systemd/system/crio.service --
[Service]
ExecStart=/usr/bin/crio
-- /etc/crio/crio.conf --
[crio.runtime.runtimes.runc]
runtime_path = "/usr/sbin/runc"
`,
	Podman: `
-- /usr/bin/podman --
podman version 5.4.0
-- /usr/share/containers/containers.conf --
[engine]
runtime = "crun"
`,
}

const mentionPrograms = `
-- /opt/runc-trace/bin/runc-trace --
#!/bin/sh
-- /usr/sbin/runc --
-- /usr/bin/crun --
-- /run/systemd/system/x --
-- /usr/lib/systemd/systemd --
`

// TestMentions finds the places outside our own files that make an engine need the shim.
func TestMentions(t *testing.T) {
	const (
		daemon   = "/etc/docker/daemon.json"
		defaults = "/etc/default/docker"
		override = "/etc/systemd/system/docker.service.d/a.conf"
		conf     = "/etc/containerd/conf.d/"
		cri      = "[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
		table    = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes"
		binary   = "BinaryName = \"" + shim + "\""
		template = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl"
		newer    = "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl"
		crioOurs = "/etc/crio/crio.conf.d/99-runc-trace.conf"
		crioZZ   = "/etc/crio/crio.conf.d/zz.conf"
		crioUnit = "/etc/systemd/system/crio.service.d/a.conf"
		podOurs  = "/etc/containers/containers.conf.d/99-runc-trace.conf"
		podZZ    = "/etc/containers/containers.conf.d/zz.conf"
		aliased  = `{"runtimes": {"m": {"path": "/usr/local/bin/myrunc"}}}`
	)
	for name, test := range map[string]struct {
		of     Kind
		files  map[string]string
		undone string // a file that is removed, with those of files
		want   string // lines
	}{
		"ours alone in Docker": {
			of: Docker, undone: daemon,
			files: map[string]string{
				daemon: `{"default-runtime": "runc-trace", "runtimes": {"runc-trace": {"path": "` + shim + `"}}}`,
			},
		},
		"a label of our name": {of: Docker, files: map[string]string{daemon: `{"labels": ["a=runc-trace"]}`}},
		"a flag in an environment file": {
			of: Docker, undone: daemon,
			files: map[string]string{defaults: "# --default-runtime=runc-trace\nDOCKER_OPTS=\"--default-runtime=runc-trace\""},
			want:  defaults + `:2: DOCKER_OPTS="--default-runtime=runc-trace"`,
		},
		"a flag in a drop-in": {
			of: Docker,
			files: map[string]string{
				override: "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --default-runtime runc-trace",
			},
			want: override + ":4: --default-runtime runc-trace",
		},
		"a runtime that a flag adds": {
			of: Docker, files: map[string]string{defaults: "DOCKER_OPTS=--add-runtime=mine=" + shim},
			want: defaults + ":1: DOCKER_OPTS=--add-runtime=mine=" + shim,
		},
		"a link": {
			of: Docker, files: map[string]string{"/usr/local/bin/myrunc": "-> " + shim, daemon: aliased},
			want: daemon + ":1: " + aliased,
		},
		"a script": {
			of:    Docker,
			files: map[string]string{"/usr/local/bin/myrunc": "#!/bin/sh\nexec " + shim + " \"$@\"", daemon: aliased},
			want:  daemon + ":1: " + aliased,
		},
		"another spelling": {
			of:    Docker,
			files: map[string]string{daemon: `{"runtimes": {"m": {"path": "\u002fopt/x/../runc-trace/bin/runc-trace"}}}`},
			want:  daemon + `: its runtime "m" calls /opt/x/../runc-trace/bin/runc-trace`,
		},
		"our tracectl in a unit": {
			of: Docker, files: map[string]string{override: "[Service]\nExecStartPre=/opt/runc-trace/bin/tracectl load"},
			want: override + ":2: ExecStartPre=/opt/runc-trace/bin/tracectl load",
		},

		"ours alone in containerd": {
			of: Containerd, undone: conf + "99.toml",
			files: map[string]string{conf + "99.toml": table + ".runc.options]\n" + binary},
		},
		"containerd's default in a drop-in": {
			of: Containerd, undone: conf + "99.toml",
			files: map[string]string{conf + "zz.toml": cri + "default_runtime_name = \"runc-trace\""},
			want:  conf + `zz.toml:2: default_runtime_name = "runc-trace"`,
		},
		"a program in a drop-in": {
			of: Containerd, files: map[string]string{conf + "zz.toml": table + ".runc.options]\n" + binary},
			want: conf + "zz.toml:2: " + binary,
		},
		"a runtime of another type": {
			of: Containerd,
			files: map[string]string{
				conf + "zz.toml": table + ".x]\nruntime_type = \"io.containerd.runc.v1\"\n" + table + ".x.options]\n" + binary,
			},
			want: conf + "zz.toml:4: " + binary,
		},

		"ours alone in k3s": {
			of: "k3s", undone: template, files: map[string]string{template: baseTemplate + table + ".runc-trace]"},
		},
		"k3s's default": {
			of: "k3s", undone: template,
			files: map[string]string{"/etc/rancher/k3s/config.yaml": "node-name: runc-trace\ndefault-runtime: runc-trace"},
			want:  "/etc/rancher/k3s/config.yaml:2: default-runtime: runc-trace",
		},
		"a template by hand": {
			of: "k3s", files: map[string]string{template: baseTemplate + table + ".runc-trace.options]\n" + binary},
			want: template + ":3: " + binary,
		},
		"a default in a template by hand": {
			of: "k3s", undone: template, files: map[string]string{newer: "default_runtime_name = \"runc-trace\""},
			want: newer + `:1: default_runtime_name = "runc-trace"`,
		},

		"ours alone in CRI-O": {
			of: CRIO, undone: crioOurs,
			files: map[string]string{crioOurs: "[crio.runtime.runtimes.runc]\nruntime_path = \"" + shim + "\""},
		},
		"our drop-in of CRI-O, copied": {
			of: CRIO, undone: crioOurs,
			files: map[string]string{crioZZ: "[crio.runtime.runtimes.runc]\nruntime_path = \"" + shim + "\""},
			want:  crioZZ + ":2: runtime_path = \"" + shim + "\"",
		},
		"CRI-O's default": {
			of: CRIO, undone: crioOurs, files: map[string]string{crioZZ: "[crio.runtime]\ndefault_runtime = \"runc-trace\""},
			want: crioZZ + `:2: default_runtime = "runc-trace"`,
		},
		"CRI-O's variable": {
			of: CRIO, undone: crioOurs,
			files: map[string]string{crioUnit: "[Service]\nEnvironment=CONTAINER_DEFAULT_RUNTIME=runc-trace"},
			want:  crioUnit + ":2: Environment=CONTAINER_DEFAULT_RUNTIME=runc-trace",
		},

		"Podman's default in a later file": {
			of: Podman, undone: podOurs, files: map[string]string{podZZ: "[engine]\nruntime = \"runc-trace\""},
			want: podZZ + `:2: runtime = "runc-trace"`,
		},
		"a file that a variable names": {
			of: Podman,
			files: map[string]string{
				"/etc/environment": "CONTAINERS_CONF=/etc/mine.conf",
				"/etc/mine.conf":   "[engine]\nruntime = \"x\"\n[engine.runtimes]\nx = [\"" + shim + "\"]",
			},
			want: "/etc/mine.conf:4: x = [\"" + shim + "\"]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := mentionPrograms + mentionHosts[test.of]
			for path, contents := range test.files {
				text += "-- " + path + " --\n" + contents + "\n"
			}
			h := tree(t, text)
			h.Run = nil
			found, err := Detect(h)
			i := slices.IndexFunc(found, func(e Engine) bool { return e.Kind == test.of || e.Variant == string(test.of) })
			if i < 0 {
				t.Fatalf("%s was not found: %v, %v", test.of, found, err)
			}
			undone := make(map[string][]byte)
			if test.undone != "" {
				undone[test.undone] = nil
			}
			var got []string
			for _, m := range found[i].Mentions(h, undone, []string{shim, "/opt/runc-trace/bin/tracectl"}) {
				got = append(got, m.At+": "+m.Text)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
