/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flight recorder: one record for every system call of a recorded container.
 *
 * At enter, the arguments and what input they point to are put together in the task's
 * own storage, in the record's final form; at exit the output is added, and the record
 * is written at once. A task that is in no container pays a look-up of its storage at
 * either hook and one of its cgroup at enter. A task whose storage names its
 * present cgroup needs no look-up of the cgroup: a binding never changes while tasks are in it.
 */
#ifndef CALLS_H
#define CALLS_H

#include "lifecycle.h"
#include "ring.h"

/*
 * Functions that are not static are verified once, by themselves, and not along every path
 * that leads to them: with the captures that is a tenth of the time to load. They are handed
 * pointers that may be null as far as the verifier knows.
 */

enum {
	BODY_ARGS = ARGS_MAX * 8,
	BODY_CAPTURE = sizeof(struct capture_header) + CAPTURE_LIMIT + 4,
	BODY_SIZE = BODY_ARGS + CAPTURES_MAX * BODY_CAPTURE,
	VECTORS = 8,	/* elements of an iovec that are followed */
};

/* A task's call that has not returned, kept until it does. */
struct in_flight {
	u64 cgroup;	/* whose binding the next four are */
	u32 ring;	/* index + 1, or 0 */
	u32 ring_generation;
	u64 time;
	u32 active;	/* between enter and exit */
	u16 number;	/* as in struct entry */
	u16 flags;
	u32 syscall;	/* index into syscalls */
	u16 body_length;
	u8 due;		/* one bit a capture: to be read at exit */
	u8 exec;	/* as in struct syscall */
	u64 args[ARGS_MAX];
	u8 body[BODY_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct in_flight);
} call_storage SEC(".maps");

/*
 * call_of returns a task's storage; NULL where it has none, as a task that was never in a container has. Most
 * tasks of a node are such, and a load of the task's own field is all that they pay for being asked.
 */
static __always_inline struct in_flight *call_of(struct task_struct *task)
{
	if (!task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&call_storage, task, NULL, 0);
}

/* follow brings a task's storage up to the cgroup that it is in, and that has this binding. */
static __noinline struct in_flight *follow(struct task_struct *task, u64 cgroup, u64 binding)
{
	struct in_flight *call;
	struct ring *ring;
	u32 index;

	call = bpf_task_storage_get(&call_storage, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count(COUNT_NO_STORAGE);
		return NULL;
	}
	call->active = 0;
	call->ring = binding >> 32;
	if (call->ring) {
		index = call->ring - 1;
		ring = bpf_map_lookup_elem(&rings, &index);
		if (!ring)
			return NULL;
		call->ring_generation = ring->generation;
	}
	call->cgroup = cgroup;
	return call;
}

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

/* put_arg appends an argument, in 4 bytes where it is a sign-extended 32-bit value. Without branches: six of
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

/* A capture's place behind what is staged already, or NULL where there is no room. */
static __always_inline u8 *staging_place(struct in_flight *call)
{
	u64 at = call->body_length;

	opaque(at);
	if (at > BODY_ARGS + BODY_CAPTURE)
		return NULL;
	return call->body + at;
}

static __always_inline void stage(struct in_flight *call, u8 *place, u32 length, u32 arg, u32 flags)
{
	struct capture_header *header = (struct capture_header *)place;

	header->length = length;
	header->arg = arg;
	header->flags = flags;
	call->body_length += sizeof(*header) + length;
	call->flags += 1 << CALL_CAPTURES_SHIFT;
}

/* stage_string appends the string that an argument points to; -1 where it cannot be read. */
__noinline int stage_string(struct in_flight *call, u32 arg, u32 flags)
{
	const void *from;
	u8 *place, next;
	long n;

	if (!call || arg >= ARGS_MAX)
		return 0;
	from = (const void *)call->args[arg];
	place = staging_place(call);
	if (!from || !place)
		return 0;
	n = bpf_probe_read_user_str(place + sizeof(struct capture_header), capture_size + 1, from);
	if (n < 0)
		return -1;
	n = string_size(n) - 1;
	if (n == capture_size && (bpf_probe_read_user(&next, 1, from + n) || next))
		flags |= CAPTURE_TRUNCATED;
	stage(call, place, n, arg, flags);
	return 0;
}

/* take_bytes appends the buffer that an argument points to; -1 where it cannot be read. */
static __always_inline int take_bytes(struct in_flight *call, u32 arg, u64 length, u32 flags)
{
	const void *from;
	u8 *place;

	if (arg >= ARGS_MAX)
		return 0;
	from = (const void *)call->args[arg];
	place = staging_place(call);
	if (!from || !place)
		return 0;
	if (length > capture_size) {
		length = capture_size;
		flags |= CAPTURE_TRUNCATED;
	}
	if (bpf_probe_read_user(place + sizeof(struct capture_header), length, from))
		return -1;
	stage(call, place, length, arg, flags);
	return 0;
}

