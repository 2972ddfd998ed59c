// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Signals that are delivered to tasks: each at the thread that takes it, with the task that sent it. */
#include "call.h"
#include "hook.h"

/* from_task reports whether a task sent a signal, and not the kernel. */
static __always_inline bool from_task(struct kernel_siginfo *info)
{
	int code = 1;

	if (!info)
		return true; /* SEND_SIG_NOINFO */
	/* This fails for SEND_SIG_PRIV, which is 1. */
	return !bpf_probe_read_kernel(&code, sizeof(code), &info->si_code) && code <= 0;
}

/* generated remembers the sender of a signal. */
static __always_inline void generated(u32 signal, struct kernel_siginfo *info, struct task_struct *target)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(target->group_leader);

	if (!call || !from_task(info))
		return;
	call->sender.cgroup = cgroup_of(task);
	call->sender.pid = task->tgid;
	*(u64 *)&call->sender.comm[0] = *(u64 *)&task->comm[0];
	*(u64 *)&call->sender.comm[8] = *(u64 *)&task->comm[8];
	call->sender.signal = signal;
}

HOOK(signal_generate, "signal_generate",
     generated(ctx[0], (struct kernel_siginfo *)ctx[1], (struct task_struct *)ctx[2]))

static __always_inline bool is_fault(u32 signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP ||
	       signal == SIGSYS;
}

static __always_inline void stage_sender(struct in_flight *call, struct sender *sender)
{
	u8 *place = body_place(call, sizeof(*sender));

	if (!place)
		return;
	bpf_probe_read_kernel(place + sizeof(struct capture_header), sizeof(*sender), sender);
	body_add(call, place, sizeof(*sender), SIGNAL_SENDER, CAPTURE_KERNEL);
	sender->signal = 0;
}

static __always_inline void delivered(u32 signal, struct kernel_siginfo *info, struct k_sigaction *action)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(task), *leader;
	u32 wide = 0, at = 0;
	u64 address = 0;
	int code = 0, pid = 0;
	bool sent;

	if (!call || !call->ring || call->active || call->cgroup != cgroup_of(task))
		return;
	leader = call_of(task->group_leader);
	sent = leader && leader->sender.signal == signal;
	if (signal == SIGKILL && !sent)
		return; /* it wakes up the threads of a process that ends, too */
	begin_event(call, NUMBER_SIGNAL, SIGNAL_ARGS);
	if (info) {
		bpf_probe_read_kernel(&code, sizeof(code), &info->si_code);
		if (is_fault(signal) && code > 0)
			bpf_probe_read_kernel(&address, sizeof(address), &info->_sifields._sigfault._addr);
		else
			bpf_probe_read_kernel(&pid, sizeof(pid), &info->_sifields._kill._pid);
	}
	call->args[SIGNAL_NUMBER] = signal;
	call->args[SIGNAL_CODE] = (s64)code;
	call->args[SIGNAL_ADDRESS] = address;
	call->args[SIGNAL_SENDER] = pid;
	call->args[SIGNAL_ACTION] = (u64)action->sa.sa_handler > 1;
	at = put_arg(call, at, 0, &wide);
	at = put_arg(call, at, 1, &wide);
	at = put_arg(call, at, 2, &wide);
	at = put_arg(call, at, 3, &wide);
	at = put_arg(call, at, 4, &wide);
	call->flags = wide;
	call->captures = call->body_length = at;
	if (sent)
		stage_sender(call, &leader->sender);
	write_call(call, task, call->time, 0, 0);
	call->active = 0;
}

HOOK(signal_deliver, "signal_deliver",
     delivered(ctx[0], (struct kernel_siginfo *)ctx[1], (struct k_sigaction *)ctx[2]))
