// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

// TestContainerdAgrees compares what is read from files with what real containerds make of them, before and after an edit.
func TestContainerdAgrees(t *testing.T) {
	engines(t)
	for _, binary := range []string{
		program(t, "/usr/bin/containerd"),
		program(t, "/var/cache/runc-trace-e2e/containerd1-1.7*/bin/containerd"),
		program(t, "/var/cache/runc-trace-e2e/containerd20-2.0*/bin/containerd"),
		program(t, "/var/cache/runc-trace-e2e/containerd-2.4*/bin/containerd"),
	} {
		says, err := exec.Command(binary, "--version").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scenarios(t) {
			if s.kind != Containerd || strings.Contains(s.name, "template") {
				continue
			}
			t.Run(filepath.Base(filepath.Dir(filepath.Dir(binary)))+"/"+s.name, func(t *testing.T) {
				h := s.host(t)
				clear(s.answers)
				for name := range s.says {
					s.says[name] = string(says)
				}
				e, files, err := s.edit(t, h)
				agrees(t, binary, h, e)
				if err != nil {
					return
				}
				for _, file := range files {
					s.write(t, file.Path, file.Data)
				}
				s.write(t, shim, []byte("#!/bin/sh\n"))
				if e.Config, err = e.configInUse(h); err != nil {
					t.Fatal(err)
				}
				known := agrees(t, binary, h, e)
				if known.name == "" {
					return
				}
				name := addedRuntime
				if s.request.Default {
					name = known.name
				}
				if known.paths[name] != s.request.Shim {
					t.Errorf("%s has %s call %q", binary, name, known.paths[name])
				}
			})
		}
	}
}

// agrees compares the runtimes of files with containerd's own answer about a copy of them, which it returns.
func agrees(t *testing.T, binary string, h Host, e Engine) runtimes {
	t.Helper()
	root := t.TempDir()
	if text, err := exec.Command("cp", "-a", h.Root+"/.", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	rooted(t, root, e.Config)
	text, err := exec.Command(binary, "--config", filepath.Join(root, e.Config), "config", e.dumpVerb()).Output()
	if err != nil {
		return runtimes{} // it would not start: Check says so
	}
	cri, err := dumped(text)
	if errors.Is(err, ErrNoAnswer) {
		return runtimes{}
	}
	if err != nil {
		t.Fatal(err)
	}
	want, readErr := e.driver().configured(h, e)
	got, err := e.containerdRuntimes(h, cri)
	if err != nil || readErr != nil {
		if readErr == nil {
			t.Errorf("%s: %v, but the files say %+v", binary, err, want)
		}
		return got // no answer is not a wrong one
	}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(runtimes{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-containerd +files):\n%s", binary, diff)
	}
	return got
}

// TestRunningContainerd asks real containerds that run.
func TestRunningContainerd(t *testing.T) {
	engines(t)
	for _, pattern := range []string{"/usr/bin/containerd", "/var/cache/runc-trace-e2e/containerd1-1.7*/bin/containerd", "/var/cache/runc-trace-e2e/containerd20-2.0*/bin/containerd", "/var/cache/runc-trace-e2e/containerd-2.4*/bin/containerd"} {
		binary := program(t, pattern)
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(binary))), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "") // sockets refuse long paths
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			config := filepath.Join(dir, "config.toml")
			text := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\n[grpc]\naddress = %q\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"native\"\n"+
				"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n"+
				"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\nBinaryName = \"/shim\"\n"+
				"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.kata]\nruntime_type = \"io.containerd.kata.v2\"\n", dir+"/root", dir+"/state", dir+"/c.sock")
			if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			containerd := exec.Command(binary, "--config", config)
			containerd.Stderr = &said
			if err := containerd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				containerd.Process.Signal(os.Interrupt)
				containerd.Wait()
			}()
			e, h := Engine{Kind: Containerd, Binary: binary, Config: config}, Host{Root: "/", API: Sockets{}}
			for began := time.Now(); e.Answers(t.Context(), h) != nil; time.Sleep(50 * time.Millisecond) {
				if time.Since(began) > time.Minute {
					containerd.Process.Kill()
					containerd.Wait()
					t.Fatalf("it does not answer: %v\n%s", e.Answers(t.Context(), h), said.String())
				}
			}
			use, asked, err := e.RunsShim(t.Context(), h, []string{"/shim"})
			if diff := cmp.Diff(Use{Default: true, Runtimes: []string{"runc"}}, use); diff != "" || !asked || err != nil {
				t.Errorf("asked %v, %v (-want +got):\n%s", asked, err, diff)
			}
			if pid, runs := h.Process(e); !runs || pid != containerd.Process.Pid {
				t.Errorf("process %d, %v, want %d", pid, runs, containerd.Process.Pid)
			}
		})
	}
}

