/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which lanes a system call belongs to: write_call writes it into each of them. */
#ifndef LANES_H
#define LANES_H

#include "paths.h"
#include "record.h"
#include "seen.h"

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
	resolves = call->traits & TRAIT_RESOLVE && result >= 0 && !numbers_only(call->policy);
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
 * even if it was copied, or opened again, as /dev/stdout.
 */
static __always_inline bool is_stdio(struct recording *recording, u64 descriptor)
{
	u64 inode = inode_of(descriptor);

	return inode && (inode == recording->stdio[0] || inode == recording->stdio[1]);
}

/* may_be_stdio reports whether it is worth it to call is_stdio. */
static __always_inline bool may_be_stdio(struct recording *recording, u64 descriptor)
{
	return recording->stdio_descriptors[descriptor >> 6 & 3] & 1ULL << (descriptor & 63);
}

/* opened notes a descriptor that was opened or copied, if it is the standard output or error of the init. */
static __always_inline void opened(struct recording *recording, u64 descriptor)
{
	if (is_stdio(recording, descriptor))
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
		if (traits & TRAIT_WRITE && result > 0 && may_be_stdio(recording, call->args[0]) &&
		    is_stdio(recording, call->args[0]))
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
