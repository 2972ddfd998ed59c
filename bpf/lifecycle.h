/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of a container, as its cgroup in the unified hierarchy shows it. When the directory is made, a pending
 * identity is bound to it. Directories below it share its binding. When it is removed, its slots may be reused, the one
 * that ended first first. All of this happens in the kernel, so no process has to be running.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "maps.h"

static __always_inline u64 binding_of(u32 identity, u32 ring)
{
	return (u64)ring << 32 | (identity + 1);
}

static __always_inline struct identity *identity_of(u64 binding)
{
	u32 index = (u32)binding - 1;

	return bpf_map_lookup_elem(&identities, &index);
}

/* take pops a free slot or, if there is none, the slot that ended first. It returns -1 if all are in use. */
static __always_inline s32 take(void *free, void *ended)
{
	u32 index;

	if (!bpf_map_pop_elem(free, &index) || !bpf_map_pop_elem(ended, &index))
		return index;
	return -1;
}

/* start_recording gives an identity the ring `index`. Positions continue after the ring's last recording. */
static __always_inline void start_recording(struct identity *identity, u32 slot, u32 index)
{
	struct ring *ring = bpf_map_lookup_elem(&rings, &index);

	if (!ring)
		return;
	ring->generation += 1;
	ring->identity = slot;
	ring->identity_generation = identity->generation + 1;
	ring->base = ring->head;
	ring->written = 0;
	ring->lost = 0;
	identity->ring = index + 1;
	identity->ring_generation = ring->generation;
}

/*
 * bind registers a cgroup with a pending identity; a known cgroup is left alone. Returns 0, or 1 + the enum counter
 * that was raised. The generation of the slot is odd while it is being written. For a container that is already
 * running, created is when its init was started, and init is its PID; otherwise both are 0.
 */
static __noinline int bind(u64 cgroup, struct pending *entry, u64 created, u32 init)
{
	struct identity *identity;
	s32 slot, ring = -1;
	u64 binding;
	u32 reason = 0;
	int failed; /* older kernels return an int, whose sign is not extended to 64 bits */

	if (!entry)
		return 1 + COUNT_PENDING_STALE;
	slot = take(&free_identities, &ended_identities);
	if (slot < 0) {
		count(COUNT_NO_IDENTITY);
		return 1 + COUNT_NO_IDENTITY;
	}
	identity = bpf_map_lookup_elem(&identities, &slot);
	if (!identity)
		return 1 + COUNT_NO_IDENTITY;

	__sync_fetch_and_add(&identity->generation, 1);
	identity->cgroup = cgroup;
	identity->created = created ? created : boot_time();
	identity->started = init ? identity->created : 0;
	identity->exited = identity->ended = 0;
	identity->init = init;
	identity->exit_status = identity->children = 0;
	identity->ring = identity->ring_generation = 0;
	bpf_probe_read_kernel(&identity->who, sizeof(identity->who), &entry->who);
	if (identity->who.flags & WHO_RECORD) {
		ring = take(&free_rings, &ended_rings);
		if (ring < 0) {
			count(COUNT_NO_RING);
			reason = 1 + COUNT_NO_RING;
		} else {
			start_recording(identity, slot, ring);
		}
	}
	identity->state = init ? STATE_RUNNING : STATE_CREATED;
	__sync_fetch_and_add(&identity->generation, 1);

	binding = binding_of(slot, identity->ring);
	failed = bpf_map_update_elem(&containers, &cgroup, &binding, BPF_NOEXIST);
	if (!failed)
		return reason;
	/* The slots were not used and become free again. */
	identity->state = STATE_FREE;
	bpf_map_push_elem(&free_identities, &slot, BPF_ANY);
	if (ring >= 0)
		bpf_map_push_elem(&free_rings, &ring, BPF_ANY);
	if (failed == -EEXIST)
		return 0; /* it was registered at the same moment */
	count(COUNT_NO_BINDING);
	return 1 + COUNT_NO_BINDING;
}

/* path_ends reports whether the path of a cgroup ends as the entry requires. It compares whole words, since both are
 * zero-padded. */
static __always_inline bool path_ends(struct scratch *s, const struct pending *entry, const char *path)
{
	const u64 *expected = (const u64 *)entry->path;
	const u64 *tail = (const u64 *)s->tail;
	u32 want = entry->path_length;
	long have;

	have = bpf_probe_read_kernel_str(s->path, EXEC_PATH_LIMIT, path) - 1;
	if (want == 0 || want >= PATH_SIZE || have < want || have >= EXEC_PATH_LIMIT)
		return false;
	__builtin_memset(s->tail, 0, sizeof(s->tail));
	if (bpf_probe_read_kernel(s->tail, want, path + (have - want)))
		return false;
	for (int i = 0; i < PATH_SIZE / 8; i++)
		if (tail[i] != expected[i])
			return false;
	return true;
}

/* inherit gives a cgroup the binding of the known cgroup above it. Returns the same as bind. */
static __always_inline int inherit(u64 cgroup, const u64 *parent)
{
	struct identity *identity = identity_of(*parent);
	u64 binding = *parent;
	int failed; /* older kernels return an int, whose sign is not extended to 64 bits */

	if (!identity)
		return 0;
	if (identity->children >= CHILDREN_MAX) {
		count(COUNT_CHILDREN);
		return 1 + COUNT_CHILDREN;
	}
	__sync_fetch_and_add(&identity->children, 1);
	failed = bpf_map_update_elem(&containers, &cgroup, &binding, BPF_NOEXIST);
	if (!failed)
		return 0;
	__sync_fetch_and_add(&identity->children, -1);
	if (failed == -EEXIST)
		return 0;
	count(COUNT_NO_BINDING);
	return 1 + COUNT_NO_BINDING;
}

/* unbind forgets a removed cgroup and releases its slots. If it runs several times at once, only one run does so. */
static __always_inline void unbind(u64 cgroup)
{
	struct identity *identity;
	u64 binding, *known;
	u32 slot, ring;

	known = bpf_map_lookup_elem(&containers, &cgroup);
	if (!known)
		return;
	binding = *known;
	if (bpf_map_delete_elem(&containers, &cgroup))
		return;
	identity = identity_of(binding);
	if (!identity)
		return;
	if (identity->cgroup != cgroup) {
		__sync_fetch_and_add(&identity->children, -1);
		return;
	}
	identity->ended = boot_time();
	identity->state = STATE_ENDED;
	slot = (u32)binding - 1;
	bpf_map_push_elem(&ended_identities, &slot, BPF_ANY);
	if (binding >> 32) {
		ring = (binding >> 32) - 1;
		bpf_map_push_elem(&ended_rings, &ring, BPF_ANY);
	}
}

#endif