__noinline int stage_bytes(struct in_flight *call, u32 arg, u64 length, u32 flags)
{
	return call ? take_bytes(call, arg, length, flags) : 0;
}

struct iovec {
	u64 base;
	u64 length;
};

/* stage_vector appends what `count` iovecs at `from` hold, no more than `limit` bytes; -1 where they cannot be read. */
__noinline int stage_vector(struct in_flight *call, u32 arg, u64 from, u64 count, u64 limit)
{
	struct iovec vector;
	u32 flags = 0;
	u64 at = 0, n;
	u8 *place;

	if (!call || !from || arg >= ARGS_MAX || call->body_length > BODY_ARGS)
		return 0;
	place = staging_place(call);
	if (!place)
		return 0;
	for (u32 i = 0; i < VECTORS && i < count && limit; i++) {
		if (bpf_probe_read_user(&vector, sizeof(vector), (void *)(from + i * sizeof(vector))))
			return -1;
		n = vector.length < limit ? vector.length : limit;
		limit -= n;
		if (n > capture_size - at) {
			n = capture_size - at;
			flags |= CAPTURE_TRUNCATED;
		}
		opaque(at);
		opaque(n);
		if (at > CAPTURE_LIMIT || n > CAPTURE_LIMIT)
			return 0;
		/* One capture stands here alone: its limit is room enough for both offset and length. */
		if (call->body_length > BODY_ARGS)
			return 0;
		if (bpf_probe_read_user(call->body + call->body_length + sizeof(struct capture_header) + at, n,
					(void *)vector.base))
			return -1;
		at += n;
		if (flags)
			break;
	}
	if (count > VECTORS && limit && at < capture_size)
		flags |= CAPTURE_TRUNCATED;
	stage(call, place, at, arg, flags);
	return 0;
}

/* stage_message does so for the iovecs of a struct msghdr. */
static __always_inline int stage_message(struct in_flight *call, u32 arg, u64 limit)
{
	struct {
		u64 iov;
		u64 length;
	} message;
	u64 header;

	if (arg >= ARGS_MAX)
		return 0;
	header = call->args[arg];
	if (!header)
		return 0;
	if (bpf_probe_read_user(&message, sizeof(message), (void *)(header + 16)))
		return -1;
	return stage_vector(call, arg, message.iov, message.length, limit);
}

/* capture reads one pointer argument; -1 where its memory is not there. `result` counts for output only. */
__noinline int capture(struct in_flight *call, struct capture *c, s64 result, u32 flags)
{
	u32 arg, length, kind;

	if (!call || !c)
		return 0;
	arg = c->arg;
	length = c->length;
	kind = c->kind;
	if (arg >= ARGS_MAX)
		return 0;
	switch (kind) {
	case CAPTURE_STRING:
		return stage_string(call, arg, flags);
	case CAPTURE_IN:
		return length < ARGS_MAX ? stage_bytes(call, arg, call->args[length], flags) : 0;
	case CAPTURE_OUT:
		if (result <= 0 || length >= ARGS_MAX)
			return 0;
		/* Some calls return more than they were given room for. */
		return stage_bytes(call, arg, (u64)result < call->args[length] ? (u64)result : call->args[length], flags);
	case CAPTURE_FIXED_IN:
		return stage_bytes(call, arg, length, flags);
	case CAPTURE_FIXED_OUT:
		return result >= 0 ? stage_bytes(call, arg, length, flags) : 0;
	case CAPTURE_VECTOR_IN:
		return length < ARGS_MAX ? stage_vector(call, arg, call->args[arg], call->args[length], ~0ULL) : 0;
	case CAPTURE_VECTOR_OUT:
		return length < ARGS_MAX && result > 0 ?
			stage_vector(call, arg, call->args[arg], call->args[length], result) : 0;
	case CAPTURE_MESSAGE_IN:
		return stage_message(call, arg, ~0ULL);
	case CAPTURE_MESSAGE_OUT:
		return result > 0 ? stage_message(call, arg, result) : 0;
	default:
		return 0;
	}
}

static __always_inline bool is_output(u32 kind)
{
	return kind == CAPTURE_OUT || kind == CAPTURE_FIXED_OUT || kind == CAPTURE_VECTOR_OUT ||
	       kind == CAPTURE_MESSAGE_OUT;
}

/* capture_input reads what a call is given; the two commonest kinds without a detour. */
static __always_inline void capture_input(struct in_flight *call, struct syscall *description)
{
	for (u32 i = 0; i < CAPTURES_MAX; i++) {
		struct capture *c = &description->captures[i];
		u32 kind = c->kind, length = c->length;
		int failed;

		if (kind == CAPTURE_NONE)
			return;
		if (kind == CAPTURE_STRING)
			failed = stage_string(call, c->arg, 0);
		else if (kind == CAPTURE_IN && length < ARGS_MAX)
			failed = take_bytes(call, c->arg, call->args[length], 0);
		else
			failed = is_output(kind) || capture(call, c, 0, 0);
		if (failed)
			call->due |= 1 << i;
	}
}

