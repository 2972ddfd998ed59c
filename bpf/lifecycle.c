// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs that bind and release the cgroups of containers. */
#include "hook.h"
#include "keep.h"
#include "lifecycle.h"

/*
 * refuse writes down who made a cgroup, with a path in the kernel's memory, at the place of a container's: the current
 * task, or if it was there before, a task that is not known.
 */
static __noinline void refuse(u64 path, u32 uid, bool before)
{
	u32 zero = 0;
	struct refusals *all = bpf_map_lookup_elem(&refusals, &zero);
	struct refusal *r;

	count(COUNT_PENDING_REFUSED);
	if (!all)
		return;
	r = &all->last[__sync_fetch_and_add(&all->written, 1) % REFUSALS_MAX];
	r->time = boot_time();
	r->uid = uid;
	r->pid = before ? 0 : bpf_get_current_pid_tgid() >> 32;
	if (before)
		r->comm[0] = 0;
	else
		bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_probe_read_kernel_str(r->path, sizeof(r->path), (void *)path);
}

/*
 * A cgroup below that of a known container belongs to that container, whatever its name: a workload that makes
 * directories cannot take the identity of another container.
 */
static __always_inline void cgroup_made(struct cgroup *cgrp, u64 path)
{
	u32 uid = BPF_CORE_READ(bpf_get_current_task_btf(), cred, uid.val);
	struct cgroup_subsys_state *parent;
	struct pending *entry = NULL;
	u64 id;
	struct scratch *s;
	u32 level;

	if (BPF_CORE_READ(cgrp, root, hierarchy_id) != 0)
		return; /* a cgroup v1 hierarchy of a hybrid host */
	id = BPF_CORE_READ(cgrp, kn, id);
	parent = cgrp->self.parent;
	if (!parent)
		return;
	if (inherit_above(cgrp, parent))
		return;

	s = cpu_scratch();
	if (!s)
		return;
	__builtin_memset(&s->key, 0, sizeof(s->key));
	bpf_probe_read_kernel_str(s->key.leaf, sizeof(s->key.leaf), BPF_CORE_READ(cgrp, kn, name));
	for (level = 1; level <= DEPTH_MAX && parent; level++) {
		s->key.ancestor = parent->cgroup->kn->id;
		entry = bpf_map_lookup_elem(&pending, &s->key);
		parent = parent->parent;
		if (entry && (!entry->levels || entry->levels == level))
			break;
		entry = NULL;
	}
	if (!entry)
		return;
	if (boot_time() - entry->time > PENDING_SECONDS * 1000000000ULL) {
		count(COUNT_PENDING_STALE);
		bpf_map_delete_elem(&pending, &s->key);
		return;
	}
	if (!path_ends(entry, path)) {
		count(COUNT_PENDING_ELSEWHERE);
		return;
	}
	if (uid != 0) {
		refuse(path, uid, false);
		return;
	}
	bind(id, entry, 0, 0, 0);
	bpf_map_delete_elem(&pending, &s->key);
	store_binding(cgrp, id);
	/* A runtime that was killed before it made the cgroup has left an entry, if less of the path existed then. */
	for (level++; level <= DEPTH_MAX && parent; level++) {
		s->key.ancestor = parent->cgroup->kn->id;
		parent = parent->parent;
		entry = bpf_map_lookup_elem(&pending, &s->key);
		if (entry && entry->levels == level && path_ends(entry, path))
			bpf_map_delete_elem(&pending, &s->key);
	}
}

HOOK(cgroup_mkdir, "cgroup_mkdir", cgroup_made((struct cgroup *)ctx[0], ctx[1]))

static __always_inline void cgroup_removed(struct cgroup *cgrp)
{
	if (BPF_CORE_READ(cgrp, root, hierarchy_id) == 0 && !left_container(cgrp))
		unbind(BPF_CORE_READ(cgrp, kn, id));
}

HOOK(cgroup_rmdir, "cgroup_rmdir", cgroup_removed((struct cgroup *)ctx[0]))

/*
 * process_of returns the PID, in the initial namespace, of the process whose directory in /proc the current task has
 * open as descriptor, or 0 if it is not such a directory. A caller in another PID namespace, as on a node that
 * is itself a container, cannot know this PID.
 */
