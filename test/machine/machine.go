// SPDX-License-Identifier: Apache-2.0

// Package machine makes what engines, a kubelet, runc-trace and tracectl believe to be a machine of their own, so
// that all of them run with the paths and the configuration that they have by default: namespaces of mounts,
// processes, network and cgroups, and a name. /etc, /var and the directories of programs are copies, /opt, /root,
// /run and the engines' data are empty, pins are the machine's own, and its network is a loopback. Everything in it
// ends with its first process, and that one with the process that made the machine, however that ends.
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

// Layout says how a machine differs from the one that it is made on.
type Layout struct {
	// Name is the machine's host name. Without one it has that of the machine below.
	Name string
	// Programs stand in place of others: path of what is seen to path of what is run.
	Programs map[string]string
	// Pure shows cgroup v2 only, at /sys/fs/cgroup, even if the machine below has version 1.
	Pure bool
}

// Machine is a machine that was made.
type Machine struct {
	// Dir is a directory that is seen in the machine and outside alike.
	Dir string
	// PID is that of the machine's first process, as those outside see it.
	PID int

	keeper *exec.Cmd
	end    io.Closer // closing it ends the machine
	joins  []string  // files by which a process enters the machine's cgroups
}

// planEnv tells the test binary what it is to keep, or to be the first process of: a plan in JSON.
const planEnv = "RUNC_TRACE_TEST_MACHINE"

// plan is what a machine's own processes have to know.
type plan struct {
	Layout
	Dir string
}

// cgroup is the machine's root in every hierarchy, as the machine below sees it.
func (p *plan) cgroup() string { return strings.ReplaceAll(p.Dir[1:], "/", "-") }

// Names of the roles that the test binary is run in again.
const (
	keeperName = "machine-keeper"
	firstName  = "machine-init"
)

// Main is what TestMain calls first of all. It returns unless this process was started to play a machine's part.
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

// again prepares to run the test binary in a role. Its standard input ends when its parent ends.
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

// New makes a machine, with a directory below the one that is named.
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
	// An interrupt of the terminal must not reach the keeper, which has to clean up after it.
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

// Close ends the machine and everything in it, and removes what there was outside for it, but for Dir.
func (m *Machine) Close() error {
	m.end.Close()
	if err := m.keeper.Wait(); err != nil {
		return fmt.Errorf("ending a machine: %w", err)
	}
	return nil
}

// enter is a script that joins the cgroups of the files before --, and runs what comes after it.
const enter = `while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"`

// Command prepares a program in the machine.
func (m *Machine) Command(args ...string) *exec.Cmd {
	all := append([]string{"-c", enter, "sh"}, m.joins...)
	all = append(all, "--", "nsenter", "--target", strconv.Itoa(m.PID), "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--")
	c := exec.Command("/bin/sh", append(all, args...)...)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm", "TZ=UTC", "LC_ALL=C"}
	return c
}

// Write writes a file of the machine's, and makes its directory if there is none.
func (m *Machine) Write(path, text string) error {
	c := m.Command("sh", "-c", `mkdir -p "$(dirname "$0")" && cat >"$0"`, path)
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("writing %s: %w\n%s", path, err, out)
	}
	return nil
}

// Listen listens on an address of the machine's network, outside of it otherwise.
func (m *Machine) Listen(address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		// This thread is of no other use afterwards, and ends with the goroutine.
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
