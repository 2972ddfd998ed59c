// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var emptyLines = regexp.MustCompile(`\n(\r?\n)+`)

// others returns additions that another program could make to a file of each format.
func others(path, text string) string {
	switch {
	case strings.HasSuffix(path, ".json") && strings.Trim(text, "{} \n") == "":
		return "{\n    \"others\": 1\n}\n"
	case strings.HasSuffix(path, ".json"):
		return strings.Replace(text, "{", "{\n    \"others\": 1,", 1)
	}
	return "# others' own\n" + text + "\n# and more\n[others]\nkey = \"value\"\n"
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestUndoScenarios undoes every edit, of the file as written and of a file with additions.
func TestUndoScenarios(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			h := s.host(t)
			_, files, err := s.edit(t, h)
			if err != nil {
				return
			}
			for _, file := range files {
				var original []byte
				if text, err := os.ReadFile(filepath.Join(s.root, file.Path)); err == nil {
					original = text
				}
				undo := func(now string) (string, bool) {
					t.Helper()
					result, err := Undo(Rewritten{Path: file.Path, Original: original, Written: file.Data, Now: []byte(now),
						Shims: append(slices.Collect(maps.Values(s.request.Others)), shim)})
					if err != nil {
						t.Fatalf("%s: %v", file.Path, err)
					}
					return string(result), result != nil
				}
				same := func(what, want, got string) {
					t.Helper()
					if strings.HasSuffix(file.Path, ".toml") || strings.HasSuffix(file.Path, ".conf") {
						want, got = emptyLines.ReplaceAllString(want, "\n"), emptyLines.ReplaceAllString(got, "\n")
					}
					if strings.Contains(s.name, "docker-all") { // its entries span several lines
						want, got = compact(t, want), compact(t, got)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s, %s (-want +got):\n%s", file.Path, what, diff)
					}
				}
				got, there := undo(string(file.Data))
				same("as it was written", string(original), got)
				if there != (original != nil) {
					t.Errorf("%s is there: %v", file.Path, there)
				}
				if original == nil {
					continue
				}
				got, _ = undo(others(file.Path, string(file.Data)))
				same("with what others added", others(file.Path, string(original)), got)
			}
		})
	}
}