// TestCRIOAgrees compares what is read from files, flags and variables with what a real CRI-O makes of them, before and after an edit.
func TestCRIOAgrees(t *testing.T) {
	engines(t)
	binary := program(t, "/var/cache/runc-trace-e2e/crio-1.34*/bin/crio")
	for _, s := range scenarios(t) {
		if s.kind != CRIO {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			h := s.host(t)
			for name := range s.says {
				s.says[name] = "crio version 1.34.0\n"
			}
			e, files, err := s.edit(t, h)
			crioAgrees(t, binary, h, e)
			if err != nil {
				return
			}
			for _, file := range files {
				s.write(t, file.Path, file.Data)
			}
			s.write(t, shim, []byte("#!/bin/sh\n"))
			known := crioAgrees(t, binary, h, e)
			name := addedRuntime
			if s.request.Default {
				name = known.name
			}
			if known.paths[name] != s.request.Shim {
				t.Errorf("it has %s call %q", name, known.paths[name])
			}
		})
	}
}

func crioAgrees(t *testing.T, binary string, h Host, e Engine) runtimes {
	t.Helper()
	c, err := e.command(h)
	if err != nil {
		t.Fatal(err)
	}
	// Paths are the host's, which for CRI-O is below root.
	args := []string{"--config-dir", h.Root + crioDropins}
	if config := h.Root + "/etc/crio/crio.conf"; h.exists("/etc/crio/crio.conf") {
		args = append(args, "--config", config)
	}
	for _, arg := range c.args() {
		arg = strings.Replace(arg, "=/etc/", "="+h.Root+"/etc/", 1)
		for _, dir := range []string{"/etc/", "/data/"} {
			if strings.HasPrefix(arg, dir) {
				arg = h.Root + arg
			}
		}
		args = append(args, arg)
	}
	command := exec.Command(binary, append(args, "config")...)
	command.Env = append(os.Environ(), c.environment(func(name string) bool { return strings.HasPrefix(name, "CONTAINER_") })...)
	var problems strings.Builder
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Logf("%s: %v\n%s", command, err, problems.String())
		return runtimes{}
	}
	got, err := e.crioAnswer(h, text, "")
	want, readErr := e.driver().configured(h, e)
	if (err == nil) != (readErr == nil) {
		t.Errorf("%v, but by its files: %v", err, readErr)
	}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(runtimes{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-CRI-O +files):\n%s", diff)
	}
	return got
}

// TestDocker has a real dockerd judge what Edit made, with the flags that it is started with, and what Edit refuses to make because of
// them. Debian's cannot do that.
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
			refused := err != nil && strings.Contains(err.Error(), " gives dockerd ")
			switch {
			case refused:
				text := `{"runtimes": {"runc-trace": {"path": "/x"}}}`
				if s.request.Default {
					text = `{"runtimes": {"runc-trace": {"path": "/x"}}, "default-runtime": "runc-trace"}`
				}
				files = []File{{Path: e.Config, Data: []byte(text)}}
			case err != nil:
				return // TestEdit looked at it
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
			if conflict := strings.Contains(string(text), "specified both as a flag and in the configuration file"); refused != conflict || !refused && err != nil {
				t.Errorf("%q: %v: %s", args, err, text)
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
			command.Env = append(os.Environ(), "CONTAINERS_CONF="+conf, "HOME=/proc") // rpm makes a database there
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
	rooted(t, root, config)
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

// rooted has files import what is below root: paths in them are the host's.
func rooted(t *testing.T, root, config string) {
	t.Helper()
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
