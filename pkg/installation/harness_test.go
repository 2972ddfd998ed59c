// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/install"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
	"github.com/runc-trace/runc-trace/test/roottest"
)

func TestMain(m *testing.M) {
	roottest.InUserNamespace()
	os.Exit(m.Run())
}

const program = "#!/bin/sh\n"

// base holds the files that every host has.
var base = map[string]string{
	"usr/lib/systemd/systemd": program,
	"usr/bin/systemctl":       program,
	"usr/sbin/runc":           program,
	"etc/systemd/system/":     "",
	"var/lib/":                "",
	"opt/":                    "",
	"run/systemd/system/":     "",
}

// engines holds the files of each engine.
var engines = map[engine.Kind]map[string]string{
	engine.Containerd: {
		"usr/bin/containerd":                            program,
		"usr/lib/systemd/system/containerd.service":     "[Service]\nExecStart=/usr/bin/containerd\n",
		"etc/containerd/config.toml":                    "# mine\nversion = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n    SystemdCgroup = true # kept\n",
		"run/containerd/io.containerd.runtime.v2.task/": "",
	},
	engine.Docker: {
		"usr/bin/dockerd":                       program,
		"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd\n",
		"etc/docker/daemon.json":                "{\n    \"log-driver\": \"local\"\n}",
		"var/lib/docker/containers/":            "",
	},
	engine.CRIO: {
		"usr/bin/crio":                        program,
		"usr/lib/systemd/system/crio.service": "[Service]\nExecStart=/usr/bin/crio\n",
		"etc/crio/crio.conf":                  "[crio.runtime]\ndefault_runtime = \"crun\"\n[crio.runtime.runtimes.crun]\nruntime_path = \"/usr/bin/crun\"\nmonitor_path = \"/usr/bin/conmon\"\n",
		"usr/bin/crun":                        program,
	},
	engine.Podman: {
		"usr/bin/podman":                       program,
		"usr/bin/crun":                         program,
		"var/lib/containers/storage/":          "",
		"usr/share/containers/containers.conf": "[engine]\nruntime = \"crun\"\n",
	},
}

// machine is a fake host: a tree of files, with answers for its programs.
type machine struct {
	t        *testing.T
	root     string
	commands []string               // all commands that were run, except queries
	fails    map[string]string      // error by the beginning of the command
	says     map[string]string      // output by the beginning of the command
	started  map[string]time.Time   // start times of running programs
	refuses  map[engine.Kind]string // a word in its configuration that breaks the engine
	read     map[engine.Kind]string // the configuration that an engine read at its last restart
	self     []string
	loaded   bool
	loadErr  error
}

// configs holds the configuration file of each running engine, and programs its program.
var (
	configs = map[engine.Kind]string{engine.Containerd: "etc/containerd/config.toml",
		engine.CRIO: "etc/crio/crio.conf.d/99-runc-trace.conf", engine.Docker: "etc/docker/daemon.json"}
	programs = map[engine.Kind]string{engine.Containerd: "/usr/bin/containerd", engine.CRIO: "/usr/bin/crio",
		engine.Docker: "/usr/bin/dockerd"}
)

func newMachine(t *testing.T, kinds ...engine.Kind) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), fails: map[string]string{}, started: map[string]time.Time{},
		refuses: map[engine.Kind]string{}, read: map[engine.Kind]string{}, says: map[string]string{
			"/usr/bin/containerd --version": "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+b1",
			"/usr/bin/dockerd --version":    "Docker version 26.1.5, build 411e817",
			"/usr/bin/crio --version":       "crio version 1.30.1",
			"/usr/bin/podman --version":     "podman version 4.3.1",
			"/usr/bin/systemctl show":       "active",
			"docker info":                   `runc {"runc":{"path":"runc"}}`,
		}}
	treetest.Write(t, m.root, base)
	for _, kind := range kinds {
		files := maps.Clone(engines[kind])
		maps.DeleteFunc(files, func(name, _ string) bool {
			return kind == engine.Podman && name == "usr/bin/crun" && slices.Contains(kinds, engine.CRIO)
		})
		treetest.Write(t, m.root, files)
	}
	return m
}

func (m *machine) run(_ context.Context, program string, args ...string) ([]byte, error) {
	time.Sleep(time.Millisecond) // takes time, also by the fake clock of a test
	line := strings.Join(append([]string{program}, args...), " ")
	for prefix, text := range m.fails {
		if strings.HasPrefix(line, prefix) {
			return nil, fmt.Errorf("exit status 1: %s", text)
		}
	}
	for prefix, text := range m.says {
		if strings.HasPrefix(line, prefix) {
			return []byte(text + "\n"), nil
		}
	}
	if isShim(program) && len(args) == 1 && args[0] == "--version" {
		return []byte("runc version 1.3.0\n"), nil
	}
	if strings.HasSuffix(line, " config dump") || strings.HasSuffix(line, " config") ||
		strings.Contains(line, "podman info") {
		return nil, nil // a query without an answer
	}
	m.commands = append(m.commands, line)
	for kind := range programs {
		if strings.HasSuffix(line, " restart "+string(kind)+".service") ||
			strings.HasPrefix(line, "sh -c sv ") && strings.HasSuffix(line, string(kind)) {
			m.restart(kind)
		}
	}
	if strings.HasSuffix(line, " reload docker.service") {
		m.reloadDocker()
	}
	return nil, nil
}

