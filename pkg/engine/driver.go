// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"slices"
)

// driver is all that is known of one kind of engine. Its methods read the host, or ask its programs; they write nothing.
// Everything else in this package is the same for all kinds: a new kind is a driver, and a line in drivers.
type driver interface {
	// kind is the name that --engine takes.
	kind() Kind

	// detect finds the engines of this kind. It leaves Version, CgroupDriver and Runtime to the caller.
	detect(h Host) ([]Engine, error)

	// configured reads the runtimes from the engine's configuration as it is in files and on command lines: those of an engine that
	// starts now.
	configured(h Host, e Engine) (runtimes, error)

	// asked asks the engine's program, as the engine would be started now, for the default runtime and those that are named. The error
	// is ErrNoAnswer if there is no such question.
	asked(ctx context.Context, h Host, e Engine, also []string) (runtimes, error)

	// running asks the engine that runs for its runtimes. The error is ErrNoAnswer if engines of this kind cannot be asked.
	running(ctx context.Context, h Host, e Engine) (runtimes, error)

	// edit computes the files that have to be written for a request, none if the engine does so already.
	edit(h Host, e Engine, r Request) ([]File, error)

	// check is a command that reads all of the configuration and does nothing else; its program is "" if there is no such.
	check(h Host, e Engine) (program string, args []string, err error)

	// socket is where the engine's API listens, "" if nowhere.
	socket(h Host, e Engine) (string, error)

	// ask asks for a sign of life at the socket.
	ask(ctx context.Context, socket string) error

	// dependents are the containers that need one of the shims, or the runtime that edit added.
	dependents(h Host, e Engine, shims []string) ([]Container, error)

	// traits are what sets engines of this kind apart for those that install.
	traits() traits
}

// traits are what holds for all engines of a kind.
type traits struct {
	reserved []string // runtimes whose program cannot be chosen
	program  string   // base name of the engine's program
	verb     string   // of systemctl, by which a running engine takes its configuration; "" if it reads that at each start of a container
	init     []string // files that scripts source which start the engine without systemd
	options  string   // the variable in them that has its arguments
	advice   string   // does the same without systemd; "" for a restart
	class    bool     // pods name its runtimes by RuntimeClass
	keeps    bool     // when its configuration names no default runtime any more, it keeps the one that it has
}

// drivers are all drivers, in the order in which engines are shown.
var drivers = []driver{containerd{}, docker{}, crio{}, podman{}}

// Kinds are all kinds, in the order in which they are shown.
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
		panic(fmt.Sprintf("no engine is called %q", e.Kind)) // Detect makes no other one
	}
	return drivers[i]
}

// Daemon says whether the engine reads its configuration only when it starts or is told to. Others read it for each container.
func (e Engine) Daemon() bool { return e.driver().traits().verb != "" }

// Rereads says whether the running engine can be told to read its configuration, without a restart.
func (e Engine) Rereads() bool { return e.driver().traits().verb == "reload" }

// KeepsDefault says whether the running engine keeps its default runtime until its configuration names another one: Keep has a
// configuration for that.
func (e Engine) KeepsDefault() bool { return e.driver().traits().keeps }

// Others are the runtimes beside the default one, the one that Edit adds, and the engine's own ones, whose program cannot be chosen: those
// that could go through the shim as well, and those that could not.
func (e Engine) Others() (possible, impossible []Runtime) {
	for _, r := range e.Runtimes {
		switch {
		case r.Name == addedRuntime || r.Name == e.Runtime.Name || slices.Contains(e.driver().traits().reserved, r.Name):
		case r.Type != "":
			impossible = append(impossible, r)
		case r.Path == "": // nothing can run by it
		default:
			possible = append(possible, r)
		}
	}
	return possible, impossible
}

// Base is the runtime behind the one that is routed: the default one, or if that calls no runc and only a runtime is added, a runc.
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

// RuntimeClass is the manifest by which pods ask for the runtime that Edit adds beside the default one, with
// `runtimeClassName: runc-trace`. It is "" if Kubernetes does not use the engine.
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
