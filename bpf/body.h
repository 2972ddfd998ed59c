/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The body of a call in the storage of its task: the functions append what is read at enter, in the final form of the
 * record. They return -1 if it has to be read at exit.
 */
#ifndef BODY_H
#define BODY_H

#include "outgoing.h"

enum {
	BODY_EARLY = 24,	/* length of a body with a few arguments */
};

/* body_place returns the place of the next capture in the body, or NULL if there is no room for `length` bytes. */
static __always_inline u8 *body_place(struct in_flight *call, const u32 length)
{
	u64 at = call->body_length;

	opaque(at);
	if (at > BODY_SIZE - sizeof(struct capture_header) - length)
		return NULL;
	return call->body + at;
}

static __always_inline void body_add(struct in_flight *call, u8 *place, u32 length, u32 tag, u32 flags)
{
	struct capture_header *header = (struct capture_header *)place;

	header->length = length;
	header->tag = tag;
	header->flags = flags;
	call->body_length += sizeof(*header) + length;
}

/* body_word appends a number of the kernel's own. */
static __always_inline void body_word(struct in_flight *call, u32 number, u32 tag, u32 flags)
{
	u8 *place = body_place(call, sizeof(number));

	if (!place)
		return;
	*(u32 *)(place + sizeof(struct capture_header)) = number;
	body_add(call, place, sizeof(number), tag, flags);
}

/* body_child appends the ID of the process or thread that a call made. */
static __always_inline void body_child(struct in_flight *call)
{
	body_word(call, call->child, CAPTURE_RESULT | PART_CHILD << CAPTURE_PART_SHIFT, CAPTURE_KERNEL);
	call->child = 0;
}

/* body_count appends how many strings an argument of an exec points to. */
static __always_inline void body_count(struct in_flight *call, u32 arg, u32 count, u32 flags)
{
	struct strings *strings;
	u8 *place = body_place(call, sizeof(*strings));

	if (!place)
		return;
	strings = (struct strings *)(place + sizeof(struct capture_header));
	strings->count = count;
	strings->flags = flags;
	body_add(call, place, sizeof(*strings), arg | PART_STRINGS << CAPTURE_PART_SHIFT, CAPTURE_KERNEL);
}

/* body_string appends the string that an argument points to. It returns -1 if it has to be read at exit. */
__noinline int body_string(struct in_flight *call, u32 arg)
{
	u32 flags = 0, limit = capture_size < INPUT_LIMIT - 1 ? capture_size : INPUT_LIMIT - 1;
	const void *from;
	u8 *place, next;
	long n;

	if (!call || arg >= ARGS_MAX)
		return 0;
	from = (const void *)call->args[arg];
	if (!from)
		return 0;
	place = body_place(call, INPUT_LIMIT);
	if (!place)
		return -1;
	if (capture_size >= SMALL) {
		n = read_small_string(place + sizeof(struct capture_header), from);
		if (n < 0)
			return -1;
		if (n < SMALL) {
			body_add(call, place, n - 1, arg, 0);
			return 0;
		}
	}
	n = bpf_probe_read_user_str(place + sizeof(struct capture_header), limit + 1, from);
	if (n < 0)
		return -1;
	n = string_size(n) - 1;
	if (n == limit && (bpf_probe_read_user(&next, 1, from + n) || next)) {
		if (limit < capture_size)
			return -1;
		flags = CAPTURE_TRUNCATED;
	}
	body_add(call, place, n, arg, flags);
	return 0;
}

#endif
