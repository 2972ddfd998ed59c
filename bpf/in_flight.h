/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's storage: the state of its call in flight. */
#ifndef IN_FLIGHT_H
#define IN_FLIGHT_H

#include "identity.h"

enum {
	BODY_ARGS = ARGS_MAX * 8,
	BODY_SIZE = 272,	/* so that a task's storage takes 512 bytes of the kernel's memory */
	CAPTURED_AT_EXIT = 1 << (ROWS * CHAIN_MAX), /* in due: something else is */
	NO_SYSCALL = 0xffff,	/* in place of an index into syscalls: an event */
	INPUT_LIMIT = 136,	/* bytes captured of one pointer argument at enter; longer ones are read at exit */
};

enum forked {
	FORKED = 1,	/* it has not returned from the call that made it, or in which it came into the cgroup */
	BEGINS = 2,	/* it has not returned from the exec that ends the runtime's part */
};

/* The call of a task that has not returned, in the final form of its record. It is part of the contract, because a call
 * may enter under one program and return under its replacement. */
struct in_flight {
	u64 cgroup;	/* the next three fields are from its binding */
	u32 identity;	/* index + 1 */
	u32 ring;	/* index + 1, or 0 */
	u32 ring_generation;
	u32 child;	/* ID of the process or thread that the call made */
	u64 time;
	u8 active;	/* 1 between enter and exit */
	u8 left;	/* 1: it was moved to a cgroup outside of its container's, or made in one */
	u16 budget;	/* calls that still go into the lane runtime */
	u16 number;	/* as in struct entry */
	u16 flags;
	u16 syscall;	/* index into syscalls, or NO_SYSCALL */
	u16 body_length;
	u32 due;	/* one bit for each capture that is to be read at exit */
	u32 generation;	/* of the identity */
	u32 init;	/* index + 1 of the identity whose init the process is, or 0 */
	u8 exec;	/* as in struct syscall */
	u8 policy;	/* enum who_flags, as far as they fit */
	u16 captures;	/* offset in body of the first capture */
	u8 entered;	/* 1: it or its parent came from outside, and has executed nothing but the runtime since */
	u8 traits;	/* as in struct syscall, but TRAIT_HOT only if hot_mask does not exclude this call */
	u8 forked;	/* enum forked */
	u8 opened;	/* files that its program opened, in the lane first: at most FIRST_OPENED */
	struct sender sender;	/* of the last signal that a task sent to the process, or of the one that ends it */
	u64 args[ARGS_MAX];
	u8 body[BODY_SIZE + 8];	/* a word may be read at its end */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct in_flight);
} call_storage SEC(".maps");

/* number_abi returns whose number a call has: enum number_abi. */
static __always_inline u32 number_abi(struct in_flight *call)
{
	return call->number >> NUMBER_ABI_SHIFT;
}

/* call_of returns the storage of a task, or NULL if the task has none, as when it was never in a container. */
static __always_inline struct in_flight *call_of(struct task_struct *task)
{
	return bpf_task_storage_get(&call_storage, task, NULL, 0);
}

/* owner_of returns the container that a task's storage was made for, or NULL if its identity has been reused since. */
static __always_inline struct identity *owner_of(struct in_flight *call)
{
	struct identity *identity = call->identity ? identity_of(call->identity) : NULL;

	return identity && identity->generation == call->generation ? identity : NULL;
}

/* numbers_only reports whether the flags of a container say that no memory is recorded that its calls point to. */
static __always_inline bool numbers_only(u32 flags)
{
	return (flags & (WHO_NO_CONTENTS | WHO_FILES_ONLY)) == (WHO_NO_CONTENTS | WHO_FILES_ONLY);
}

/* in_runtime_namespace reports whether a task is in the mount namespace of the runtime, and not in the container's. */
static __always_inline bool in_runtime_namespace(struct task_struct *task, struct identity *identity)
{
	return identity->who.mount_namespace &&
	       BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) == identity->who.mount_namespace;
}

/*
 * policy_of returns what is left out of the records of a task. A runtime reads and writes the container's
 * specification, and with it the environment, so nothing that it reads and writes is recorded.
 */
static __always_inline u8 policy_of(struct identity *identity, bool runtime)
{
	u32 flags = identity->who.flags;

	return runtime ? flags | WHO_NO_CONTENTS : flags;
}

/*
 * store returns the storage of a task of a container, and makes it if need be, and if the container may have one more:
 * each may have THREADS_MAX, and if all of them together have THREADS_TOTAL, THREADS_SHARE.
 */
