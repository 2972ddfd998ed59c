/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of a system call: from the storage of its task into a lane. */
#ifndef RECORD_H
#define RECORD_H

#include "call.h"
#include "ring.h"

enum {
	NOT_WRITTEN = 1,	/* no position: these are multiples of 8 */
	HEAD_LIMIT = sizeof(struct call) + 8 + sizeof(struct inner_pids) + 8,
	EXTRA_LIMIT = RECORD_LIMIT - HEAD_LIMIT - BODY_SIZE,
};

/* set_duration stores a duration in 32 bits, in the finest unit in which it fits, and returns that unit as flags. */
static __always_inline u16 set_duration(struct call *record, u64 ns)
{
	u32 unit = 0;

	while (ns >> 32 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	ns |= -nonzero(ns >> 32); /* the longest, if it does not fit at all */
	opaque(unit);
	record->duration = ns;
	return unit << CALL_UNIT_SHIFT;
}

/* copy_body copies a body and up to 7 bytes of padding. Most bodies are short, and copying words costs less than a
 * call. */
static __always_inline void copy_body(u8 *to, const u8 *from, u32 length)
{
	enum { WORDS = 16 };

	if (length > WORDS * 8) {
		bpf_probe_read_kernel(to, length, from);
		return;
	}
	for (u32 i = 0; i < WORDS && i * 8 < length; i++)
		((u64 *)to)[i] = ((const u64 *)from)[i];
}

/* outgoing_length returns the number of bytes that were captured at the exit of the call. */
__noinline u64 outgoing_length(void)
{
	struct scratch *s = cpu_scratch();

	return s ? s->out.length : 0;
}

/*
 * pids_inside returns the IDs of the current task in its own PID namespace: that of the thread, and above it that of
 * the process.
 */
__noinline u64 pids_inside(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return namespace_pid(task) | (u64)namespace_pid(BPF_CORE_READ(task, group_leader)) << 32;
}

/*
 * put_record writes a record into a lane. It returns the record's position, or NOT_WRITTEN. Only `first` can be full.
 */
static __always_inline u64 put_record(struct in_flight *call, struct task_struct *task, struct recording *recording,
					u64 now, s64 result, u16 flags, u32 lane)
{
	u32 index = call->ring - 1, cpu = bpf_get_smp_processor_id();
	struct ring *ring = &recording->lanes[lane & (LANE_SLOTS - 1)];
	u64 size = lanes[lane & (LANE_SLOTS - 1)].size, at;
	u64 comm_tail, position, length, head = sizeof(struct call), body = call->body_length, extra = 0;
	struct scratch *s;
	struct inner_pids *pids;
	struct writer *writer;
	struct call *record;

	flags |= call->flags;
	comm_tail = *(u64 *)&task->comm[8];
	if (comm_tail) {
		flags |= CALL_LONG_COMM;
		head += 8;
	}
	if (lane != LANE_RECENT && lane != LANE_SAID) {
		flags |= CALL_PIDS;
		head += sizeof(*pids);
	}
	if (result != (s32)result) {
		flags |= CALL_WIDE_RESULT;
		head += 8;
	}
	if (call->due)
		extra = outgoing_length();
	/* Without this, the verifier would check what follows for every combination of the above. */
	opaque(head);
	opaque(flags);
	opaque(body);
	opaque(extra);
	if (head > HEAD_LIMIT || body > BODY_SIZE || extra > EXTRA_LIMIT)
		return NOT_WRITTEN; /* never, but the verifier does not know */
	opaque(head);
	opaque(body);
	opaque(extra);
	length = (head + body + extra + 7) & ~7ULL; /* in the ring */

	writer = ring_announce(ring, (index + 1) | lane << LANE_SHIFT, cpu);
	if (!writer) {
		__sync_fetch_and_add(&ring->lost, 1);
		count(COUNT_BUSY);
		return NOT_WRITTEN;
	}
	if (lane == LANE_FIRST)
		position = ring_reserve_once(ring, writer, length, size);
	else
		position = ring_reserve(ring, writer, length);
	/* Positions are multiples of 8. The verifier knows neither that nor the lane's size. */
	at = lanes[lane & (LANE_SLOTS - 1)].offset + (position & (size - 8));
	at &= ~7ULL;
	opaque(at);
	if (position == RING_FULL || at > recording_end) {
		*(volatile u32 *)&writer->ring = 0;
		return NOT_WRITTEN;
	}
	record = (struct call *)((u8 *)recording + at);
	record->entry.time = call->time;
	record->entry.length = head + body + extra;
	record->entry.cpu = cpu;
	record->entry.number = call->number;
	record->tid = task->pid;
	record->pid = task->tgid;
	record->entry.flags = flags | set_duration(record, now - call->time);
	record->result = result;
	*(u64 *)record->comm = *(u64 *)&task->comm[0];
	pids = (struct inner_pids *)(record + 1);
	if (flags & CALL_LONG_COMM) {
		*(u64 *)(record + 1) = comm_tail;
		pids++;
	}
	if (flags & CALL_PIDS)
		*(u64 *)pids = pids_inside();
	if (flags & CALL_WIDE_RESULT)
		*(s64 *)((u8 *)record + head - 8) = result;
	copy_body((u8 *)record + head, call->body, body);
	if (extra) {
		s = cpu_scratch();
		if (s)
			bpf_probe_read_kernel((u8 *)record + head + body, extra, s->out.bytes);
	}
	ring_commit(ring, writer, &record->entry, position, length, size, call->ring_generation);
	return position;
}

/* write_record is put_record for all calls but the most frequent ones. */
__noinline u64 write_record(struct in_flight *call, u64 now, s64 result, u32 flags, u32 lane)
{
	struct recording *recording;
	u32 index;

	if (!call)
		return NOT_WRITTEN;
	index = call->ring - 1;
	recording = bpf_map_lookup_elem(&rings, &index);
	if (!recording)
		return NOT_WRITTEN;
	return put_record(call, bpf_get_current_task_btf(), recording, now, result, flags, lane);
}

#endif
