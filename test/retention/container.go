// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// container is a server's container.
type container struct {
	*server
	bench *bench
	id    string // and the name of its cgroup's directory
	dir   string // its bundle
	run   *exec.Cmd
	ended chan error
	stop  chan struct{} // ends its load
}

// prepare makes the bundle of a server. The container sees the host's file system, read-only, and its network.
func (b *bench) prepare(s *server) (*container, error) {
	c := &container{server: s, bench: b, id: fmt.Sprintf("rt%d-%s", os.Getpid(), s.name), stop: make(chan struct{})}
	c.dir = filepath.Join(b.dir, s.name)
	if err := os.MkdirAll(filepath.Join(c.dir, "srv"), 0o755); err != nil {
		return nil, err
	}
	for name, text := range s.files {
		if err := os.WriteFile(filepath.Join(c.dir, "srv", name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	temporary := func(at string) specs.Mount {
		return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=1777"}}
	}
	capabilities := []string{"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL"}
	spec := specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: b.rootfs, Readonly: true},
		Annotations: map[string]string{
			"io.kubernetes.cri.container-type":    "container",
			"io.kubernetes.cri.container-name":    s.name,
			"io.kubernetes.cri.sandbox-name":      c.id,
			"io.kubernetes.cri.sandbox-namespace": "retention",
		},
		Process: &specs.Process{
			Args: append([]string{s.program}, s.args...), Cwd: "/",
			Env:  []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp", "LANG=C.UTF-8"},
			User: specs.User{UID: s.uid, GID: s.uid},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: capabilities, Effective: capabilities, Permitted: capabilities},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"mode=1777"}},
			{Destination: "/srv", Type: "bind", Source: filepath.Join(c.dir, "srv"), Options: []string{"bind", "ro"}},
			temporary("/tmp"), temporary("/run"),
		},
		Linux: &specs.Linux{
			CgroupsPath: "/" + c.id,
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
				{Type: specs.IPCNamespace}},
		},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(filepath.Join(c.dir, "config.json"), text, 0o644)
}

// said is the file with what the server wrote to its standard output and error.
func (c *container) said() string { return filepath.Join(c.dir, "said") }

// start runs the server, waits until it listens, and starts its load.
func (c *container) start() error {
	said, err := os.Create(c.said())
	if err != nil {
		return err
	}
	defer said.Close()
	// The server may open it again, by /dev/stdout.
	if err := said.Chmod(0o666); err != nil {
		return err
	}
	c.run = c.bench.runtime("run", "--bundle", c.dir, c.id)
	c.run.Stdout, c.run.Stderr = said, said
	if err := c.run.Start(); err != nil {
		return err
	}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.run.Wait() }()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if connection, err := net.Dial("tcp", c.address()); err == nil {
			connection.Close()
			break
		}
		select {
		case err := <-c.ended:
			text, _ := os.ReadFile(c.said())
			return fmt.Errorf("%s ended: %w: %s", c.name, err, text)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not listen after two minutes", c.name)
		}
	}
	go func() {
		if err := c.load(c.server, c.stop); err != nil {
			fmt.Fprintf(os.Stderr, "retention: loading %s: %v\n", c.name, err)
		}
	}()
	return nil
}

// exec runs a program in the container, with other standard streams than the server's.
func (c *container) exec(args ...string) error {
	text, err := c.bench.runtime(append([]string{"exec", c.id}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("exec in %s: %w: %s", c.name, err, text)
	}
	return nil
}

// remove ends the container and its load.
func (c *container) remove() error {
	close(c.stop)
	if c.ended == nil {
		return nil
	}
	if text, err := c.bench.runtime("delete", "--force", c.id).CombinedOutput(); err != nil {
		return fmt.Errorf("deleting %s: %w: %s", c.id, err, text)
	}
	<-c.ended
	return nil
}
