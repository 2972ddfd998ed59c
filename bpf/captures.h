/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Captures: the memory that a call's pointers point to, as described in the map syscalls.
 *
 * What is read at enter is appended to the call's body in the storage of its task. What is read at exit goes into a
 * buffer of the CPU, from which it is written into the record: the output, and input that found no room in the storage
 * or whose page was not present at enter.
 *
 * The verifier checks a function that is not static once, and not on every path to it, which reduces the load time to a
 * tenth. To the verifier, the pointer arguments of such a function may be null.
 */
#ifndef CAPTURES_H
#define CAPTURES_H

#include "rows.h"

/* Address families, and sizes of their addresses: include/linux/socket.h, include/uapi/linux/in.h, in6.h. */
enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, INET_SIZE = 8, INET6_SIZE = 28 };

/*
 * address_length returns how many of `length` bytes, at most INPUT_LIMIT, mean something in a socket address. Behind an
 * IP address, and behind the path of a Unix socket, programs give what was on their stack: each call would be new.
 */
static __noinline u64 address_length(const u8 *address, u64 length)
{
	u16 family;

	if (length <= sizeof(family))
		return length;
	family = *(const u16 *)address;
	if (family == AF_INET && length > INET_SIZE)
		return INET_SIZE;
	if (family == AF_INET6 && length > INET6_SIZE)
		return INET6_SIZE;
	if (family != AF_UNIX || !address[sizeof(family)])
		return length; /* an abstract name may have zeros */
	for (u64 i = sizeof(family); i < INPUT_LIMIT; i++) {
		if (i >= length)
			return length;
		if (!address[i])
			return i + 1;
	}
	return length;
}

/* body_bytes appends a row of kind CAPTURE_BYTES. It returns -1 if it has to be read at exit. */
__noinline int body_bytes(struct in_flight *call, struct capture *c)
{
	u32 arg, limit, tag, flags = 0;
	const void *from;
	u64 length;
	u8 *place;

	if (!call || !c)
		return 0;
	arg = c->arg;
	if (arg >= ARGS_MAX)
		return 0;
	from = (const void *)call->args[arg];
	if (!from)
		return 0;
	from += c->offset;
	length = row_length(call, c, 0);
	limit = c->flags & ROW_STRUCT ? STRUCTS_LIMIT : capture_size;
	if (c->part == PART_ROOM)
		limit = INPUT_LIMIT;
	tag = arg | c->part << CAPTURE_PART_SHIFT;
	if (length > limit) {
		length = limit;
		flags = CAPTURE_TRUNCATED;
	}
	opaque(length);
	if (length <= SMALL) {
		place = body_place(call, SMALL);
		if (!place || read_small(place + sizeof(struct capture_header), length, from))
			return -1;
	} else {
		if (length > INPUT_LIMIT)
			return -1;
		place = body_place(call, INPUT_LIMIT);
		if (!place || bpf_probe_read_user(place + sizeof(struct capture_header), length, from))
			return -1;
	}
	if (c->flags & ROW_ADDRESS)
		length = address_length(place + sizeof(struct capture_header), length);
	body_add(call, place, length, tag, flags);
	return 0;
}

/* body_row appends input that is gathered from several places. It returns -1 if it has to be read at exit. */
static __always_inline int body_row(struct in_flight *call, struct capture *c)
{
	struct scratch *s = cpu_scratch();
	u64 length, at;

	if (!s)
		return 0;
	s->out.length = 0;
	if (is_special(c) ? out_special(&s->out, call, c, 0, 0) : out_row(&s->out, call, c, 0, 0))
		return -1;
	length = s->out.length;
	at = call->body_length;
	opaque(length);
	opaque(at);
	/* The verifier does not follow the sum of two numbers. */
	if (at <= BODY_EARLY && length <= BODY_SIZE - BODY_EARLY)
		bpf_probe_read_kernel(call->body + at, length, s->out.bytes);
	else if (at <= BODY_SIZE / 2 && length <= BODY_SIZE / 2)
		bpf_probe_read_kernel(call->body + at, length, s->out.bytes);
	else
		return -1;
	call->body_length = at + length;
	return 0;
}

/* is_withheld reports whether the policy of the container lets a row not be read. */
static __always_inline bool is_withheld(struct in_flight *call, struct capture *c)
{
	u32 policy = call->policy & (WHO_NO_CONTENTS | WHO_FILES_ONLY);

	if (!policy)
		return false;
	return c->flags & ROW_CONTENT || (numbers_only(policy) && c->kind < CAPTURE_DESCRIPTORS);
}

