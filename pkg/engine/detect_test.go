// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"
)

// tree creates a host from the files of an archive. Files in directories of programs are executable, and print their
// text.
func tree(t *testing.T, text string) Host {
	t.Helper()
	s := &scenario{archive: txtar.Parse([]byte(text)), says: make(map[string]string)}
	for i := range s.archive.Files {
		file := &s.archive.Files[i]
		s.says[file.Name] = string(file.Data)
		file.Name = "in" + file.Name
	}
	return s.host(t)
}

const manyEngines = `
-- /usr/bin/containerd --
containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3
-- /usr/sbin/dockerd --
Docker version 20.10.24+dfsg1, build 5d6db84
-- /usr/bin/podman --
podman version 4.3.1
-- /usr/bin/crio --
crio version 1.34.0
Version:        1.34.0
-- /usr/bin/crun --
-- /usr/sbin/runc --
-- /lib/systemd/system/containerd.service --
[Service]
ExecStart=/usr/bin/containerd
-- /lib/systemd/system/docker.service --
[Service]
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
-- /usr/lib/systemd/system/crio.service --
[Service]
ExecStart=/usr/bin/crio --config=/etc/other/crio.conf --config-dir /etc/other/conf.d
-- /etc/other/crio.conf --
[crio.runtime]
cgroup_manager = "cgroupfs"
-- /etc/other/conf.d/1.conf --
[crio.runtime.runtimes.crun]
runtime_path = "/usr/libexec/crio/crun"
-- /etc/systemd/system/k3s.service --
[Service]
ExecStart=/usr/local/bin/k3s server --docker
-- /var/lib/rancher/k3s/data/current/bin/containerd --
-- /var/lib/rancher/rke2/bin/containerd --
containerd github.com/k3s-io/containerd v2.1.4-k3s2
-- /var/lib/rancher/rke2/bin/runc --
`

