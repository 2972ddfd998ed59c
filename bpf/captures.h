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

#include "outgoing.h"
#include "uring.h"

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

/* row_length returns how many bytes a row has, if it is not ELEMENTS_POINTED. */
static __always_inline u64 row_length(struct in_flight *call, struct capture *c, s64 result)
{
	u32 count = c->count, argument = c->length;
	u64 n = 0;

	if (argument < ARGS_MAX)
		n = call->args[argument];
	if (c->flags & ROW_INT)
		n = (u32)n;
	if (count == ELEMENTS_ONE)
		n = 1;
	else if (count == ELEMENTS_RESULT)
		n = argument < ARGS_MAX && n < (u64)result ? n : (u64)result;
	else if (count == ELEMENTS_BITS)
		n = (((u32)n + 63) / 64) * 8;
	else if (count == ELEMENTS_COMMAND)
		n = n >> 16 & 0x3fff;
	else if (count == ELEMENTS_PAGES)
		n = (n + 4095) >> 12;
	if (n > CAPTURE_LIMIT)
		n = CAPTURE_LIMIT + 1;
	return n * c->size;
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
	body_add(call, place, length, tag, flags);
	return 0;
}

/* applies reports whether the condition of a row holds for a call. */
static __always_inline bool applies(struct in_flight *call, struct capture *c)
{
	return (((u32)call->args[c->when_arg & 7] & c->mask) == c->value) == !(c->flags & ROW_UNLESS);
}

/*
 * at_enter finds the capture of an argument that the first row made at enter, or NULL. Its place in the body is that of
 * the first capture.
 */
static __always_inline u8 *at_enter(struct in_flight *call, u32 arg, u32 part, u32 length)
{
	struct capture_header *header;
	u64 at = call->captures;

	opaque(at);
	if (at >= call->body_length || at > BODY_ARGS)
		return NULL;
	header = (struct capture_header *)(call->body + at);
	if (header->tag != (arg | part << CAPTURE_PART_SHIFT) || header->length < length)
		return NULL;
	return call->body + at + sizeof(*header);
}

/*
 * room_of returns the size of the buffer that a call got for the address of its message `i`. If it is not known, it is
 * as large as any address, and the address is marked.
 */
static __always_inline u64 room_of(struct in_flight *call, u32 arg, u32 i, bool narrow, u32 *tag_flags)
{
	u32 at = narrow ? i * 32 + 4 : i * 64 + 8;
	u8 *rooms;

	if (!(*tag_flags & CAPTURE_OUTPUT << FLAGS_SHIFT))
		return NAME_LIMIT;
	rooms = i < 2 ? at_enter(call, arg, PART_ROOM, at + 4) : NULL;
	if (rooms)
		return *(u32 *)(rooms + at);
	*tag_flags |= CAPTURE_LATE << FLAGS_SHIFT;
	return NAME_LIMIT;
}

/* row_tag returns the tag and the flags of the captures of a row. */
static __always_inline u32 row_tag(struct in_flight *call, struct capture *c, u32 flags)
{
	u32 tag_flags = c->arg | c->part << CAPTURE_PART_SHIFT | flags << FLAGS_SHIFT;

	if (c->flags & ROW_NARROW)
		tag_flags |= TAG_NARROW;
	if (call->policy & (WHO_NO_CONTENTS | WHO_FILES_ONLY))
		tag_flags |= TAG_NO_DATA;
	return tag_flags;
}

/* out_messages adds struct mmsghdr: each is a struct msghdr, and how many bytes were received. */
__noinline int out_messages(struct outgoing *out, struct in_flight *call, struct capture *c, s64 result, u32 flags)
{
	u32 tag_flags, size, received;
	u64 from, count, limit, room;

	if (!out || !call || !c || c->arg >= ARGS_MAX)
		return 0;
	from = call->args[c->arg & 7];
	if (!from)
		return 0;
	count = row_length(call, c, result);
	size = c->flags & ROW_NARROW ? 32 : 64;
	for (u32 i = 0; i < MESSAGES && i < count; i++) {
		tag_flags = row_tag(call, c, flags);
		limit = ~0ULL;
		if (flags & CAPTURE_OUTPUT) {
			if (bpf_probe_read_user(&received, sizeof(received), (void *)(from + size - (size == 32 ? 4 : 8))))
				return -1;
			limit = received;
		}
		room = room_of(call, c->arg, i, size == 32, &tag_flags);
		if (out_message(out, from, room, limit, tag_flags))
			return -1;
		from += size;
	}
	return 0;
}

