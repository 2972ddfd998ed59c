/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bindings: which identity and which recording a cgroup has. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "maps.h"

static __always_inline u64 binding_of(u32 identity, u32 ring)
{
	return (u64)ring << 32 | (identity + 1);
}

/* binding_at returns the binding of a cgroup, or NULL if it is not that of a container or below one. */
static __always_inline u64 *binding_at(struct cgroup *cgrp)
{
	u64 id;

	if (cgroup_storage)
		return cgrp->bpf_cgrp_storage ? bpf_cgrp_storage_get(&bindings, cgrp, NULL, 0) : NULL;
	id = cgrp->kn->id;
	return bpf_map_lookup_elem(&containers, &id);
}

static __always_inline struct identity *identity_of(u64 binding)
{
	u32 index = (u32)binding - 1;

	return bpf_map_lookup_elem(&identities, &index);
}

#endif
