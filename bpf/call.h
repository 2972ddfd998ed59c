/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of a system call: describe_call stages it in the storage of its task, write_call writes it into the ring. */
#ifndef CALL_H
#define CALL_H

#include "captures.h"
#include "ring.h"

static __always_inline void load_args(u64 *args, struct pt_regs *regs, bool compat)
{
#if defined(__TARGET_ARCH_x86)
	if (compat) {
		args[0] = (u32)regs->bx;
		args[1] = (u32)regs->cx;
		args[2] = (u32)regs->dx;
		args[3] = (u32)regs->si;
		args[4] = (u32)regs->di;
		args[5] = (u32)regs->bp;
		return;
	}
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
#else
	args[0] = regs->orig_x0;
	args[1] = regs->regs[1];
	args[2] = regs->regs[2];
	args[3] = regs->regs[3];
	args[4] = regs->regs[4];
	args[5] = regs->regs[5];
#endif
}

static __always_inline long number_of(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

/* put_arg appends an argument, in 4 bytes if it is a sign-extended 32-bit value. It has no branches, because six of
 * these would make 64 paths for the verifier. */
static __always_inline u32 put_arg(struct in_flight *call, u32 at, u32 i, u32 *wide_args)
{
	s64 value = call->args[i];
	u64 differs = (value >> 31) ^ (value >> 63);
	u32 wide;

	opaque(differs);
	wide = (differs | -differs) >> 63;
	*(u64 *)(call->body + at) = value;
	*wide_args |= wide << i;
	return at + 4 + wide * 4;
}

/* describe_call stores a call in the storage of its task. */
static __always_inline void describe_call(struct in_flight *call, struct task_struct *task, struct pt_regs *regs,
	u64 number)
{
	bool compat = task_is_compat(task);
	u32 at = 0, args = ARGS_MAX, wide = 0, flags = 0, index;
	struct syscall *description;

	number = (u32)number;
	index = number;
#if defined(__TARGET_ARCH_x86)
	if (number & 0x40000000 && !compat && number != (u32)-1) {
		flags = CALL_X32;
		number &= ~0x40000000;
		index = number;
	}
#endif
	if (compat) {
		flags = CALL_COMPAT;
		index = number < SYSCALLS_MAX ? SYSCALLS_MAX + number : 2 * SYSCALLS_MAX;
	} else if (number >= SYSCALLS_MAX) {
		index = 2 * SYSCALLS_MAX; /* none */
	}
	load_args(call->args, regs, compat);
	call->due = 0;
	call->exec = 0;
	call->syscall = index;
	description = bpf_map_lookup_elem(&syscalls, &index);
	if (description) {
		args = description->args;
		call->exec = description->exec;
	}
	if (args > 0) {
		at = put_arg(call, at, 0, &wide);
		if (args > 1)
			at = put_arg(call, at, 1, &wide);
		if (args > 2)
			at = put_arg(call, at, 2, &wide);
		if (args > 3)
			at = put_arg(call, at, 3, &wide);
		if (args > 4)
			at = put_arg(call, at, 4, &wide);
		if (args > 5)
			at = put_arg(call, at, 5, &wide);
	}
	call->number = (number < NUMBER_OTHER ? number : NUMBER_OTHER) | args << NUMBER_BITS;
	call->flags = flags | wide;
	call->body_length = at;
	if (number >= NUMBER_OTHER)
		stage_number(call, number);
	else if (description && description->captures[0].kind)
		capture_input(call, description);
}

/* set_duration stores a duration in 32 bits, in the finest unit in which it fits, and returns that unit as flags. */
static __always_inline u16 set_duration(struct call *record, u64 ns)
{
	u32 unit = 0;

	while (ns >> 32 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	record->duration = ns >> 32 ? ~0U : ns;
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

/* write_call writes the record of a call that returned or whose task ended. */
static __always_inline void write_call(struct in_flight *call, struct task_struct *task, u64 now, s64 result, u16 flags)
{
	u32 index = call->ring - 1, cpu = bpf_get_smp_processor_id(), head = sizeof(struct call);
	u64 comm_tail, position, length, body = call->body_length;
	struct ring *ring = bpf_map_lookup_elem(&rings, &index);
	struct writer *writer;
	struct call *record;

	if (!ring)
		return;
	if (ring->generation != call->ring_generation) {
		count(COUNT_STALE_RING);
		return;
	}
	writer = ring_announce(ring, index + 1, cpu);
	if (!writer) {
		__sync_fetch_and_add(&ring->lost, 1);
		count(COUNT_BUSY);
		return;
	}

	flags |= call->flags;
	comm_tail = *(u64 *)&task->comm[8];
	if (comm_tail) {
		flags |= CALL_LONG_COMM;
		head += 8;
	}
	if (result != (s32)result) {
		flags |= CALL_WIDE_RESULT;
		head += 8;
	}
	opaque(body);
	if (body > BODY_SIZE)
		body = BODY_SIZE;
	length = (head + body + 7) & ~7ULL;
	position = ring_reserve(ring, writer, length);
	__sync_fetch_and_add(&ring->written, 1);

	/* Positions are multiples of 8; the mask proves it to the verifier. */
	record = (struct call *)(ring->data + (position & (ring_size - 8)));
	record->entry.time = call->time;
	record->entry.words = length / 8;
	record->entry.cpu = cpu;
	record->entry.number = call->number;
	record->tid = task->pid;
	record->pid = task->tgid;
	record->entry.flags = flags | set_duration(record, now - call->time);
	record->result = result;
	*(u64 *)record->comm = *(u64 *)&task->comm[0];
	if (flags & CALL_LONG_COMM)
		*(u64 *)(record + 1) = comm_tail;
	if (flags & CALL_WIDE_RESULT)
		*(s64 *)((u8 *)record + head - 8) = result;
	copy_body((u8 *)record + head, call->body, body);
	ring_commit(ring, writer, &record->entry, position, length, ring_size, call->ring_generation);
}

#endif
