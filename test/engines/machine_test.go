// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	machines "github.com/runc-trace/runc-trace/test/machine"
)

type (
	layout  = machines.Layout
	outcome = machines.Outcome
)

// machine is the machine of one test. Errors end the test.
type machine struct {
	*machines.Machine
	t *testing.T
}

// newMachine makes a machine, and removes it after the test.
func newMachine(t *testing.T, l layout) *machine {
	t.Helper()
	m, err := machines.New(scratch, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return &machine{m, t}
}

// run runs a program in the machine and waits for it.
func (m *machine) run(args ...string) outcome {
	m.t.Helper()
	o, err := m.Run(args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return o
}

// must runs a program that has to succeed, and returns its output with surrounding space trimmed.
func (m *machine) must(args ...string) string {
	m.t.Helper()
	o := m.run(args...)
	if o.Code != 0 {
		m.t.Fatalf("%q: exit code %d\n%s%s", args, o.Code, o.Stdout, o.Stderr)
	}
	return strings.TrimSpace(o.Stdout)
}

// write writes a file in the machine.
func (m *machine) write(path, text string) {
	m.t.Helper()
	if err := m.Write(path, text); err != nil {
		m.t.Fatal(err)
	}
}

// process is a program running in the machine.
type process struct {
	*machines.Process
	t *testing.T
}

// start starts a program in the machine.
func (m *machine) start(args ...string) *process {
	m.t.Helper()
	return m.startCommand(m.Command(args...))
}

func (m *machine) startCommand(c *exec.Cmd) *process {
	m.t.Helper()
	p, err := m.Start(c)
	if err != nil {
		m.t.Fatal(err)
	}
	return &process{p, m.t}
}

// wait waits up to a minute for the program to end.
func (p *process) wait() outcome {
	p.t.Helper()
	o, err := p.Wait(time.Minute)
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

// output returns the program's output: 0 is standard output, 1 is standard error.
func (p *process) output(i int) string {
	p.t.Helper()
	text, err := p.Output(i)
	if err != nil {
		p.t.Error(err)
	}
	return text
}

// signal sends a signal to the program.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// stop stops the program as a service manager does.
func (p *process) stop() outcome {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait()
}

// eventually waits until so returns true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s for this in vain: %s", what)
		}
	}
}
