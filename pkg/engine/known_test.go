// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestConfirm(t *testing.T) {
	const plain = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nBinaryName = ''\n"
	const routed = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nBinaryName = '" + shim + "'\n"
	const k3s = "/var/lib/rancher/k3s/agent/etc/containerd/"
	containerd := Engine{Kind: Containerd, Binary: "/usr/bin/containerd", Config: "/etc/containerd/config.toml"}
	silent := containerd
	silent.NoAnswer = "it crashed"
	for _, test := range []struct {
		name    string
		engine  Engine
		tree    string
		request Request
		answer  string
		err     error
		want    string
	}{
		{"it does", containerd, "", Request{Shim: shim, Default: true}, routed, nil, ""},
		{"it does not", containerd, "", Request{Shim: shim, Default: true}, plain, nil, `containerd ignores the change: ` +
			"`containerd config dump`" + ` shows that its runtime "runc" calls "", not ` + shim},
		{"another one does not", containerd, "", Request{Shim: shim, Default: true,
			Others: map[string]string{"nvidia": shim + "-nvidia"}}, routed, nil, `shows that its runtime "nvidia" calls ""`},
		{"nothing was added", containerd, "", Request{Shim: shim}, routed, nil,
			`shows that its runtime "runc-trace" calls ""`},
		{"it does not answer any more", containerd, "", Request{Shim: shim, Default: true}, "", errors.New("it crashed"),
			"checking how containerd reads its configuration: it crashed"},
		{"it did not answer before, either", silent, "", Request{Shim: shim, Default: true}, "",
			errors.New("it crashed"), ""},
		{"it has nothing to say", containerd, "", Request{Shim: shim, Default: true}, "", nil, ""},
		{"a template, of which it knows nothing yet",
			Engine{Kind: Containerd, Variant: "k3s", Binary: "/usr/bin/containerd", Config: k3s + "config.toml"},
			"-- " + k3s + "config.toml.tmpl --\n[x.runc-trace]\n", Request{Shim: shim}, plain, nil, ""},
		{"nobody to ask", Engine{Kind: Docker, Binary: "/usr/bin/dockerd", Config: "/etc/docker/daemon.json"}, "",
			Request{Shim: shim, Default: true}, "", errors.New("not to be run"), ""},
	} {
		h := tree(t, test.tree)
		h.Run = func(context.Context, string, ...string) ([]byte, error) { return []byte(test.answer), test.err }
		if got := message(test.engine.Confirm(h, test.request)); (got == "") != (test.want == "") ||
			!strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