static __always_inline struct in_flight *store(struct task_struct *task, struct identity *identity)
{
	u32 all = HELD_THREADS, *total = bpf_map_lookup_elem(&held, &all);
	struct in_flight *call = call_of(task);

	if (call || !total)
		return call;
	if (identity->threads >= THREADS_MAX || (identity->threads >= THREADS_SHARE && *total >= THREADS_TOTAL)) {
		count(COUNT_THREADS);
		__sync_fetch_and_add(&identity->refused, 1);
		return NULL;
	}
	call = bpf_task_storage_get(&call_storage, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		call = call_of(task); /* another CPU may have made it at the same moment */
		if (call)
			return call;
		count(COUNT_NO_STORAGE);
		__sync_fetch_and_add(&identity->refused, 1);
		return NULL;
	}
	__sync_fetch_and_add(total, 1);
	return call;
}

/*
 * belong counts a task that has storage for the container with a binding, and no longer for the one before. If it came
 * from outside, it is the runtime's own. A task and the one that moves it may both call this at the same moment: only
 * one of them counts the task, and both write the rest before the task belongs to the container.
 */
static __always_inline void belong(struct in_flight *call, struct identity *identity, u64 binding, bool entered)
{
	struct identity *before = owner_of(call);
	u32 index = call->identity;

	call->entered = entered;
	call->budget = entered ? RUNTIME_BUDGET : 0;
	call->generation = identity->generation;
	if (__sync_val_compare_and_swap(&call->identity, index, (u32)binding) != index)
		return;
	if (before)
		__sync_fetch_and_add(&before->threads, -1);
	__sync_fetch_and_add(&identity->threads, 1);
}

/* give_back frees the storage of a task that ends, which otherwise stays until its parent has waited for it. */
static __always_inline void give_back(struct task_struct *task)
{
	u32 all = HELD_THREADS, *total = bpf_map_lookup_elem(&held, &all);

	bpf_task_storage_delete(&call_storage, task);
	if (total)
		__sync_fetch_and_add(total, -1);
}

/* as_leader makes a thread the runtime's own if that is what the first thread of its process is. */
static __always_inline void as_leader(struct in_flight *call, struct task_struct *task)
{
	struct in_flight *leader = call_of(task->group_leader);

	if (!leader || leader->identity != call->identity)
		return;
	call->entered = leader->entered;
	call->budget = leader->budget;
}

/*
 * follow updates the storage of a task to its current cgroup, which has this binding. A task whose storage is new has
 * come into the container from outside of all containers: the calls that it makes until its exec are the runtime's own.
 * That does not hold if it was there before the programs were loaded, or if its parent may have been refused storage.
 * If it is in the runtime's mount namespace then, it may still be the runtime's: its contents are not recorded either.
 */
static __noinline struct in_flight *follow(struct task_struct *task, u64 cgroup, u64 binding)
{
	struct identity *identity = identity_of(binding);
	struct recording *recording;
	struct in_flight *call;
	u32 index, ring;
	bool arrives, entered;

	if (!identity)
		return NULL;
	call = store(task, identity);
	if (!call)
		return NULL;
	ring = binding >> 32;
	if (owner_of(call) != identity) {
		arrives = !call->identity;
		entered = arrives && !identity->refused && !(identity->who.flags & WHO_ADOPTED);
		belong(call, identity, binding, entered);
		as_leader(call, task);
		call->policy = policy_of(identity, call->entered || (arrives && in_runtime_namespace(task, identity)));
		if (!identity->candidate && !identity->init)
			identity->candidate = task->tgid;
		if (identity->init == (u32)task->tgid)
			call->init = binding;
	}
	call->active = 0;
	if (ring) {
		index = ring - 1;
		recording = bpf_map_lookup_elem(&rings, &index);
		if (!recording)
			return NULL;
		if (recording->lanes[0].generation != identity->ring_generation)
			ring = 0; /* another container has it now */
	}
	call->ring = ring;
	call->ring_generation = identity->ring_generation;
	call->cgroup = cgroup;
	call->left = 0;
	return call;
}

/*
 * arrive follows a task that comes into a container. A task that was in a container before has storage. So has one that
 * has already made a call there, because the kernel tells of a move after it.
 */
static __always_inline void arrive(struct task_struct *task, u64 cgroup, u64 binding)
{
	struct in_flight *call = follow(task, cgroup, binding);

	if (call)
		call->forked = FORKED;
}

#endif
