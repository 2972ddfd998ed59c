/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Captures: the memory that a call's pointers point to, as described in the map syscalls. It is appended to the call's
 * body in the storage of its task.
 *
 * The verifier checks a function that is not static once, and not on every path to it, which reduces the load time to a
 * tenth. To the verifier, the pointer arguments of such a function may be null.
 */
#ifndef CAPTURES_H
#define CAPTURES_H

#include "in_flight.h"

enum {
	VECTORS = 8,	/* iovecs of one call that are followed */
};

/* staging_place returns the place of the next capture, or NULL if there is no room. */
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

/* stage_number appends the number of a call, if it is too large for the header. */
static __always_inline void stage_number(struct in_flight *call, u32 number)
{
	u8 *place = staging_place(call);

	if (!place)
		return;
	*(u32 *)(place + sizeof(struct capture_header)) = number;
	stage(call, place, sizeof(number), 0, 0);
}

/* stage_string appends the string that an argument points to. It returns -1 if the memory cannot be read. */
__noinline int stage_string(struct in_flight *call, u32 arg)
{
	const void *from;
	u8 *place, next;
	u32 flags = 0;
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
		flags = CAPTURE_TRUNCATED;
	stage(call, place, n, arg, flags);
	return 0;
}

/* take_bytes appends the buffer that an argument points to. It returns -1 if the memory cannot be read. */
static __always_inline int take_bytes(struct in_flight *call, u32 arg, u64 length)
{
	const void *from;
	u32 flags = 0;
	u8 *place;

	if (arg >= ARGS_MAX)
		return 0;
	from = (const void *)call->args[arg];
	place = staging_place(call);
	if (!from || !place)
		return 0;
	if (length > capture_size) {
		length = capture_size;
		flags = CAPTURE_TRUNCATED;
	}
	if (bpf_probe_read_user(place + sizeof(struct capture_header), length, from))
		return -1;
	stage(call, place, length, arg, flags);
	return 0;
}

__noinline int stage_bytes(struct in_flight *call, u32 arg, u64 length)
{
	return call ? take_bytes(call, arg, length) : 0;
}

struct iovec {
	u64 base;
	u64 length;
};

/* stage_vector appends the data of `count` iovecs at `from`, at most `limit` bytes, or returns -1 if it cannot. */
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
		/* It is the only capture of the call: its limit leaves room for both offset and length. */
		if (call->body_length > BODY_ARGS)
			return 0;
		if (bpf_probe_read_user(call->body + call->body_length + sizeof(struct capture_header) + at, n,
					(void *)vector.base))
			return -1;
		at += n;
		if (flags)
			break;
	}
	if (count > VECTORS && limit)
		flags |= CAPTURE_TRUNCATED;
	stage(call, place, at, arg, flags);
	return 0;
}

/* stage_message does the same for the iovecs of a struct msghdr. */
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

/* capture reads one pointer argument. It returns -1 if the memory cannot be read. `result` is used for output only. */
__noinline int capture(struct in_flight *call, struct capture *c, s64 result)
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
		return stage_string(call, arg);
	case CAPTURE_IN:
		return length < ARGS_MAX ? stage_bytes(call, arg, call->args[length]) : 0;
	case CAPTURE_OUT:
		if (result <= 0 || length >= ARGS_MAX)
			return 0;
		/* Some calls return more than the size of their buffer. */
		return stage_bytes(call, arg, (u64)result < call->args[length] ? (u64)result : call->args[length]);
	case CAPTURE_FIXED_IN:
		return stage_bytes(call, arg, length);
	case CAPTURE_FIXED_OUT:
		return result >= 0 ? stage_bytes(call, arg, length) : 0;
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

/* capture_input reads the input of a call. The two most frequent kinds are handled directly. */
static __always_inline void capture_input(struct in_flight *call, struct syscall *description)
{
	for (u32 i = 0; i < CAPTURES_MAX; i++) {
		struct capture *c = &description->captures[i];
		u32 kind = c->kind, length = c->length;
		int failed;

		if (kind == CAPTURE_NONE)
			return;
		if (kind == CAPTURE_STRING)
			failed = stage_string(call, c->arg);
		else if (kind == CAPTURE_IN && length < ARGS_MAX)
			failed = take_bytes(call, c->arg, call->args[length]);
		else
			failed = is_output(kind) || capture(call, c, 0);
		if (failed)
			call->due |= 1 << i;
	}
}

/* capture_output reads the output of a call, and input whose page was not present at enter. */
__noinline int capture_output(struct in_flight *call, s64 result)
{
	struct syscall *description;
	u32 index, due, before;
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
		place = staging_place(call);
		if (!place)
			continue;
		before = call->body_length;
		if (capture(call, c, result))
			stage(call, place, 0, c->arg, CAPTURE_FAULT);
		else if (call->body_length != before && !is_output(c->kind))
			((struct capture_header *)place)->flags |= CAPTURE_LATE;
	}
	return 0;
}

#endif
