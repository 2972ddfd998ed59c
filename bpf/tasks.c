// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tasks: forks inside a container, and ends: calls that never return, kills, and how the init of a container ended. */
#include "call.h"
#include "hook.h"
#include "lifecycle.h"

/*
 * A task that is forked inside a container belongs to it from its first call on, and so tells itself from one that
 * comes from outside. A runtime makes the init by a chain of forks; each process of it has the parent of the one
 * before.
 */
static __always_inline void forked(struct task_struct *parent, struct task_struct *child)
{
	struct in_flight *from = call_of(parent), *call;
	u64 cgroup = cgroup_of(child), *binding;
	struct identity *identity;

	if (!from || from->left)
		return;
	if (from->cgroup != cgroup) { /* clone3(2) with CLONE_INTO_CGROUP */
		binding = binding_at(child->cgroups->dfl_cgrp);
		if (!binding || (u32)*binding != from->identity)
			return;
	}
	from->child = child->pid;
	identity = owner_of(from);
	if (!identity)
		return;
	call = store(child, identity);
	if (!call)
		return;
	belong(call, from->identity, identity);
	if (from->entered && child->tgid != parent->tgid && identity->candidate == (u32)parent->tgid &&
	    child->real_parent->tgid == parent->real_parent->tgid)
		identity->candidate = child->tgid;
	call->ring = from->ring;
	call->ring_generation = from->ring_generation;
	call->entered = from->entered;
	call->budget = from->budget;
	call->opened = from->opened;
	call->policy = from->policy;
	call->forked = 1;
	call->cgroup = cgroup;
}

HOOK(fork, "sched_process_fork", forked((struct task_struct *)ctx[0], (struct task_struct *)ctx[1]))

enum { LAST_THREAD = 1, OUT_OF_MEMORY = 2 };

/*
 * end_of_task returns how the current task ends: its status, for the last thread the one that wait(2) will report, and
 * above it the flags that hold. It is verified once, as inode_of.
 */
__noinline u64 end_of_task(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct signal_struct *signal = task->signal;
	u64 flags = signal->oom_mm ? OUT_OF_MEMORY : 0;
	u32 status = task->exit_code;

	if (signal->live.counter == 0) {
		flags |= LAST_THREAD;
		status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->group_leader->exit_code;
	}
	return flags << 32 | status;
}

static __always_inline void task_exits(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(task);
	u64 cgroup = cgroup_of(task), end = end_of_task();
	bool last = end >> 32 & LAST_THREAD;
	s32 status = end;
	bool killed = last && (status & 0x7f);
	u16 flags = CALL_UNFINISHED;
	struct identity *identity;
	u64 *binding = NULL;

	if (last)
		binding = binding_at(task->cgroups->dfl_cgrp);
	/* A thread that is killed before its first call has no storage yet. */
	if (killed && binding && (!call || call->cgroup != cgroup))
		call = follow(task, cgroup, *binding);
	if (call && call->ring && call->cgroup == cgroup) {
		if (!call->active)
			begin_event(call, NUMBER_NONE, 0);
		call->due = 0;
		if (end >> 32 & OUT_OF_MEMORY)
			flags |= CALL_OOM;
		write_call(call, task, boot_time(), status, flags);
		call->active = 0;
	}
	if (!binding && !call)
		return;
	/* The init may have been moved out of its cgroup. */
	identity = call ? owner_of(call) : identity_of(*binding);
	if (call && identity)
		__sync_fetch_and_add(&identity->threads, -1);
	if (call)
		give_back(task);
	if (last && identity && identity->init == (u32)task->tgid && identity->state == STATE_RUNNING) {
		identity->exit_status = status;
		identity->exited = boot_time();
		identity->state = STATE_EXITED;
	}
}

HOOK(exit, "sched_process_exit", task_exits())
