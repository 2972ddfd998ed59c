// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// engines says whether real engines are at hand: `make e2e` installs and builds them, and sets this. What is missing then is a failure.
func engines(t *testing.T) {
	t.Helper()
	if os.Getenv("RUNC_TRACE_ENGINES") != "1" {
		t.Skip("`make e2e` runs the tests with real engines")
	}
}

// program is the one program that the pattern names.
func program(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v; `make e2e` installs and builds engines", pattern, found, err)
	}
	return found[0]
}

// TestContainerd has real containerds read what Edit made: what they then say of their configuration must differ from what they said
// before in nothing but what was meant.
func TestContainerd(t *testing.T) {
	engines(t)
	for _, c := range []struct {
		name    string
		program string
		skip    string // versions of which this one knows nothing
	}{
		{"1.6", program(t, "/usr/bin/containerd"), "2."},
		{"2.4", program(t, "/var/cache/runc-trace-e2e/containerd-2.4*/bin/containerd"), "1."},
	} {
		for _, s := range scenarios(t) {
			if s.kind != Containerd {
				continue
			}
			t.Run(c.name+"/"+s.name, func(t *testing.T) {
				h := s.host(t)
				e, files, err := s.edit(t, h)
				if err != nil || strings.HasPrefix(e.Version, c.skip) || strings.Contains(s.name, "template") {
					return // TestEdit looked at it
				}
				before := dump(t, c.program, s.root, e.Config)
				for _, file := range files {
					s.write(t, file.Path, file.Data)
				}
				config, err := e.configInUse(h)
				if err != nil {
					t.Fatal(err)
				}
				after := dump(t, c.program, s.root, config)
				golden(t, filepath.Join("testdata/dump", s.name+"."+c.name), difference(before, after))
			})
		}
	}
}

// TestDocker has a real dockerd judge what Edit made. Debian's cannot do that.
func TestDocker(t *testing.T) {
	engines(t)
	dockerd := program(t, "/var/cache/runc-trace-e2e/dockerd-*/bin/dockerd")
	for _, s := range scenarios(t) {
		if s.kind != Docker {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			h := s.host(t)
			e, files, err := s.edit(t, h)
			if err != nil {
				return // TestEdit looked at it
			}
			for _, file := range files {
				s.write(t, file.Path, file.Data)
			}
			if text, err := exec.Command(dockerd, "--validate", "--config-file", filepath.Join(s.root, e.Config)).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, text)
			}
		})
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
			dir, err := os.MkdirTemp("", "") // podman refuses long paths
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
			args := append([]string{"--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp", "--storage-driver", "vfs"}, test.args...)
			command := exec.Command(podman, append(args, "info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}")...)
			command.Env = append(os.Environ(), "CONTAINERS_CONF="+conf)
			text, err := command.CombinedOutput()
			if got := strings.ReplaceAll(strings.TrimSpace(string(text)), r.Shim, "SHIM"); got != test.want || err != nil {
				t.Errorf("%v: %q, want %q", err, got, test.want)
			}
		})
	}
}

// dump is what containerd makes of a configuration, one value a line.
func dump(t *testing.T, containerd, root, config string) []string {
	t.Helper()
	// Paths in the files are the host's, which for containerd is below root.
	for _, dir := range []string{"/etc/containerd", "/var/lib/rancher", "/data/rke2"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.Dir(config), "*.toml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rooted := strings.ReplaceAll(string(text), `imports = ["`+dir, `imports = ["`+root+dir)
			rooted = strings.ReplaceAll(rooted, `imports = ['`+dir, `imports = ['`+root+dir)
			if err := os.WriteFile(file, []byte(rooted), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(root, config)
	command := exec.Command(containerd, "--config", path, "config", "dump")
	if _, err := os.Stat(path); err != nil {
		command = exec.Command(containerd, "config", "default")
	}
	var problems strings.Builder
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil || strings.Contains(problems.String(), "Ignoring unknown key") {
		t.Fatalf("%s: %v\n%s", command, err, problems.String())
	}
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	delete(tree, "imports") // lists the files that were read
	var lines []string
	flatten(&lines, "", tree)
	slices.Sort(lines)
	return lines
}

func flatten(lines *[]string, prefix string, value any) {
	table, ok := value.(map[string]any)
	if !ok {
		*lines = append(*lines, fmt.Sprintf("%s = %s\n", prefix, literal(value)))
		return
	}
	for name, value := range table {
		flatten(lines, strings.TrimPrefix(prefix+"."+bare(name), "."), value)
	}
}

// difference lists the lines that only one of both has. Values that mean nothing are left out: containerd prints them for
// every table that there is.
func difference(before, after []string) string {
	var lines strings.Builder
	for _, side := range []struct {
		mark        string
		here, there []string
	}{{"-", before, after}, {"+", after, before}} {
		for _, line := range side.here {
			_, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
			if !slices.Contains(side.there, line) && !slices.Contains([]string{`""`, "0", "false", "[]", "''"}, value) {
				lines.WriteString(side.mark + line)
			}
		}
	}
	return lines.String()
}

// golden compares with a file, or writes it.
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