/* capture_output reads what the call has brought, and input whose page was not there before the kernel went for it. */
__noinline int capture_output(struct in_flight *call, s64 result)
{
	struct syscall *description;
	u32 index, due;
	u8 *place;

	if (!call)
		return 0;
	index = call->syscall;
	due = call->due;
	description = bpf_map_lookup_elem(&syscalls, &index);
	if (!description)
		return 0;
	for (u32 i = 0; i < CAPTURES_MAX; i++) {
		struct capture *c = &description->captures[i];

		if (!(due & 1 << i))
			continue;
		if (!capture(call, c, result, is_output(c->kind) ? 0 : CAPTURE_LATE))
			continue;
		place = staging_place(call);
		if (place)
			stage(call, place, 0, c->arg, CAPTURE_FAULT);
	}
	return 0;
}

/* describe_call puts a call together in its task's storage. */
static __always_inline void describe_call(struct in_flight *call, struct task_struct *task, struct pt_regs *regs, u64 number)
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
	if (number >= NUMBER_OTHER)
		number = NUMBER_OTHER;
	call->number = number | args << NUMBER_BITS;
	call->flags = flags | wide;
	call->body_length = at;
	if (description && description->captures[0].kind)
		capture_input(call, description);
}

/* set_duration keeps a duration in 32 bits, in the finest unit that holds it; returns that unit as flags. */
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

/* copy_body copies a body, and up to 7 bytes that round it up. Most are short: word by word costs less than a call. */
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

/* write_call writes the record of a call that is over, one way or the other. */
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

	/* Positions are multiples of 8; the mask says so to the verifier. */
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

/* Defined in execs.h. */
__noinline int exec_failed(struct in_flight *call, s64 result);

static __always_inline void enter(struct pt_regs *regs, u64 number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 cgroup = cgroup_of(task), *binding;
	struct in_flight *call = call_of(task);

	if (!call || call->cgroup != cgroup) {
		binding = bpf_map_lookup_elem(&containers, &cgroup);
		if (!binding)
			return;
		call = follow(task, cgroup, *binding);
		if (!call)
			return;
	}
	describe_call(call, task, regs, number);
	call->time = boot_time();
	call->active = 1;
}

SEC("tp_btf/sys_enter")
int on_sys_enter(u64 *ctx)
{
	hold_cpu();
	enter((struct pt_regs *)ctx[0], ctx[1]);
	release_cpu();
	return 0;
}

/* An exit without an enter: seccomp refused the call before any hook saw it, or the kernel skipped the hook. */
static __noinline int describe_refused(struct in_flight *call, struct task_struct *task, struct pt_regs *regs)
{
	long number = number_of(regs);

	if (number < 0 || call->cgroup != cgroup_of(task))
		return -1;
	describe_call(call, task, regs, number);
	call->flags |= CALL_NO_ENTER;
	call->time = boot_time();
	return 0;
}

/*
 * is_over tells whether the call that ends is the one in storage. It is not where the kernel skipped both the exit of
 * that one and the enter of this: both programs were being run on this CPU by tasks that it had been taken from.
 */
static __always_inline bool is_over(struct in_flight *call, struct pt_regs *regs, s64 result)
{
	long number = number_of(regs);
	u64 args[ARGS_MAX], differ = 0;

	if (number < 0)
		return true; /* the registers are those of another time: rt_sigreturn */
	if (call->flags & CALL_X32)
		number &= ~0x40000000;
	if (number >= NUMBER_OTHER)
		number = NUMBER_OTHER;
	if ((call->number & NUMBER_MASK) != number)
		return false;
	if (call->exec && !result)
		return true; /* the registers are those of the new program */
	load_args(args, regs, call->flags & CALL_COMPAT);
	for (int i = 0; i < ARGS_MAX; i++)
		differ |= args[i] ^ call->args[i];
	return !differ;
}

static __always_inline void leave(struct pt_regs *regs, s64 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct in_flight *call = call_of(task);

	if (!call)
		return;
	if (preemptible && call->active && !is_over(call, regs, result))
		call->active = 0;
	if (!call->active && describe_refused(call, task, regs))
		return;
	call->active = 0;
	if (call->exec && result < 0)
		exec_failed(call, result);
	if (!call->ring)
		return;
	/* A successful exec has left the memory that its arguments lay in. */
	if (call->due && !(call->exec && !result))
		capture_output(call, result);
	write_call(call, task, boot_time(), result, 0);
}

SEC("tp_btf/sys_exit")
int on_sys_exit(u64 *ctx)
{
	hold_cpu();
	leave((struct pt_regs *)ctx[0], ctx[1]);
	release_cpu();
	return 0;
}

#endif
