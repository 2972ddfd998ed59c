// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRunc(t *testing.T) {
	for _, test := range []struct {
		args string
		want Operation
	}{
		{"", Operation{}},
		{"--version", Operation{}},
		{"-v", Operation{}},
		{"--help create x", Operation{}},
		{"create", Operation{Verb: "create"}},
		{"create x", Operation{Verb: "create", Container: "x"}},
		{"state create", Operation{Verb: "state"}},
		{"delete --force run", Operation{Verb: "delete"}},
		{"--root create state x", Operation{Verb: "state"}},
		{"--root=create run x", Operation{Verb: "run", Container: "x"}},
		{"-root create run x", Operation{Verb: "run", Container: "x"}},
		{"--criu /usr/sbin/criu --rootless false run x", Operation{Verb: "run", Container: "x"}},
		{"create create", Operation{Verb: "create", Container: "create"}},
		{"frobnicate create x", Operation{Verb: "frobnicate"}},
		{"-- create x", Operation{Verb: "create", Container: "x"}},
		{"create -- --bundle", Operation{Verb: "create", Container: "--bundle"}},
		{
			"--root /run/containerd/runc/k8s.io --log /b/log.json --log-format json --systemd-cgroup create --bundle /b --pid-file /b/init.pid x",
			Operation{Verb: "create", Container: "x", Bundle: "/b", Driver: Systemd, Log: "/b/log.json", LogFormat: "json"},
		},
		{"--log=/l --log-format=json kill x KILL", Operation{Verb: "kill", Log: "/l", LogFormat: "json"}},
		{"--log /l --log-format", Operation{Log: "/l"}},
		{"--debug=false --systemd-cgroup=true run -b /b x",
			Operation{Verb: "run", Container: "x", Bundle: "/b", Driver: Systemd}},
		{"--systemd-cgroup=false run x", Operation{Verb: "run", Container: "x"}},
		{"--systemd-cgroup true run x", Operation{Verb: "true", Driver: Systemd}},
		{"--debug=maybe run x", Operation{}},
		{"--unknown run x", Operation{}},
		{"run -d --keep --no-pivot --no-new-keyring --no-subreaper --preserve-fds 3 --console-socket s --pidfd-socket p -b=/b x",
			Operation{Verb: "run", Container: "x", Bundle: "/b"}},
		{"run --preserve-fds three x", Operation{Verb: "run"}},
		{"create --preserve-fds=0x3 x", Operation{Verb: "create", Container: "x"}},
		{"create --keep x", Operation{Verb: "create"}},
		{"create --bundle", Operation{Verb: "create"}},
		{"create --bundle /a --bundle /b x", Operation{Verb: "create", Container: "x", Bundle: "/b"}},
		{"create --bundle /a -b /b x", Operation{Verb: "create"}},
		{"create --bundle --pid-file x", Operation{Verb: "create", Container: "x", Bundle: "--pid-file"}},
		{"create x y", Operation{Verb: "create"}},
		{"create --help x", Operation{Verb: "create"}},
		// Flags after the container are moved before it ...
		{"create x --bundle /b", Operation{Verb: "create", Container: "x", Bundle: "/b"}},
		{"run x -d -b /b", Operation{Verb: "run", Container: "x", Bundle: "/b"}},
		// ... together with the word after a boolean flag, which then ends the flags.
		{"run -d x -b /b", Operation{Verb: "run"}},
		{"run -d=true x -b /b", Operation{Verb: "run", Container: "x", Bundle: "/b"}},
		{
			"--root r restore --image-path i --work-path w --tcp-established --ext-unix-sk --shell-job --file-locks --manage-cgroups-mode soft --empty-ns network --auto-dedup --lazy-pages --lsm-profile p --lsm-mount-context c --detach --pid-file p --bundle /b x",
			Operation{Verb: "restore", Container: "x", Bundle: "/b"},
		},
	} {
		if diff := cmp.Diff(test.want, Parse(strings.Fields(test.args), Runc)); diff != "" {
			t.Errorf("runc %s (-want +got):\n%s", test.args, diff)
		}
	}
	want := Operation{Verb: "create", Container: "", Bundle: ""}
	if diff := cmp.Diff(want, Parse([]string{"create", ""}, Runc)); diff != "" {
		t.Errorf("an empty container (-want +got):\n%s", diff)
	}
}

func TestParseCrun(t *testing.T) {
	for _, test := range []struct {
		args string
		want Operation
	}{
		{"-V", Operation{}},
		{"--version", Operation{}},
		{"--vers", Operation{}},
		{"state create", Operation{Verb: "state"}},
		{"create x", Operation{Verb: "create", Container: "x"}},
		{"--cgroup-manager=systemd create -b/b x", Operation{Verb: "create", Container: "x", Bundle: "/b", Driver: Systemd}},
		{"--cgroup-manager disabled create --bundle /b x",
			Operation{Verb: "create", Container: "x", Bundle: "/b", Driver: NoCgroup}},
		{"--cgroup-manager cgroupfs run x", Operation{Verb: "run", Container: "x"}},
		{"--systemd-cgroup --root /r --log /l --log-format json --log-level debug run -db /b -f spec.json x",
			Operation{
				Verb: "run", Container: "x", Bundle: "/b", SpecFile: "spec.json", Driver: Systemd, Log: "/l", LogFormat: "json",
			}},
		{"--sys run --bun=/b --det x", Operation{Verb: "run", Container: "x", Bundle: "/b", Driver: Systemd}},
		{"--log-f json run x", Operation{Verb: "run", Container: "x", LogFormat: "json"}},
		{"--log- json run x", Operation{}},
		{"-root r run x", Operation{}},
		{"--systemd-cgroup=true run x", Operation{}},
		{"create x --bundle /b", Operation{Verb: "create"}},
		{"create -- -x", Operation{Verb: "create", Container: "-x"}},
		{"create -b", Operation{Verb: "create"}},
		{"create -z x", Operation{Verb: "create"}},
		{"create --help", Operation{Verb: "create"}},
		{"restore --image-path i --tcp-close -d -b /b x", Operation{Verb: "restore", Container: "x", Bundle: "/b"}},
	} {
		if diff := cmp.Diff(test.want, Parse(strings.Fields(test.args), Crun)); diff != "" {
			t.Errorf("crun %s (-want +got):\n%s", test.args, diff)
		}
	}
}
