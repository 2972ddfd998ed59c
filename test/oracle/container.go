// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/runc-trace/runc-trace/test/patience"
)

// longest is how long a program may run under strace.
var longest = 5 * patience.Limit

// container is one run of a program.
type container struct {
	*lab
	program *program
	id, dir string
	init    int // its PID
}

// prepare writes the bundle of a program. The container has a network of its own, with a loopback.
func (l *lab) prepare(p *program, variant string) (*container, error) {
	c := &container{lab: l, program: p, id: filepath.Base(l.dir) + "-" + p.name + variant}
	c.dir = filepath.Join(l.dir, p.name+variant)
	if err := os.MkdirAll(filepath.Join(c.dir, "srv"), 0o777); err != nil {
		return nil, err
	}
	if err := p.install(filepath.Join(c.dir, "srv")); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", p.name, err)
	}
	temporary := func(at string) specs.Mount {
		return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=1777"}}
	}
	capabilities := []string{"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_FOWNER",
		"CAP_NET_BIND_SERVICE", "CAP_SYS_PTRACE"}
	spec := specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: l.rootfs, Readonly: true},
		Annotations: map[string]string{
			"io.kubernetes.cri.container-type":    "container",
			"io.kubernetes.cri.container-name":    p.name,
			"io.kubernetes.cri.sandbox-name":      c.id,
			"io.kubernetes.cri.sandbox-namespace": "oracle",
		},
		Process: &specs.Process{
			Args: p.args, Cwd: "/tmp",
			Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp", "LANG=C.UTF-8",
				"GIT_CONFIG_NOSYSTEM=1"},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: capabilities, Effective: capabilities, Permitted: capabilities},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"mode=1777"}},
			temporary("/tmp"), temporary("/run"), temporary("/var/log"), temporary("/var/lib"),
			{Destination: "/srv", Type: "bind", Source: filepath.Join(c.dir, "srv"), Options: []string{"bind", "ro"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: "/" + c.id,
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
				{Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.NetworkNamespace}},
		},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(filepath.Join(c.dir, "config.json"), text, 0o644)
}

// file returns the path of a file of this run.
func (c *container) file(name string) string { return filepath.Join(c.dir, name) }

// create makes the container, of which the program does not run yet.
func (c *container) create(ctx context.Context) error {
	said, err := os.Create(c.file("said"))
	if err != nil {
		return err
	}
	defer said.Close()
	create := c.runtime(ctx, "create", "--bundle", c.dir, "--pid-file", c.file("pid"), c.id)
	create.Env, create.Stdout, create.Stderr = c.environment, said, said
	if err := create.Run(); err != nil {
		text, _ := os.ReadFile(c.file("said"))
		return fmt.Errorf("creating %s: %w: %s", c.id, err, text)
	}
	text, err := os.ReadFile(c.file("pid"))
	if err != nil {
		return err
	}
	c.init, err = strconv.Atoi(string(text))
	return err
}

// start runs the program.
func (c *container) start(ctx context.Context) error {
	_, err := c.output(c.runtime(ctx, "start", c.id))
	return err
}

// remove deletes the container, and kills what still runs in it.
func (c *container) remove() error {
	_, err := c.output(c.runtime(context.Background(), "delete", "--force", c.id))
	return err
}

// alone runs the program, and returns its recording.
func (c *container) alone(ctx context.Context) (record []*event, err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	defer func() { err = errors.Join(err, c.remove()) }()
	if err := c.create(ctx); err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	for c.runs() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s does not end: %w", c.id, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	return readLog(c.file("record"))
}

// runs reports whether a process of the container has not ended.
func (c *container) runs() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.init))
	if err != nil {
		return false
	}
	_, state, _ := bytes.Cut(text, []byte(") "))
	return !bytes.HasPrefix(state, []byte("Z")) && !bytes.HasPrefix(state, []byte("X"))
}

// traced runs the program under strace, which stays outside of the container. It returns strace's log, from the
// program's execve on, and the recording.
func (c *container) traced(ctx context.Context) (log, record []*event, err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	defer func() { err = errors.Join(err, c.remove()) }()
	if err := c.create(ctx); err != nil {
		return nil, nil, err
	}
	strace := exec.CommandContext(ctx, "strace", "-f", "-tt", "-T", "-yy", "-e", "quiet=attach,personality", "-s", capture,
		"-o", c.file("strace"), "-p", strconv.Itoa(c.init))
	var stderr strings.Builder
	strace.Stderr = &stderr
	if err := strace.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- strace.Wait() }()
	for !c.isTraced() {
		select {
		case err := <-ended:
			return nil, nil, fmt.Errorf("strace ended: %w: %s", err, stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := c.start(ctx); err != nil {
		strace.Process.Kill()
		<-ended
		return nil, nil, err
	}
	<-ended // with the status of the program
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("%s does not end: %w", c.id, err)
	}
	if err := c.read(ctx); err != nil {
		return nil, nil, err
	}
	return logs(c.dir)
}

// isTraced reports whether strace is attached to all threads of the init.
func (c *container) isTraced() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", c.init))
	for _, thread := range threads {
		if text, err := os.ReadFile(thread); err != nil || bytes.Contains(text, []byte("TracerPid:\t0\n")) {
			return false
		}
	}
	return len(threads) > 0
}

// fromExec returns a log from the execve of the program on: before that, threads of the runtime run.
func fromExec(log []*event) []*event {
	runtime := make(map[int]bool)
	for i, e := range log {
		if e.call == "execve" && e.result == "0" {
			init := e.thread
			var rest []*event
			for _, e := range log[i:] {
				if e.thread == init || !runtime[e.thread] {
					rest = append(rest, e)
				}
			}
			return rest
		}
		runtime[e.thread] = true
	}
	return nil
}

// read writes the recording of the container to a file.
func (c *container) read(ctx context.Context) error {
	show := exec.CommandContext(ctx, c.tracectl, "straceback", "show", "--format=strace", "--no-redact", c.id)
	show.Env = c.environment
	var stderr bytes.Buffer
	show.Stderr = &stderr
	text, err := os.Create(c.file("record"))
	if err != nil {
		return err
	}
	defer text.Close()
	show.Stdout = text
	if err := show.Run(); err != nil {
		return fmt.Errorf("reading the recording of %s: %w: %s", c.id, err, stderr.String())
	}
	if stderr.Len() > 0 { // calls were overwritten or lost
		return fmt.Errorf("the recording of %s is not whole: %s", c.id, stderr.String())
	}
	return nil
}

// keep copies the logs of this run to a directory.
func (c *container) keep(directory string) error {
	to := filepath.Join(directory, filepath.Base(c.dir))
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"strace", "record", "said"} {
		text, err := os.ReadFile(c.file(name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// logs reads what a run has left in a directory: strace's log, from the program's execve on, and the recording.
func logs(directory string) (strace, record []*event, err error) {
	if strace, err = readLog(filepath.Join(directory, "strace")); err != nil {
		return nil, nil, err
	}
	for _, e := range strace {
		if e.malformed != nil {
			return nil, nil, fmt.Errorf("strace's log has a line that cannot be read: %w: %s", e.malformed, e.line)
		}
	}
	record, err = readLog(filepath.Join(directory, "record"))
	return fromExec(strace), record, err
}

func readLog(path string) ([]*event, error) {
	text, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	events, err := parseLog(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return events, nil
}
