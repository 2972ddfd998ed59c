// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runc-trace/runc-trace/test/patience"
)

// Outcome is the result of a command. If a signal killed it, Code is 128 plus the signal's number, as in a shell.
type Outcome struct {
	Code           int
	Stdout, Stderr string
}

// Process is a program running in a machine.
type Process struct {
	cmd   *exec.Cmd
	files [2]string
}

// Run runs a program in the machine and waits for it.
func (m *Machine) Run(args ...string) (Outcome, error) {
	p, err := m.Start(m.Command(args...))
	if err != nil {
		return Outcome{}, err
	}
	o, err := p.Wait(patience.Limit)
	for _, file := range p.files {
		os.Remove(file)
	}
	return o, err
}

// Start starts a program prepared by Command. Output that is not redirected yet goes to files in the machine's
// directory: with a pipe, a process that the program leaves behind would keep the pipe open.
func (m *Machine) Start(c *exec.Cmd) (*Process, error) {
	p := &Process{cmd: c}
	for i := range p.files {
		if i == 0 && c.Stdout != nil || i == 1 && c.Stderr != nil {
			continue
		}
		file, err := os.CreateTemp(m.Dir, "output-*")
		if err != nil {
			return nil, err
		}
		defer file.Close()
		p.files[i] = file.Name()
		if i == 0 {
			c.Stdout = file
		} else {
			c.Stderr = file
		}
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("starting %q: %w", c.Args, err)
	}
	return p, nil
}

// Wait waits for the program to end. It kills the program when limit has passed.
func (p *Process) Wait(limit time.Duration) (Outcome, error) {
	timer := time.AfterFunc(limit, func() { _ = p.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	_ = p.cmd.Wait()
	o := Outcome{Code: p.cmd.ProcessState.ExitCode()}
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		o.Code = 128 + int(s.Signal())
	}
	var err error
	if o.Stdout, err = p.Output(0); err != nil {
		return o, err
	}
	o.Stderr, err = p.Output(1)
	return o, err
}

// Output returns the program's output: 0 is standard output, 1 is standard error.
func (p *Process) Output(i int) (string, error) {
	if p.files[i] == "" {
		return "", nil
	}
	text, err := os.ReadFile(p.files[i])
	return string(text), err
}

// Signal sends a signal to the program itself, not to the process that started it in the machine.
func (p *Process) Signal(s syscall.Signal) error {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var text []byte
		if text, err = os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid)); err != nil {
			break
		}
		var pid int
		if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			err = syscall.Kill(pid, s)
			break
		}
	}
	if err != nil {
		return fmt.Errorf("sending %v to %q: %w", s, p.cmd.Args, err)
	}
	return nil
}

// Stop stops the program as a service manager does.
func (p *Process) Stop() (Outcome, error) {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return Outcome{}, err
	}
	return p.Wait(patience.Limit)
}
