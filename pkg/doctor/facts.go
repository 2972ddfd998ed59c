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

// Facts are what Checks judges. Gather finds out all but Version, Layout, PinDir.Path, Configuration and Tracer.
type Facts struct {
	Self          Self
	Kernel        Kernel
	PinDir        PinDir
	Cgroups       Cgroups
	Clock         Clock
	Systemd       bool // runs the host
	Configuration Configuration
	Runtimes      []Runtime
	Shims         []Shim // the one that belongs to this tracectl first
	Engines       []Engine
	EnginesErr    error  // of finding them all
	KubeletDriver string // cgroup driver as the kubelet is told, or ""
	Unit          Unit   // where Systemd
	Running       []Running
	Unregistered  [unregistered.Reasons]uint64 // containers that the shim could not register, since boot
	Tracer        Tracer
}

// Self is the process that looks.
type Self struct {
	Version      string
	Layout       uint32 // of the maps that it reads
	Path         string
	UID          int
	Capabilities uint64   // effective ones
	Namespaces   []string // of the kinds "user", "pid" and "cgroup" those that are not the host's own
}

// Kernel is what the kernel says of itself.
type Kernel struct {
	Release  string
	BTF      bool
	Trial    error  // of loading the programs
	Lockdown string // none, integrity, confidentiality, or "" where there is no lockdown
}

// PinDir is the directory of the pinned objects.
type PinDir struct {
	Path    string
	Mounted bool // it lies, or would lie, on a bpf file system
	Default bool // it lies below the place where load mounts one
	Err     error
}

// Cgroups are where the hierarchies are mounted.
type Cgroups struct {
	Unified string // "" where it is not mounted
	V1      bool   // hierarchies of version 1 are mounted
}

// Clock is the wall clock.
type Clock struct {
	Now          time.Time
	Synchronised bool // as the kernel was told by who synchronises it
}

// Configuration is config.toml.
type Configuration struct {
	Path    string
	Present bool
	Err     error
	Config  config.Config // can be used whatever Err is
}

// Runtime is a real runtime that the configuration names.
type Runtime struct {
	Name   string         // "" for the shim called by its own name
	Wanted config.Runtime // as configured
	Path   string         // of the first program that there is, or ""
	Shim   bool           // it is the shim itself
	Answer string         // the first line of what it says to --version
	Err    error          // of finding it or asking it
}

// Shim is a runc-trace that was found.
type Shim struct {
	Path   string
	Mode   fs.FileMode
	UID    uint32
	Same   bool   // it is the same program as the first one found
	Answer string // the first line of what it says to --version, which is the real runtime's answer
	Err    error  // of asking it
}

// Engine is an engine, and which of its runtimes go through the shim if it starts now.
type Engine struct {
	engine.Engine
	Use     engine.Use
	Missing bool // the program of its default runtime is not there

	Running    *engine.Use      // by the answer of the engine that runs; nil if it has none
	RunningErr error            // of asking it
	Reload     string           // what has it take its configuration
	Untraced   []engine.Runtime // beside the default one, those that do not go through the shim
}

// Unit is what systemd knows of runc-trace.service.
type Unit struct {
	Load, File, Active string // LoadState, UnitFileState, ActiveState
	Before             []string
	Err                error
}

// Running is a container that runs, by whichever engine, as its cgroups show it.
type Running struct {
	ID      string
	Path    string   // of its cgroup in the unified hierarchy
	Cgroups []uint64 // ID of that cgroup, and of those above it; none where they cannot be seen
}

// Tracer is what is loaded.
type Tracer struct {
	Err error // of opening it; if it is set, nothing below is
	status.Status
	Since      time.Time     // when it was loaded, by today's clock
	Stepped    time.Duration // by how much the wall clock was set since then
	Containers []Container
}

// Container is a registered container that has not ended.
type Container struct {
	Name    string
	Cgroup  uint64   // that it was registered for
	Init    uint32   // PID, or 0 where none runs
	Cgroups []uint64 // ID of init's cgroup, and of those above it; none where no init runs. Gather finds them out
}
