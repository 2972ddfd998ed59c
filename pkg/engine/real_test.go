// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// engines skips the test unless real engines are installed. `make e2e` installs them and sets the variable; then a
// missing engine is a failure.
func engines(t *testing.T) {
	t.Helper()
	if os.Getenv("RUNC_TRACE_ENGINES") != "1" {
		t.Skip("`make e2e` runs the tests with real engines")
	}
	t.Setenv("HOME", t.TempDir()) // Podman asks rpm for versions, and rpm creates a database in its home
}

// program returns the only program that matches the pattern.
func program(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v; `make e2e` installs and builds engines", pattern, found, err)
	}
	return found[0]
}

// TestDocker has a real dockerd check the result of Edit, with the flags of its service, and checks that Edit rejects
// conflicts with those flags. Debian's dockerd has no such check.
func TestDocker(t *testing.T) {
	engines(t)
	dockerd := program(t, "/var/cache/runc-trace-e2e/dockerd-*/bin/dockerd")
	conflicts := 0
	for _, s := range scenarios(t) {
		if s.kind != Docker {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			h := s.host(t)
			e, files, err := s.edit(t, h)
			refused := err != nil && strings.Contains(err.Error(), " to dockerd, which therefore rejects ")
			switch {
			case refused:
				conflicts++
				text := `{"runtimes": {"runc-trace": {"path": "/x"}}}`
				if s.request.Default {
					text = `{"runtimes": {"runc-trace": {"path": "/x"}}, "default-runtime": "runc-trace"}`
				}
				files = []File{{Path: e.Config, Data: []byte(text)}}
			case err != nil:
				return // covered by TestEdit
			}
			for _, file := range files {
				s.write(t, file.Path, file.Data)
			}
			c, err := e.command(h)
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"--validate", "--config-file", filepath.Join(s.root, e.Config)}
			for _, arg := range c.args() {
				if !strings.HasPrefix(arg, "--config-file=") {
					args = append(args, arg)
				}
			}
			text, err := exec.Command(dockerd, args...).CombinedOutput()
			if conflict := strings.Contains(string(text),
				"specified both as a flag and in the configuration file"); refused != conflict || !refused && err != nil {
				t.Errorf("%q: %v: %s", args, err, text)
			}
		})
	}
	if conflicts == 0 {
		t.Error("no scenario has flags that conflict with the edit")
	}
}

// TestPodman asks a real podman which program it calls.
func TestPodman(t *testing.T) {
	engines(t)
	podman := program(t, "/usr/bin/podman")
	for _, test := range []struct {
		name    string
		request Request
		args    []string
		want    string
	}{
		{"default", Request{Default: true}, nil, "crun SHIM"},
		{"added", Request{}, nil, "crun /usr/bin/crun"},
		{"added and asked for", Request{}, []string{"--runtime", "runc-trace"}, "runc-trace SHIM"},
		{"the shim is gone", Request{Shim: "/gone", Default: true}, nil, "crun /usr/bin/crun"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := tree(t, "-- /usr/bin/podman --\n-- /usr/bin/crun --\n")
			dir, err := os.MkdirTemp("", "") // podman needs short paths
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			r := test.request
			if r.Shim == "" {
				r.Shim = filepath.Join(dir, "shim")
				if text, err := exec.Command("cp", "/usr/bin/crun", r.Shim).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
			}
			files, err := Engine{Kind: Podman, Config: "/etc/containers/containers.conf"}.Edit(h, r)
			if err != nil || len(files) != 1 {
				t.Fatal(paths(files), err)
			}
			conf := filepath.Join(dir, "containers.conf")
			if err := os.WriteFile(conf, files[0].Data, 0o644); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp",
				"--storage-driver", "vfs"}, test.args...)
			command := exec.Command(podman,
				append(args, "info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}")...)
			command.Env = append(os.Environ(), "CONTAINERS_CONF="+conf)
			text, err := command.CombinedOutput()
			if got := strings.ReplaceAll(strings.TrimSpace(string(text)), r.Shim, "SHIM"); got != test.want || err != nil {
				t.Errorf("%v: %q, want %q", err, got, test.want)
			}
		})
	}
}

// golden compares text with a file, or writes the file.
func golden(t *testing.T, path, seen string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(seen), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), seen); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
