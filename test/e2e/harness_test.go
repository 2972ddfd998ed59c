// SPDX-License-Identifier: Apache-2.0

// Package e2e runs real containers with the real runc through the real shim, and reads their recordings with the real
// tracectl. It needs root, runc, a static busybox and a kernel that supports the programs, and fails if one of them is
// missing.
package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// Made once, for all tests.
var (
	scratch      string // the directory of this test run
	token        string // its name, which is part of the name of every cgroup
	shimPath     string
	tracectlPath string
	runcPath     string // the real one
	rootfs       string // a file system with a busybox under all its names
)

func TestMain(m *testing.M) {
	roottest.RequireAll()
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "runc-trace-e2e-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		token = filepath.Base(scratch)
		if err := setUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func setUp() error {
	var err error
	if runcPath, err = exec.LookPath("runc"); err != nil {
		return fmt.Errorf("%w: install the package runc", err)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("%w: install the package busybox-static", err)
	}
	for _, build := range []*exec.Cmd{
		exec.Command("make", "--silent", "--directory", "../..", "build-shim", "BIN="+scratch),
		exec.Command("go", "build", "-trimpath", "-o", scratch+"/", "../../cmd/tracectl"),
	} {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building the programs: %w\n%s", err, text)
		}
	}
	shimPath, tracectlPath = filepath.Join(scratch, "runc-trace"), filepath.Join(scratch, "tracectl")
	rootfs = filepath.Join(scratch, "rootfs")
	return makeRootfs(busybox)
}

// makeRootfs makes a file system with a copy of busybox for each of its applets. Copies, because then an exec of one
// shows its path.
func makeRootfs(busybox string) error {
	for _, name := range []string{"bin", "dev", "proc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(rootfs, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(rootfs, "tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	file := filepath.Join(rootfs, "bin/busybox")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		return err
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("asking busybox for its applets: %w", err)
	}
	for _, name := range strings.Fields(string(list)) {
		if err := os.Link(file, filepath.Join(rootfs, "bin", name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// tracer is the environment of a test: its own pin directory, configuration, state directory of the runtime, and
// cgroups.
type tracer struct {
	t      *testing.T
	dir    string // of bundles, state and configuration
	cgroup string // contains the cgroups of all containers that do not choose another one
	pins   string
	config string
	within []string // a command that runs other commands in a different environment
}

// prepare makes a tracer without loading anything. At the test's end it removes everything, and checks that deleting
// the containers has left no cgroup and no mount, and that unloading has left no pin.
func prepare(t *testing.T) *tracer {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "test")
	if err != nil {
		t.Fatal(err)
	}
	x := &tracer{
		t: t, dir: dir,
		cgroup: "/" + token + "-" + filepath.Base(dir),
		pins:   "/sys/fs/bpf/" + token + "-" + filepath.Base(dir),
		config: filepath.Join(dir, "config.toml"),
	}
	x.useRuntime(runcPath)
	t.Cleanup(x.finish)
	return x
}

// load makes a tracer and loads the programs with a pool of few and small recordings, or as the flags say. It does not
// adopt running containers, because they are not the test's.
func load(t *testing.T, flags ...string) *tracer {
	t.Helper()
	x := prepare(t)
	x.tracectl(append([]string{"load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB"},
		flags...)...)
	return x
}

// useRuntime writes the configuration: the runtime, and additional lines.
func (x *tracer) useRuntime(runtime string, lines ...string) {
	x.t.Helper()
	lines = append([]string{fmt.Sprintf("runtime = %q", runtime), fmt.Sprintf("pin-dir = %q", x.pins)}, lines...)
	if err := os.WriteFile(x.config, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tracer) finish() {
	t := x.t
	state := filepath.Join(x.dir, "state")
	entries, err := os.ReadDir(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, e := range entries {
		if o := x.run(shimPath, "--root", state, "delete", "--force", e.Name()); o.code != 0 {
			t.Errorf("deleting container %q: %s", e.Name(), o.stderr)
		}
	}
	for _, path := range x.cgroups() {
		// runc does not remove the directory above a container's own.
		if !strings.HasSuffix(path, x.cgroup) || os.Remove(path) != nil {
			t.Errorf("cgroup %s is left", path)
		}
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), x.dir) {
		t.Errorf("mounts are left (%v):\n%s", err, mounts)
	}
	x.tracectl("unload")
	if _, err := os.Stat(x.pins); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unload left the pin directory: %v", err)
	}
}

// cgroups lists the test's directories in all hierarchies, deepest first.
func (x *tracer) cgroups() []string {
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another cgroup is being removed
		}
		if err == nil && d.IsDir() && strings.Contains(path, x.cgroup[1:]) {
			found = append([]string{path}, found...)
		}
		return err
	})
	if err != nil {
		x.t.Error(err)
	}
	return found
}

// outcome is the result of a command.
type outcome struct {
	code           int
	stdout, stderr string
}

// command prepares a program of the project, or runc.
func (x *tracer) command(program string, args ...string) *exec.Cmd {
	words := append(append(append([]string{}, x.within...), program), args...)
	c := exec.Command(words[0], words[1:]...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), config.PathEnv + "=" + x.config, abi.PinDirEnv + "=" + x.pins,
		unregistered.DirEnv + "=" + filepath.Join(x.dir, "run"), "TZ=UTC"}
	c.Dir = x.dir
	return c
}

// run runs a command to its end. Output goes to files, because a container that keeps running would hold a pipe open.
func (x *tracer) run(program string, args ...string) outcome {
	x.t.Helper()
	p := x.spawn(program, args...)
	return p.wait()
}

// process is a running command.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	files [2]string
}

func (x *tracer) spawn(program string, args ...string) *process {
	x.t.Helper()
	p := &process{t: x.t, cmd: x.command(program, args...)}
	for i := range p.files {
		file, err := os.CreateTemp(x.dir, "output")
		if err != nil {
			x.t.Fatal(err)
		}
		defer file.Close()
		p.files[i] = file.Name()
		if i == 0 {
			p.cmd.Stdout = file
		} else {
			p.cmd.Stderr = file
		}
	}
	if err := p.cmd.Start(); err != nil {
		x.t.Fatalf("%s %q: %v", program, args, err)
	}
	return p
}

// stdout returns the output of the process so far.
func (p *process) stdout() string { return p.read(0) }

func (p *process) read(i int) string {
	p.t.Helper()
	text, err := os.ReadFile(p.files[i])
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *process) wait() outcome {
	p.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
	return outcome{p.cmd.ProcessState.ExitCode(), p.read(0), p.read(1)}
}

// tracectl runs tracectl and returns its output. It must succeed.
func (x *tracer) tracectl(args ...string) string {
	x.t.Helper()
	o := x.run(tracectlPath, args...)
	if o.code != 0 {
		x.t.Fatalf("tracectl %q: exit code %d\n%s", args, o.code, o.stderr)
	}
	return o.stdout
}

// runtime runs the shim instead of runc. It must succeed.
func (x *tracer) runtime(args ...string) outcome {
	x.t.Helper()
	o := x.run(shimPath, append([]string{"--root", filepath.Join(x.dir, "state")}, args...)...)
	if o.code != 0 {
		x.t.Fatalf("%q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o
}

// eventually waits until so returns true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited two minutes for this in vain: %s", what)
		}
	}
}
