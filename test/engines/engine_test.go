// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// installed is the directory in which tracectl installs the programs.
const installed = "/opt/runc-trace/bin"

// engine is an engine with its scenario.
type engine struct {
	kind   string            // name in tracectl
	layout layout            // of its machine
	config map[string]string // files of the user, by path
	setUp  [][]string        // commands to run after writing these
	daemon []string
	ready  []string      // succeeds when the engine is ready
	load   []string      // loads the image from the file that is appended
	images []string      // archives
	play   func(*script) // uses the engine
	check  func(*script) // checks the recordings of play
}

// test plays a scenario with runc, installs runc-trace as a user would, and plays it again: the results must be
// equal. Then it uninstalls, and the machine must be as before.
func (e *engine) test(t *testing.T) {
	m := newMachine(t, e.layout)
	m.write("/etc/runc-trace/config.toml", "[pool]\nrings = 64\nring-size = \"1MiB\"\nidentities = 256\nexec-log-size = \"1MiB\"\n")
	e.prepare(m)
	bare := e.run(m, "/usr/sbin/runc", nil)
	before := m.tree()
	m.install("--engine", e.kind, "--set-default")
	traced := e.run(m, installed+"/runc-trace", e.check)
	same(t, bare, traced)
	if dropped := m.dropped(); len(dropped) > 0 {
		t.Errorf("dropped: %v", dropped)
	}
	m.uninstall()
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("files are not as they were before (-before +after):\n%s", diff)
	}
}

func (e *engine) prepare(m *machine) {
	m.t.Helper()
	for path, text := range e.config {
		m.write(path, text)
	}
	for _, command := range e.setUp {
		m.must(command...)
	}
	s := e.start(m)
	defer e.stop(s)
	for _, image := range e.images {
		m.must(append(e.load[:len(e.load):len(e.load)], images+"/"+image+".tar")...)
	}
}

// run starts the engine, plays the scenario, calls check, and stops the engine.
func (e *engine) run(m *machine, runtime string, check func(*script)) *script {
	m.t.Helper()
	d := e.start(m)
	defer e.stop(d)
	s := &script{machine: m, runtime: runtime, ids: map[string]string{}}
	e.play(s)
	if check != nil {
		check(s)
	}
	return s
}

func (e *engine) start(m *machine) *process {
	m.t.Helper()
	if e.daemon == nil {
		return nil
	}
	d := m.start(e.daemon...)
	m.t.Cleanup(func() {
		if m.t.Failed() {
			lines := strings.Split(d.output(1), "\n")
			m.t.Logf("the last that %s said:\n%s", e.daemon[0], strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
	})
	eventually(m.t, e.daemon[0]+" is ready", func() bool { return m.run(e.ready...).Code == 0 })
	return d
}

func (e *engine) stop(d *process) {
	if d == nil {
		return
	}
	if o := d.stop(); o.Code != 0 {
		d.t.Errorf("%s ended with exit code %d", e.daemon[0], o.Code)
	}
}

// tree lists the files that an installation may change.
func (m *machine) tree() string {
	m.t.Helper()
	tree, err := m.Tree([]string{
		"/etc", "/opt", "/root", "/usr/local/bin", "/usr/local/sbin", "/usr/local/share", "/var/lib/runc-trace",
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return tree
}

// dropped returns the counts of drops by reason, except the reuse of recordings.
func (m *machine) dropped() map[string]uint64 {
	m.t.Helper()
	type status struct {
		Dropped      map[string]uint64 `json:"dropped"`
		Unregistered map[string]uint64 `json:"unregistered"`
	}
	found := map[string]uint64{}
	for _, s := range objects[status](m.t, m.tracectl("status", "--output=json")) {
		for _, counts := range []map[string]uint64{s.Dropped, s.Unregistered} {
			for reason, count := range counts {
				if count > 0 {
					found[reason] = count
				}
			}
		}
	}
	return found
}

// install installs runc-trace from a directory of the user with the programs.
func (m *machine) install(args ...string) {
	m.t.Helper()
	m.must(append([]string{programs + "/tracectl", "install"}, args...)...)
}

// uninstall removes runc-trace after the engines are stopped or restarted.
func (m *machine) uninstall() {
	m.t.Helper()
	m.tracectl("uninstall")
}
