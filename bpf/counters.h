/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * COUNTER(ID, name, text, remedy), for each reason for which something is dropped: COUNT_ID counts it. The name is a
 * stable one, for JSON and metrics. The text says what was dropped, after its number, and why. New ones come last.
 */
COUNTER(PENDING_STALE, "pendingStale",
	"containers not registered: their cgroup was made too late",
	"find out why the runtime takes minutes to make a cgroup (is systemd or the disk overloaded?)")
COUNTER(PENDING_ELSEWHERE, "pendingElsewhere",
	"cgroups not registered: their name matched but their path did not",
	"check that the engine and its runtime use the same cgroup driver")
COUNTER(PENDING_REFUSED, "pendingRefused",
	"cgroups not registered: another user than root made a cgroup at the place of a container's",
	"see docs/security.md: somebody may try to take a container's identity")
COUNTER(NO_IDENTITY, "noIdentity",
	"containers not registered: all identities were in use",
	"increase pool.identities" RELOAD)
COUNTER(NO_RING, "noRing",
	"containers not recorded: all recordings were in use",
	"increase pool.rings" RELOAD)
COUNTER(NO_BINDING, "noBinding",
	"cgroups not followed: the kernel could not store their container",
	"free memory on the host")
COUNTER(NO_STORAGE, "noStorage",
	"calls not recorded: no memory for their task",
	"free memory on the host")
COUNTER(THREADS, "threads",
	"calls not recorded: their container has too many threads",
	"run tracectl containers to see which container has so many")
COUNTER(BUSY, "busy",
	"calls and execs not written: the CPU was already writing another",
	IF_GROWS "look for other tracers (bpftool prog)")
COUNTER(STALE_RING, "staleRing",
	"calls not written: their recording had already ended",
	IF_GROWS "increase pool.rings" RELOAD)
COUNTER(TORN, "torn",
	"times that a recording overtook a stalled writer: readers skip the affected calls",
	IF_GROWS "increase pool.ring-size or reduce CPU steal")
COUNTER(DISPLACED, "displaced",
	"running containers that are recorded no longer: others had fewer recordings",
	"increase pool.rings" RELOAD)
COUNTER(OCCUPIED, "occupied",
	"containers not registered: their cgroup has processes of another container",
	"give each container a cgroup of its own")
