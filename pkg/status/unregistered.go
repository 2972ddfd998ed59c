// SPDX-License-Identifier: Apache-2.0

package status

import "github.com/runc-trace/runc-trace/pkg/unregistered"

// Unregistered explains why the shim could not register containers, by reason number, in the order in which they
// are printed. Unlike Reasons, the counts cover the time since boot, and do not start anew at each load.
var Unregistered = [unregistered.Reasons]Reason{
	unregistered.NotLoaded: {
		"notLoaded", "containers started while nothing was loaded",
		"tracectl load, which registers those that run; enable runc-trace.service, so that it is loaded at boot",
	},
	unregistered.PinsUnusable: {
		"pinsUnusable", "containers not registered: what is pinned could not be opened",
		"mount -o remount,rw /sys/fs/bpf if it is mounted read-only; the shim's log names the error (log in config.toml)",
	},
	unregistered.OtherVersion: {
		"otherVersion", "containers not registered: what was loaded is of another version than the shim",
		"install shim and programs of one version: tracectl install",
	},
	unregistered.SpecUnread: {
		"specUnread", "containers not registered: their config.json could not be read",
		"have config.json be a regular file; the shim's log names the error (log in config.toml)",
	},
	unregistered.SpecMalformed: {
		"specMalformed", "containers not registered: their config.json is no spec",
		"nothing if the runtime refused them, too; the shim's log names the error (log in config.toml)",
	},
	unregistered.SpecTooLarge: {
		"specTooLarge", "containers not registered: a part of their config.json that is needed exceeds 1 MiB",
		"find out what writes such a config.json",
	},
	unregistered.NoCgroup: {
		"noCgroup", "containers not registered: the runtime was told to make no cgroup for them, or a path that is none",
		"have the engine give each container a cgroup of its own",
	},
	unregistered.NotWritten: {
		"notWritten", "containers not registered: the kernel refused the entry that announces them", "free memory: the kernel had none left",
	},
	unregistered.NotBound: {
		"notBound", "containers not registered: their cgroup existed, and the program that binds it could not be run",
		"tracectl load --replace",
	},
	unregistered.Broken: {
		"broken", "containers not registered: the shim failed", "report it, with the shim's log (log in config.toml)",
	},
}
