// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is what engines, runc-trace and tracectl believe to be a machine of their own, so that all of them run with the
// paths and the configuration that they have by default: namespaces of mounts, processes, network and cgroups. /etc,
// /var and the directories of programs are copies, /opt, /root, /run and the engines' data are empty, pins are the machine's own, and its network
// is a loopback. Everything in it ends with the process that it is made around, and that one with the test.
type machine struct {
	t   *testing.T
	dir string // seen by the test and in the machine alike
	pid int
}

// newMachine makes a machine, which is gone after the test.
func newMachine(t *testing.T, l layout) *machine {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "machine")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, dir: dir}
	l.Dir = filepath.Join(dir, "memory")
	if err := os.Mkdir(l.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	m.enterCgroups()

	c := exec.Command("/proc/self/exe")
	c.Env = []string{"PATH=" + os.Getenv("PATH"), layoutEnv + "=" + string(text)}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWCGROUP}
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("making a machine: %v", err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("the machine's first process: %v", err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the machine is not ready: %q, %v", line, err)
	}
	m.pid = c.Process.Pid
	m.enterLeaves()
	return m
}

// cgroup is the machine's root in every hierarchy, as the machine below sees it.
func (m *machine) cgroup() string { return strings.ReplaceAll(m.dir[1:], "/", "-") }

// enterCgroups puts the test, which is to make the machine, into cgroups made for that. At the end of the test they are
// removed with all that is below them.
func (m *machine) enterCgroups() {
	m.t.Helper()
	hierarchies, err := cgroupMounts()
	if err != nil {
		m.t.Fatal(err)
	}
	before, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		for _, h := range hierarchies {
			if err := os.WriteFile(filepath.Join(h.dir, h.path(string(before)), "cgroup.procs"), []byte("0"), 0o644); err != nil {
				m.t.Errorf("going back to the cgroup of before: %v", err)
			}
			if err := removeCgroups(filepath.Join(h.dir, m.cgroup())); err != nil {
				m.t.Errorf("removing the machine's cgroups: %v", err)
			}
		}
	})
	for _, h := range hierarchies {
		if err := enter(filepath.Join(h.dir, m.cgroup())); err != nil {
			m.t.Fatal(err)
		}
	}
}

// enterLeaves follows the machine's first process, so that what the test runs in the machine lies below its root.
func (m *machine) enterLeaves() {
	m.t.Helper()
	hierarchies, err := cgroupMounts()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, h := range hierarchies {
		if h.kind == "cgroup2" {
			if err := enter(filepath.Join(h.dir, m.cgroup(), leaf)); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

// path finds in the text of a /proc/PID/cgroup where a process is in the hierarchy.
func (h *hierarchy) path(text string) string {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if f[1] == "" && h.kind == "cgroup2" || f[1] != "" && f[1] == strings.TrimPrefix(h.options, "none,") {
			return f[2]
		}
	}
	return "/"
}

// removeCgroups removes a cgroup and all below. Those who were in it may still be on their way out.
func removeCgroups(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(dirs) {
		err := os.Remove(path)
		for end := time.Now().Add(5 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(end); err = os.Remove(path) {
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// command prepares a program in the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	c := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(m.pid), "--mount", "--pid", "--net", "--ipc", "--cgroup", "--"}, args...)...)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm", "TZ=UTC", "LC_ALL=C"}
	return c
}

// run runs a program in the machine to its end. Its output goes through files: what stays behind would keep a pipe open.
func (m *machine) run(args ...string) outcome {
	m.t.Helper()
	p := m.start(args...)
	return p.wait()
}

// must runs a program that has to succeed, and gives what it prints, without the space around it.
func (m *machine) must(args ...string) string {
	m.t.Helper()
	o := m.run(args...)
	if o.code != 0 {
		m.t.Fatalf("%q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return strings.TrimSpace(o.stdout)
}

// process is a program that runs in the machine.
type process struct {
	m     *machine
	cmd   *exec.Cmd
	files [2]string
}

// start starts a program in the machine.
func (m *machine) start(args ...string) *process {
	m.t.Helper()
	p := &process{m: m, cmd: m.command(args...)}
	p.start()
	return p
}

func (p *process) start() {
	p.m.t.Helper()
	for i := range p.files {
		file, err := os.CreateTemp(p.m.dir, "output-*")
		if err != nil {
			p.m.t.Fatal(err)
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
		p.m.t.Fatalf("%q: %v", p.cmd.Args, err)
	}
}

// wait waits for the program's end, no longer than a minute.
func (p *process) wait() outcome {
	p.m.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
	code := p.cmd.ProcessState.ExitCode()
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		code = 128 + int(s.Signal())
	}
	return outcome{code, p.output(0), p.output(1)}
}

// output is what the program has written: 0 is standard output, 1 is standard error.
func (p *process) output(i int) string {
	text, err := os.ReadFile(p.files[i])
	if err != nil {
		p.m.t.Error(err)
	}
	return string(text)
}

// signal sends a signal to the program itself, not to the one that brings it into the machine.
func (p *process) signal(s syscall.Signal) {
	p.m.t.Helper()
	var pid int
	eventually(p.m.t, fmt.Sprintf("%q is running", p.cmd.Args), func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
		if err != nil {
			p.m.t.Fatal(err)
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	if err := syscall.Kill(pid, s); err != nil {
		p.m.t.Errorf("sending %v to %q: %v", s, p.cmd.Args, err)
	}
}

// stop ends the program as a service is stopped.
func (p *process) stop() outcome {
	p.m.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait()
}

// write writes a file of the machine's.
func (m *machine) write(path, text string) {
	m.t.Helper()
	m.must("mkdir", "-p", filepath.Dir(path))
	c := m.command("tee", path)
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		m.t.Fatalf("writing %s: %v\n%s", path, err, out)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s for this in vain: %s", what)
		}
	}
}
