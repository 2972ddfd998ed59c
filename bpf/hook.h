/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks: the program hook_NAME is attached to a tracepoint and only runs the program in its slot, which is on_NAME.
 *
 * The kernel cannot exchange the program of an attached link, and if two programs were attached side by side, both
 * would see a call. A slot is exchanged in one step: each event is seen by the old program or by the new one, never by
 * both or neither. The hooks stay attached while anything is loaded.
 *
 * Each hook has its own map, because the kernel allows only programs of one tracepoint in an array of programs.
 */
#ifndef HOOK_H
#define HOOK_H

#include "maps.h"

struct slot_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};

const volatile u32 never = 0;

/*
 * HOOK defines a hook, its slot, and its program, which evaluates `action`. The tracepoint's arguments are in ctx.
 *
 * The program has a tail call that never happens, and that the kernel removes. Without one, Linux 6.13 and later give
 * the program a private stack. But to read memory of a user takes the least time if the target is the task's own
 * stack, because hardened usercopy checks what the target is.
 */
#define HOOK(name, tracepoint, action)				\
	struct slot_map slot_##name SEC(".maps");		\
								\
	SEC("tp_btf/" tracepoint)				\
	int hook_##name(u64 *ctx)				\
	{							\
		bpf_tail_call_static(ctx, &slot_##name, 0);	\
		return 0;					\
	}							\
								\
	SEC("tp_btf/" tracepoint)				\
	int on_##name(u64 *ctx)					\
	{							\
		if (never)					\
			bpf_tail_call_static(ctx, &slot_##name, 0); \
		hold_cpu();					\
		action;						\
		release_cpu();					\
		return 0;					\
	}

#endif