static __always_inline u32 process_of(u32 descriptor)
{
	struct proc_inode *inode = NULL;
	u64 address = inode_of(descriptor);

	if (!bpf_core_field_exists(inode->pid) || !address)
		return 0;
	inode = (void *)address - bpf_core_field_offset(inode->vfs_inode);
	return BPF_CORE_READ(inode, pid, numbers[0].nr);
}

enum occupant {
	NOBODY = 0,	/* the cgroup is not known */
	ITSELF = 1,	/* it has the container of the entry, or is below that of another one */
	ANOTHER = 2,	/* another container is in it */
	FORMER = 3,	/* the container in it has no process left */
};

/*
 * occupant_of tells which container is in an existing cgroup that an entry is for. A cgroup can outlive its container,
 * if nothing deleted that, or if the runtime failed to start it.
 */
static __noinline u32 occupant_of(u64 cgroup, struct pending *entry)
{
	u64 *known = bpf_map_lookup_elem(&containers, &cgroup);
	const u64 *id, *other;
	struct identity *identity;

	if (!known)
		return NOBODY;
	identity = identity_of(*known);
	if (!entry || !identity || identity->cgroup != cgroup)
		return ITSELF;
	id = (const u64 *)identity->who.id;
	other = (const u64 *)entry->who.id;
	for (u32 i = 0; i < sizeof(identity->who.id) / 8; i++)
		if (id[i] != other[i])
			goto another;
	return ITSELF;
another:
	if (identity->threads || identity->children || identity->nowhere)
		return ANOTHER;
	return identity->exited || (!identity->started && !(identity->who.flags & WHO_ADOPTED)) ? FORMER : ANOTHER;
}

/* answer is what bind_existing does, for a request at an address in the memory of the caller. */
static __always_inline u32 answer(u64 address)
{
	struct scratch *s = cpu_scratch();
	struct bind_request *request;
	struct pending *entry;
	u32 result = 0, init = 0, candidate = 0, occupant;
	u64 *known;

	if (!s)
		return 1 + COUNT_PENDING_STALE;
	request = (struct bind_request *)s->path; /* it is too large for the stack */
	if (bpf_probe_read_user(request, sizeof(*request), (void *)address))
		return 1 + COUNT_PENDING_STALE;
	if (request->action == BIND_ERASE)
		return erase_exec(request->cgroup, request->waits, request->init, request->owner);
	if (request->action)
		return keeping(request->action, request->init, request->owner, request->waits);
	if (request->removed) {
		unbind(request->cgroup);
		return 0;
	}
	if (request->parent) {
		known = bpf_map_lookup_elem(&containers, &request->parent);
		if (known)
			inherit(request->cgroup, *known);
		return 0;
	}
	entry = bpf_map_lookup_elem(&pending, &request->pending);
	if (!entry)
		return 1 + COUNT_PENDING_STALE;
	if (request->init)
		init = process_of(request->init - 1);
	if (request->waits) {
		candidate = init;
		init = 0;
	}
	occupant = occupant_of(request->cgroup, entry);
	if (occupant == ANOTHER && !(entry->who.flags & WHO_ADOPTED)) {
		count(COUNT_OCCUPIED);
		result = 1 + COUNT_OCCUPIED;
	}
	/* If it is registered, a runtime may have given it to the root of its container's user namespace since. */
	if (request->owner && (occupant == NOBODY || occupant == FORMER)) {
		refuse((u64)request->path, request->owner, true);
		return 1 + COUNT_PENDING_REFUSED; /* if it is removed, the runtime makes it */
	}
	if (occupant == FORMER)
		unbind(request->cgroup);
	if (occupant == NOBODY || occupant == FORMER)
		result = bind(request->cgroup, entry, request->created, init, candidate);
	bpf_map_delete_elem(&pending, &request->pending);
	return result;
}

/*
 * Registers cgroups that already exist, for the shim and for adopters, with the same functions as the hooks. It is
 * never attached but run by BPF_PROG_TEST_RUN. Its one argument is the address of a struct bind_request in the memory
 * of the caller. It returns 0, or 1 + the enum counter of the reason. A program of type "syscall" would get the request
 * itself, but such programs may sleep, and older kernels (6.1, for one) do not allow queues in these.
 */
SEC("raw_tp")
int bind_existing(u64 *ctx)
{
	u32 result;

	hold_cpu();
	result = answer(ctx[0]);
	release_cpu();
	return result;
}
