/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All maps and tunables. pkg/bpf sets the sizes that are marked (load) when it loads the programs. */
#ifndef MAPS_H
#define MAPS_H

#include "kernel.h"

const volatile u64 secret = 0;		/* mixed into commit words */
const volatile u32 ring_size = 1 << 18;	/* bytes of data of one ring, a power of two */
const volatile u32 segment_size = 1 << 20;	/* bytes of data of one segment of the exec log, a power of two */
const volatile u32 segment_shift = 20;	/* binary logarithm of segment_size */
const volatile u32 segments = 8;	/* a power of two */
const volatile u32 capture_size = 128;	/* bytes captured of one pointer argument, at most CAPTURE_LIMIT */
const volatile u32 argv_size = 4096;	/* bytes recorded of one argument vector, at most ARGV_LIMIT */
const volatile u32 preemptible = 0;	/* 1: the kernel runs tracing programs with preemption enabled */

struct leaf {
	char name[LEAF_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct leaf);
	__type(value, struct pending);
} pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} containers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096); /* (load) */
	__type(key, u32);
	__type(value, struct identity);
} identities SEC(".maps");

/* The size of the value (header, data and slack) and the number of rings are (load). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct ring) + (1 << 18) + RECORD_LIMIT);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct ring) + (1 << 20) + EXEC_HEAD_LIMIT + 4096);
} exec_log SEC(".maps");

/* The four queues of slots. Each has room for all slots (load). */
struct queue_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__uint(value_size, sizeof(u32));
};
struct queue_map free_identities SEC(".maps");
struct queue_map ended_identities SEC(".maps");
struct queue_map free_rings SEC(".maps");
struct queue_map ended_rings SEC(".maps");

/* One element for each CPU (load). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct writer);
} writers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * SYSCALLS_MAX);
	__type(key, u32);
	__type(value, struct syscall);
} syscalls SEC(".maps");

/* Written by the agent only. It has as many entries as identities (load); only those in use take memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct labels_key);
	__type(value, struct labels);
} labels SEC(".maps");

/* Written by the loader only; declared here so that it has the layout of the contract. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct abi);
} abi SEC(".maps");

/* Buffers for strings: one element for each CPU (load), which a program may use while it runs there. */
struct scratch {
	struct leaf leaf;
	char tail[PATH_SIZE];
	char path[EXEC_PATH_LIMIT * 2];
	char argv[ARGV_LIMIT * 2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline void count(u32 reason)
{
	u64 *n = bpf_map_lookup_elem(&counters, &reason);

	if (n)
		*n += 1;
}

static __always_inline struct scratch *cpu_scratch(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratch, &cpu);
}

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/*
 * hold_cpu keeps other tasks off the CPU until release_cpu, on kernels that do not do so themselves. The per-CPU
 * elements (scratch, writers) then belong to the running program, and no task triggers the kernel's guard against
 * recursion, which would skip its program.
 */
static __always_inline void hold_cpu(void)
{
	if (preemptible)
		bpf_preempt_disable();
}

static __always_inline void release_cpu(void)
{
	if (preemptible)
		bpf_preempt_enable();
}

static __always_inline u64 boot_time(void)
{
	return bpf_ktime_get_boot_ns();
}

#endif
