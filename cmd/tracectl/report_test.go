// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/installation"
)

// TestReportText checks the output of a dry run besides files, and the maximum length of a list of containers.
func TestReportText(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	var many []engine.Container
	for i := range 34 {
		many = append(many, engine.Container{ID: "k8s.io/" + id, Name: fmt.Sprintf("default/web-%d/app", i)})
	}
	many[1].Name = ""
	e := installation.Engine{Engine: engine.Engine{Kind: engine.Containerd}, Shim: "/shim", Real: "/runc",
		Taken: "systemctl restart containerd.service"}
	for _, test := range []struct{ name, got, want string }{
		{"install", installedText(installation.Report{
			DryRun:  true,
			Engines: []installation.Engine{e},
			Loaded:  &installation.Loaded{New: true, Memory: 106 << 20},
			Adopted: many[:2],
		}, true), `nothing to change
containerd: its default runtime goes through /shim to /runc
would load the programs: 106.0 MiB of memory
2 containers that already ran would be recorded from now on:
  default/web-0/app (0123456789ab)
  0123456789ab
containerd: would run systemctl restart containerd.service
`},
		{"uninstall", uninstalledText(installation.Report{
			DryRun: true, Engines: []installation.Engine{e}, Unloaded: true, Recordings: 45, Notes: []string{"a note"},
			Changes: []hostfile.Change{{Path: "/a", Action: hostfile.Replace, Edited: true},
				{Path: "/b", Action: hostfile.Remove}},
		}), `would take runc-trace out of /a
would remove /b
containerd: would run systemctl restart containerd.service
would unload the programs and delete 45 recordings
a note
`},
		{"would be kept", uninstalledText(installation.Report{DryRun: true, Kept: []installation.Kept{
			{Engine: "containerd", Paths: []string{"/shim"}, Command: "reload"},
		}}), `nothing to change
would be kept for containerd until it loads its configuration (reload)
the loaded programs, all recordings and these files would be kept:
  /shim
`},
		{"kept", uninstalledText(installation.Report{Kept: []installation.Kept{
			{Engine: "containerd", Paths: []string{"/shim"}, Containers: many[:1]},
			{Engine: "docker", Paths: []string{"/shim", "/daemon.json"}, Containers: many, Command: "reload"},
			{Engine: "crio", Paths: []string{"/shim"}, Mentions: []engine.Mention{{At: "/zz.conf:2", Text: "path = \"/shim\""}}},
		}}), `nothing to change
kept for containerd until 1 container that runc-trace started is removed:
  default/web-0/app (0123456789ab)
kept for docker until it loads its configuration (reload), and 34 containers that runc-trace started are removed:
  default/web-0/app (0123456789ab)
  0123456789ab
  default/web-2/app (0123456789ab)
  default/web-3/app (0123456789ab)
  default/web-4/app (0123456789ab)
  default/web-5/app (0123456789ab)
  default/web-6/app (0123456789ab)
  default/web-7/app (0123456789ab)
  default/web-8/app (0123456789ab)
  default/web-9/app (0123456789ab)
  and 24 more (-o json has them all)
kept for crio until these lines no longer name runc-trace (tracectl did not write them):
  /zz.conf:2: path = "/shim"
the loaded programs, all recordings and these files are kept:
  /shim
  /daemon.json
`},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