/* capture_row reads what one row says of the input of a call. It returns 1 if the row has to be read at exit. */
__noinline int capture_row(struct in_flight *call, struct capture *c)
{
	u32 kind;

	if (!call || !c)
		return 0;
	kind = c->kind;
	if (!applies(call, c) || is_withheld(call, c))
		return 0;
	if (c->moment != AT_ENTER)
		return 1;
	if (kind == CAPTURE_STRING && !c->part)
		return body_string(call, c->arg) != 0;
	if (kind == CAPTURE_BYTES && c->count != ELEMENTS_POINTED && !(c->flags & ROW_FOLLOW))
		return body_bytes(call, c) != 0;
	return body_row(call, c) != 0;
}

/* capture_rows reads the input of a call in one element of syscalls. */
static __always_inline void capture_rows(struct in_flight *call, struct syscall *description, u32 bit)
{
	for (u32 i = 0; i < ROWS; i++) {
		if (description->rows[i].kind == CAPTURE_NONE)
			return;
		if (capture_row(call, &description->rows[i]))
			call->due |= 1 << (bit + i);
	}
}

/* capture_input reads the input of a call. */
static __always_inline void capture_input(struct in_flight *call, struct syscall *description)
{
	u32 index;

	capture_rows(call, description, 0);
	for (u32 n = 1; n < CHAIN_MAX; n++) {
		index = description->more;
		if (!index)
			break;
		description = bpf_map_lookup_elem(&syscalls, &index);
		if (!description)
			break;
		capture_rows(call, description, n * ROWS);
	}
}

/* is_due reports whether a row is read at the exit of a call with this result. */
static __always_inline bool is_due(struct capture *c, s64 result)
{
	u32 moment = c->moment;

	if (moment == AT_SUCCESS)
		return result >= 0;
	if (moment == AT_POSITIVE)
		return result > 0;
	if (moment == AT_INTERRUPT)
		return result == -EINTR || (result <= -512 && result >= -516); /* ERESTART*: include/linux/errno.h */
	return true;
}

/* output_row reads what one row says, at the exit of a call. */
__noinline int output_row(struct in_flight *call, struct capture *c, s64 result)
{
	struct scratch *s = cpu_scratch();
	u32 flags;

	if (!call || !c || !s || !is_due(c, result))
		return 0;
	flags = c->moment == AT_ENTER ? CAPTURE_LATE : CAPTURE_OUTPUT;
	if (s->out.length > OUTGOING_LIMIT)
		flags |= CAPTURE_TRUNCATED;
	else if (is_special(c) ? out_special(&s->out, call, c, result, flags) :
				 out_row(&s->out, call, c, result, flags))
		flags |= CAPTURE_FAULT;
	if (flags & (CAPTURE_TRUNCATED | CAPTURE_FAULT))
		out_missing(&s->out, c->arg | c->part << CAPTURE_PART_SHIFT, flags);
	return 0;
}

/* capture_output reads the output of a call, and input that was not read at enter. */
static __always_inline void capture_output(struct in_flight *call, s64 result)
{
	u32 index = call->syscall, due = call->due & (CAPTURED_AT_EXIT - 1);
	struct syscall *description;

	for (u32 n = 0; n < CHAIN_MAX && due; n++) {
		description = bpf_map_lookup_elem(&syscalls, &index);
		if (!description)
			break;
		for (u32 i = 0; i < ROWS; i++) {
			if (due & 1 << i)
				output_row(call, &description->rows[i], result);
		}
		due >>= ROWS;
		index = description->more;
		if (!index)
			break;
	}
}

/* capture_said reads again, and more of it, what a call has written. */
__noinline int capture_said(struct in_flight *call)
{
	struct scratch *s = cpu_scratch();
	struct syscall *description;
	u32 index;

	if (!call || !s)
		return 0;
	index = call->syscall;
	description = bpf_map_lookup_elem(&syscalls, &index);
	if (!description || !(description->rows[0].flags & ROW_CONTENT))
		return 0;
	s->out.length = 0;
	if (!out_row(&s->out, call, &description->rows[0], 0, CAPTURE_LATE | TAG_MORE >> FLAGS_SHIFT)) {
		call->body_length = call->captures;
		call->due |= CAPTURED_AT_EXIT;
	}
	return 0;
}

#endif
