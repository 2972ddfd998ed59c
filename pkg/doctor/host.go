// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// Gather adds facts of the host. It changes nothing: it loads the programs on trial, and asks runtimes and engines for
// their versions through h.Run, which has to limit its own time.
func Gather(ctx context.Context, h engine.Host, f Facts) Facts {
	f.Self.Path, _ = os.Executable()
	f.Self.UID, f.Self.Capabilities, f.Self.Namespaces = os.Geteuid(), capabilities(), namespaces()
	f.Kernel = kernelFacts(h, f.Self)
	f.PinDir = pinDirFacts(f.PinDir.Path)
	f.Cgroups = cgroupFacts(h)
	f.Clock = clockFacts()
	_, err := os.Stat(filepath.Join(h.Root, "run/systemd/system"))
	f.Systemd = err == nil
	if f.Systemd {
		f.Unit = unitFacts(ctx, h)
	}
	paths := shimPaths(h, path.Dir(f.Self.Path))
	found := programs(h, paths)
	f.Runtimes = runtimeFacts(ctx, h, f.Configuration.Config, found)
	f.Engines, f.EnginesErr = engineFacts(ctx, h, paths, found)
	f.Unhandled = engine.Unhandled(h)
	for _, e := range f.Engines {
		if e.Use.Default {
			paths = append(paths, e.Runtime.Path)
		}
	}
	found = programs(h, paths)
	f.Shims = shimFacts(ctx, h, f.Configuration, found)
	f.KubeletDriver = kubeletDriver(h)
	f.Running = running(h, f.Cgroups)
	f.Unregistered, _ = unregistered.Read()
	if !slices.Contains(f.Self.Namespaces, "pid") {
		f.Tracer.Containers = slices.Clone(f.Tracer.Containers)
		for n := range f.Tracer.Containers {
			c := &f.Tracer.Containers[n]
			c.Cgroups = cgroupsOf(h, f.Cgroups, c.Init)
		}
	}
	return f
}

// commandTime limits a program that prints its version.
const commandTime = 10 * time.Second

// capabilities returns the effective capabilities of this process.
func capabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
}

// namespaces returns the kinds of namespaces in which this process is not in the host's. The host's have fixed inode
// numbers (include/linux/proc_ns.h).
func namespaces() []string {
	var own []string
	for _, ns := range []struct {
		kind string
		host uint64
	}{{"user", 0xeffffffd}, {"pid", 0xeffffffc}, {"cgroup", 0xeffffffb}} {
		var stat unix.Stat_t
		if unix.Stat("/proc/self/ns/"+ns.kind, &stat) == nil && stat.Ino != ns.host {
			own = append(own, ns.kind)
		}
	}
	return own
}

func kernelFacts(h engine.Host, s Self) Kernel {
	var k Kernel
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		k.Release = unix.ByteSliceToString(uts.Release[:])
	}
	_, err := os.Stat(filepath.Join(h.Root, "sys/kernel/btf/vmlinux"))
	k.BTF = err == nil
	if k.BTF && s.privileged() {
		k.Trial = bpf.Try()
	}
	modes, _ := regular.Read(filepath.Join(h.Root, "sys/kernel/security/lockdown"), regular.Text)
	for mode := range strings.FieldsSeq(string(modes)) {
		if chosen, ok := strings.CutPrefix(mode, "["); ok {
			k.Lockdown = strings.TrimSuffix(chosen, "]")
		}
	}
	return k
}

// pinDirFacts examines the file systems of this process, as load does.
func pinDirFacts(dir string) PinDir {
	const mountPoint = "/sys/fs/bpf"
	p := PinDir{Path: dir, Default: strings.HasPrefix(dir+"/", mountPoint+"/")}
	p.Mounted, p.Err = bpf.Mounted(dir)
	if _, err := os.Stat(mountPoint); p.Err == nil && p.Default && err != nil {
		p.Err = fmt.Errorf("looking for a bpf file system: %w", err)
	}
	return p
}

func clockFacts() Clock {
	var t unix.Timex // changes nothing
	state, err := unix.Adjtimex(&t)
	return Clock{Now: time.Now(), Synchronised: err == nil && state != unix.TIME_ERROR}
}

func unitFacts(ctx context.Context, h engine.Host) Unit {
	var u Unit
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	text, err := h.Run(ctx, "systemctl", "show",
		"--property=LoadState,UnitFileState,ActiveState,Before", "runc-trace.service")
	u.Err = err
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "LoadState":
			u.Load = value
		case "UnitFileState":
			u.File = value
		case "ActiveState":
			u.Active = value
		case "Before":
			u.Before = strings.Fields(value)
		}
	}
	return u
}

// kubeletDriver returns the cgroup driver in the kubelet's configuration, if it is in a file that kubeadm or a similar
// tool writes.
func kubeletDriver(h engine.Host) string {
	var c struct {
		CgroupDriver string `yaml:"cgroupDriver"`
	}
	text, err := regular.Read(filepath.Join(h.Root, "var/lib/kubelet/config.yaml"), regular.Text)
	if err != nil || yaml.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.CgroupDriver
}

// file is a program of the host.
type file struct {
	path string
	stat syscall.Stat_t
}

// find returns the program at a path, with symbolic links resolved.
func find(h engine.Host, name string) (file, bool) {
	f := file{path: name}
	err := syscall.Stat(filepath.Join(h.Root, name), &f.stat)
	return f, err == nil && f.stat.Mode&syscall.S_IFMT == syscall.S_IFREG && f.stat.Mode&0o111 != 0
}