// restart restarts an engine.
func (m *machine) restart(kind engine.Kind) {
	time.Sleep(time.Millisecond)
	m.started[programs[kind]] = time.Now()
	m.read[kind] = m.contents(configs[kind])
}

// reloadDocker makes Docker read its configuration. If that names no runtimes, or no default runtime, Docker keeps the
// ones that it has.
func (m *machine) reloadDocker() {
	if m.read[engine.Docker] = m.contents(configs[engine.Docker]); m.read[engine.Docker] == "" {
		m.read[engine.Docker] = "{}"
	}
	var c struct {
		Default  string         `json:"default-runtime"`
		Runtimes map[string]any `json:"runtimes"`
	}
	if err := json.Unmarshal([]byte(m.read[engine.Docker]), &c); err != nil {
		m.t.Error(err)
	}
	if c.Default == "" {
		c.Default, _, _ = strings.Cut(m.says["docker info"], " ")
	}
	if c.Runtimes == nil {
		_, had, _ := strings.Cut(m.says["docker info"], " ")
		if err := json.Unmarshal([]byte(had), &c.Runtimes); err != nil {
			m.t.Error(err)
		}
	}
	c.Runtimes["runc"] = map[string]string{"path": "runc"}
	text, err := json.Marshal(c.Runtimes)
	if err != nil {
		m.t.Error(err)
	}
	m.says["docker info"] = c.Default + " " + string(text)
}

// answers implements Host.Answers.
func (m *machine) answers(_ context.Context, e engine.Engine) error {
	if word := m.refuses[e.Kind]; word != "" && strings.Contains(m.read[e.Kind], word) {
		return fmt.Errorf("asking %s: connection refused", e)
	}
	return nil
}

// Get answers for Docker.
func (m *machine) Get(_ context.Context, socket, path string) ([]byte, error) {
	said := m.says["docker info"]
	if path != "/info" || said == "" {
		return nil, fmt.Errorf("%w: %s does not know %s", engine.ErrNoAnswer, socket, path)
	}
	name, runtimes, _ := strings.Cut(said, " ")
	return fmt.Appendf(nil, `{"DefaultRuntime": %q, "Runtimes": %s}`, name, runtimes), nil
}

// Status answers for containerd. It reports no runtimes unless the test sets them.
func (m *machine) Status(context.Context, string) (map[string]string, error) {
	return map[string]string{"config": m.says["crictl info"]}, nil
}

func (m *machine) host() Host {
	return Host{
		Root: m.root, Run: m.run, API: m, Answers: m.answers, Patience: 10 * time.Second, Self: m.self,
		Load: func() (Loaded, error) {
			m.commands = append(m.commands, "load")
			loaded := Loaded{New: !m.loaded}
			m.loaded = m.loadErr == nil
			return loaded, m.loadErr
		},
		WouldLoad: func() (Loaded, error) { return Loaded{New: !m.loaded, Memory: 1 << 20}, nil },
		Unload: func() (bool, error) {
			m.commands = append(m.commands, "unload")
			loaded := m.loaded
			m.loaded = false
			return loaded, nil
		},
		Recordings: func() (bool, int, error) {
			if !m.loaded {
				return false, 0, nil
			}
			return true, 45, nil
		},
		Started: func(e engine.Engine) (time.Time, bool) {
			t, ok := m.started[e.Binary]
			return t, ok
		},
	}
}

// ran returns the commands that were run since its last call.
func (m *machine) ran() []string {
	commands := m.commands
	m.commands = nil
	return commands
}

// request returns a request to install the programs of a version.
func request(t *testing.T, version string, r Request) Request {
	t.Helper()
	dir := t.TempDir()
	treetest.Write(t, dir, map[string]string{
		shimName: program + "# shim " + version, tracectlName: program + "# tracectl " + version,
	})
	r.Executable = filepath.Join(dir, tracectlName)
	if r.BinDir == "" {
		r.BinDir = install.BinDir
	}
	return r
}

func (m *machine) install(r Request) Report {
	m.t.Helper()
	report, err := m.host().Install(m.t.Context(), r)
	if err != nil {
		m.t.Fatal(err)
	}
	return report
}

func (m *machine) uninstall(r Removal) Report {
	m.t.Helper()
	report, err := m.host().Uninstall(m.t.Context(), r)
	if err != nil {
		m.t.Fatal(err)
	}
	return report
}

func (m *machine) tree() map[string]string { return treetest.Read(m.t, m.root) }

// same fails the test if the tree differs from before.
func (m *machine) same(what string, before map[string]string) {
	m.t.Helper()
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		m.t.Fatalf("%s (-before +after):\n%s", what, diff)
	}
}

// contents returns a file of the tree as text.
func (m *machine) contents(name string) string {
	m.t.Helper()
	data, err := m.host().readFile(path.Join("/", name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// says fails the test unless the error contains all words.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		err = errors.New("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}
