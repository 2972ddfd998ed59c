/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of a system call: describe_call stages it in the storage of its task, write_call writes it into the
 * ring. */
#ifndef CALL_H
#define CALL_H

#include "captures.h"
#include "paths.h"
#include "ring.h"
#include "seen.h"

enum {
	NOT_WRITTEN = 1,	/* no position: these are multiples of 8 */
	NO_CALL = ~0U,		/* in place of the number of a call */
	HEAD_LIMIT = sizeof(struct call) + 8 + sizeof(struct inner_pids) + 8,
	EXTRA_LIMIT = RECORD_LIMIT - HEAD_LIMIT - BODY_SIZE,
};

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

/* number_of returns the number of a call, of which the kernel looks at 32 bits only. */
static __always_inline s32 number_of(struct pt_regs *regs)
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
	u32 wide = nonzero((value >> 31) ^ (value >> 63));

	*(u64 *)(call->body + at) = value;
	*wide_args |= wide << i;
	return at + 4 + wide * 4;
}

/* is_kept reports whether the policy of the container lets a call be recorded. */
static __always_inline bool is_kept(struct in_flight *call)
{
	return !(call->policy & WHO_FILES_ONLY) || call->traits & TRAIT_PATH;
}

/* traits_of returns the traits of a call, of which it may not be TRAIT_HOT. It has no branches, as put_arg. */
static __always_inline u8 traits_of(struct in_flight *call, struct syscall *description)
{
	u64 excluded = nonzero(call->args[description->hot_arg & 7] & description->hot_mask);

	return description->traits & ~(TRAIT_HOT * excluded);
}

