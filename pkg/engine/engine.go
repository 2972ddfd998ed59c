// SPDX-License-Identifier: Apache-2.0

// Package engine finds container engines, and computes the configuration that makes them call another runtime. It
// reads the host, and writes nothing.
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

// Host is the machine to examine.
type Host struct {
	// Root is prepended to every path that is read: "/" except in tests and for images. Paths in results are as the
	// host sees them, without Root.
	Root string
	// Run runs a program of the host and returns its standard output. The error contains its standard error.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)

	// API queries running engines through their sockets; nil if none is to be queried.
	API API

	// Seen, unless it is nil, is called with every file that is read, and its contents.
	Seen func(path string, text []byte)

	planned map[string][]byte // files that count as written already
	gone    map[string]bool   // files that count as removed already
}

// Engine is an engine that was found on a host.
type Engine struct {
	Kind Kind
	// Variant is the distribution that includes the engine, if paths depend on it: "k3s", "rke2", "torcx" or "".
	Variant string
	// Binary is the path of the engine's program, "" if only its configuration was found.
	Binary string
	// Version is the version that the program reports, "" if it could not be run.
	Version string
	// Config is the main configuration file, which may not exist.
	Config string
	// Unit is the systemd unit that runs the engine, "" if there is none (Podman).
	Unit string
	// CgroupDriver is "systemd" or "cgroupfs", "" if it is unknown.
	CgroupDriver string
	// Runtime is the engine's default runtime.
	Runtime Runtime
	// Runtimes lists all runtimes of the engine, sorted by name.
	Runtimes []Runtime
	// NoAnswer is the error of asking the program for its effective configuration; "" if it answered, or cannot be
	// asked.
	NoAnswer string `json:"-"`
}

// Runtime is a runtime of an engine.
type Runtime struct {
	Name string // the engine's name for it: "runc"
	Path string // absolute path of the program, symbolic links not followed; "" if it was not found
	// Type is the engine's name for the type of a runtime that does not call runc or a compatible program; otherwise
	// "".
	Type string
}

// Request says how to configure an engine.
type Request struct {
	// Shim is the absolute path by which the engine will call the shim.
	Shim string
	// Default routes the engine's default runtime through the shim. Otherwise, Edit adds a runtime called
	// "runc-trace".
	Default bool
	// Others maps names of other runtimes of the engine to the paths by which they will call the shim.
	Others map[string]string
}

// File is a file to write.
type File struct {
	Path string
	Data []byte
	Mode fs.FileMode // of a new file
}

// addedRuntime is the name of the runtime that is added besides the default one.
const addedRuntime = "runc-trace"

// Edit returns the complete files to write so that the engine fulfils the request: none if it already does. Added
// runtimes get the options of the engine's default runtime. Edit writes nothing. It verifies the result by reading it
// as the engine will.
func (e Engine) Edit(h Host, r Request) ([]File, error) {
	c, err := e.command(h)
	if err == nil && c.unsure != nil {
		err = fmt.Errorf("%w; start it first, so that its flags are known", c.unsure)
	}
	if err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	files, err := e.driver().edit(h, e, r)
	if err != nil {
		return nil, fmt.Errorf("configuring %s: %w", e, err)
	}
	if len(files) == 0 || slices.ContainsFunc(files, func(f File) bool { return strings.HasSuffix(f.Path, ".tmpl") }) {
		return files, nil // no change to verify, or only the distribution knows the effect
	}
	// The shim, and links to it, may be written later.
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

// verify reads the planned files as the engine will: another file of its configuration may override them.
func (e Engine) verify(h Host, files []File, r Request) error {
	for _, file := range files {
		if file.Path == containerdConfig {
			e.Config = containerdConfig // a copy, which the unit will name
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
		want[e.Runtime.Name] = r.Shim // the engine itself reported this default
	default:
		want[known.name] = r.Shim
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if known.paths[name] != want[name] {
			at := e.driver().decides(h, e, name)
			if at.file == "" {
				at.file = "a later file, flag or variable"
			}
			return fmt.Errorf("the change has no effect: %s makes the runtime %q call %q; correct that by hand", at, name, known.paths[name])
		}
	}
	return nil
}

// String returns the engine's name for messages: "containerd", "containerd (k3s)".
func (e Engine) String() string {
	if e.Variant != "" {
		return fmt.Sprintf("%s (%s)", e.Kind, e.Variant)
	}
	return string(e.Kind)
}
