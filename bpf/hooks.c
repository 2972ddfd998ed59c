// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hooks: one program is attached to each tracepoint and only runs the program in its slot.
 *
 * The kernel cannot exchange the program of an attached link, and if two programs were attached side by side, both
 * would see a call. A slot is exchanged in one step: each event is seen by the old program or by the new one, never by
 * both or neither. The hooks stay attached while anything is loaded.
 *
 * Each hook has its own map, because the kernel allows only programs of one tracepoint in an array of programs.
 */
#include "kernel.h"

struct slot_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};

/* HOOK defines the program hook_NAME and its slot. */
#define HOOK(name, tracepoint)					\
	struct slot_map slot_##name SEC(".maps");		\
								\
	SEC("tp_btf/" tracepoint)				\
	int hook_##name(u64 *ctx)				\
	{							\
		bpf_tail_call_static(ctx, &slot_##name, 0);	\
		return 0;					\
	}

HOOK(cgroup_mkdir, "cgroup_mkdir")
HOOK(cgroup_rmdir, "cgroup_rmdir")
HOOK(sys_enter, "sys_enter")
HOOK(sys_exit, "sys_exit")
HOOK(fork, "sched_process_fork")
HOOK(exec, "sched_process_exec")
HOOK(exit, "sched_process_exit")
HOOK(signal_generate, "signal_generate")
HOOK(signal_deliver, "signal_deliver")
