/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hooks: one program is attached to each tracepoint and only runs the program in its slot.
 *
 * The kernel cannot exchange the program of an attached link, and if two programs were attached side by side, both
 * would see a call. A slot is exchanged in one step: each event is seen by the old program or by the new one, never by
 * both or neither. The hooks stay attached while anything is loaded.
 *
 * Each hook has its own map, because the kernel allows only programs of one tracepoint in an array of programs.
 */
#ifndef HOOKS_H
#define HOOKS_H

#include "kernel.h"

struct slot_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};
struct slot_map slot_cgroup_mkdir SEC(".maps");
struct slot_map slot_cgroup_rmdir SEC(".maps");
struct slot_map slot_sys_enter SEC(".maps");
struct slot_map slot_sys_exit SEC(".maps");
struct slot_map slot_exec SEC(".maps");
struct slot_map slot_exit SEC(".maps");

SEC("tp_btf/cgroup_mkdir")
int hook_cgroup_mkdir(u64 *ctx)
{
	bpf_tail_call_static(ctx, &slot_cgroup_mkdir, 0);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int hook_cgroup_rmdir(u64 *ctx)
{
	bpf_tail_call_static(ctx, &slot_cgroup_rmdir, 0);
	return 0;
}

SEC("tp_btf/sys_enter")
int hook_sys_enter(u64 *ctx)
{
	bpf_tail_call_static(ctx, &slot_sys_enter, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int hook_sys_exit(u64 *ctx)
{
	bpf_tail_call_static(ctx, &slot_sys_exit, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int hook_exec(u64 *ctx)
{
	bpf_tail_call_static(ctx, &slot_exec, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int hook_exit(u64 *ctx)
{
	bpf_tail_call_static(ctx, &slot_exit, 0);
	return 0;
}

#endif
