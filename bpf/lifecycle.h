/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of a container, as its cgroup in the unified hierarchy shows it. When the directory is made, a pending
 * identity is bound to it. Directories below it share its binding. When it is removed, its slots may be reused. All
 * of this happens in the kernel, so no process has to be running.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "identity.h"

enum { CLEARED = __builtin_offsetof(struct recording, seen) - __builtin_offsetof(struct recording, totals) };

/* is_recorded reports whether an identity still has its recording. */
static __always_inline bool is_recorded(struct identity *identity)
{
	struct recording *recording;
	u32 ring;

	if (!identity->ring)
		return false;
	ring = identity->ring - 1;
	recording = bpf_map_lookup_elem(&rings, &ring);
	return recording && recording->lanes[0].generation == identity->ring_generation;
}

/* is_needed reports whether an identity still has its recording, or processes outside of its cgroups. */
static __always_inline bool is_needed(u32 index)
{
	struct identity *identity = bpf_map_lookup_elem(&identities, &index);

	return identity && (identity->threads || is_recorded(identity));
}

/*
 * take_identity pops a free identity or, if there is none, the one that ended first of those that are not needed, as
 * far as it looks: a recording without an identity has no name. It returns -1 if all are in use.
 */
__noinline int take_identity(void)
{
	enum { LOOK = 64 };
	u32 index;

	if (!bpf_map_pop_elem(&free_identities, &index))
		return index;
	for (u32 i = 0; i < LOOK; i++) {
		if (bpf_map_pop_elem(&ended_identities, &index))
			return -1;
		if (i == LOOK - 1 || !is_needed(index))
			return index;
		bpf_map_push_elem(&ended_identities, &index, BPF_ANY);
	}
	return -1;
}

/* hold changes the number of recordings that a pod or a namespace has. */
static __always_inline void hold(u32 holder, s32 change)
{
	u32 *n = bpf_map_lookup_elem(&held, &holder);

	if (n)
		__sync_fetch_and_add(n, change);
}

static __always_inline u32 holds(u32 holder)
{
	u32 *n = bpf_map_lookup_elem(&held, &holder);

	return n ? *n : 0;
}

/* choice is the best slot so far for a new container. */
struct choice {
	u32 pod;		/* elements of held, and what they have already */
	u32 namespace;
	u32 pod_has;
	u32 namespace_has;
	u64 rank;		/* 0: none */
	u64 since;		/* when its container ended, or if it is running, began */
	u32 running;
	u32 index;
};

/* rank_of returns 0 if the new container may not have a slot, and more, the rather it may. */
static __always_inline u64 rank_of(struct choice *best, struct slot *slot, u64 ended)
{
	u32 pod_has = holds(slot->pod), namespace_has = holds(slot->namespace);
	bool own = slot->namespace == best->namespace;
	u64 rank = (u64)pod_has << 31 | namespace_has;

	if (!ended) {
		if (own ? pod_has < best->pod_has + 2 : namespace_has < best->namespace_has + 2)
			return 0;
		return 1ULL << 60 | rank;
	}
	if (own || namespace_has > best->namespace_has)
		return 3ULL << 60 | rank;
	return namespace_has > kept_part ? 2ULL << 60 | rank : 0;
}

static long compare_slot(void *map, u32 *index, struct slot *slot, struct choice *best)
{
	u64 ended = *(volatile u64 *)&slot->ended, since, rank;

	rank = ended == SLOT_UNUSED ? ~0ULL : rank_of(best, slot, ended);
	since = ended ? ended : *(volatile u64 *)&slot->began;
	if (!since)
		return 0; /* it is being taken or released */
	if (!rank || rank < best->rank || (rank == best->rank && since >= best->since))
		return 0;
	best->rank = rank;
	best->since = since;
	best->running = !ended;
	best->index = *index;
	return ended == SLOT_UNUSED;
}

/*
 * claim_slot takes the chosen slot from its container, unless that, or another new container, was faster. Meanwhile
 * `began` is 0, so nobody else takes it.
 */
