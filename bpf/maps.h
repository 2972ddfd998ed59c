/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All maps and tunables. pkg/bpf sets the sizes that are marked (load) when it loads the programs. */
#ifndef MAPS_H
#define MAPS_H

#include "kernel.h"

struct lane_place {
	u32 offset;	/* of the lane's data in a recording */
	u32 size;	/* bytes of data, a power of two */
};

enum { KEYS = 1024 }; /* more than the words of the longest input, a power of two */

const volatile u64 secret = 0;		/* mixed into commit words */
const volatile u64 keys[KEYS] = {};	/* of signatures */
const volatile struct lane_place lanes[LANE_SLOTS] = {};
const volatile u32 kept_part = 32;	/* recordings of containers that ended, which each namespace may keep */
const volatile u32 recording_end = 1 << 18;	/* offset in a recording after which no record begins */
const volatile u32 seen_sets = 1;	/* a power of two */
const volatile u32 seen_end = 0;	/* offset of the last set in seen */
const volatile u32 segment_size = 1 << 20;	/* bytes of data of one segment of the exec log, a power of two */
const volatile u32 segment_shift = 20;	/* binary logarithm of segment_size */
const volatile u32 segments = 8;	/* a power of two */
const volatile u64 exec_cost = 1 << 20;	/* ns of a pod's share of the exec log that a byte takes */
const volatile u32 capture_size = 128;	/* bytes captured of one pointer argument, at most CAPTURE_LIMIT */
const volatile u32 argv_size = 4096;	/* bytes recorded of one argument vector, at most ARGV_LIMIT */
const volatile u32 cgroup_storage = 0;	/* 1: the kernel has storage for cgroups */
const volatile u32 preemptible = 0;	/* 1: the kernel runs tracing programs with preemption enabled */

u64 suspended = 0; /* ns by which CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC (load); clock.c keeps it right */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PENDING_MAX);
	__type(key, struct pending_key);
	__type(value, struct pending);
} pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} containers SEC(".maps");

/* On kernels before 6.2, an array of one element (load). */
struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} bindings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096); /* (load) */
	__type(key, u32);
	__type(value, struct identity);
} identities SEC(".maps");

/* The size of the value (header, seen, data and slack of the lanes) and the number of rings are (load). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__uint(key_size, sizeof(u32));
	__uint(value_size, 1 << 19);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct segment) + (1 << 20) + EXEC_HEAD_LIMIT + 4096);
} exec_log SEC(".maps");

/* One element for each recording (load). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HELD);
	__type(key, u32);
	__type(value, u32);
} held SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOLDERS);
	__type(key, u32);
	__type(value, struct exec_share);
} exec_shares SEC(".maps");

/* The queues of identities. Each has room for all of them (load). */
struct queue_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__uint(value_size, sizeof(u32));
};
struct queue_map free_identities SEC(".maps");
struct queue_map ended_identities SEC(".maps");

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
	__uint(max_entries, COUNTERS_MAX);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct refusals);
} refusals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALLS_NONE);
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

/* Captures at the exit of a call: no more than these bytes are in use when one more is added. */
enum { OUTGOING_LIMIT = sizeof(struct capture_header) + CAPTURE_LIMIT + 8 };

/* What is left to add of the data that iovecs point to. */
struct gather {
	u64 limit;	/* bytes that the call moved, or all */
	u64 left;	/* bytes that are to be captured */
	u32 least;	/* bytes of each iovec that are captured all the same */
	u32 tag_flags;
};

/* Buffers: one element for each CPU (load), which a program may use while it runs there. */
struct outgoing {
	u32 length;
	u32 reserved;
	struct gather gather;
	u8 bytes[OUTGOING_LIMIT + sizeof(struct capture_header) + 2 * CAPTURE_LIMIT + 8];
};

struct scratch {
	struct outgoing out;	/* captures at the exit of a call */
	struct pending_key key;
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

extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level) __ksym __weak;
extern void bpf_cgroup_release(struct cgroup *cgrp) __ksym __weak;
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

/* boot_time returns the time of CLOCK_BOOTTIME. To read that clock itself takes longer. */
static __always_inline u64 boot_time(void)
{
	return bpf_ktime_get_ns() + *(volatile u64 *)&suspended;
}

#endif