/* pointed_length returns the length that a row of ELEMENTS_POINTED has, or -1 if it cannot be read. */
static __always_inline s64 pointed_length(struct in_flight *call, struct capture *c, u32 *tag_flags)
{
	u32 argument = c->length, length;
	u8 *before;

	if (argument >= ARGS_MAX)
		return -1;
	if (bpf_probe_read_user(&length, sizeof(length), (void *)(call->args[argument] + c->size)))
		return -1;
	if (c->moment == AT_ENTER)
		return length;
	before = at_enter(call, argument, PART_WHOLE, sizeof(length));
	if (!before)
		*tag_flags |= CAPTURE_LATE << FLAGS_SHIFT;
	else if (*(u32 *)before < length)
		length = *(u32 *)before;
	return length;
}

/* out_row adds one row of most kinds. `result` is used at exit only. It returns -1 if it cannot be read. */
__noinline int out_row(struct outgoing *out, struct in_flight *call, struct capture *c, s64 result, u32 flags)
{
	u32 arg, kind, tag_flags, limit, size;
	u64 from, bytes, room, count;
	s64 pointed;

	if (!out || !call || !c)
		return 0;
	arg = c->arg;
	kind = c->kind;
	if (arg >= ARGS_MAX)
		return 0;
	from = call->args[arg];
	if (!from)
		return 0;
	from += c->offset;
	tag_flags = row_tag(call, c, flags);
	if (c->flags & ROW_FOLLOW) {
		u64 pointer = 0;

		if (bpf_probe_read_user(&pointer, c->flags & ROW_NARROW ? 4 : 8, (void *)from))
			return -1;
		from = pointer;
		if (!from)
			return 0;
	}
	if (kind == CAPTURE_STRING)
		return out_string(out, from, tag_flags);
	limit = c->flags & ROW_STRUCT ? STRUCTS_LIMIT : tag_flags & TAG_MORE ? CAPTURE_LIMIT : capture_size;
	size = c->size;
	if (c->count == ELEMENTS_POINTED) {
		pointed = pointed_length(call, c, &tag_flags);
		if (pointed < 0)
			return -1;
		return out_bytes(out, from, pointed, limit, tag_flags);
	}
	bytes = row_length(call, c, result);
	if (kind == CAPTURE_BYTES)
		return out_bytes(out, from, bytes, limit, tag_flags);
	if (kind == CAPTURE_MESSAGE) {
		room = room_of(call, arg, 0, c->flags & ROW_NARROW, &tag_flags);
		return out_message(out, from, room, c->moment == AT_ENTER ? ~0ULL : (u64)result, tag_flags);
	}
	/* The size is 1 in the rows of these kinds, except for pointers. */
	if (kind == CAPTURE_VECTOR)
		return out_vector(out, from, bytes, c->moment == AT_ENTER ? ~0ULL : (u64)result, tag_flags);
	count = c->length < ARGS_MAX ? call->args[c->length & 7] : 0;
	return out_pointers(out, from, count, size, tag_flags);
}

/* out_special adds one row of a kind that out_row does not know. */
static __always_inline int out_special(struct outgoing *out, struct in_flight *call, struct capture *c, s64 result,
				       u32 flags)
{
	u32 tag_flags = row_tag(call, c, flags);
	u64 count = flags & CAPTURE_LATE ? (u64)(result > 0 ? result : 0) : call->args[1];

	if (c->kind == CAPTURE_SUBMISSIONS)
		return out_submissions(out, call->args[0], call->args[3], count, tag_flags);
	if (c->kind == CAPTURE_COMPLETIONS)
		return out_completions(out, call->args[0], call->args[3], tag_flags);
	return out_messages(out, call, c, result, flags);
}

/* is_special reports whether a row is of a kind that out_row does not know. */
static __always_inline bool is_special(struct capture *c)
{
	return c->kind == CAPTURE_MESSAGES || c->kind >= CAPTURE_SUBMISSIONS;
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

/* capture_row reads what one row says of the input of a call. It returns 1 if the row has to be read at exit. */
__noinline int capture_row(struct in_flight *call, struct capture *c)
{
	u32 kind;

	if (!call || !c)
		return 0;
	kind = c->kind;
	if (!applies(call, c) || (c->flags & ROW_CONTENT && call->policy & (WHO_NO_CONTENTS | WHO_FILES_ONLY)))
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
