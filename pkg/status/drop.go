// SPDX-License-Identifier: Apache-2.0

package status

import "github.com/runc-trace/runc-trace/pkg/bpf/abi"

// Reason is a reason for which data was dropped.
type Reason struct {
	Name   string // stable name in JSON and Prometheus
	Text   string // follows the count
	Remedy string // suggested action
}

const (
	morePool = " below [pool] in the configuration, tracectl unload, tracectl load"
	ifGrows  = "nothing if it stays low; if it grows, "
)

// Reasons explains each counter, by enum counter, in the order in which they are printed.
var Reasons = [abi.Counters]Reason{
	abi.CountPendingStale: {
		"pendingStale", "containers not registered: the shim had announced them too long ago",
		"find out why the runtime takes minutes to make a cgroup: systemd or the disk may be overloaded",
	},
	abi.CountPendingElsewhere: {
		"pendingElsewhere", "cgroups not registered: the name was announced, but for another path",
		"check that the engine's cgroup driver is the one that its runtime is called with",
	},
	abi.CountNoIdentity: {
		"noIdentity", "containers not registered: all identities were in use", "more identities" + morePool,
	},
	abi.CountNoRing: {
		"noRing", "containers not recorded: all recordings were in use", "more rings" + morePool,
	},
	abi.CountNoBinding: {
		"noBinding", "cgroups not followed: the map of cgroups was full",
		"check with systemd-cgls whether a container makes thousands of cgroups",
	},
	abi.CountChildren: {
		"children", "cgroups not followed: their container has too many",
		"check with systemd-cgls which container makes so many cgroups",
	},
	abi.CountNoStorage: {
		"noStorage", "calls not recorded: no memory for their task", "free memory: the kernel had none left",
	},
	abi.CountBusy: {
		"busy", "calls and execs not written: another was being written on the CPU",
		ifGrows + "look for other tracers (bpftool prog)",
	},
	abi.CountStaleRing: {
		"staleRing", "calls not written: their recording was over", ifGrows + "more rings" + morePool,
	},
	abi.CountTorn: {
		"torn", "times that a stalled writer was overtaken: readers leave out what it touched",
		ifGrows + "a larger ring-size below [pool], or CPUs that are not stolen",
	},
}