static __always_inline bool claim_slot(struct slot *slot, struct choice *best)
{
	if (!best->running)
		return __sync_val_compare_and_swap(&slot->ended, best->since, 0) == best->since;
	return __sync_val_compare_and_swap(&slot->began, best->since, 0) == best->since;
}

/*
 * start_recording gives an identity the recording `index`. Positions continue after those of its last recording, so
 * nothing of that is taken for this one's. Totals are cleared by a read that fails, which zeroes its buffer.
 */
static __always_inline void start_recording(struct identity *identity, u32 number, u32 index)
{
	struct recording *recording = bpf_map_lookup_elem(&rings, &index);
	u32 generation;

	if (!recording)
		return;
	generation = recording->lanes[0].generation + 1;
	for (u32 i = 0; i < LANES; i++) {
		struct ring *lane = &recording->lanes[i];

		lane->generation = generation;
		lane->identity = number;
		lane->identity_generation = identity->generation + 1;
		lane->base = lane->head;
		lane->lost = 0;
	}
	bpf_probe_read_kernel(recording->totals, CLEARED, NULL);
	identity->ring = index + 1;
	identity->ring_generation = generation;
}

/* take_recording gives a container a recording, and returns false if it gets none. */
__noinline int take_recording(struct identity *identity, u32 number)
{
	struct choice best;
	struct slot *slot;

	if (!identity)
		return false;
	for (u32 attempt = 0; attempt < 4; attempt++) {
		forget(best);
		best.pod = identity->who.pod_hash & (HOLDERS - 1);
		best.namespace = HOLDERS + (identity->who.namespace_hash & (HOLDERS - 1));
		best.pod_has = holds(best.pod);
		best.namespace_has = holds(best.namespace);
		bpf_for_each_map_elem(&slots, compare_slot, &best, 0);
		if (!best.rank)
			return false;
		slot = bpf_map_lookup_elem(&slots, &best.index);
		if (!slot)
			return false;
		if (!claim_slot(slot, &best))
			continue;
		if (best.running)
			count(COUNT_DISPLACED);
		if (best.since != SLOT_UNUSED) {
			hold(slot->pod, -1);
			hold(slot->namespace, -1);
		}
		slot->pod = best.pod;
		slot->namespace = best.namespace;
		hold(slot->pod, 1);
		hold(slot->namespace, 1);
		start_recording(identity, number, best.index);
		__sync_lock_test_and_set(&slot->began, boot_time());
		return true;
	}
	return false;
}

/*
 * release_recording lets the recording of a container be used again. It does not, if another container took it: that
 * has cleared `began`, or has set it after it gave the recording another generation.
 */
static __always_inline void release_recording(struct identity *identity, u64 ended)
{
	u32 index = identity->ring - 1;
	struct slot *slot;
	u64 began;

	if (!identity->ring)
		return;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot)
		return;
	began = __sync_fetch_and_add(&slot->began, 0);
	if (began && is_recorded(identity) && __sync_val_compare_and_swap(&slot->began, began, 0) == began)
		slot->ended = ended;
}

/*
 * bind registers a cgroup with a pending identity; a known cgroup is left alone. Returns 0, or 1 + the enum counter
 * that was raised. The generation of the slot is odd while it is being written. For a container that is already
 * running, created is when its init was started, and init is its PID; otherwise both are 0. If its init waits for its
 * program to be started, candidate is that PID instead.
 */
