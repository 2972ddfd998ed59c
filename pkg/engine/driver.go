// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"slices"
)

// driver implements one kind of engine. Its methods read the host and query its programs; they write nothing. The rest
// of this package is independent of the kind: a new kind needs a driver, and a line in drivers.
type driver interface {
	// kind returns the name that --engine takes.
	kind() Kind

	// detect finds the engines of this kind. The caller sets Version, CgroupDriver and Runtime.
	detect(h Host) ([]Engine, error)

	// configured returns the runtimes of the engine at its next start, from its files and command lines.
	configured(h Host, e Engine) (runtimes, error)

	// asked returns the default runtime and the runtimes in also, as reported by the engine's program with the command
	// of its next start. The error is ErrNoAnswer if the program cannot report them.
	asked(ctx context.Context, h Host, e Engine, also []string) (runtimes, error)

	// running returns the runtimes that the running engine reports. The error is ErrNoAnswer if this kind cannot be
	// asked.
	running(ctx context.Context, h Host, e Engine) (runtimes, error)

	// edit returns the files to write for a request, none if the engine already fulfils it.
	edit(h Host, e Engine, r Request) ([]File, error)

	// decides returns the place that decides which program a runtime calls; the file is "" if that is unknown.
	decides(h Host, e Engine, runtime string) place

	// check returns a command that only reads the whole configuration. program is "" if there is none.
	check(h Host, e Engine) (program string, args []string, err error)

	// socket returns the socket of the engine's API, "" if it has none.
	socket(h Host, e Engine) (string, error)

	// ask checks that the engine responds at the socket.
	ask(ctx context.Context, socket string) error

	// dependents returns the containers that need one of the shims, or the runtime that edit added.
	dependents(h Host, e Engine, shims []string) ([]Container, error)

	// traits returns the differences of this kind that installation needs.
	traits() traits
}

// traits are properties of all engines of a kind.
type traits struct {
	reserved []string // runtimes with a fixed program
	program  string   // base name of the engine's program
	verb     string   // of systemctl, to load the configuration; "" if the engine reads that at each start of a container
	init     []string // files sourced by scripts that start the engine without systemd
	options  string   // the variable in them with the engine's arguments
	advice   string   // the equivalent of verb without systemd; "" for a restart
	class    bool     // pods select its runtimes by RuntimeClass
	keeps    bool     // it keeps its default runtime until its configuration names another
	byName   bool     // it looks up the runtime of an existing container by name, in its configuration
}

// drivers lists all drivers, in the order in which engines are shown.
var drivers = []driver{containerd{}, docker{}, crio{}, podman{}}

// Kinds lists all kinds, in the order in which they are shown.
var Kinds = kindsOf(drivers)

func kindsOf(all []driver) []Kind {
	var kinds []Kind
	for _, d := range all {
		kinds = append(kinds, d.kind())
	}
	return kinds
}

func (e Engine) driver() driver {
	i := slices.Index(Kinds, e.Kind)
	if i < 0 {
		panic(fmt.Sprintf("unknown engine %q", e.Kind)) // impossible: Detect returns only these kinds
	}
	return drivers[i]
}

// Daemon reports whether the engine reads its configuration only at its start or on request. Other engines read it for
// each container.
func (e Engine) Daemon() bool { return e.driver().traits().verb != "" }

// Rereads reports whether the running engine can reload its configuration without a restart.
func (e Engine) Rereads() bool { return e.driver().traits().verb == "reload" }

// KeepsDefault reports whether the running engine keeps its default runtime until its configuration names another.
// Keep returns a configuration for that.
func (e Engine) KeepsDefault() bool { return e.driver().traits().keeps }

// ByName reports whether the engine looks up the runtime of an existing container by name, in its configuration. A
// container that Dependents returns needs the shim and the engine's files.
func (e Engine) ByName() bool { return e.driver().traits().byName }

// Others returns the runtimes other than the default one, the one that Edit adds, and the engine's own with a fixed
// program: first those that could go through the shim, then those that could not.
func (e Engine) Others() (possible, impossible []Runtime) {
	for _, r := range e.Runtimes {
		switch {
		case r.Name == addedRuntime || r.Name == e.Runtime.Name || slices.Contains(e.driver().traits().reserved, r.Name):
		case r.Type != "":
			impossible = append(impossible, r)
		case r.Path == "": // it has no program
		default:
			possible = append(possible, r)
		}
	}
	return possible, impossible
}

// Base returns the runtime behind the routed one: the default runtime, or a runc if only a runtime is added and the
// default is not compatible with runc.
func (e Engine) Base(setDefault bool) Runtime {
	if setDefault || e.Runtime.Type == "" {
		return e.Runtime
	}
	for _, name := range []string{"runc", "crun"} {
		for _, r := range e.Runtimes {
			if r.Name == name && r.Type == "" && r.Path != "" {
				return r
			}
		}
	}
	return Runtime{Name: "runc"}
}

// RuntimeClass returns the manifest with which pods request the runtime that Edit adds, by `runtimeClassName:
// runc-trace`. It returns "" if Kubernetes does not use the engine.
func (e Engine) RuntimeClass() string {
	if !e.driver().traits().class {
		return ""
	}
	return `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: ` + addedRuntime + `
handler: ` + addedRuntime + `
`
}
