// SPDX-License-Identifier: Apache-2.0

// Package abi is the contract between the eBPF programs and the Go code: the layouts of bpf/contract.h, generated, and
// the names of the pinned maps and programs. It opens no maps and imports nothing that does, so that the shim and the
// decoders can use it.
package abi

import (
	"fmt"
	"strconv"
)

// DefaultPinDir is the directory in which programs and maps are pinned by default.
const DefaultPinDir = "/sys/fs/bpf/runc-trace"

// PinDirEnv names the environment variable that overrides DefaultPinDir.
const PinDirEnv = "RUNC_TRACE_PIN_DIR"

// Names of the pinned objects below a pin directory.
const (
	PinABI             = "abi"
	PinPending         = "pending"
	PinContainers      = "containers"
	PinIdentities      = "identities"
	PinRings           = "rings"
	PinExecLog         = "exec_log"
	PinExecShares      = "exec_shares"
	PinWriters         = "writers"
	PinCounters        = "counters"
	PinRefusals        = "refusals"
	PinLabels          = "labels"
	PinSyscalls        = "syscalls"
	PinFreeIdentities  = "free_identities"
	PinEndedIdentities = "ended_identities"
	PinBindings        = "bindings"
	PinSlots           = "slots"
	PinHeld            = "held"
	PinUnfinishedCalls = "in_flight" // an iterator: reading it prints struct pending_call
	PinBind            = "bind"      // a program: registers a cgroup that exists already
	PinLinkPrefix      = "link_"
	PinHookPrefix      = "hook_" // programs: the link of that name runs this one
	PinSlotPrefix      = "slot_" // arrays with one program: the hook of that name runs it
	PinNextPrefix      = "next_" // a new pin, about to be renamed to the rest of its name
	PinScratch         = "scratch"
	PinCallStorage     = "call_storage"
)

// PinBesidePrefix begins the name of a directory below a pin directory: that of programs that are loaded while those of
// another layout still record.
const PinBesidePrefix = "layout-"

// PinBesideDir is that directory of this layout.
var PinBesideDir = PinBesidePrefix + strconv.Itoa(ABIVersion)

// Reason is a reason for which something was dropped.
type Reason struct {
	Name   string // stable name in JSON and Prometheus
	Text   string // follows the count
	Remedy string // suggested action
}

// ReasonOf explains a counter below CountersMax: those from Counters on are of programs of another build.
func ReasonOf(counter uint32) Reason {
	if counter < Counters {
		return Reasons[counter]
	}
	return Reason{
		fmt.Sprintf("counter%d", counter), "drops for a reason that only another version of runc-trace knows",
		"use the tracectl of that version, or run tracectl load --replace",
	}
}
