// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// keep starts the machine's first process and prints its PID. When standard input is closed, it ends the machine
// and removes the machine's cgroups. It is a process of its own, so that cgroups are removed even if the process
// that made the machine is killed.
func keep(p *plan) (err error) {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return err
	}
	before, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	leave := func() error {
		for _, h := range hierarchies {
			if err := os.WriteFile(filepath.Join(h.dir, h.path(string(before)), "cgroup.procs"),
				[]byte("0"), 0o644); err != nil {
				return fmt.Errorf("going back to the cgroup of before: %w", err)
			}
		}
		return nil
	}
	defer func() {
		if left := leave(); err == nil {
			err = left
		}
		for _, h := range hierarchies {
			if removed := removeCgroups(filepath.Join(h.dir, p.cgroup())); err == nil && removed != nil {
				err = fmt.Errorf("removing the machine's cgroups: %w", removed)
			}
		}
	}()
	for _, h := range hierarchies {
		if err := join(filepath.Join(h.dir, p.cgroup())); err != nil {
			return err
		}
	}

	c, err := p.again(firstName)
	if err != nil {
		return err
	}
	// The root of the cgroup namespace is the current cgroup of this process.
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
		syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP}
	stdin, err := c.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("starting the first process: %w", err)
	}
	defer func() {
		stdin.Close()
		if ended := c.Wait(); err == nil && ended != nil {
			err = fmt.Errorf("the first process: %w", ended)
		}
	}()
	if err := leave(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		return fmt.Errorf("the first process is not ready: %q, %w", line, err)
	}
	fmt.Println(c.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}
