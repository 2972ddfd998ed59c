/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The init of a container: which process it is, and when its program starts.
 *
 * The runtime's first process in the container's cgroup is the candidate. It may make the init by a chain of forks,
 * with itself as the parent (crun) or with its own parent (runc), and ends without an exec. Hooks, and what is executed
 * in a container that was only created, are other processes.
 */
#ifndef INIT_H
#define INIT_H

#include "in_flight.h"

/* start_init notes that the current task is the container's init, and its standard output and error. */
static __noinline int start_init(struct task_struct *task, struct in_flight *call, struct identity *identity)
{
	struct recording *recording;
	u32 index = identity->ring - 1;

	identity->init = task->tgid;
	identity->started = boot_time();
	identity->state = STATE_RUNNING;
	if (call)
		call->init = call->identity;
	if (!identity->ring)
		return 0;
	recording = bpf_map_lookup_elem(&rings, &index);
	if (!recording)
		return 0;
	recording->stdio[0] = inode_of(1);
	recording->stdio[1] = inode_of(2);
	recording->stdio_descriptors[0] = 1 << 1 | 1 << 2;
	return 0;
}

/* may_be_init reports whether a task that starts a program is what the runtime made the container's init. */
static __noinline bool may_be_init(struct task_struct *task, struct identity *identity)
{
	struct in_flight *parent;

	if (!identity->candidate || identity->candidate == (u32)task->tgid)
		return true;
	if (!first_of_namespace(task))
		return false;
	/* A hook may have made a PID namespace of its own. */
	parent = call_of(task->real_parent);
	return !parent || owner_of(parent) != identity;
}

/* note_fork follows the chain of forks that makes the init. Siblings are children of the same process. */
static __always_inline void note_fork(struct task_struct *parent, struct task_struct *child, bool siblings,
					struct identity *identity)
{
	if (identity->init || child->tgid == parent->tgid || identity->candidate != (u32)parent->tgid)
		return;
	if (siblings)
		identity->candidate = child->tgid;
	else
		identity->heir = child->tgid;
}

/* note_exit notes how the init of a container ended, or that a process of the chain did. */
static __always_inline void note_exit(struct task_struct *task, struct identity *identity, s32 status)
{
	if (identity->init == (u32)task->tgid && !identity->exited) {
		identity->exit_status = status;
		identity->exited = boot_time();
		if (identity->state == STATE_RUNNING)
			identity->state = STATE_EXITED;
	} else if (!identity->init && identity->candidate == (u32)task->tgid && identity->heir) {
		identity->candidate = identity->heir;
		identity->heir = 0;
	}
}

/* runtime_exec reports whether an exec is the runtime's own ("runc init" executes itself again): the task came from
 * outside, has not executed anything else since, and is still in the runtime's mount namespace. */
static __always_inline bool runtime_exec(struct task_struct *task, struct in_flight *call, struct identity *identity)
{
	return call && call->entered && in_runtime_namespace(task, identity);
}

/* is_sigreturn reports whether a call ends the handling of a signal. */
static __always_inline bool is_sigreturn(struct in_flight *call)
{
	u32 number = call->number & NUMBER_MASK;

	if (number_abi(call) == NUMBER_COMPAT)
		return number == 119 || number == 173; /* ia32 and arm: sigreturn, rt_sigreturn */
#if defined(__TARGET_ARCH_x86)
	return number == 15;
#else
	return number == 139;
#endif
}

/*
 * resume_task is called when a task of the runtime returns from a signal handler. That is how CRIU lets go of a process
 * that it has restored: the calls from here on are the container's.
 */
static __noinline int resume_task(struct in_flight *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct identity *identity = owner_of(call);

	if (!identity || !(identity->who.flags & WHO_RESTORED) || runtime_exec(task, call, identity))
		return 0;
	call->entered = call->budget = 0;
	call->policy = policy_of(identity, false);
	if (!identity->init && may_be_init(task, identity))
		start_init(task, call, identity);
	return 0;
}

#endif
