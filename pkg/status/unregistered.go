// SPDX-License-Identifier: Apache-2.0

package status

import "github.com/runc-trace/runc-trace/pkg/unregistered"

// Unregistered explains why the shim could not register containers, by reason number, in the order in which they
// are printed. Unlike Reasons, the counts cover the time since boot, and do not restart at each load.
var Unregistered = [unregistered.Reasons]Reason{
	unregistered.NotLoaded: {
		"notLoaded", "containers started while nothing was loaded",
		"run tracectl load to register running containers; enable runc-trace.service to load at boot",
	},
	unregistered.PinsUnusable: {
		"pinsUnusable", "containers not registered: the pinned maps could not be opened",
		"if /sys/fs/bpf is read-only, run mount -o remount,rw /sys/fs/bpf; see the shim's log (log in config.toml)",
	},
	unregistered.OtherVersion: {
		"otherVersion", "containers not registered: the shim and the loaded programs are different versions",
		"run tracectl install to install one version of both",
	},
	unregistered.SpecUnread: {
		"specUnread", "containers not registered: the shim could not read their config.json",
		"make config.json a regular file of plain JSON; see the shim's log (log in config.toml)",
	},
	unregistered.SpecMalformed: {
		"specMalformed", "containers not started: the runtime refuses their config.json",
		"none is needed: the runtime reports the reason to its caller",
	},
	unregistered.SpecTooLarge: {
		"specTooLarge", "containers not registered: a required part of their config.json exceeds 1 MiB",
		"find out which program writes this config.json",
	},
	unregistered.NoCgroup: {
		"noCgroup", "containers not registered: they have no cgroup of their own",
		"configure the engine to give each container its own cgroup",
	},
	unregistered.NotWritten: {
		"notWritten", "containers not registered: the kernel could not store their entry", "free memory on the host",
	},
	unregistered.NotBound: {
		"notBound", "containers not registered: their existing cgroup could not be bound",
		"run tracectl load --replace",
	},
	unregistered.CgroupTooLong: {
		"cgroupTooLong", "containers not registered: the path of their cgroup is too long",
		"make the engine use cgroup paths of at most 1,023 bytes, with a last name of at most 510",
	},
	unregistered.Broken: {
		"broken", "containers not registered: the shim failed", "report it with the shim's log (log in config.toml)",
	},
}
