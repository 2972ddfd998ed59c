/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's storage: the state of its call in flight. */
#ifndef IN_FLIGHT_H
#define IN_FLIGHT_H

#include "maps.h"

enum {
	BODY_ARGS = ARGS_MAX * 8,
	BODY_CAPTURE = sizeof(struct capture_header) + CAPTURE_LIMIT + 4,
	BODY_SIZE = BODY_ARGS + CAPTURES_MAX * BODY_CAPTURE,
};

/* The call of a task that has not returned, in the final form of its record. It is part of the contract, because a call
 * may enter under one program and return under its replacement. */
struct in_flight {
	u64 cgroup;	/* the next two fields are from its binding */
	u32 ring;	/* index + 1, or 0 */
	u32 ring_generation;
	u64 time;
	u32 active;	/* 1 between enter and exit */
	u16 number;	/* as in struct entry */
	u16 flags;
	u32 syscall;	/* index into syscalls */
	u16 body_length;
	u8 due;		/* one bit for each capture that is to be read at exit */
	u8 exec;	/* as in struct syscall */
	u64 args[ARGS_MAX];
	u8 body[BODY_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct in_flight);
} call_storage SEC(".maps");

/*
 * call_of returns the storage of a task, or NULL if the task has none, as when it was never in a container. Most tasks
 * of a node have none, so the common case costs a single load.
 */
static __always_inline struct in_flight *call_of(struct task_struct *task)
{
	if (!task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&call_storage, task, NULL, 0);
}

/* follow updates the storage of a task to its current cgroup, which has this binding. */
static __noinline struct in_flight *follow(struct task_struct *task, u64 cgroup, u64 binding)
{
	struct in_flight *call;
	struct ring *ring;
	u32 index;

	call = bpf_task_storage_get(&call_storage, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count(COUNT_NO_STORAGE);
		return NULL;
	}
	call->active = 0;
	call->ring = binding >> 32;
	if (call->ring) {
		index = call->ring - 1;
		ring = bpf_map_lookup_elem(&rings, &index);
		if (!ring)
			return NULL;
		call->ring_generation = ring->generation;
	}
	call->cgroup = cgroup;
	return call;
}

#endif
