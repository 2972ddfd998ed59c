// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Signals that are delivered to tasks: each at the thread that takes it, with the task that sent it. */
#include "hook.h"
#include "lanes.h"

#define SEND_SIG_NOINFO ((struct kernel_siginfo *)0) /* include/linux/sched/signal.h: a task sent the signal */

enum {
	SIGINFO_SIZE = 48,	/* bytes of struct siginfo that have fields */
	SENDER_ENDS = 1 << 15,	/* in the signal of a sender: it ends the process */
};

/*
 * info_of returns the struct siginfo of a hook: SEND_SIG_NOINFO and SEND_SIG_PRIV are addresses, too. To the verifier,
 * the argument itself is never one of these, so that it would remove the comparisons.
 */
static __always_inline struct kernel_siginfo *info_of(u64 *ctx)
{
	u64 info = 0;

	bpf_probe_read_kernel(&info, sizeof(info), &ctx[1]);
	return (struct kernel_siginfo *)info;
}

/* ended_by returns the signal that ends a process, or 0. */
static __always_inline u32 ended_by(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);

	return BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ? BPF_CORE_READ(signal, group_exit_code) & 0x7f : 0;
}

/*
 * generated remembers the sender of a signal, if a task sent it. What interrupts a task, such as a timer, sends signals
 * in its name, too. If a signal ends the process, no later one takes its place. Nor does one that the process ignores,
 * as an init does a SIGKILL that comes from inside of its PID namespace.
 */
static __always_inline void generated(u32 signal, struct kernel_siginfo *info, struct task_struct *target, int result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(target->group_leader);
	u32 end;
	int code = SI_USER;

	if (!call || (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO))
		return;
	end = ended_by(target);
	if (end && (end != signal || call->sender.signal & SENDER_ENDS))
		return;
	if (end)
		call->sender.signal = SENDER_ENDS;
	else if (call->sender.signal == signal)
		call->sender.signal = 0; /* of one that the process waited for, or that was not delivered */
	/* This fails for SEND_SIG_PRIV, which is the kernel's own. */
	if (info != SEND_SIG_NOINFO && bpf_probe_read_kernel(&code, sizeof(code), &info->si_code))
		return;
	if (code != SI_USER && code != SI_QUEUE && code != SI_TKILL)
		return;
	call->sender.cgroup = bpf_get_current_cgroup_id();
	call->sender.pid = task->tgid;
	call->sender.user = BPF_CORE_READ(task, cred, uid.val);
	if (info) {
		bpf_probe_read_kernel(&call->sender.inner_pid, sizeof(u32), &info->_sifields._kill._pid);
		bpf_probe_read_kernel(&call->sender.user, sizeof(u32), &info->_sifields._kill._uid);
	} else { /* the kernel fills it in when it queues the signal */
		call->sender.inner_pid = pid_seen_by((u64)BPF_CORE_READ(task, group_leader, thread_pid),
						     (u64)BPF_CORE_READ(target, thread_pid));
	}
	call->sender.code = code;
	*(u64 *)&call->sender.comm[0] = *(u64 *)&task->comm[0];
	*(u64 *)&call->sender.comm[8] = *(u64 *)&task->comm[8];
	call->sender.signal = end ? signal | SENDER_ENDS : signal;
}

HOOK(signal_generate, "signal_generate",
     generated(ctx[0], info_of(ctx), (struct task_struct *)ctx[2], ctx[4]))

static __always_inline bool is_fault(u32 signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP ||
	       signal == SIGSYS;
}

static __always_inline void stage_sender(struct in_flight *call, struct sender *sender)
{
	u8 *place = body_place(call, sizeof(*sender));
	u16 ends = sender->signal & SENDER_ENDS;

	if (!place)
		return;
	sender->signal &= ~SENDER_ENDS;
	bpf_probe_read_kernel(place + sizeof(struct capture_header), sizeof(*sender), sender);
	body_add(call, place, sizeof(*sender), SIGNAL_SENDER, CAPTURE_KERNEL);
	sender->signal = ends;
}

static __always_inline void stage_siginfo(struct in_flight *call, struct kernel_siginfo *info)
{
	u8 *place = body_place(call, SIGINFO_SIZE);

	if (!place || bpf_probe_read_kernel(place + sizeof(struct capture_header), SIGINFO_SIZE, info))
		return;
	body_add(call, place, SIGINFO_SIZE, SIGNAL_NUMBER, CAPTURE_KERNEL);
}

/*
 * delivered records a signal. If its action is to end the process without a core dump, the kernel has ended it when the
 * signal was sent, and each thread gets a SIGKILL without a sender: the first one records the signal itself.
 */
static __always_inline void delivered(u32 signal, struct kernel_siginfo *info, struct k_sigaction *action)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(task), *leader;
	u32 wide = 0, at = 0, pid = 0;
	u64 address = 0, handler = (u64)action->sa.sa_handler;
	int code = 0;
	struct sender *sender = NULL;

	if (!call || !call->ring || call->active || call->cgroup != bpf_get_current_cgroup_id())
		return;
	leader = call_of(task->group_leader);
	if (signal == SIGKILL) {
		signal = ended_by(task);
		handler = 0;
	}
	if (leader && (leader->sender.signal & ~SENDER_ENDS) == signal)
		sender = &leader->sender;
	if (!signal || (!info && !sender))
		return;
	begin_event(call, NUMBER_SIGNAL, SIGNAL_ARGS);
	if (info) {
		bpf_probe_read_kernel(&code, sizeof(code), &info->si_code);
		if (is_fault(signal) && code > 0)
			bpf_probe_read_kernel(&address, sizeof(address), &info->_sifields._sigfault._addr);
		else
			bpf_probe_read_kernel(&pid, sizeof(pid), &info->_sifields._kill._pid);
	} else if (sender) {
		code = (short)sender->code;
		pid = sender->inner_pid;
	}
	call->args[SIGNAL_NUMBER] = signal;
	call->args[SIGNAL_CODE] = (s64)code;
	call->args[SIGNAL_ADDRESS] = address;
	call->args[SIGNAL_SENDER] = pid;
	call->args[SIGNAL_ACTION] = handler > 1;
	at = put_arg(call, at, 0, &wide);
	at = put_arg(call, at, 1, &wide);
	at = put_arg(call, at, 2, &wide);
	at = put_arg(call, at, 3, &wide);
	at = put_arg(call, at, 4, &wide);
	call->flags = wide;
	call->captures = call->body_length = at;
	if (info)
		stage_siginfo(call, info);
	if (sender)
		stage_sender(call, sender);
	write_call(call, task, call->time, 0, 0);
	call->active = 0;
}

HOOK(signal_deliver, "signal_deliver",
     delivered(ctx[0], info_of(ctx), (struct k_sigaction *)ctx[2]))
