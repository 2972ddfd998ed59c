// SPDX-License-Identifier: Apache-2.0

// Package doctor finds what prevents a host from being traced, and how to fix it. Gather examines the host. Checks
// judges the facts without further access to the host.
package doctor

import "os"

// State is the result of a check.
type State string

const (
	OK   State = "ok"
	Warn State = "warn" // tracing works, but not fully, or not for long
	Fail State = "fail" // containers are not traced, or not started as they should be
)

// Check is the result for one aspect of the host. Its strings may contain text from containers: escape them before
// printing them to a terminal.
type Check struct {
	Name   string // stable: "kernel", "engine docker"
	State  State
	Detail string // the facts
	Remedy string // the most precise remedy known; empty if the state is OK
}

// Checks judges facts. It orders the checks so that causes come before their consequences. It omits checks that do not
// apply to the host, or whose facts could not be read.
func Checks(f Facts) []Check {
	if !f.Self.privileged() {
		f.Tracer = Tracer{Err: os.ErrPermission} // the readable part is incomplete
	}
	var all []Check
	for _, group := range []func(Facts) []Check{
		system, fileSystems, cgroups, clocks, // the host
		configuration, contents, redaction, runtimes, shims, engines, units, // the installation
		loaded, drops, unregistrations, containers, archived, // the loaded programs
	} {
		all = append(all, group(f)...)
	}
	return all
}

func ok(name, detail string) []Check           { return []Check{{name, OK, detail, ""}} }
func warn(name, detail, remedy string) []Check { return []Check{{name, Warn, detail, remedy}} }
func fail(name, detail, remedy string) []Check { return []Check{{name, Fail, detail, remedy}} }
