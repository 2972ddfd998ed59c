// SPDX-License-Identifier: Apache-2.0

// Package doctor says what keeps a host from being traced, and what to do about it. Gather looks at the host; Checks
// judges what it found, and touches nothing.
package doctor

import "os"

// State is how a check came out.
type State string

// The states of a check.
const (
	OK   State = "ok"
	Warn State = "warn" // tracing works, but less than it could, or not for long
	Fail State = "fail" // containers are not traced, or not started as they should be
)

// Check is one thing that was looked at. Its strings may hold what containers chose: escape them before a terminal
// sees them.
type Check struct {
	Name   string // stable: "kernel", "engine docker"
	State  State
	Detail string // what was found
	Remedy string // what to do about it, as exactly as can be told; empty where it is OK
}

// Checks judges facts, in an order in which what comes first may be the reason for what follows. What does not apply
// to a host, or could not be seen, is left out.
func Checks(f Facts) []Check {
	if !f.Self.privileged() {
		f.Tracer = Tracer{Err: os.ErrPermission} // what can be seen of it is not the whole
	}
	var all []Check
	for _, group := range []func(Facts) []Check{
		system, fileSystems, cgroups, clocks, // of the host
		configuration, runtimes, shims, engines, units, // of what is installed
		loaded, drops, unregistrations, containers, // of what is loaded
	} {
		all = append(all, group(f)...)
	}
	return all
}

func ok(name, detail string) []Check           { return []Check{{name, OK, detail, ""}} }
func warn(name, detail, remedy string) []Check { return []Check{{name, Warn, detail, remedy}} }
func fail(name, detail, remedy string) []Check { return []Check{{name, Fail, detail, remedy}} }