static __noinline int bind(u64 cgroup, struct pending *entry, u64 created, u32 init, u32 candidate)
{
	struct identity *identity;
	s32 slot;
	u64 binding = claim_of(cgroup), *known;
	u32 reason = 0;
	int failed; /* older kernels return an int, whose sign is not extended to 64 bits */

	if (!entry)
		return 1 + COUNT_PENDING_STALE;
	failed = bpf_map_update_elem(&containers, &cgroup, &binding, BPF_NOEXIST);
	if (failed == -EEXIST)
		return 0; /* it was registered at the same moment */
	if (failed) {
		count(COUNT_NO_BINDING);
		return 1 + COUNT_NO_BINDING;
	}
	slot = take_identity();
	identity = slot < 0 ? NULL : bpf_map_lookup_elem(&identities, &slot);
	if (!identity) {
		bpf_map_delete_elem(&containers, &cgroup);
		count(COUNT_NO_IDENTITY);
		return 1 + COUNT_NO_IDENTITY;
	}

	__sync_fetch_and_add(&identity->generation, 1);
	identity->cgroup = cgroup;
	identity->created = created ? created : boot_time();
	identity->started = init ? identity->created : 0;
	identity->exited = identity->ended = 0;
	identity->init = init;
	identity->candidate = candidate;
	identity->heir = identity->exit_status = identity->children = identity->left = identity->threads = 0;
	identity->refused = identity->nowhere = 0;
	identity->execs_beyond = 0;
	identity->ring = identity->ring_generation = 0;
	bpf_probe_read_kernel(&identity->who, sizeof(identity->who), &entry->who);
	if (identity->who.flags & WHO_RECORD && !take_recording(identity, slot)) {
		count(COUNT_NO_RING);
		reason = 1 + COUNT_NO_RING;
	}
	identity->state = init ? STATE_RUNNING : STATE_CREATED;
	__sync_fetch_and_add(&identity->generation, 1);

	known = bpf_map_lookup_elem(&containers, &cgroup);
	if (known && __sync_val_compare_and_swap(known, binding, binding_of(slot, identity->ring)) == binding)
		return reason;
	/* The cgroup was removed meanwhile. */
	identity->state = STATE_FREE;
	release_recording(identity, boot_time());
	bpf_map_push_elem(&free_identities, &slot, BPF_ANY);
	return 0;
}

/*
 * path_ends reports whether the path of a cgroup, a string in the kernel's memory, ends as the entry requires. It
 * compares whole words, since both are zero-padded.
 */
__noinline int path_ends(struct pending *entry, u64 path)
{
	struct scratch *s = cpu_scratch();
	const u64 *expected, *tail;
	u32 want;
	long have;

	if (!entry || !s)
		return 0;
	expected = (const u64 *)entry->path;
	tail = (const u64 *)s->tail;
	want = entry->path_length;
	have = bpf_probe_read_kernel_str(s->path, EXEC_PATH_LIMIT, (void *)path) - 1;
	if (want == 0 || want >= PATH_SIZE || have < want || have >= EXEC_PATH_LIMIT)
		return 0;
	__builtin_memset(s->tail, 0, sizeof(s->tail));
	if (bpf_probe_read_kernel(s->tail, want, (void *)(path + (have - want))))
		return 0;
	for (int i = 0; i < PATH_SIZE / 8; i++)
		if (tail[i] != expected[i])
			return 0;
	return 1;
}

/* count_nowhere changes the number of cgroups below that of a container that found no room in `containers`. */
static __always_inline void count_nowhere(struct identity *identity, s32 change)
{
	u32 *all = held_count(HELD_NOWHERE);

	__sync_fetch_and_add(&identity->nowhere, change);
	if (all)
		__sync_fetch_and_add(all, change);
}

/*
 * inherit gives a cgroup the binding of the known cgroup above it. Without storage for cgroups, those that find no room
 * are only counted, and binding_above finds their container.
 */
static __always_inline void inherit(u64 cgroup, u64 binding)
{
	struct identity *identity = identity_of(binding);
	u32 *all = held_count(HELD_CHILDREN);

	if (!identity || !all)
		return;
	if (cgroup_storage) { /* the caller has stored it */
		__sync_fetch_and_add(&identity->children, 1);
	} else if (identity->children < CHILDREN_MAX && *all < CHILDREN_ALL &&
		   !bpf_map_update_elem(&containers, &cgroup, &binding, BPF_NOEXIST)) {
		__sync_fetch_and_add(&identity->children, 1);
		__sync_fetch_and_add(all, 1);
	} else if (!bpf_map_lookup_elem(&containers, &cgroup)) {
		count_nowhere(identity, 1);
	}
}