// programs returns the paths that are programs. It returns each program once, even if it has several names.
func programs(h engine.Host, paths []string) []file {
	var files []file
	for _, name := range paths {
		f, ok := find(h, name)
		if ok && !slices.ContainsFunc(files,
			func(g file) bool { return f.stat.Dev == g.stat.Dev && f.stat.Ino == g.stat.Ino }) {
			files = append(files, f)
		}
	}
	return files
}

// shimPaths returns paths at which the shim is or should be, under all of its names, beginning with those in dir.
func shimPaths(h engine.Host, dir string) []string {
	var paths []string
	for _, dir := range append([]string{dir, "/opt/runc-trace/bin"}, filepath.SplitList(os.Getenv("PATH"))...) {
		if !path.IsAbs(dir) {
			continue
		}
		paths = append(paths, path.Join(dir, "runc-trace"))
		links, _ := filepath.Glob(filepath.Join(h.Root, dir, "runc-trace-*"))
		for _, link := range links {
			paths = append(paths, path.Join(dir, path.Base(link)))
		}
	}
	return paths
}

// same reports whether two files are the same file or have the same contents.
func (f file) same(h engine.Host, g file) bool {
	if f.stat.Dev == g.stat.Dev && f.stat.Ino == g.stat.Ino || f.stat.Size != g.stat.Size {
		return f.stat.Size == g.stat.Size
	}
	a, errA := regular.Read(filepath.Join(h.Root, f.path), regular.Program)
	b, errB := regular.Read(filepath.Join(h.Root, g.path), regular.Program)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func shimFacts(ctx context.Context, h engine.Host, c Configuration, files []file) []Shim {
	var shims []Shim
	for _, f := range files {
		s := Shim{Path: f.path, Mode: fs.FileMode(f.stat.Mode & 0o777), UID: f.stat.Uid, Same: f.same(h, files[0])}
		// Make the shim read the configuration file that the other checks are about.
		s.Answer, s.Err = version(ctx, h, "env", config.PathEnv+"="+c.Path, f.path, "--version")
		shims = append(shims, s)
	}
	return shims
}

// version runs a command that prints a version, and returns its first line.
func version(ctx context.Context, h engine.Host, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	text, err := h.Run(ctx, program, args...)
	if err == nil && firstLine(string(text)) == "" {
		err = fmt.Errorf("%s printed nothing", program)
	}
	return firstLine(string(text)), err
}

func runtimeFacts(ctx context.Context, h engine.Host, c config.Config, shims []file) []Runtime {
	runtimes := []Runtime{{Wanted: c.Runtime}}
	for name, path := range c.Runtimes {
		runtimes = append(runtimes, Runtime{Name: name, Wanted: config.Runtime{path}})
	}
	slices.SortFunc(runtimes, func(a, b Runtime) int { return strings.Compare(a.Name, b.Name) })
	for n := range runtimes {
		r := &runtimes[n]
		for _, name := range r.Wanted.Candidates(os.Getenv("PATH")) {
			f, ok := find(h, name)
			if !ok {
				continue
			}
			if slices.ContainsFunc(shims, func(s file) bool { return f.same(h, s) }) {
				r.Path, r.Shim = name, true // unless there is another one
				continue
			}
			r.Path, r.Shim = name, false
			r.Answer, r.Err = version(ctx, h, name, "--version")
			break
		}
	}
	return runtimes
}

// engineFacts finds the engines, and which of their runtimes go through one of the shims, which are expected at paths.
// It leaves out those whose configuration cannot be read, and returns why.
func engineFacts(ctx context.Context, h engine.Host, paths []string, shims []file) ([]Engine, error) {
	found, problem := engine.Detect(h)
	err := problem
	var engines []Engine
	for _, e := range found {
		if unread(problem, e) {
			continue
		}
		use, useErr := e.UsesShim(h, paths)
		program, there := find(h, e.Runtime.Path)
		// The shim may also have another name or path, or be gone.
		elsewhere := strings.HasPrefix(path.Base(e.Runtime.Path), "runc-trace") ||
			there && slices.ContainsFunc(shims, func(s file) bool { return program.same(h, s) })
		use.Default = use.Default || elsewhere
		facts := Engine{Engine: e, Use: use, Missing: e.Runtime.Path != "" && !there, Reload: e.ReloadCommand(h),
			Loses: e.ReloadLoses(h)}
		if _, running := h.Process(e); running {
			now, asked, askErr := e.RunsShim(ctx, h, append(slices.Clone(paths), shimPath(e, elsewhere)...))
			if facts.RunningErr = askErr; asked && askErr == nil {
				facts.Running = &now
			}
		}
		possible, impossible := e.Others()
		for _, r := range append(possible, impossible...) {
			if !slices.Contains(use.Runtimes, r.Name) {
				facts.Untraced = append(facts.Untraced, r)
			}
		}
		engines = append(engines, facts)
		err = errors.Join(err, useErr)
	}
	return engines, err
}

// unread reports whether an error of engine.Detect is about this engine.
func unread(err error, e engine.Engine) bool {
	var one *engine.DetectError
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(all.Unwrap(), func(err error) bool { return unread(err, e) })
	}
	return errors.As(err, &one) && one.Engine == e.String()
}

// shimPath returns the shim's path for an engine that calls it by another path.
func shimPath(e engine.Engine, elsewhere bool) []string {
	if !elsewhere {
		return nil
	}
	return []string{e.Runtime.Path}
}

// processes calls do with the PID of each process.
func processes(h engine.Host, do func(pid uint32)) {
	entries, _ := os.ReadDir(filepath.Join(h.Root, "proc"))
	for _, e := range entries {
		if pid, err := strconv.ParseUint(e.Name(), 10, 32); err == nil {
			do(uint32(pid))
		}
	}
}
