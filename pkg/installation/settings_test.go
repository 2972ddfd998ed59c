// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
)

// TestSettings edits configurations that users wrote.
func TestSettings(t *testing.T) {
	t.Parallel()
	k3s := engine.Engine{Kind: engine.Containerd, Variant: "k3s"}
	podman := engine.Engine{Kind: engine.Podman}
	docker := engine.Engine{Kind: engine.Docker}
	type need struct {
		engine engine.Engine
		real   string
	}
	file := config.File(config.Default())
	left := config.Default()
	left.Runtime, left.Adopt = config.Runtime{"/usr/sbin/runc"}, false
	taken := left
	taken.Adopt = true
	chosen := config.Default()
	chosen.Runtime = config.Runtime{"/usr/sbin/runc"}
	chosen.Runtimes = map[string]string{"crun": "/usr/bin/crun"}
	for _, test := range []struct {
		name, text string
		needs      []need
		names      []string
		some       bool   // record only containers that ask for it
		want       string // the text, or "error: " and a part of the error
	}{
		{"the default file", file, []need{{docker, "/usr/sbin/runc"}, {podman, "/usr/bin/crun"}}, []string{"", "crun"},
			false, config.File(chosen)},
		{"a file that says so", config.File(chosen), []need{{podman, "/usr/bin/crun"}, {docker, "/usr/sbin/runc"}},
			[]string{"crun", ""}, false, config.File(chosen)},
		{"another runtime of a name", "runtime = \"/opt/runc\" # mine\n",
			[]need{{docker, "/usr/sbin/runc"}, {k3s, "/var/lib/rancher/k3s/data/current/bin/runc"}},
			[]string{"runc", "runc-k3s"}, false,
			"runtime = \"/opt/runc\" # mine\n\n[runtimes]\nrunc = \"/usr/sbin/runc\"\nrunc-k3s = \"/var/lib/rancher/k3s/data/current/bin/runc\"\n"},
		{"tables", "log = \"/x\"\n\n# of mine\n[pool]\nrings = 7",
			[]need{{docker, "/usr/sbin/runc"}, {podman, "/usr/bin/crun"}}, []string{"", "crun"}, false,
			"runtime = \"/usr/sbin/runc\"\nlog = \"/x\"\n\n[runtimes]\ncrun = \"/usr/bin/crun\"\n\n# of mine\n[pool]\nrings = 7\n"},
		{"a table of runtimes", "runtime = \"/usr/sbin/runc\"\n[runtimes]\n# mine\nyouki = \"/y\"\n",
			[]need{{podman, "/usr/bin/crun"}, {docker, "/y"}}, []string{"crun", "youki"}, false,
			"runtime = \"/usr/sbin/runc\"\n[runtimes]\ncrun = \"/usr/bin/crun\"\n# mine\nyouki = \"/y\"\n"},
		{"an inline table", "runtime = \"/usr/sbin/runc\"\nruntimes = {}\n", []need{{podman, "/usr/bin/crun"}},
			[]string{"crun"}, false,
			"error: write by hand runtime = \"/usr/sbin/runc\", adopt = true, and below [runtimes] crun = \"/usr/bin/crun\""},
		{"no TOML", "runtime", []need{{podman, "/usr/bin/crun"}}, []string{""}, false,
			"error: /etc/runc-trace/config.toml is invalid, correct it first: "},
		{"nothing", "", []need{{podman, "/usr/bin/crun v2"}, {docker, "/opt/a b"}}, []string{"", "a-b"}, false,
			"runtime = \"/usr/bin/crun v2\"\n\n[runtimes]\na-b = \"/opt/a b\"\n"},
		{"only if asked", file, []need{{docker, "/usr/sbin/runc"}}, []string{""}, true, config.File(left)},
		{"only if asked, again", config.File(left), []need{{docker, "/usr/sbin/runc"}}, []string{""},
			true, config.File(left)},
		{"all, later", config.File(left), []need{{docker, "/usr/sbin/runc"}}, []string{""}, false,
			strings.Replace(config.File(taken), "#adopt =", "adopt =", 1)},
		{"only if asked, with nothing in the file", "runtime = \"/r\"\n[pool]\nrings = 7\n",
			[]need{{docker, "/r"}}, []string{""}, true,
			"adopt = false\nruntime = \"/r\"\n[pool]\nrings = 7\n"},
		{"all, with another spelling", "runtime = \"/r\"\n adopt=false\n", []need{{docker, "/r"}}, []string{""}, false,
			"error: write by hand runtime = \"/r\", adopt = true"},
	} {
		now, _ := config.Parse(test.text)
		r := newRoutes(now)
		r.config.Adopt = !test.some
		var names []string
		for _, n := range test.needs {
			names = append(names, r.name(n.engine, n.real))
		}
		if diff := cmp.Diff(test.names, names); diff != "" {
			t.Errorf("%s: names (-want +got):\n%s", test.name, diff)
		}
		got, err := r.write([]byte(test.text))
		if part, ok := strings.CutPrefix(test.want, "error: "); ok {
			says(t, err, part)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		// A list of one is a string if a line is edited, and a list if the whole file is written.
		want := strings.Replace(test.want, `runtime = ["/usr/sbin/runc"]`, `runtime = "/usr/sbin/runc"`, 1)
		if diff := cmp.Diff(want,
			strings.Replace(string(got), `runtime = ["/usr/sbin/runc"]`, `runtime = "/usr/sbin/runc"`, 1)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestRepair finds moved runtimes in the usual directories, and leaves all others.
func TestRepair(t *testing.T) {
	t.Parallel()
	there := map[string]bool{"/usr/bin/runc": true, "/opt/kata": true, "/usr/local/bin/crun": true}
	r := newRoutes(config.Config{
		Runtime:  config.Runtime{"/usr/sbin/runc"},
		Runtimes: map[string]string{"crun": "/usr/bin/crun", "kata": "/opt/kata", "gone": "/opt/gone", "name": "crun"},
	})
	r.repair(func(path string) bool { return there[path] })
	want := config.Config{
		Runtime:  config.Runtime{"/usr/bin/runc"},
		Runtimes: map[string]string{"crun": "/usr/local/bin/crun", "kata": "/opt/kata", "gone": "/opt/gone", "name": "crun"},
	}
	if !reflect.DeepEqual(r.config, want) {
		t.Errorf("%+v, want %+v", r.config, want)
	}
}