func TestDetect(t *testing.T) {
	want := []Engine{
		{Kind: Containerd, Binary: "/usr/bin/containerd", Version: "1.6.20~ds1", Config: "/etc/containerd/config.toml",
			Unit: "containerd.service", CgroupDriver: "cgroupfs", Runtime: Runtime{Name: "runc", Path: "/usr/sbin/runc"}},
		{Kind: Containerd, Variant: "rke2", Binary: "/var/lib/rancher/rke2/bin/containerd", Version: "2.1.4-k3s2",
			Config: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml", CgroupDriver: "cgroupfs",
			Runtime: Runtime{Name: "runc", Path: "/var/lib/rancher/rke2/bin/runc"}},
		{Kind: Docker, Binary: "/usr/sbin/dockerd", Version: "20.10.24+dfsg1", Config: "/etc/docker/daemon.json",
			Unit: "docker.service", CgroupDriver: "cgroupfs", Runtime: Runtime{Name: "runc", Path: "/usr/sbin/runc"}},
		{Kind: CRIO, Binary: "/usr/bin/crio", Version: "1.34.0", Config: "/etc/other/crio.conf", Unit: "crio.service",
			CgroupDriver: "cgroupfs", Runtime: Runtime{Name: "crun", Path: "/usr/libexec/crio/crun"}},
		{Kind: Podman, Binary: "/usr/bin/podman", Version: "4.3.1", Config: "/etc/containers/containers.conf",
			CgroupDriver: "cgroupfs", Runtime: Runtime{Name: "crun", Path: "/usr/bin/crun"}},
	}
	h := tree(t, manyEngines)
	for _, test := range []struct {
		name string
		host Host
		want []Engine
	}{
		{"all of them", h, want},
		{"nobody to ask", Host{Root: h.Root}, unasked(want)},
		{"nothing there", tree(t, ""), nil},
		{"Podman's configuration without Podman", tree(t, "-- /etc/containers/containers.conf --\n[engine]\n"), nil},
		{"a containerd of dockerd's", tree(t, "-- /usr/local/bin/dockerd --\n-- /usr/local/bin/containerd --\n"), []Engine{
			{Kind: Docker, Binary: "/usr/local/bin/dockerd", Config: "/etc/docker/daemon.json", CgroupDriver: "cgroupfs",
				Runtime: Runtime{Name: "runc"}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Detect(test.host)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(Engine{}, "Runtimes", "NoAnswer"),
				cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// unasked returns the engines as if their programs could not be run.
func unasked(engines []Engine) []Engine {
	var all []Engine
	for _, e := range engines {
		e.Version = ""
		all = append(all, e)
	}
	return all
}

// TestDetectEmbedded finds k3s and RKE2 with options in every place.
func TestDetectEmbedded(t *testing.T) {
	const k3s = "-- /etc/systemd/system/k3s.service --\n[Service]\nEnvironmentFile=-/etc/systemd/system/k3s.service.env\nExecStart=/usr/local/bin/k3s \\\n    server \\\n# comment\n    $OPTIONS\n-- /data/data/current/bin/containerd --\n"
	const data = "/data/agent/etc/containerd/config.toml"
	const variable = "-- /etc/systemd/system/k3s.service.env --\nK3S_DATA_DIR=/data\n"
	config := func(text string) string { return k3s + "-- /etc/rancher/k3s/config.yaml --\n" + text }
	dropin := func(name, text string) string { return "-- /etc/rancher/k3s/config.yaml.d/" + name + " --\n" + text }
	flags := func(text string) string { return "-- /etc/systemd/system/k3s.service.env --\nOPTIONS=" + text + "\n" }
	for _, test := range []struct{ name, tree, want string }{
		{"a flag, behind a comment", k3s + "-- /etc/systemd/system/k3s.service.env --\nOPTIONS='--data-dir /data'\n",
			"/data/agent/etc/containerd/config.toml"},
		{"a variable", k3s + "-- /etc/systemd/system/k3s.service.env --\nK3S_DATA_DIR=/data\n",
			"/data/agent/etc/containerd/config.toml"},
		{"its configuration", k3s + "-- /etc/rancher/k3s/config.yaml --\ndata-dir: /data\n",
			"/data/agent/etc/containerd/config.toml"},
		{"a file beside it", k3s + "-- /etc/rancher/k3s/config.yaml.d/1.yaml --\ndata-dir: /data\n",
			"/data/agent/etc/containerd/config.toml"},
		{"another configuration",
			k3s + "-- /etc/systemd/system/k3s.service.env --\nOPTIONS=--config=/etc/x\n-- /etc/x --\ndata-dir: /data\n",
			"/data/agent/etc/containerd/config.toml"},
		{"another runtime", k3s + "-- /etc/rancher/k3s/config.yaml --\ndata-dir: /data\ndocker: true\n", ""},
		{"another runtime, as YAML 1.1", config("data-dir: /data\ndocker: yes\n"), ""},
		{"another runtime in words", config("data-dir: /data\ndocker: \"true\"\n"), ""},
		{"another socket", config("data-dir: /data\ncontainer-runtime-endpoint: unix:///x\n"), ""},
		{"no other runtime", config("data-dir: /data\ndocker: \"false\"\n"), data},
		{"no value", config("data-dir: /data\ndocker:\n"), data},
		{"a short name", config("d: /data\n"), data},
		{"short names of no interest", config("v: 3\nc: /etc/no\nt: secret\nd: /data\n"), data},
		{"lists and numbers", config("data-dir: [/no, /data]\ntls-san: [a, 1]\nv: 1.5\ndocker: [false]\n"), data},
		{"an anchor", config("x: &x /data\ndata-dir: *x\n"), data},
		{"a key twice", config("data-dir: /no\ndata-dir: /data\n"), data},
		{"nothing but a comment", config("# data-dir: /no\n") + variable, data},
		{"files beside it", config("data-dir: /no\n") + dropin("1.yaml", "docker: true\n") +
			dropin("2.YML", "data-dir: /data\ndocker: false\n") + dropin("3.txt", "data-dir: /no\n"), data},
		{"only a file beside it", k3s + dropin("1.yml", "data-dir: /data\n"), data},
		{"a key that adds", config("data-dir: /no\n") + dropin("1.yaml", "data-dir+: /data\n"), data},
		{"files before variables", config("data-dir: /data\n") +
			"-- /etc/systemd/system/k3s.service.env --\nK3S_DATA_DIR=/no\n", data},
		{"flags before files", config("data-dir: /no\n") + flags("-d /data"), data},
		{"one dash", k3s + flags("-data-dir=/data"), data},
		{"two dashes", k3s + flags("--d /data"), data},
		{"a flag that is false", k3s + flags("--docker=false -d /data"), data},
		{"a flag that is true", k3s + flags("-docker -d /data"), ""},
		{
			"a variable before a flag",
			k3s + flags("--config /no\nK3S_CONFIG_FILE=/etc/x") + "-- /etc/x --\ndata-dir: /data\n", data,
		},
	} {
		got, err := Detect(tree(t, test.tree))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		config := ""
		if len(got) == 1 {
			config = got[0].Config
		}
		if config != test.want {
			t.Errorf("%s: %q, want %q", test.name, config, test.want)
		}
	}
}

// TestDetectBad names a file that cannot be read, and finds the other engines. Files of a distribution that is not
// installed do not count.
func TestDetectBad(t *testing.T) {
	const bad = "-- /etc/rancher/k3s/config.yaml --\ndata-dir: [\n"
	const others = "-- /usr/bin/dockerd --\n-- /var/lib/rancher/rke2/bin/containerd --\n"
	for text, want := range map[string]string{
		bad: "",
		"-- /etc/systemd/system/k3s.service --\n[Service]\nExecStart=/usr/bin/k3s server\n" + bad: `inspecting containerd (k3s): ` +
			`parsing "/etc/rancher/k3s/config.yaml": yaml: line 1: did not find expected node content`,
		"-- /var/lib/rancher/k3s/x --\n-- /etc/rancher/k3s/config.yaml --\n- a\n": `inspecting containerd (k3s): ` +
			`parsing "/etc/rancher/k3s/config.yaml": line 1: want keys with values`,
	} {
		found, err := Detect(tree(t, text+others))
		if got := message(err); got != want {
			t.Errorf("%s: error %q, want %q", text, got, want)
		}
		var names []string
		for _, e := range found {
			names = append(names, e.String())
		}
		if diff := cmp.Diff([]string{"containerd (rke2)", "docker"}, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestDetectSaysWhatItCouldNotRead(t *testing.T) {
	got, err := Detect(tree(t, "-- /usr/bin/dockerd --\n-- /etc/docker/daemon.json --\n{\n-- /usr/bin/podman --\n-- /usr/bin/crun --\n"))
	if err == nil || !strings.Contains(err.Error(), `inspecting docker: parsing "/etc/docker/daemon.json"`) {
		t.Errorf("error: %v", err)
	}
	want := []Engine{
		{Kind: Docker, Binary: "/usr/bin/dockerd", Config: "/etc/docker/daemon.json"},
		{Kind: Podman, Binary: "/usr/bin/podman", Config: "/etc/containers/containers.conf", CgroupDriver: "cgroupfs",
			Runtime: Runtime{Name: "crun", Path: "/usr/bin/crun"}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Engine{}, "Runtimes", "NoAnswer")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAtLeast(t *testing.T) {
	for _, test := range []struct {
		version string
		want    bool
	}{
		{"2.1.0", true}, {"2.1", true}, {"2.10.3-k3s1", true}, {"3.0.0", true}, {"2.0.9", false}, {"1.7.27", false},
		{"1.6.20~ds1", false}, {"", false}, {"x", false}, {"2", false}, {"2.x", false},
	} {
		if got := atLeast(test.version, 2, 1); got != test.want {
			t.Errorf("%q: %v", test.version, got)
		}
	}
}

func TestUnit(t *testing.T) {
	h := tree(t, `
-- /usr/lib/systemd/system/x.service --
[Unit]
Description=overridden
-- /etc/systemd/system/x.service --
[Service]
Environment="A=a b" B=b
Environment=C=--c\
  D=d
ExecStart=-/usr/bin/env PATH=${B}:/x \
    /opt/x/bin/x --config=${A} $C '$D' "one word" $UNKNOWN -d
-- /lib/systemd/system/x.service.d/10-a.conf --
[Service]
Environment=B=b2
-- /usr/lib/systemd/system/x.service.d/10-a.conf --
[Service]
Environment=B=b3
-- /etc/systemd/system/x.service.d/20-b.conf --
[Service]
Environment=PATH=/p:/q
[Install]
ExecStart=no
`)
	u, ok := h.unit("x.service")
	if !ok {
		t.Fatal("not found")
	}
	want := []string{"/usr/bin/env", "PATH=b3:/x", "/opt/x/bin/x", "--config=a b", "--c", "d", "one word", "-d"}
	if diff := cmp.Diff(want, u.args()); diff != "" {
		t.Errorf("command line (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/p", "/q"}, u.path()); diff != "" {
		t.Errorf("path (-want +got):\n%s", diff)
	}
	if got, _ := u.program("x"); got != "/opt/x/bin/x" {
		t.Errorf("program %q", got)
	}
	if value, ok := option(u.args(), "--config", "-c"); value != "a b" || !ok {
		t.Errorf("--config %q, %v", value, ok)
	}
	if value, ok := option(u.args(), "--config-dir", "-d"); value != "" || !ok {
		t.Errorf("-d %q, %v", value, ok)
	}
	if _, ok := h.unit("y.service"); ok {
		t.Error("found a unit that does not exist")
	}
}

// TestDetectOneKind does not read what belongs to other engines.
func TestDetectOneKind(t *testing.T) {
	h := tree(t, manyEngines+"-- /etc/docker/daemon.json --\n{\n")
	engines, err := Detect(h, Podman, CRIO)
	var kinds []Kind
	for _, e := range engines {
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]Kind{CRIO, Podman}, kinds); diff != "" || err != nil {
		t.Errorf("error %v, kinds (-want +got):\n%s", err, diff)
	}
}

// TestUnhandled says that Docker's snap is not handled, if it is there and asked for.
func TestUnhandled(t *testing.T) {
	snap := tree(t, "-- /var/snap/docker/current/config/daemon.json --\n{}\n")
	want := []string{"containers of Docker's snap are not traced: a snap runs only programs of its own"}
	if diff := cmp.Diff([][]string{want, want, nil, nil}, [][]string{
		Unhandled(snap), Unhandled(snap, Docker), Unhandled(snap, Podman), Unhandled(tree(t, manyEngines)),
	}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
