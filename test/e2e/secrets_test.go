// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"compress/gzip"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"regexp"
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
			if strings.Contains(shown.stdout, "<unreadable>") || contents == "none" && strings.Contains(shown.stdout, "</") {
				t.Errorf("show has marks of what was not recorded, or paths:\n%s", shown.stdout)
			}
			if execs := x.tracectl("exec", "--no-follow"); strings.Contains(execs, "<not recorded>") != (contents == "none") {
				t.Errorf("execs are\n%s", execs)
			}
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
				if page := decoded(t, x.tracectl("report", b.id, "-o=-")); !strings.Contains(page, test.withheld) {
					t.Errorf("the page of the report does not say that %s", test.withheld)
				}
				for _, verb := range [][]string{
					{"straceback", "show", "--runtime", "-o=json"}, {"export", "--format=strace"}, {"export", "--format=json"},
					{"export", "--format=perfetto"}, {"report", "-o=-"},
				} {
					expectPlanted(t, strings.Join(verb, " "), decoded(t, x.tracectl(append(verb, b.id)...)), test.want)
				}
			}
			x.runtime("delete", "--force", b.id)
		})
	}
}

// TestSecrets plants secrets that the built-in patterns and one of the configuration know. They are in memory, and in
// nothing that is shown, exported or saved, unless --no-redact is given.
func TestSecrets(t *testing.T) {
	x := prepare(t)
	x.useRuntime(runcPath, "[redact]", `patterns = ["card [0-9]+", "("]`)
	x.tracectl("load", "--no-adopt", "--recordings=2", "--identities=8", "--exec-log-size=1MiB")
	token := strings.Repeat("Planted", 2)
	script := filepath.Join(x.dir, "script")
	text := "echo the password=" + token + " of the database\n" +
		"echo Authorization: Bearer " + token + " >&2\n" +
		"cat '/tmp/no file?token=" + token + "'\n" +
		"/bin/true --password " + token + "\n/bin/nothing --api-key=" + token + "\n" +
		"printf '\\377 secret=" + token + "\\n' >/dev/null\n" + // bytes that are not text
		"echo card 4111111111\nexit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b := simple("mypod", "/bin/sh", "/script")
	b.edit = func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/script", Type: "bind", Source: script,
			Options: []string{"bind", "ro"}})
	}
	x.runContainer(b)
	if n := strings.Count(x.memory(), token); n < 8 {
		t.Errorf("memory has %d of the secrets", n)
	}
	file, whole := filepath.Join(x.dir, "saved.rec"), filepath.Join(x.dir, "whole.rec")
	x.tracectl("save", "mypod", "-o", file)
	x.tracectl("save", "mypod", "--no-redact", "-o", whole)
	for _, verb := range [][]string{
		{"straceback", "show", "mypod"}, {"straceback", "show", "mypod", "-o=json"}, {"straceback", "show", "--from", file},
		{"straceback", "show", "--from", whole}, {"export", "mypod", "--format=strace"}, {"export", "mypod", "--format=json"},
		{"export", "mypod", "--format=perfetto"}, {"export", "mypod", "--format=scap"}, {"report", "mypod", "-o=-"},
		{"why", "mypod"}, {"why", "mypod", "-o=json"}, {"tree", "mypod"}, {"files", "mypod"}, {"io", "mypod", "--fd=1"},
		{"find", "--text", "of the database", "-o=json"}, {"find", "--text", "of the database"},
		{"exec", "--no-follow"}, {"exec", "--no-follow", "-o=json"},
	} {
		shown := decoded(t, x.tracectl(verb...))
		if strings.Contains(shown, token) || strings.Contains(shown, "4111111111") || len(shown) == 0 {
			t.Errorf("%q has the secret:\n%.3000s", verb, shown)
		}
		if shown := decoded(t, x.tracectl(append(verb, "--no-redact")...)); !strings.Contains(shown, token) &&
			verb[len(verb)-1] != file {
			t.Errorf("%q with --no-redact does not have the secret:\n%.3000s", verb, shown)
		}
	}
	if o := x.run(tracectlPath, "find", "--text", token); strings.Contains(o.stdout, token) ||
		strings.Contains(o.stdout, "mypod") {
		t.Errorf("find finds the secret: %s", o.stdout)
	}
	shown := x.run(tracectlPath, "straceback", "show", "mypod", "--grep", "card")
	for _, want := range []string{"secrets masked with * (--no-redact shows what is recorded)\n", `invalid pattern "("`} {
		if !strings.Contains(shown.stderr, want) {
			t.Errorf("show says %q, want %q", shown.stderr, want)
		}
	}
	x.doctor("configuration ok", "redact warn")
}

// decoded returns text, and after it what it has in base64: bytes in JSON, and the data of a report's page.
func decoded(t *testing.T, text string) string {
	t.Helper()
	all := text
	for _, quoted := range regexp.MustCompile(`"base64":"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		data, err := base64.StdEncoding.DecodeString(quoted[1])
		if err != nil {
			t.Fatal(err)
		}
		all += string(data)
	}
	if _, after, page := strings.Cut(text, `<script type="application/gzip" id="data">`); page {
		packed, _, _ := strings.Cut(after, "</script>")
		r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.TrimSpace(packed))))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all += string(data)
	}
	return all
}

// memory returns the bytes of all recordings, of the log of execs, and of the buffers of programs.
func (x *tracer) memory() string {
	x.t.Helper()
	var memory strings.Builder
	for _, pin := range []string{abi.PinRings, abi.PinExecLog, abi.PinScratch} {
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
