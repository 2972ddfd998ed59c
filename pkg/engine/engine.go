// SPDX-License-Identifier: Apache-2.0

// Package engine knows the container engines: where each is configured, which runtime it calls, and what has to
// stand in its configuration for it to call another one. It reads the host and computes; it writes nothing.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

	// API asks running engines at their sockets; nil if none is to be asked.
	API API

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
	// Runtimes are all that the engine knows, sorted by name.
	Runtimes []Runtime
	// NoAnswer is why its program did not say what is in force, although it can be asked; "" if it did.
	NoAnswer string `json:"-"`
}

// Runtime is a runtime as an engine knows it.
type Runtime struct {
	Name string // as the engine calls it: "runc"
	Path string // absolute path of the program, symbolic links not followed; "" where it was not found
	// Type is what the runtime is if it calls nothing of runc's kind, as the engine calls that; otherwise "".
	Type string
}

// Request says how an engine is to be configured.
type Request struct {
	// Shim is the absolute path under which the engine shall call the shim.
	Shim string
	// Default routes the engine's default runtime through the shim. Otherwise a runtime called "runc-trace" is added.
	Default bool
	// Others are the paths under which other runtimes of the engine shall call the shim, by their names.
	Others map[string]string
}

// File is a file as it shall be.
type File struct {
	Path string
	Data []byte
	Mode fs.FileMode // of a file that does not exist yet
}

// addedRuntime is the name of the runtime that stands beside the default one.
const addedRuntime = "runc-trace"

// Edit returns the files that have to be written for the engine to do what is requested, whole and as they shall be: none
// where it does so already. Runtimes that are added have the options of the engine's default one. Nothing is written, and
// the result is what the engine will understand: it was read again as the engine reads it.
func (e Engine) Edit(h Host, r Request) ([]File, error) {
	c, err := e.command(h)
	if err == nil && c.unsure != nil {
		err = fmt.Errorf("%w, so its flags are not known: start it, so that they can be seen", c.unsure)
	}
	if err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	files, err := e.driver().edit(h, e, r)
	if err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	if len(files) == 0 || slices.ContainsFunc(files, func(f File) bool { return strings.HasSuffix(f.Path, ".tmpl") }) {
		return files, nil // there is nothing new to read, or only its owner can say what becomes of it
	}
	// The shim itself, and links to it, may only be written later.
	all := append(slices.Clone(files), File{Path: r.Shim})
	for _, link := range r.Others {
		all = append(all, File{Path: link})
	}
	planned := h.with(all)
	if err := e.verify(planned, files, r); err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	return files, nil
}

// verify reads the planned files as the engine will: another file of its configuration may have the last word.
func (e Engine) verify(h Host, files []File, r Request) error {
	for _, file := range files {
		if file.Path == containerdConfig {
			e.Config = containerdConfig // a copy, which the unit names from now on
		}
	}
	known, err := e.driver().configured(h, e)
	if errors.Is(err, errUnsure) {
		return nil // Confirm asks the engine
	}
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	want := maps.Clone(r.Others)
	if want == nil {
		want = make(map[string]string)
	}
	switch {
	case !r.Default:
		want[addedRuntime] = r.Shim
	case known.paths[e.Runtime.Name] == r.Shim:
		want[e.Runtime.Name] = r.Shim // the engine itself said that this is the default one
	default:
		want[known.name] = r.Shim
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if known.paths[name] != want[name] {
			return fmt.Errorf("what would be written has no effect: a file that is read later, a flag or a variable has the runtime %q call %q; change it there by hand", name, known.paths[name])
		}
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
