// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ends of tasks: calls that never return, kills, and how the init of a container ended. */
#include "call.h"
#include "lifecycle.h"

/* wait_status returns the status that wait(2) will report, if task is the last thread of its process. */
static __always_inline s32 wait_status(struct task_struct *task)
{
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		return task->signal->group_exit_code;
	return task->group_leader->exit_code;
}

static __always_inline void task_exits(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(task);
	u64 cgroup = cgroup_of(task);
	bool last = task->signal->live.counter == 0;
	s32 status = last ? wait_status(task) : task->exit_code;
	bool killed = last && (status & 0x7f);
	struct identity *identity;
	u64 *binding = NULL;

	if (last)
		binding = bpf_map_lookup_elem(&containers, &cgroup);
	/* A thread that is killed before its first call has no storage yet. */
	if (killed && binding && (!call || call->cgroup != cgroup))
		call = follow(task, cgroup, *binding);
	if (call && call->ring && call->cgroup == cgroup) {
		if (!call->active && killed) {
			/* Killed outside of any call: a crash. */
			call->active = 1;
			call->number = NUMBER_NONE;
			call->flags = 0;
			call->body_length = 0;
			call->time = boot_time();
		}
		if (call->active)
			write_call(call, task, boot_time(), status, CALL_UNFINISHED);
		call->active = 0;
	}
	if (!binding)
		return;
	identity = identity_of(*binding);
	if (identity && identity->init == (u32)task->tgid && identity->state == STATE_RUNNING) {
		identity->exit_status = status;
		identity->exited = boot_time();
		identity->state = STATE_EXITED;
	}
}

SEC("tp_btf/sched_process_exit")
int on_exit(u64 *ctx)
{
	hold_cpu();
	task_exits();
	release_cpu();
	return 0;
}
