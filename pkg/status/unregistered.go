// SPDX-License-Identifier: Apache-2.0

package status

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// Unregistered explains why the shim could not register containers, by reason number, in the order in which they
// are printed. Unlike those of abi.Reasons, the counts cover the time since boot, and do not restart at each load.
var Unregistered = [unregistered.Reasons]abi.Reason{
	unregistered.NotLoaded: {
		Name:   "notLoaded",
		Text:   "containers started while nothing was loaded",
		Remedy: "run tracectl load to register running containers; enable runc-trace.service to load at boot",
	},
	unregistered.PinsUnusable: {
		Name:   "pinsUnusable",
		Text:   "containers not registered: the pinned maps could not be opened",
		Remedy: "if /sys/fs/bpf is read-only, run mount -o remount,rw /sys/fs/bpf; see the shim's log (log in config.toml)",
	},
	unregistered.OtherVersion: {
		Name:   "otherVersion",
		Text:   "containers not registered: the shim and the loaded programs are different versions",
		Remedy: "run tracectl install to install one version of both",
	},
	unregistered.SpecUnread: {
		Name:   "specUnread",
		Text:   "containers not registered: the shim could not read their config.json",
		Remedy: "make config.json a regular file of plain JSON; see the shim's log (log in config.toml)",
	},
	unregistered.SpecMalformed: {
		Name:   "specMalformed",
		Text:   "containers not started: the runtime refuses their config.json",
		Remedy: "none is needed: the runtime reports the reason to its caller",
	},
	unregistered.SpecTooLarge: {
		Name:   "specTooLarge",
		Text:   "containers not registered: a required part of their config.json exceeds 1 MiB",
		Remedy: "find out which program writes this config.json",
	},
	unregistered.NoCgroup: {
		Name:   "noCgroup",
		Text:   "containers not registered: they have no cgroup of their own",
		Remedy: "configure the engine to give each container its own cgroup",
	},
	unregistered.NotWritten: {
		Name:   "notWritten",
		Text:   "containers not registered: the kernel could not store their entry",
		Remedy: "free memory on the host",
	},
	unregistered.NotBound: {
		Name:   "notBound",
		Text:   "containers not registered: their existing cgroup could not be bound",
		Remedy: "run tracectl load --replace",
	},
	unregistered.CgroupTooLong: {
		Name:   "cgroupTooLong",
		Text:   "containers not registered: the path of their cgroup is too long",
		Remedy: "make the engine use cgroup paths of at most 1,023 bytes, with a last name of at most 510",
	},
	unregistered.Broken: {
		Name:   "broken",
		Text:   "containers not registered: the shim failed",
		Remedy: "report it with the shim's log (log in config.toml)",
	},
}