/* describe_call stores a call in the storage of its task. */
static __always_inline void describe_call(struct in_flight *call, struct task_struct *task, struct pt_regs *regs,
	u64 number)
{
	bool compat = task_is_compat(task);
	u32 at = 0, args = ARGS_MAX, wide = 0, abi = NUMBER_NATIVE, index;
	struct syscall *description;

	number = (u32)number;
	index = number;
#if defined(__TARGET_ARCH_x86)
	if (number & 0x40000000 && !compat && number != (u32)-1) {
		abi = NUMBER_X32;
		number &= ~0x40000000;
		index = number;
		if (number >= X32_FIRST)
			index = number < X32_FIRST + X32_MAX ? SYSCALLS_X32 + number - X32_FIRST : SYSCALLS_NONE;
	} else
#endif
	if (compat) {
		abi = NUMBER_COMPAT;
		index = number < SYSCALLS_MAX ? SYSCALLS_MAX + number : SYSCALLS_NONE;
	} else if (number >= SYSCALLS_MAX) {
		index = SYSCALLS_NONE;
	}
	load_args(call->args, regs, compat);
	call->due = 0;
	call->exec = 0;
	call->traits = 0;
	call->syscall = index;
	description = bpf_map_lookup_elem(&syscalls, &index);
	if (description) {
		args = description->args;
		call->exec = description->exec;
		call->traits = traits_of(call, description);
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
	call->number = (number < NUMBER_OTHER ? number : NUMBER_OTHER) | args << NUMBER_ARGS_SHIFT | abi << NUMBER_ABI_SHIFT;
	call->flags = wide;
	call->captures = call->body_length = at;
	if (number >= NUMBER_OTHER)
		body_word(call, number, 0, 0);
	else if (description && description->rows[0].kind && is_kept(call))
		capture_input(call, description);
}

/* begin_event makes an event of a task look like a call with `args` arguments, which the caller has set. */
static __always_inline void begin_event(struct in_flight *call, u32 number, u32 args)
{
	call->active = 1;
	call->due = 0;
	call->exec = 0;
	call->traits = 0;
	call->flags = 0;
	call->syscall = NO_SYSCALL;
	call->number = number | args << NUMBER_ARGS_SHIFT;
	call->captures = call->body_length = 0;
	call->time = boot_time();
}

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

/* group_of returns the group of a call: an element of first_groups and distinct_groups. */
static __always_inline u32 group_of(struct in_flight *call, s64 result)
{
	u32 error = result < 0 ? result : 0;

	return (call->number * 31 + error * 97) & (GROUPS - 1);
}

/* record_length returns how many bytes the record of a call has, or a few less. */
static __always_inline u64 record_length(struct in_flight *call)
{
	u64 length = sizeof(struct call) + sizeof(struct inner_pids) + call->body_length;

	if (call->due)
		length += outgoing_length();
	return length;
}

/*
 * opens_early reports whether a call has opened one of the first files of its program, for which the lane `first` has
 * room: part of that is for the program of the container's init only.
 */
static __always_inline bool opens_early(struct recording *recording, struct in_flight *call, s64 result)
{
	u64 sixteenth = lanes[LANE_FIRST].size / 16, limit = (call->init ? 5 : 4) * sixteenth;

	return call->traits & TRAIT_RESOLVE && !call->exec && result >= 0 && call->opened < FIRST_OPENED &&
	       recording->first_bytes[FIRST_OF_PROGRAM] < limit;
}

/* admit_first reports whether the lane `first` takes one more call of this kind. */
static __always_inline bool admit_first(struct recording *recording, struct in_flight *call, s64 result, bool early)
{
	u32 group = group_of(call, result), share = FIRST_OTHERS;
	u64 sixteenth = lanes[LANE_FIRST].size / 16, limit = sixteenth;

	if (early) {
		share = FIRST_OF_PROGRAM;
		limit *= 5;
		call->opened++;
	} else if (!(call->traits & TRAIT_PATH) || call->exec) {
		share = FIRST_PLAIN;
		limit *= call->exec ? 3 : 6;
	} else if (result < 0) {
		share = FIRST_FAILED;
		limit *= 4;
	}
	opaque(share);
	if (share >= FIRST_SHARES || recording->first_bytes[share] >= limit)
		return false;
	if (!early) {
		if (recording->first_groups[group] >= FIRST_LIMIT)
			return false;
		recording->first_groups[group]++;
	}
	__sync_fetch_and_add(&recording->first_bytes[share], record_length(call));
	return true;
}

/* group_debt returns how far the head of the lane distinct has to move until a group has its part of it again. */
static __always_inline u64 group_debt(struct recording *recording, struct in_flight *call, s64 result)
{
	u64 head = recording->lanes[LANE_DISTINCT].head, due = recording->distinct_groups[group_of(call, result)];

	return due > head ? due - head : 0;
}

/*
 * admit_distinct reports whether the lane `distinct` takes one more call of a group. Each byte costs the group
 * GROUP_COST, and each byte that any group writes pays one back, so calls of one kind do not push out all others.
 */
static __always_inline bool admit_distinct(struct recording *recording, struct in_flight *call, s64 result)
{
	u64 debt = group_debt(recording, call, result), cost = GROUP_COST * record_length(call);

	if (debt > lanes[LANE_DISTINCT].size)
		return false;
	recording->distinct_groups[group_of(call, result)] = recording->lanes[LANE_DISTINCT].head + debt + cost;
	return true;
}

/*
 * resolve adds the file that a call opened, executed or entered. Its path is left out if it is in an earlier record.
 * Otherwise, resolve returns a hash of it.
 */
static __always_inline u64 resolve(struct in_flight *call, s64 result, bool known)
{
	struct scratch *s = cpu_scratch();
	u64 from;

	if (!s)
		return 0;
	if (!call->due)
		s->out.length = 0;
	call->due |= CAPTURED_AT_EXIT;
	if (known) {
		out_inode(&s->out, result, call->traits, call->exec);
		return 0;
	}
	from = s->out.length + sizeof(struct capture_header) + sizeof(struct resolved);
	out_path(&s->out, result, call->traits, call->exec);
	return s->out.length > from ? hash_output(&s->out, from, s->out.length - from, FILE_KEY) : 0;
}

/* novel_lane returns the lane of a call that may be new, if the lane first does not take it. */
static __always_inline u32 novel_lane(struct in_flight *call, s64 result)
{
	u32 lane = LANE_DISTINCT;

	if (call->budget)
		lane = LANE_RUNTIME;
	else if (call->traits & TRAIT_PATH && !call->exec && (result >= 0 || result == -ENOENT || result == -ENOTDIR))
		lane = LANE_FILES;
	opaque(lane);
	return lane;
}

/*
 * write_novel writes a call that may be new, and remembers it. If it is not new, it counts it. It writes the call to
 * `recent`, too, unless it is the runtime's own.
 */
__noinline int write_novel(struct in_flight *call, u64 now, s64 result, u32 flags)
{
	struct recording *recording;
	struct seen_set *set;
	u64 name, salt, position = NOT_WRITTEN, file = 0, path = 0;
	u32 index, lane, flag;
	bool again, resolves, early;

	if (!call)
		return 0;
	index = call->ring - 1;
	recording = bpf_map_lookup_elem(&rings, &index);
	if (!recording)
		return 0;
	lane = novel_lane(call, result);
	early = lane == LANE_FILES && opens_early(recording, call, result);
	opaque(early);
	salt = (u64)call->ring_generation << 8 | lane;
	name = signature(call, result, salt, 0);
	set = seen_set(recording, name);
	if (!set)
		return 0;
	resolves = call->traits & TRAIT_RESOLVE && result >= 0;
	if (resolves)
		file = file_hash(result, call->traits, call->exec);
	again = seen_again(set, recording, name, now, early);
	if (again && lane == LANE_RUNTIME)
		return 0;
	/* Execs with new arguments may have half of what execs of new programs may. */
	if (!again && call->exec && group_debt(recording, call, result) > lanes[LANE_DISTINCT].size / 2) {
		name = signature(call, result, salt, call->exec == 2 ? 1 << 2 : 1 << 1);
		set = seen_set(recording, name);
		if (!set)
			return 0;
		again = seen_again(set, recording, name, now, false);
	}
	if (resolves)
		path = resolve(call, result, again && seen_file(set, name, file));
	if (again && path) {
		/* The name leads to another file now, or another thread changed it before the kernel read it. */
		name += path;
		set = seen_set(recording, name);
		if (!set)
			return 0;
		again = seen_again(set, recording, name, now, early);
	}
	if (!again) {
		flag = SEEN_FIRST;
		if (lane != LANE_RUNTIME && admit_first(recording, call, result, early))
			position = write_record(call, now, result, flags, LANE_FIRST);
		if (position == NOT_WRITTEN) {
			if (lane == LANE_DISTINCT && !admit_distinct(recording, call, result))
				lane = LANE_FILES;
			opaque(lane);
			position = write_record(call, now, result, flags, lane);
			flag = lane == LANE_FILES ? SEEN_FILES : lane == LANE_DISTINCT ? SEEN_DISTINCT : 0;
		}
		if (position != NOT_WRITTEN)
			seen_put(set, name, position | flag | file << SEEN_FILE_SHIFT, now);
	}
	if (lane != LANE_RUNTIME)
		write_record(call, now, result, flags, LANE_RECENT);
	return 0;
}

/*
 * is_stdio reports whether a descriptor is the standard output or error of the container's init: the same pipe or file,
 * even if it was copied, or opened again, as /dev/stdout. Only for descriptors that may be so, it looks.
 */
static __always_inline bool is_stdio(struct recording *recording, u64 descriptor)
{
	u64 inode;

	if (!(recording->stdio_descriptors[descriptor >> 6 & 3] & 1ULL << (descriptor & 63)))
		return false;
	inode = inode_of(descriptor);
	return inode && (inode == recording->stdio[0] || inode == recording->stdio[1]);
}

/* opened notes a descriptor that was opened or copied, if it is the standard output or error of the init. */
static __always_inline void opened(struct recording *recording, u64 descriptor)
{
	u64 inode = inode_of(descriptor);

	if (inode && (inode == recording->stdio[0] || inode == recording->stdio[1]))
		__sync_fetch_and_or(&recording->stdio_descriptors[descriptor >> 6 & 3], 1ULL << (descriptor & 63));
}

/* write_said writes a call to the lane said, with more of what was written than other lanes have. */
static __always_inline void write_said(struct in_flight *call, u64 now, s64 result, u32 flags)
{
	u32 due = call->due, length = call->body_length;

	if (result > capture_size && !(call->policy & WHO_NO_CONTENTS))
		capture_said(call);
	write_record(call, now, result, flags, LANE_SAID);
	if (!due) {
		call->due = 0;
		call->body_length = length;
	}
}

/* write_call counts a call that returned, or whose task ended, and writes its record into the lane that it belongs
 * to. */
static __always_inline void write_call(struct in_flight *call, struct task_struct *task, u64 now, s64 result, u16 flags)
{
	u32 index = call->ring - 1, traits = call->traits, last = 2 * SYSCALLS_MAX - 1;
	struct recording *recording = bpf_map_lookup_elem(&rings, &index);
	struct total *total;
	u64 before;

	if (!recording)
		return;
	if (recording->lanes[0].generation != call->ring_generation) {
		call->ring = 0; /* another container has the recording now */
		count(COUNT_STALE_RING);
		return;
	}
	index = call->syscall;
	if (index == NO_SYSCALL) {
		write_novel(call, now, result, flags);
		return;
	}
	total = call->budget ? &recording->runtime : &recording->totals[index < last ? index : last];
	before = __sync_fetch_and_add(&total->count, 1);
	__sync_fetch_and_add(&total->time, now - call->time);
	if (result < 0)
		__sync_fetch_and_add(&total->failed, 1);
	if (!is_kept(call) && !(flags & CALL_UNFINISHED))
		return;
	if (!call->budget && !(flags & CALL_UNFINISHED)) {
		if (traits & TRAIT_WRITE && result > 0 && is_stdio(recording, call->args[0]))
			write_said(call, now, result, flags);
		if (traits & (TRAIT_RESOLVE | TRAIT_COPIES) && result > 0)
			opened(recording, result);
		if (traits & TRAIT_HOT && before && result >= 0) {
			put_record(call, task, recording, now, result, flags, LANE_RECENT);
			return;
		}
	}
	write_novel(call, now, result, flags);
	if (call->budget)
		call->budget--;
}

#endif