// TestUndo undoes edits of files that were rewritten, or have additions among our entries.
func TestUndo(t *testing.T) {
	const (
		toml   = "/etc/containerd/config.toml"
		crio   = "/etc/crio/crio.conf.d/99-runc-trace.conf"
		pod    = "/etc/containers/containers.conf.d/99-runc-trace.conf"
		daemon = "/etc/docker/daemon.json"

		section = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes"
		runc    = section + ".runc]\n  runtime_type = \"io.containerd.runc.v2\"\n"
		options = "  " + section + ".runc.options]\n"
		binary  = "    BinaryName = \"" + shim + "\"\n"
		systemd = "    SystemdCgroup = true\n"
		added   = section + ".runc-trace]\n  runtime_type = \"io.containerd.runc.v2\"\n  " + section +
			".runc-trace.options]\n" + binary

		crun = "[crio.runtime.runtimes.crun]\n  runtime_path = \"" + shim + "\"\n  runtime_type = \"oci\"\n"

		docker = "{\n    \"runtimes\": {\n        \"runc-trace\": {\n            \"path\": \"" + shim +
			"\"\n        }\n    },\n    \"default-runtime\": \"runc-trace\"\n}\n"
		optIn = "{\n    \"runtimes\": {\n        \"runc-trace\": {\n            \"path\": \"" + shim + "\"\n        }\n    }\n}\n"
	)
	for name, test := range map[string]struct {
		path, original, written, now string
		want                         string // "" if there must be no file
		fails                        string
	}{
		"rendered again without us": {
			path:     toml,
			original: "version = 2\n# pause 3.8\n" + runc,
			written:  "version = 2\n# pause 3.8\n" + runc + options + binary,
			now:      "version = 2\n# pause 3.9, not of runc-trace\n" + runc + options + systemd,
			want:     "version = 2\n# pause 3.9, not of runc-trace\n" + runc + options + systemd,
		},
		"rendered again, and ours kept": {
			path: toml, original: "version = 2\n", written: "version = 2\n" + runc + options + binary,
			now:  "version = 2\nroot = \"/data\"\n\n" + runc + options + systemd + binary,
			want: "version = 2\nroot = \"/data\"\n\n" + runc + options + systemd,
		},
		"rendered again from another version, which has our key": {
			path:     toml,
			original: "version = 2\n" + runc + options + "    BinaryName = \"/usr/sbin/runc\"\n",
			written:  "version = 2\n" + runc + options + binary,
			now:      "version = 2\nroot = \"/data\"\n" + runc + options + systemd + binary,
			want:     "version = 2\nroot = \"/data\"\n" + runc + options + systemd + "    BinaryName = \"/usr/sbin/runc\"\n",
		},
		"our entry is another's now": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + options + binary,
			now:  "version = 2\n" + runc + options + "    BinaryName = \"/usr/bin/crun\"\n",
			want: "version = 2\n" + runc + options + "    BinaryName = \"/usr/bin/crun\"\n",
		},
		"a file that we made, and others added to": {
			path: toml, written: "version = 2\n" + runc + options + binary,
			now:  "version = 2\nroot = \"/data\"\n" + runc + options + binary,
			want: "version = 2\nroot = \"/data\"\n",
		},
		"a file that we made, and others wrote comments into": {
			path: toml, written: "version = 2\n" + runc + options + binary,
			now: "version = 2\n" + runc + "# mine\n" + options + binary,
		},
		"options that were added to our runtime": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + added,
			now:  "version = 2\nroot = \"/data\"\n" + runc + added + systemd,
			want: "version = 2\nroot = \"/data\"\n" + runc,
		},
		"somebody else's entry that calls us": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + added,
			now: "version = 2\n" + runc + added + strings.ReplaceAll(added, "runc-trace]", "mine]") + strings.ReplaceAll(added,
				".runc-trace", ".mine"),
			fails: "it cannot be parsed",
		},
		"somebody else's entry": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + added,
			now:   "version = 2\n" + runc + added + strings.ReplaceAll(added, ".runc-trace", ".mine"),
			fails: `entries not written by tracectl name runc-trace: remove them by hand, in line 7: "BinaryName = \"/opt/runc-trace/bin/runc-trace\"", line 11: `,
		},
		"made the default by hand": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + added,
			now:   "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\ndefault_runtime_name = \"runc-trace\"\n" + runc + added,
			fails: `line 3: "default_runtime_name = \"runc-trace\""`,
		},
		"converted to version 3": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + options + binary,
			now: "version = 3\nroot = \"/data\"\n" +
				strings.ReplaceAll(runc+options+systemd+binary, "grpc.v1.cri", "cri.v1.runtime"),
			want: "version = 3\nroot = \"/data\"\n" +
				strings.ReplaceAll(runc+options+systemd, "grpc.v1.cri", "cri.v1.runtime"),
		},
		"converted to version 3, with our runtime": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + added,
			now:  "version = 3\n" + strings.ReplaceAll(runc+added, "grpc.v1.cri", "cri.v1.runtime"),
			want: "version = 3\n" + strings.ReplaceAll(runc, "grpc.v1.cri", "cri.v1.runtime"),
		},
		"converted back to version 2": {
			path: toml, original: "version = 3\n" + strings.ReplaceAll(runc, "grpc.v1.cri", "cri.v1.runtime"),
			written: "version = 3\n" + strings.ReplaceAll(runc+options+binary, "grpc.v1.cri", "cri.v1.runtime"),
			now:     "version = 2\n" + runc + options + systemd + binary, want: "version = 2\n" + runc + options + systemd,
		},
		"a value that happens to be our name": {
			path: toml, original: "version = 2\n" + runc, written: "version = 2\n" + runc + added,
			now:  "version = 2\nname = \"runc-trace\"\nlist = [\"runc-trace\"]\n" + runc + added,
			want: "version = 2\nname = \"runc-trace\"\nlist = [\"runc-trace\"]\n" + runc,
		},
		"not to be parsed": {
			path: toml, original: "version = 2\n", written: "version = 2\n" + runc + options + binary,
			now: "version = \n" + binary, fails: `line 2: "BinaryName = `,
		},
		"not to be parsed, and without us": {
			path:     toml,
			original: "version = 2\n",
			written:  "version = 2\n" + runc + options + binary,
			now:      "version = \n",
			want:     "version = \n",
		},
		"emptied": {path: toml, original: "version = 2\n",
			written: "version = 2\n" + runc + options + binary, now: " ", want: " "},

		"Docker: added to": {
			path: daemon, written: docker,
			now:  strings.Replace(docker, "{\n", "{\n    \"log-driver\": \"local\",\n", 1),
			want: "{\n    \"log-driver\": \"local\"\n}\n",
		},
		"Docker: added to behind us, on one line": {
			path:     daemon,
			original: `{"debug": true}`,
			written:  `{"debug": true, "runtimes": {"runc-trace": {"path": "` + shim + `"}}}`,
			now:      `{"debug": true, "runtimes": {"nvidia": {"path": "n"}, "runc-trace": {"path": "` + shim + `"}}, "live-restore": true}`,
			want:     `{"debug": true, "runtimes": {"nvidia": {"path": "n"}}, "live-restore": true}`,
		},
		"Docker: another default": {
			path:     daemon,
			original: "{}\n",
			written:  docker,
			now:      strings.Replace(docker, `"runc-trace"`+"\n}", `"runc"`+"\n}", 1),
			want:     "{\n    \"default-runtime\": \"runc\"\n}\n",
		},
		"Docker: the default of before": {
			path:     daemon,
			original: `{"default-runtime": "crun"}`,
			written:  `{"default-runtime": "runc-trace", "runtimes": {"runc-trace": {"path": "` + shim + `"}}}`,
			now:      `{"default-runtime": "runc-trace", "debug": true, "runtimes": {"runc-trace": {"path": "` + shim + `"}}}`,
			want:     `{"default-runtime": "crun", "debug": true}`,
		},
		"Docker: made the default by hand": {
			path: daemon, original: "{}\n", written: optIn, now: docker, fails: `line 7: "\"default-runtime\": \"runc-trace\""`,
		},
		"Docker: the default of the time between": {
			path: daemon, original: "{}\n", written: strings.Replace(docker, `"runc-trace"`+"\n}", `"runc"`+"\n}", 1),
			now:  strings.Replace(docker, `"runc-trace"`+"\n}", `"runc",`+"\n    \"debug\": true\n}", 1),
			want: "{\n    \"debug\": true\n}\n",
		},
		"Docker: that default alone": {
			path: daemon, original: "{}\n", written: strings.Replace(docker, `"runc-trace"`+"\n}", `"runc"`+"\n}", 1),
			now:  "{\n    \"default-runtime\": \"runc\",\n    \"debug\": true\n}\n",
			want: "{\n    \"debug\": true\n}\n",
		},
		"Docker: a label": {
			path: daemon, original: "{}\n", written: optIn,
			now:  strings.Replace(optIn, "{\n", "{\n    \"labels\": [\"runc-trace\"],\n", 1),
			want: "{\n    \"labels\": [\"runc-trace\"]\n}\n",
		},
		"Docker: rendered again": {path: daemon, original: "{}\n", written: docker, now: `{"debug":true}`,
			want: `{"debug":true}`},
		"Docker: emptied": {path: daemon, original: "{}\n", written: docker, now: "", want: ""},

		"CRI-O: added to": {
			path:    crio,
			written: crun,
			now:     crun + "[crio.runtime]\n  log_level = \"debug\"\n",
			want:    "[crio.runtime]\n  log_level = \"debug\"\n",
		},
		"CRI-O: our entry was changed": {
			path:    crio,
			written: crun,
			now:     crun + "  monitor_env = [\"A=B\"]\n",
			fails:   `its table [crio.runtime.runtimes.crun] was changed`,
		},
		"CRI-O: a comment": {path: crio, written: crun, now: crun + "# mine\n"},

		"Podman: added to": {
			path: pod, written: "[engine.runtimes]\n  crun = [\"" + shim + "\", \"/usr/bin/crun\"]\n",
			now:  "[engine.runtimes]\n  crun = [\"" + shim + "\", \"/usr/bin/crun\", \"/opt/crun\"]\n",
			want: "[engine.runtimes]\n  crun = [\"/usr/bin/crun\", \"/opt/crun\"]\n",
		},
		"Podman: an ability": {
			path: pod, written: "[engine]\n  runtime_supports_json = [\"crun\", \"runc-trace\"]\n  [engine.runtimes]\n    runc-trace = [\"" + shim + "\"]\n",
			now:  "[engine]\n  runtime_supports_json = [\"crun\", \"runc-trace\", \"mine\"]\n  [engine.runtimes]\n    runc-trace = [\"" + shim + "\"]\n",
			want: "[engine]\n  runtime_supports_json = [\"crun\", \"mine\"]\n",
		},

		"k3s: a template that was added to": {
			path: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl", written: baseTemplate + "\n" + added,
			now: baseTemplate + "\n" + added + "\n[mine]\n", want: baseTemplate + "\n[mine]\n",
		},
		"k3s: a template in which our lines were changed": {
			path:    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl",
			written: baseTemplate + "\n" + added,
			now:     baseTemplate + "\n" + strings.Replace(added, "BinaryName", "Binary_Name", 1),
			fails:   "it names runc-trace in line 3: ",
		},
		"our own configuration": {
			path: "/etc/runc-trace/config.toml", written: "runtime = \"/usr/bin/crun\"\n[runtimes]\nrunc = \"/usr/sbin/runc\"\n",
			now: "runtime = \"/usr/bin/crun\"\nlog = \"/log\"\n[runtimes]\nrunc = \"/usr/sbin/runc\"\n", want: "log = \"/log\"\n",
		},
		"our own configuration, which was there before": {
			path: "/etc/runc-trace/config.toml", original: "adopt = true\n", written: "adopt = false\n",
			now: "adopt = false\nlog = \"/log\"\n", want: "adopt = true\nlog = \"/log\"\n",
		},
		"a unit's drop-in": {path: "/etc/systemd/system/containerd.service.d/99-runc-trace.conf", written: "[Service]\nA=\n",
			now: "[Service]\nA=\nB=\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Rewritten{Path: test.path, Original: []byte(test.original), Written: []byte(test.written),
				Now: []byte(test.now), Shims: []string{shim}, Own: strings.HasPrefix(test.path, "/etc/runc-trace/")}
			if test.original == "" {
				f.Original = nil
			}
			result, err := Undo(f)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("%q, %v; want an error that says %q", result, err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(result)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if f.Now = result; result == nil {
				return
			}
			if again, err := Undo(f); err != nil || string(again) != string(result) {
				t.Errorf("undone again: %q, %v", again, err)
			}
		})
	}
}
