// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

const benchDir = "/sys/fs/bpf/runc-trace-bench"

// benchCgroup has a name of its own for each run, because a run that is killed leaves its cgroup.
var benchCgroup = fmt.Sprintf("/runc-trace-bench-%d", os.Getpid())

// A recorder is the programs of one build. It is driven by that build's own tracectl and shim, so builds with different
// layouts can be compared.
type recorder struct {
	build string // a directory with bin/tracectl and bin/runc-trace
	name  string // in tables
	pins  string
	dir   string          // temporary files
	hooks []*ebpf.Program // at the enter and the exit of calls
}

const benchID = "runc-trace-bench"

// recorders returns the builds that are compared: this one and, unless it is empty, the one in the directory old.
func recorders(old string) []*recorder {
	builds := []*recorder{{build: ".", name: "runc-trace"}}
	if old != "" {
		builds = append(builds, &recorder{build: old, name: "old build"})
	}
	return builds
}

// load loads and attaches the programs.
func (r *recorder) load() (err error) {
	r.pins = benchDir + "-" + strings.Map(letter, r.name)
	if r.dir, err = os.MkdirTemp("", "runc-trace-bench"); err != nil {
		return err
	}
	_, err = r.tracectl("load", "--no-adopt")
	return err
}

// start loads the programs, and registers the container of a cgroup that will be made.
func (r *recorder) start(cgroup string) error {
	if err := r.load(); err != nil {
		return err
	}
	for _, hook := range []string{"sys_enter", "sys_exit"} {
		p, err := ebpf.LoadPinnedProgram(filepath.Join(r.pins, abi.PinHookPrefix+hook), nil)
		if err != nil {
			return fmt.Errorf("opening hook %s: %w", hook, err)
		}
		r.hooks = append(r.hooks, p)
	}
	return r.register(cgroup)
}

func letter(c rune) rune {
	if c == ' ' {
		return '-'
	}
	return c
}

// register has the shim register the container, with a runtime that does nothing.
func (r *recorder) register(cgroup string) error {
	if _, err := writeBundle(r.dir, cgroup, containerdAnnotations); err != nil {
		return err
	}
	config, err := r.configure("/bin/true")
	if err != nil {
		return err
	}
	shim := exec.Command(r.shim(), "--root", r.dir, "create", "--bundle", r.dir, benchID)
	shim.Env = append(os.Environ(), config)
	if out, err := shim.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w: %s", shim, err, out)
	}
	return nil
}

// configure writes the configuration of the shim, and returns the environment variable that names it.
func (r *recorder) configure(runtime string) (string, error) {
	config := filepath.Join(r.dir, "config.toml")
	text := fmt.Appendf(nil, "runtime = %q\npin-dir = %q\n", runtime, r.pins)
	return "RUNC_TRACE_CONFIG=" + config, os.WriteFile(config, text, 0o600)
}

func (r *recorder) shim() string { return filepath.Join(r.build, "bin/runc-trace") }

// check returns an error if the container is not registered.
func (r *recorder) check() error {
	list, err := r.tracectl("straceback", "list", "-o", "json")
	if err == nil && !strings.Contains(list, benchID) {
		err = fmt.Errorf("the container is not recorded: %s", list)
	}
	return err
}

func (r *recorder) tracectl(args ...string) (string, error) {
	c := exec.Command(filepath.Join(r.build, "bin/tracectl"), append([]string{"--pin-dir", r.pins}, args...)...)
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running %s: %w: %s", c, err, out)
	}
	return string(out), nil
}

// detach detaches all hooks; the programs stay.
func (r *recorder) detach() error {
	links, err := filepath.Glob(filepath.Join(r.pins, abi.PinLinkPrefix+"*"))
	if err != nil || len(links) == 0 {
		return errors.Join(err, fmt.Errorf("no hook is attached below %s", r.pins))
	}
	for _, link := range links {
		if err := os.Remove(link); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) stop() error {
	if r.dir == "" {
		return nil
	}
	for _, p := range r.hooks {
		p.Close()
	}
	_, err := r.tracectl("unload")
	return errors.Join(err, os.RemoveAll(r.dir))
}

// spec is a config.json of a realistic size. It asks for no mount namespace: a worker is executed in that of the host,
// and with another one for its container, it would be taken for the runtime.
func spec(cgroup string, annotations map[string]string) specs.Spec {
	spec := specs.Spec{
		Version:     "1.1.0",
		Process:     &specs.Process{Args: []string{"/bin/true"}, Cwd: "/"},
		Root:        &specs.Root{Path: "rootfs"},
		Annotations: annotations,
		Linux: &specs.Linux{
			CgroupsPath: cgroup,
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}},
			Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActErrno},
		},
	}
	allowed := specs.LinuxSyscall{Action: specs.ActAllow}
	for n := range 420 { // as many as in a default profile, in one rule as there
		allowed.Names = append(allowed.Names, fmt.Sprintf("syscall_number_%d", n))
	}
	spec.Linux.Seccomp.Syscalls = []specs.LinuxSyscall{allowed}
	for n := range 40 {
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: fmt.Sprintf("/mnt/%d", n), Type: "bind",
			Source: fmt.Sprintf("/var/lib/kubelet/pods/volume-%d", n), Options: []string{"rbind", "rprivate", "ro"}})
	}
	return spec
}
