// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Each of these is planted in one place of a container. They are made at run time, so that they are in no program.
var (
	plantedEnvironment = strings.Repeat("inEnvironment", 2)
	plantedOutput      = strings.Repeat("inOutput", 2)
	plantedArgument    = strings.Repeat("inArgument", 2)
	plantedPath        = strings.Repeat("inPath", 2)
	planted            = []string{plantedEnvironment, plantedOutput, plantedArgument, plantedPath}
)

// TestContents runs containers with rules and annotations that choose how much is recorded of them, and looks for what
// is planted in memory, in files and in each form in which a recording is shown.
func TestContents(t *testing.T) {
	for _, test := range []struct {
		name, namespace string
		annotations     map[string]string
		withheld        string
		want            []string // of planted
	}{
		{"all", "default", nil, "", []string{plantedOutput, plantedArgument, plantedPath}},
		{"paths", "payments", nil, "contents were not recorded (contents = paths)", []string{plantedArgument, plantedPath}},
		{"none", "default", map[string]string{"runc-trace.contents": "none"},
			"neither contents nor paths were recorded (contents = none)", nil},
		{"none-by-label", "payments", map[string]string{"runc-trace.label/app": "vault", "runc-trace.contents": "all"},
			"neither contents nor paths were recorded (contents = none)", nil},
		{"off", "other", map[string]string{"runc-trace.label/app": "secret"}, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := prepare(t)
			x.useRuntime(runcPath, "[contents]", `paths = ["pay*"]`, `none = ["app=vault"]`, `off = ["other app=secret"]`)
			x.tracectl("load", "--no-adopt", "--recordings=2", "--identities=8", "--exec-log-size=1MiB")
			b := simple(test.name, "/bin/sh", "-c", ". /tmp/script; echo >/tmp/done; exec /bin/sleep 10000")
			b.annotations["io.kubernetes.cri.sandbox-namespace"] = test.namespace
			for key, value := range test.annotations {
				b.annotations[key] = value
			}
			script := filepath.Join(x.dir, "script")
			text := "echo " + plantedOutput + "; cat /tmp/" + plantedPath + "; true " + plantedArgument +
				"; /bin/true " + plantedArgument + "; /bin/" + plantedPath + " " + plantedArgument + "\n"
			if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			b.edit = func(s *specs.Spec) {
				s.Process.Env = append(s.Process.Env, "SECRET="+plantedEnvironment)
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/tmp/script", Type: "bind", Source: script,
					Options: []string{"bind", "ro"}})
			}
			dir := x.write(b)
			x.runtime("create", "--bundle", dir, b.id)
			x.runtime("start", b.id)
			eventually(t, "the script ends", func() bool {
				return x.run(shimPath, "--root", filepath.Join(x.dir, "state"), "exec", "--env",
					"SECRET="+plantedEnvironment, b.id, "/bin/test", "-e", "/tmp/done").code == 0
			})
			expectPlanted(t, "memory", x.memory(), test.want)

			c := x.containers(b.id)[0]
			contents := strings.TrimSuffix(test.name, "-by-label")
			if c.Contents != contents || (c.Recorded == "no") != (contents == "off") {
				t.Errorf("contents %q, recorded %q", c.Contents, c.Recorded)
			}
			shown := x.run(tracectlPath, "straceback", "show", "--runtime", b.id)
			if contents == "off" {
				if shown.code != 4 || !strings.Contains(shown.stderr, "(contents = off)") {
					t.Errorf("show: %+v", shown)
				}
			} else {
				note := "tracectl: " + test.withheld + "\n"
				if test.withheld != "" != strings.Contains(shown.stderr, note) {
					t.Errorf("show says %q, want %q", shown.stderr, note)
				}
				file := filepath.Join(x.dir, "saved.rec")
				x.tracectl("save", b.id, "-o", file)
				expectPlanted(t, "show --from", x.tracectl("straceback", "show", "--runtime", "--from", file), test.want)
				if o := x.run(tracectlPath, "why", "--from", file); o.code != 0 ||
					test.withheld != "" != strings.Contains(o.stderr, note) {
					t.Errorf("why: %+v", o)
				}
				for _, verb := range [][]string{
					{"straceback", "show", "--runtime", "-o=json"}, {"export", "--format=strace"}, {"export", "--format=json"},
					{"export", "--format=perfetto"},
				} {
					expectPlanted(t, strings.Join(verb, " "), x.tracectl(append(verb, b.id)...), test.want)
				}
			}
			x.runtime("delete", "--force", b.id)
		})
	}
}

// memory returns the bytes of all recordings and of the log of execs.
func (x *tracer) memory() string {
	x.t.Helper()
	var memory strings.Builder
	for _, pin := range []string{abi.PinRings, abi.PinExecLog} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(x.pins, pin), nil)
		if err != nil {
			x.t.Fatal(err)
		}
		defer m.Close()
		for n := range m.MaxEntries() {
			element, err := m.LookupBytes(n)
			if err != nil {
				x.t.Fatal(err)
			}
			memory.Write(element)
		}
	}
	return memory.String()
}

// expectPlanted compares what is found of what is planted.
func expectPlanted(t *testing.T, where, text string, want []string) {
	t.Helper()
	var found []string
	for _, secret := range planted {
		if strings.Contains(text, secret) {
			found = append(found, secret)
		}
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("%s (-want +got):\n%s", where, diff)
	}
}
