/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bindings: which identity and which recording a cgroup has. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "maps.h"

static __always_inline u64 binding_of(u32 identity, u32 ring)
{
	return (u64)ring << 32 | (identity + 1);
}

/*
 * claim_of returns the value that a cgroup has in `containers` while its container is registered. Its identity is 0.
 * Each cgroup has its own, so the program that registers sees whether its element was removed and is another's now.
 */
static __always_inline u64 claim_of(u64 cgroup)
{
	return cgroup << 32 | 1ULL << 63;
}

/* held_count returns an element of held, of those after the holders. */
static __always_inline u32 *held_count(u32 element)
{
	return bpf_map_lookup_elem(&held, &element);
}

enum { CONTAINER_LEVELS = 24 };	/* a container's own cgroup is not deeper in the hierarchy than this */

/*
 * binding_above returns the binding of the container that a cgroup is below, on kernels without storage for cgroups. It
 * goes down from the root, so a container cannot make cgroups that are too deep for it.
 */
static __noinline u64 *binding_above(struct cgroup *cgrp)
{
	bool pointers = bpf_core_field_exists(cgrp->ancestors);
	u64 id, at = (u64)cgrp, *binding;
	struct cgroup *above;
	int level;

	at += pointers ? bpf_core_field_offset(cgrp->ancestors) : bpf_core_field_offset(cgrp->ancestor_ids);
	for (level = 1; level <= CONTAINER_LEVELS && level < cgrp->level; level++) {
		if (bpf_probe_read_kernel(&id, sizeof(id), (void *)(at + level * sizeof(id))))
			return NULL;
		if (pointers) {
			above = (struct cgroup *)id;
			id = BPF_CORE_READ(above, kn, id);
		}
		binding = bpf_map_lookup_elem(&containers, &id);
		if (binding)
			return binding;
	}
	return NULL;
}

/* binding_at returns the binding of a cgroup, or NULL if it is not that of a container or below one. */
static __always_inline u64 *binding_at(struct cgroup *cgrp)
{
	u64 id, *binding;
	u32 *nowhere;

	if (cgroup_storage)
		return bpf_cgrp_storage_get(&bindings, cgrp, NULL, 0);
	id = cgrp->kn->id;
	binding = bpf_map_lookup_elem(&containers, &id);
	if (binding)
		return binding;
	nowhere = held_count(HELD_NOWHERE);
	return nowhere && *nowhere ? binding_above(cgrp) : NULL;
}

static __always_inline struct identity *identity_of(u64 binding)
{
	u32 index = (u32)binding - 1;

	return bpf_map_lookup_elem(&identities, &index);
}

#endif
