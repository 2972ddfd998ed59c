/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's call that has not returned: what is known of it, in the task's own storage, in the final record's form. */
#ifndef IN_FLIGHT_H
#define IN_FLIGHT_H

#include "maps.h"

enum {
	BODY_ARGS = ARGS_MAX * 8,
	BODY_CAPTURE = sizeof(struct capture_header) + CAPTURE_LIMIT + 4,
	BODY_SIZE = BODY_ARGS + CAPTURES_MAX * BODY_CAPTURE,
};

/* A task's call that has not returned, kept until it does. Part of the contract: a call may be entered under
 * one program and return under the one that took its place. */
struct in_flight {
	u64 cgroup;	/* whose binding the next four are */
	u32 ring;	/* index + 1, or 0 */
	u32 ring_generation;
	u64 time;
	u32 active;	/* between enter and exit */
	u16 number;	/* as in struct entry */
	u16 flags;
	u32 syscall;	/* index into syscalls */
	u16 body_length;
	u8 due;		/* one bit a capture: to be read at exit */
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
 * call_of returns a task's storage; NULL where it has none, as a task that was never in a container has. Most
 * tasks of a node are such, and a load of the task's own field is all that they pay for being asked.
 */
static __always_inline struct in_flight *call_of(struct task_struct *task)
{
	if (!task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&call_storage, task, NULL, 0);
}

/* follow brings a task's storage up to the cgroup that it is in, and that has this binding. */
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
