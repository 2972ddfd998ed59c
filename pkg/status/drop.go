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
	reload  = " in the configuration, then run tracectl unload and tracectl load"
	ifGrows = "ignore if it stays low; otherwise "
)

// Reasons explains each counter, by enum counter, in the order in which they are printed.
var Reasons = [abi.Counters]Reason{
	abi.CountPendingStale: {
		"pendingStale", "containers not registered: their cgroup was made too late",
		"find out why the runtime takes minutes to make a cgroup (is systemd or the disk overloaded?)",
	},
	abi.CountPendingElsewhere: {
		"pendingElsewhere", "cgroups not registered: their name matched but their path did not",
		"check that the engine and its runtime use the same cgroup driver",
	},
	abi.CountPendingRefused: {
		"pendingRefused", "cgroups not registered: another user than root made a cgroup at the place of a container's",
		"see docs/security.md: somebody may try to take a container's identity",
	},
	abi.CountNoIdentity: {
		"noIdentity", "containers not registered: all identities were in use", "increase pool.identities" + reload,
	},
	abi.CountNoRing: {
		"noRing", "containers not recorded: all recordings were in use", "increase pool.rings" + reload,
	},
	abi.CountNoBinding: {
		"noBinding", "cgroups not followed: the map of cgroups was full",
		"run systemd-cgls to see whether a container makes thousands of cgroups",
	},
	abi.CountChildren: {
		"children", "cgroups not followed: their container has too many cgroups",
		"run systemd-cgls to see which container makes so many cgroups",
	},
	abi.CountNoStorage: {
		"noStorage", "calls not recorded: no memory for their task", "free memory on the host",
	},
	abi.CountThreads: {
		"threads", "calls not recorded: their container has too many threads",
		"run tracectl containers to see which container has so many",
	},
	abi.CountBusy: {
		"busy", "calls and execs not written: the CPU was already writing another",
		ifGrows + "look for other tracers (bpftool prog)",
	},
	abi.CountStaleRing: {
		"staleRing", "calls not written: their recording had already ended", ifGrows + "increase pool.rings" + reload,
	},
	abi.CountTorn: {
		"torn", "times that a recording overtook a stalled writer: readers skip the affected calls",
		ifGrows + "increase pool.ring-size or reduce CPU steal",
	},
}
