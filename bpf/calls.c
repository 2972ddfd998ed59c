// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The flight recorder: one record for every system call of a recorded container.
 *
 * At enter, the arguments and the input that they point to are stored in the task's own storage, in the final form of
 * the record. At exit, the output is added and the record is written at once. If a task is in no container, each hook
 * loads one field of the task, and enter also looks up its cgroup. If the storage of a task names its current cgroup,
 * enter needs no look-up, because a binding never changes while tasks are in the cgroup.
 */
#include "exec.h"
#include "hook.h"
#include "init.h"
#include "lanes.h"

static __always_inline void enter(struct pt_regs *regs, u64 number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup *cgrp = task->cgroups->dfl_cgrp;
	/* Most tasks of a node are in no container, and in a cgroup of none: two loads show that, without a look-up. */
	struct in_flight *call = task->bpf_storage ? call_of(task) : NULL;
	u64 cgroup = cgrp->kn->id, *binding = NULL;

	if (!call || call->cgroup != cgroup) {
		if (!cgroup_storage || cgrp->bpf_cgrp_storage)
			binding = binding_at(cgrp);
		if (!binding)
			return; /* what a task does outside of its container's cgroups is not recorded */
		call = follow(task, cgroup, *binding);
		if (!call)
			return;
	}
	describe_call(call, task, regs, number);
	call->time = boot_time();
	call->active = 1;
}

HOOK(sys_enter, "sys_enter", enter((struct pt_regs *)ctx[0], ctx[1]))

/* An exit without an enter: seccomp refused the call before any hook ran, or the kernel skipped the hook. */
static __always_inline int describe_refused(struct in_flight *call, struct task_struct *task, struct pt_regs *regs)
{
	u32 number = number_of(regs);

	if (number == NO_CALL || call->cgroup != bpf_get_current_cgroup_id())
		return -1;
	describe_call(call, task, regs, number);
	call->flags |= CALL_NO_ENTER;
	call->time = boot_time();
	return 0;
}

/*
 * is_over reports whether the call that ends is the one in storage. It is another one if the kernel skipped both the
 * exit of the stored call and the enter of this one, because preempted tasks were in the middle of these programs on
 * this CPU.
 */
static __always_inline bool is_over(struct in_flight *call, struct pt_regs *regs, s64 result)
{
	u32 number = number_of(regs);
	u64 args[ARGS_MAX], differ = 0;

	if (number == NO_CALL)
		return true; /* rt_sigreturn: the registers are those before the signal */
	if (number_abi(call) == NUMBER_X32)
		number &= ~0x40000000;
	if (number >= NUMBER_OTHER)
		number = NUMBER_OTHER;
	if ((call->number & NUMBER_MASK) != number)
		return false;
	if (call->exec && !result)
		return true; /* the registers are those of the new program */
	load_args(args, regs, number_abi(call) == NUMBER_COMPAT);
	for (int i = 0; i < ARGS_MAX; i++)
		differ |= args[i] ^ call->args[i];
	return !differ;
}

static __always_inline void leave(struct pt_regs *regs, s64 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = task->bpf_storage ? call_of(task) : NULL;
	struct scratch *s;
	u32 forked;

	if (!call)
		return;
	if (preemptible && call->active && !is_over(call, regs, result))
		call->active = 0;
	forked = call->forked;
	if (forked) {
		call->forked = 0;
		if (!call->active)
			return; /* from the call that made it, which is its parent's */
	}
	if (!call->active && describe_refused(call, task, regs))
		return;
	call->active = 0;
	if (call->entered && is_sigreturn(call))
		resume_task(call);
	if (call->child)
		body_child(call);
	if (call->due || call->exec) {
		s = cpu_scratch();
		if (!s)
			return;
		s->out.length = 0;
	}
	if (call->exec && !result) {
		call->due = 0; /* the memory of its arguments is gone */
		if (!numbers_only(call->policy)) {
			executed_arguments(call);
			if (forked == BEGINS)
				executed_with(call);
		}
	} else if (call->exec) {
		exec_failed(call, result);
	}
	if (!call->ring)
		return;
	if (call->due & (CAPTURED_AT_EXIT - 1))
		capture_output(call, result);
	write_call(call, task, boot_time(), result, 0);
}

HOOK(sys_exit, "sys_exit", leave((struct pt_regs *)ctx[0], ctx[1]))

/* Prints the calls of living tasks that have not returned. Younger calls than this are left out: they may still return
 * and be recorded. */
enum { SETTLED_NS = 1000000 };

SEC("iter/task")
int in_flight(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct pending_call out = {};
	struct in_flight *call;
	u64 body, time, comm_tail;

	if (!task)
		return 0;
	call = bpf_task_storage_get(&call_storage, task, NULL, 0);
	if (!call || !call->active || !call->ring)
		return 0;
	if (!is_kept(call))
		return 0;
	time = *(volatile u64 *)&call->time;
	if (boot_time() - time < SETTLED_NS)
		return 0;
	body = call->body_length;
	opaque(body);
	if (body > BODY_SIZE)
		return 0;
	out.cgroup = call->cgroup;
	out.ring = call->ring - 1;
	out.ring_generation = call->ring_generation;
	out.lane = call->budget ? LANE_RUNTIME : LANE_RECENT;
	comm_tail = *(u64 *)&task->comm[8];
	out.body_length = body + sizeof(comm_tail);
	out.call.entry.time = time;
	out.call.entry.number = call->number;
	out.call.entry.flags = call->flags | CALL_UNFINISHED | CALL_LONG_COMM;
	out.call.tid = task->pid;
	out.call.pid = task->tgid;
	*(u64 *)out.call.comm = *(u64 *)&task->comm[0];
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	bpf_seq_write(ctx->meta->seq, &comm_tail, sizeof(comm_tail));
	if (body)
		bpf_seq_write(ctx->meta->seq, call->body, body);
	time = *(volatile u8 *)&call->active ? *(volatile u64 *)&call->time : 0;
	bpf_seq_write(ctx->meta->seq, &time, sizeof(time));
	return 0;
}
