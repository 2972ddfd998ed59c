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

// TestContainerd has real containerds read the result of Edit. Their reported configuration must differ from the
// original only in the requested values.
func TestContainerd(t *testing.T) {
	engines(t)
	for _, c := range []struct {
		name    string
		program string
		skip    string // versions that do not know this file format
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
					return // covered by TestEdit
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

// TestContainerdAgrees compares our reading of files with the configuration that real containerds report, before and
// after an edit.
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

// agrees compares the runtimes of files with containerd's report about a copy of them, and returns the report.
func agrees(t *testing.T, binary string, h Host, e Engine) runtimes {
	t.Helper()
	root := t.TempDir()
	if text, err := exec.Command("cp", "-a", h.Root+"/.", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	rooted(t, root, e.Config)
	text, err := exec.Command(binary, "--config", filepath.Join(root, e.Config), "config", e.dumpVerb()).Output()
	if err != nil {
		return runtimes{} // it would not start: Check reports that
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
		return got // containerd cannot report it
	}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(runtimes{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-containerd +files):\n%s", binary, diff)
	}
	return got
}

// TestRunningContainerd queries running containerds.
func TestRunningContainerd(t *testing.T) {
	engines(t)
	for _, pattern := range []string{"/usr/bin/containerd", "/var/cache/runc-trace-e2e/containerd1-1.7*/bin/containerd",
		"/var/cache/runc-trace-e2e/containerd20-2.0*/bin/containerd",
		"/var/cache/runc-trace-e2e/containerd-2.4*/bin/containerd"} {
		binary := program(t, pattern)
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(binary))), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "") // a socket's path has to be short
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

// dump returns containerd's report of a configuration, one value per line.
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

// rooted makes files import paths below root, because the paths in them are the host's.
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

// difference lists the lines that only one side has. It omits empty values, because containerd prints them for every
// table.
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
