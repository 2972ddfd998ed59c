// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"io/fs"
	"time"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// Facts is the input of Checks. Gather sets all fields except Version, Layout, PinDir.Path, Configuration and Tracer.
type Facts struct {
	Self          Self
	Kernel        Kernel
	PinDir        PinDir
	Cgroups       Cgroups
	Clock         Clock
	Systemd       bool // systemd runs the host
	Configuration Configuration
	Runtimes      []Runtime
	Shims         []Shim // the one that belongs to this tracectl comes first
	Engines       []Engine
	EnginesErr    error    // error of finding the engines
	Unhandled     []string // descriptions of engines that can never be routed through the shim
	KubeletDriver string   // cgroup driver in the kubelet's configuration, or ""
	Unit          Unit     // set if Systemd is
	Running       []Running
	Unregistered  [unregistered.Reasons]uint64 // containers that the shim could not register, since boot
	Tracer        Tracer
	Archive       Archive
}

// Self describes this process.
type Self struct {
	Version      string
	Layout       uint32 // of the maps that it reads
	Path         string
	UID          int
	Capabilities uint64   // effective capabilities
	Namespaces   []string // those of "user", "pid" and "cgroup" in which it is not in the host's namespace
}

// Kernel describes the kernel.
type Kernel struct {
	Release  string
	BTF      bool
	Trial    error  // error of loading the programs on trial
	Lockdown string // none, integrity, confidentiality, or "" if the kernel has no lockdown
}

// PinDir is the directory of the pinned objects.
type PinDir struct {
	Path    string
	Mounted bool // the directory is, or would be, on a bpf file system
	Default bool // it is below the directory where load mounts one
	Err     error
}

// Cgroups says where the hierarchies are mounted.
type Cgroups struct {
	Unified string // "" if it is not mounted
	V1      bool   // hierarchies of version 1 are mounted
}

// Clock is the wall clock.
type Clock struct {
	Now          time.Time
	Synchronised bool // as reported to the kernel by the time service
}

// Configuration is config.toml.
type Configuration struct {
	Path    string
	Present bool
	Err     error
	Config  config.Config // usable even if Err is set
}

// Runtime is a real runtime that the configuration names.
type Runtime struct {
	Name   string         // "" for the shim's own name
	Wanted config.Runtime // as configured
	Path   string         // first existing program, or ""
	Shim   bool           // it is the shim itself
	Answer string         // first line of its --version output
	Err    error          // error of finding it or running it
}

// Shim is a runc-trace program found on the host.
type Shim struct {
	Path   string
	Mode   fs.FileMode
	UID    uint32
	Same   bool   // it is identical to the first one
	Answer string // first line of its --version output, which comes from the real runtime
	Err    error  // error of running it
}

// Engine is an engine, with those of its runtimes that go through the shim when it starts now.
type Engine struct {
	engine.Engine
	Use     engine.Use
	Missing bool // the program of its default runtime does not exist

	Running    *engine.Use      // as reported by the running engine; nil if it cannot be asked
	RunningErr error            // error of asking it
	Reload     string           // command that makes it load its configuration
	Untraced   []engine.Runtime // other runtimes that do not go through the shim
	Loses      []engine.Runtime // runtimes that it forgets when it reloads its configuration
}

// Unit is systemd's state of runc-trace.service.
type Unit struct {
	Load, File, Active string // LoadState, UnitFileState, ActiveState
	Before             []string
	Err                error
}

// Running is a running container of any engine, found by its cgroups.
type Running struct {
	ID      string
	Path    string   // of its cgroup in the unified hierarchy
	Cgroups []uint64 // ID of that cgroup, and of its ancestors; empty if they cannot be seen
}

// Tracer describes the loaded programs.
type Tracer struct {
	Err error // error of opening it; if it is set, all other fields are unset
	status.Status
	Since      time.Time     // when it was loaded, by the current clock
	Stepped    time.Duration // by how much the wall clock was set since then
	Agent      bool          // an agent runs
	Containers []Container
}

// Container is a registered container that has not ended.
type Container struct {
	Name    string
	Cgroup  uint64   // the cgroup it was registered with
	Init    uint32   // PID, or 0 if none runs
	Cgroups []uint64 // ID of init's cgroup, and of its ancestors; empty if no init runs. Set by Gather
}
