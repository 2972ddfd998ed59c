// SPDX-License-Identifier: Apache-2.0

// Package engine knows the container engines: where each is configured, which runtime it calls, and what has to
// stand in its configuration for it to call another one. It reads the host and computes; it writes nothing.
package engine

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Kind is a kind of engine, by the name that --engine takes.
type Kind string

// The kinds of engine.
const (
	Containerd Kind = "containerd"
	Docker     Kind = "docker"
	CRIO       Kind = "crio"
	Podman     Kind = "podman"
)

// Host is the machine that is looked at.
type Host struct {
	// Root stands before every path that is read: "/" but in tests and for images. Paths in results are as the host
	// itself sees them, without it.
	Root string
	// Run runs a program of the host and returns what it wrote to its standard output. An error wraps what it wrote to its standard error.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)

	// Seen, unless it is nil, is told of every file that is read, and of what was in it.
	Seen func(path string, text []byte)

	planned map[string][]byte // files that are looked at as if they were written
}

// Engine is an engine that was found on a host.
type Engine struct {
	Kind Kind
	// Variant is who brought the engine along, where paths depend on it: "k3s", "rke2", "torcx" or "".
	Variant string
	// Binary is the path of the engine's program, "" where only its configuration was found.
	Binary string
	// Version is what the program says, "" where it could not be asked.
	Version string
	// Config is the main configuration file, whether it exists or not.
	Config string
	// Unit is the systemd unit that runs the engine, "" where there is none (Podman).
	Unit string
	// CgroupDriver is "systemd" or "cgroupfs", "" where it cannot be told.
	CgroupDriver string
	// Runtime is the engine's default runtime.
	Runtime Runtime
}

// Runtime is a runtime as an engine knows it.
type Runtime struct {
	Name string // as the engine calls it: "runc"
	Path string // absolute path of the program, symbolic links not followed; "" where it was not found
}

// Request says how an engine is to be configured.
type Request struct {
	// Shim is the absolute path under which the engine shall call the shim.
	Shim string
	// Default routes the engine's default runtime through the shim. Otherwise a runtime called "runc-trace" is added.
	Default bool
}

// File is a file as it shall be.
type File struct {
	Path string
	Data []byte
	Mode fs.FileMode // of a file that does not exist yet
}

// addedRuntime is the name of the runtime that stands beside the default one.
const addedRuntime = "runc-trace"

// runtimes are the runtimes that an engine knows.
type runtimes struct {
	name   string            // of the default one
	paths  map[string]string // programs by runtime, "" where none was found or none is a program
	driver string            // of cgroups
}

// Edit returns the files that have to be written for the engine to do what is requested, whole and as they shall be: none
// where it does so already. Runtimes that are added have the options of the engine's default one. Nothing is written, and
// the result is what the engine will understand: it was read again as the engine reads it.
func (e Engine) Edit(h Host, r Request) ([]File, error) {
	files, err := e.driver().edit(h, e, r)
	if err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	// The shim itself may only be written later.
	planned := h.with(append(slices.Clone(files), File{Path: r.Shim}))
	if err := e.verify(planned, files, r); err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	return files, nil
}

// verify reads the planned files as the engine will: another file of its configuration may have the last word.
func (e Engine) verify(h Host, files []File, r Request) error {
	if len(files) == 0 && e.Kind == Containerd {
		return nil // all of it was looked at, or stands in a template
	}
	for _, file := range files {
		if strings.HasSuffix(file.Path, ".tmpl") {
			return nil // what becomes of it only its owner can say
		}
		if file.Path == containerdConfig {
			e.Config = containerdConfig
		}
	}
	known, err := e.driver().configured(h, e)
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	name := addedRuntime
	if r.Default {
		name = known.name
	}
	if known.paths[name] != r.Shim {
		return fmt.Errorf("another file of its configuration is read later than what would be written, and has the runtime %q call %q: change it there by hand", name, known.paths[name])
	}
	return nil
}

// String is the engine as messages name it: "containerd", "containerd (k3s)".
func (e Engine) String() string {
	if e.Variant != "" {
		return fmt.Sprintf("%s (%s)", e.Kind, e.Variant)
	}
	return string(e.Kind)
}