/* store_binding stores the binding of a container's own cgroup in the cgroup. */
static __always_inline void store_binding(struct cgroup *cgrp, u64 id)
{
	u64 binding, *known;

	if (!cgroup_storage)
		return;
	known = bpf_map_lookup_elem(&containers, &id);
	if (!known || !(u32)*known)
		return;
	binding = *known;
	if (!bpf_cgrp_storage_get(&bindings, cgrp, &binding, BPF_LOCAL_STORAGE_GET_F_CREATE))
		count(COUNT_NO_BINDING);
}

/* inherit_above gives a new cgroup the binding of the one above it, and returns whether that has one. */
static __always_inline bool inherit_above(struct cgroup *cgrp, struct cgroup_subsys_state *parent)
{
	struct cgroup *above;
	u64 binding = 0, *known;

	if (!cgroup_storage) {
		known = binding_at(parent->cgroup);
		if (known)
			inherit(BPF_CORE_READ(cgrp, kn, id), *known);
		return known;
	}
	if (!parent->cgroup->bpf_cgrp_storage)
		return false;
	above = bpf_cgroup_ancestor(cgrp, cgrp->level - 1);
	if (!above)
		return false;
	known = bpf_cgrp_storage_get(&bindings, above, NULL, 0);
	if (known)
		binding = *known;
	bpf_cgroup_release(above);
	if (!binding)
		return false;
	if (!bpf_cgrp_storage_get(&bindings, cgrp, &binding, BPF_LOCAL_STORAGE_GET_F_CREATE))
		count(COUNT_NO_BINDING);
	else
		inherit(BPF_CORE_READ(cgrp, kn, id), binding);
	return true;
}

/* left_container counts a cgroup below that of a container that was removed, and returns whether it was one. */
static __always_inline bool left_container(struct cgroup *cgrp)
{
	struct identity *identity;
	u64 *binding, id = BPF_CORE_READ(cgrp, kn, id);

	if (bpf_map_lookup_elem(&containers, &id))
		return false; /* unbind does that */
	binding = binding_at(cgrp);
	if (!binding)
		return false; /* it may be registered, and its binding not stored yet */
	identity = identity_of(*binding);
	if (!identity || identity->cgroup == id)
		return false;
	if (cgroup_storage)
		__sync_fetch_and_add(&identity->children, -1);
	else if (identity->nowhere)
		count_nowhere(identity, -1);
	return true;
}

/* unbind forgets a removed cgroup and releases its slots. If it runs several times at once, only one run does so. */
static __always_inline void unbind(u64 cgroup)
{
	struct identity *identity;
	u64 binding, *known, claim = claim_of(cgroup);
	u32 slot, *all;

	known = bpf_map_lookup_elem(&containers, &cgroup);
	if (!known)
		return;
	/* If it is still being registered, bind() finds the claim gone, and gives back what it took. */
	binding = __sync_val_compare_and_swap(known, claim, 0);
	if (bpf_map_delete_elem(&containers, &cgroup))
		return;
	identity = identity_of(binding);
	if (!identity)
		return;
	if (identity->cgroup != cgroup) {
		__sync_fetch_and_add(&identity->children, -1);
		all = held_count(HELD_CHILDREN);
		if (all)
			__sync_fetch_and_add(all, -1);
		return;
	}
	identity->ended = boot_time();
	identity->children = 0; /* each was removed before, if not before our eyes */
	count_nowhere(identity, -identity->nowhere);
	identity->state = STATE_ENDED;
	release_recording(identity, identity->ended);
	slot = (u32)binding - 1;
	bpf_map_push_elem(&ended_identities, &slot, BPF_ANY); /* from here on, another container may have the identity */
}

#endif
