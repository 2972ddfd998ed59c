// SPDX-License-Identifier: Apache-2.0

// Package machine makes test machines out of namespaces (mounts, processes, network, cgroups and a host name).
// Engines, a kubelet, runc-trace and tracectl run in them with their default paths and configuration. /etc, /var
// and the directories of programs are copies; /opt, /root, /run and the engines' data start empty; a machine has
// its own pins, and a network with only a loopback. Everything in a machine ends with its first process, which ends
// with the process that made the machine, even if that one is killed.
package machine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Layout describes how a machine differs from the one below it.
type Layout struct {
	// Name is the machine's host name; by default that of the machine below.
	Name string
	// Programs replaces programs: it maps the path in the machine to the path of the program to run.
	Programs map[string]string
	// Pure shows only cgroup v2, at /sys/fs/cgroup, even if the machine below has version 1.
	Pure bool
}

// Machine is a running machine.
type Machine struct {
	// Dir is a directory with the same path inside and outside of the machine.
	Dir string
	// PID is that of the machine's first process, as seen from outside.
	PID int

	keeper *exec.Cmd
	end    io.Closer // closing it ends the machine
	joins  []string  // files to which a process writes to enter the machine's cgroups
}

// planEnv holds the plan, in JSON, when the test binary runs as a keeper or a first process.
const planEnv = "RUNC_TRACE_TEST_MACHINE"

// plan is the input of a machine's own processes.
type plan struct {
	Layout
	Dir string
}

// cgroup returns the machine's cgroup, relative to the root of each hierarchy, as seen from the machine below.
func (p *plan) cgroup() string { return strings.ReplaceAll(p.Dir[1:], "/", "-") }

// Roles in which the test binary runs itself.
const (
	keeperName = "machine-keeper"
	firstName  = "machine-init"
)

// Main must be the first call of TestMain. If this process was started in a role, Main plays it and does not
// return.
func Main() {
	play, ok := map[string]func(*plan) error{keeperName: keep, firstName: beFirst}[os.Args[0]]
	if !ok {
		return
	}
	var p plan
	err := json.Unmarshal([]byte(os.Getenv(planEnv)), &p)
	if err == nil {
		err = play(&p)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
	os.Exit(0)
}

// again prepares a command that runs the test binary in a role. Its standard input is closed when its parent ends.
func (p *plan) again(role string) (*exec.Cmd, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{role},
		Env:    []string{"PATH=" + os.Getenv("PATH"), planEnv + "=" + string(text)},
		Stderr: os.Stderr,
	}, nil
}

// New makes a machine. Its Dir is made below the parent directory.
func New(parent string, l Layout) (*Machine, error) {
	dir, err := os.MkdirTemp(parent, "machine")
	if err != nil {
		return nil, err
	}
	p := &plan{l, dir}
	m := &Machine{Dir: dir}
	hierarchies, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	for _, h := range hierarchies {
		if h.kind == "cgroup2" {
			m.joins = append(m.joins, filepath.Join(h.dir, p.cgroup(), leaf, "cgroup.procs"))
		} else {
			m.joins = append(m.joins, filepath.Join(h.dir, p.cgroup(), "tasks"))
		}
	}
	if m.keeper, err = p.again(keeperName); err != nil {
		return nil, err
	}
	// An interrupt from the terminal must not reach the keeper, which has to clean up.
	m.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if m.end, err = m.keeper.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := m.keeper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.keeper.Start(); err != nil {
		return nil, fmt.Errorf("making a machine: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		m.PID, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("making a machine: %w", err)
	}
	return m, nil
}

// Close ends the machine with all its processes, and removes everything outside of it except Dir.
func (m *Machine) Close() error {
	m.end.Close()
	if err := m.keeper.Wait(); err != nil {
		return fmt.Errorf("ending a machine: %w", err)
	}
	return nil
}

// enter is a script that joins the cgroups given before --, and runs the command after it.
const enter = `while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"`

// Command prepares a program to run in the machine.
func (m *Machine) Command(args ...string) *exec.Cmd {
	all := append([]string{"-c", enter, "sh"}, m.joins...)
	all = append(all, "--", "nsenter", "--target", strconv.Itoa(m.PID), "--mount", "--pid", "--net", "--ipc",
		"--uts", "--cgroup", "--")
	c := exec.Command("/bin/sh", append(all, args...)...)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"TERM=xterm", "TZ=UTC", "LC_ALL=C"}
	return c
}

// Write writes a file in the machine, and makes its directory if necessary.
func (m *Machine) Write(path, text string) error {
	c := m.Command("sh", "-c", `mkdir -p "$(dirname "$0")" && cat >"$0"`, path)
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("writing %s: %w\n%s", path, err, out)
	}
	return nil
}

// Listen listens on an address of the machine's network, for a server outside of the machine.
func (m *Machine) Listen(address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		// This thread cannot be reused, so it ends with the goroutine.
		runtime.LockOSThread()
		network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.PID))
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer network.Close()
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, fmt.Errorf("entering the machine's network: %w", err)}
			return
		}
		l, err := net.Listen("tcp", address)
		done <- result{l, err}
	}()
	r := <-done
	return r.listener, r.err
}
