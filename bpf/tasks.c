// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tasks: how they come into a container and leave it, forks, and ends: calls that never return, kills, and how the init
 * of a container ended. */
#include "hook.h"
#include "init.h"
#include "lanes.h"
#include "lifecycle.h"

/* leave_container notes that a task is in a cgroup outside of its container's now. */
static __noinline int leave_container(struct in_flight *call)
{
	struct identity *identity = owner_of(call);

	if (identity && !call->left)
		__sync_fetch_and_add(&identity->left, 1);
	call->left = 1;
	return 0;
}

/*
 * inherit_storage gives a task that is forked by one of a container storage of its own. So it belongs to the container
 * from its first call on, in whichever cgroup it is made: only tasks without storage can come from outside.
 */
static __noinline int inherit_storage(struct in_flight *from, struct task_struct *parent, struct task_struct *child)
{
	struct cgroup *cgrp = child->cgroups->dfl_cgrp;
	u64 cgroup = BPF_CORE_READ(cgrp, kn, id), *binding = binding_at(cgrp);
	bool siblings = BPF_CORE_READ(child, real_parent, tgid) == BPF_CORE_READ(parent, real_parent, tgid);
	struct identity *identity = owner_of(from);
	struct in_flight *call;

	if (!identity)
		return 0;
	call = store(child, identity);
	if (!call)
		return 0;
	belong(call, identity, from->identity, false);
	call->ring = from->ring;
	call->ring_generation = from->ring_generation;
	call->opened = from->opened;
	call->policy = from->policy;
	call->forked = FORKED;
	call->left = from->left;
	if (child->tgid == parent->tgid)
		call->init = from->init;
	note_fork(parent, child, siblings, identity);
	if (binding && (u32)*binding == from->identity) {
		call->cgroup = cgroup;
		call->entered = from->entered;
		call->budget = from->budget;
		call->left = 0;
	} else {
		call->cgroup = from->cgroup;
		leave_container(call);
	}
	return 0;
}

static __always_inline void forked(struct task_struct *parent, struct task_struct *child)
{
	struct in_flight *from = call_of(parent);
	u64 *binding;

	if (from) {
		if (from->active)
			from->child = child->pid;
		inherit_storage(from, parent, child);
		return;
	}
	/* A runtime may make its process in the container's cgroup (CLONE_INTO_CGROUP). */
	binding = binding_at(child->cgroups->dfl_cgrp);
	if (binding && !binding_at(parent->cgroups->dfl_cgrp))
		arrive(child, BPF_CORE_READ(child, cgroups, dfl_cgrp, kn, id), *binding);
}

HOOK(fork, "sched_process_fork", forked((struct task_struct *)ctx[0], (struct task_struct *)ctx[1]))

static __always_inline void moved(struct cgroup *to, struct task_struct *task)
{
	struct in_flight *call;
	u64 *binding;

	if (BPF_CORE_READ(to, root, hierarchy_id) != 0)
		return; /* a cgroup v1 hierarchy of a hybrid host */
	if (task->flags & PF_EXITING)
		return; /* the kernel moves its other threads; it makes no call, and its end is noted already */
	call = call_of(task);
	binding = binding_at(to);
	if (!call && binding) {
		arrive(task, BPF_CORE_READ(to, kn, id), *binding);
	} else if (call && binding && (u32)*binding == call->identity) {
		call->forked = FORKED;
		call->left = 0;
	} else if (call) {
		leave_container(call);
	}
}

HOOK(cgroup_attach, "cgroup_attach_task", moved((struct cgroup *)ctx[0], (struct task_struct *)ctx[2]))

enum { LAST_THREAD = 1, OUT_OF_MEMORY = 2 };

/*
 * end_of_task returns how the current task ends: its status, for the last thread the one that wait(2) will report, and
 * above it the flags that hold.
 */
__noinline u64 end_of_task(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	u64 flags = BPF_CORE_READ(signal, oom_mm) ? OUT_OF_MEMORY : 0;
	u32 status = task->exit_code;

	if (BPF_CORE_READ(signal, live.counter) == 0) {
		flags |= LAST_THREAD;
		status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ? BPF_CORE_READ(signal, group_exit_code) :
									    BPF_CORE_READ(task, group_leader, exit_code);
	}
	return flags << 32 | status;
}

static __always_inline void task_exits(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup *cgrp = task->cgroups->dfl_cgrp;
	u64 cgroup = bpf_get_current_cgroup_id(), end = end_of_task();
	struct in_flight *call = call_of(task);
	bool last = end >> 32 & LAST_THREAD;
	s32 status = end;
	bool killed = last && (status & 0x7f);
	u16 flags = CALL_UNFINISHED;
	struct identity *identity;
	u64 *binding = NULL;

	if (last)
		binding = binding_at(cgrp);
	/* A thread that is killed before its first call has no storage yet. */
	if (killed && binding && (!call || call->cgroup != cgroup))
		call = follow(task, cgroup, *binding);
	if (call && call->ring && call->cgroup == cgroup) {
		if (!call->active)
			begin_event(call, NUMBER_NONE, 0);
		call->due = 0;
		if (end >> 32 & OUT_OF_MEMORY)
			flags |= CALL_OOM;
		call->flags |= flags;
		write_call(call, task, boot_time(), status, flags);
		call->active = 0;
	}
	if (!binding && !call)
		return;
	identity = call ? owner_of(call) : identity_of(*binding);
	if (call && identity)
		__sync_fetch_and_add(&identity->threads, -1);
	/* The init may be in another container's cgroup now. */
	if (call && call->init)
		identity = identity_of(call->init);
	if (call)
		give_back(task);
	if (last && identity)
		note_exit(task, identity, status);
}

HOOK(exit, "sched_process_exit", task_exits())
