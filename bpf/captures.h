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

#include "in_flight.h"

enum {
	VECTORS = 8,	/* iovecs of one call that are followed */
	FLAGS_SHIFT = 8,	/* enum capture_flags, above the tag of a capture */
};

/* body_place returns the place of the next capture in the body, or NULL if there is no room for INPUT_LIMIT bytes. */
static __always_inline u8 *body_place(struct in_flight *call)
{
	u64 at = call->body_length;

	opaque(at);
	if (at > BODY_SIZE - sizeof(struct capture_header) - INPUT_LIMIT)
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

/* body_number appends the number of a call, if it is too large for the header. */
static __always_inline void body_number(struct in_flight *call, u32 number)
{
	u8 *place = body_place(call);

	if (!place)
		return;
	*(u32 *)(place + sizeof(struct capture_header)) = number;
	body_add(call, place, sizeof(number), 0, 0);
}

/* body_child appends the ID of the process or thread that a call made. */
static __always_inline void body_child(struct in_flight *call)
{
	u8 *place = body_place(call);

	if (!place)
		return;
	*(u32 *)(place + sizeof(struct capture_header)) = call->child;
	body_add(call, place, sizeof(call->child), CAPTURE_RESULT, CAPTURE_KERNEL);
	call->child = 0;
}

/*
 * Memory of the task is read by way of the stack, if it is small: the kernel checks what the target is (hardened
 * usercopy), and is done soonest if that is the stack. The functions below write SMALL bytes to `to`.
 */
enum { SMALL = 64 };

static __always_inline void copy_small(u8 *to, const u64 *words)
{
	for (u32 i = 0; i < SMALL / 8; i++)
		((u64 *)to)[i] = words[i];
}

/* read_small reads at most SMALL bytes. */
static __always_inline long read_small(u8 *to, u64 length, const void *from)
{
	u64 words[SMALL / 8] = {}; /* older kernels want it written, because the length varies */

	if (bpf_probe_read_user(words, length, from))
		return -1;
	copy_small(to, words);
	return 0;
}

/* read_small_string reads a string, and returns its size with its NUL. SMALL means that it may be longer. */
static __always_inline long read_small_string(u8 *to, const void *from)
{
	u64 words[SMALL / 8] = {};
	long n = bpf_probe_read_user_str(words, SMALL, from);

	copy_small(to, words);
	return n < 0 ? n : string_size(n);
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
	place = body_place(call);
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

/* body_bytes appends the buffer that an argument points to. It returns -1 if it has to be read at exit. */
__noinline int body_bytes(struct in_flight *call, u32 arg, u64 length)
{
	const void *from;
	u32 flags = 0;
	u8 *place;

	if (!call || arg >= ARGS_MAX)
		return 0;
	from = (const void *)call->args[arg];
	if (!from)
		return 0;
	place = body_place(call);
	if (!place)
		return -1;
	if (length > capture_size) {
		length = capture_size;
		flags = CAPTURE_TRUNCATED;
	}
	place += sizeof(struct capture_header);
	if (length <= SMALL ? read_small(place, length, from) :
	    length > INPUT_LIMIT || bpf_probe_read_user(place, length, from))
		return -1;
	place -= sizeof(struct capture_header);
	body_add(call, place, length, arg, flags);
	return 0;
}

/* out_place is body_place for the buffer of the CPU, with room for CAPTURE_LIMIT bytes. */
static __always_inline u8 *out_place(struct outgoing *out)
{
	u64 at = out->length;

	opaque(at);
	if (at > OUTGOING_LIMIT)
		return NULL;
	return out->bytes + at;
}

static __always_inline void out_add(struct outgoing *out, u8 *place, u32 length, u32 tag_flags)
{
	struct capture_header *header = (struct capture_header *)place;

	header->length = length;
	header->tag = tag_flags;
	header->flags = tag_flags >> FLAGS_SHIFT;
	out->length += sizeof(*header) + length;
}

/* The functions below add the memory at an address to what is written at exit. They return -1 if it cannot be read. */
__noinline int out_string(struct outgoing *out, u64 from, u32 tag_flags)
{
	u8 *place, next;
	long n;

	if (!out || !from)
		return 0;
	place = out_place(out);
	if (!place)
		return 0;
	n = bpf_probe_read_user_str(place + sizeof(struct capture_header), capture_size + 1, (void *)from);
	if (n < 0)
		return -1;
	n = string_size(n) - 1;
	if (n == capture_size && (bpf_probe_read_user(&next, 1, (void *)(from + n)) || next))
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	out_add(out, place, n, tag_flags);
	return 0;
}

__noinline int out_bytes(struct outgoing *out, u64 from, u64 length, u32 tag_flags)
{
	u8 *place;

	if (!out || !from)
		return 0;
	place = out_place(out);
	if (!place)
		return 0;
	if (length > capture_size) {
		length = capture_size;
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	}
	place += sizeof(struct capture_header);
	if (length <= SMALL ? read_small(place, length, (void *)from) : bpf_probe_read_user(place, length, (void *)from))
		return -1;
	place -= sizeof(struct capture_header);
	out_add(out, place, length, tag_flags);
	return 0;
}

struct iovec {
	u64 base;
	u64 length;
};

/* out_vector adds the data of `count` iovecs, at most `limit` bytes. */
__noinline int out_vector(struct outgoing *out, u64 from, u64 count, u64 limit, u32 tag_flags)
{
	struct iovec vector;
	u64 at = 0, n;
	u8 *place;

	if (!out || !from)
		return 0;
	place = out_place(out);
	if (!place)
		return 0;
	for (u32 i = 0; i < VECTORS && i < count && limit; i++) {
		if (bpf_probe_read_user(&vector, sizeof(vector), (void *)(from + i * sizeof(vector))))
			return -1;
		n = vector.length < limit ? vector.length : limit;
		limit -= n;
		if (n > capture_size - at) {
			n = capture_size - at;
			tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
		}
		opaque(at);
		opaque(n);
		if (at > CAPTURE_LIMIT || n > CAPTURE_LIMIT)
			return 0;
		if (bpf_probe_read_user(place + sizeof(struct capture_header) + at, n, (void *)vector.base))
			return -1;
		at += n;
		if (at >= capture_size)
			break;
	}
	if (count > VECTORS && limit)
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	out_add(out, place, at, tag_flags);
	return 0;
}

/* out_message does the same for the iovecs of a struct msghdr. */
static __always_inline int out_message(struct outgoing *out, u64 header, u64 limit, u32 tag_flags)
{
	struct {
		u64 iov;
		u64 length;
	} message;

	if (!header)
		return 0;
	if (bpf_probe_read_user(&message, sizeof(message), (void *)(header + 16)))
		return -1;
	return out_vector(out, message.iov, message.length, limit, tag_flags);
}

/* applies reports whether the condition of a row holds for a call. */
static __always_inline bool applies(struct in_flight *call, struct capture *c)
{
	u32 when = c->when, arg = c->when_arg;

	if (when == WHEN_ALWAYS || arg >= ARGS_MAX)
		return true;
	return (((u32)call->args[arg] & c->mask) == c->value) == (when == WHEN_EQUAL);
}

/* out_capture adds one row. `result` is used for output only. */
__noinline int out_capture(struct outgoing *out, struct in_flight *call, struct capture *c, s64 result, u32 flags)
{
	u32 arg, length, kind, tag_flags, counted = 0;
	u64 from, size, elements = 0;

	if (!out || !call || !c)
		return 0;
	arg = c->arg;
	length = c->length;
	kind = c->kind;
	size = c->size;
	if (arg >= ARGS_MAX)
		return 0;
	from = call->args[arg];
	if (!from)
		return 0;
	from += c->offset;
	if (length < ARGS_MAX)
		elements = call->args[length];
	tag_flags = arg | c->part << CAPTURE_PART_SHIFT | flags << FLAGS_SHIFT;
	switch (kind) {
	case CAPTURE_STRING:
		return out_string(out, from, tag_flags);
	case CAPTURE_OUT:
		if (result <= 0)
			return 0;
		/* Some calls return more than the size of their buffer. */
		if ((u64)result < elements)
			elements = result;
		/* fallthrough */
	case CAPTURE_IN:
		if (elements > CAPTURE_LIMIT)
			elements = CAPTURE_LIMIT + 1;
		return out_bytes(out, from, elements * size, tag_flags);
	case CAPTURE_FIXED_OUT:
		if (result < 0)
			return 0;
		/* fallthrough */
	case CAPTURE_FIXED_IN:
		return out_bytes(out, from, size, tag_flags);
	case CAPTURE_COUNTED_OUT:
		if (result < 0)
			return 0;
		/* fallthrough */
	case CAPTURE_COUNTED_IN:
		if (bpf_probe_read_user(&counted, sizeof(counted), (void *)elements))
			return 0;
		return out_bytes(out, from, counted, tag_flags);
	case CAPTURE_VECTOR_IN:
		return out_vector(out, from, elements, ~0ULL, tag_flags);
	case CAPTURE_VECTOR_OUT:
		return result > 0 ? out_vector(out, from, elements, result, tag_flags) : 0;
	case CAPTURE_MESSAGE_IN:
		return out_message(out, from, ~0ULL, tag_flags);
	case CAPTURE_MESSAGE_OUT:
		return result > 0 ? out_message(out, from, result, tag_flags) : 0;
	default:
		return 0;
	}
}

static __always_inline bool is_output(u32 kind)
{
	return kind == CAPTURE_OUT || kind == CAPTURE_FIXED_OUT || kind == CAPTURE_VECTOR_OUT ||
	       kind == CAPTURE_MESSAGE_OUT || kind == CAPTURE_COUNTED_OUT;
}

/* body_capture appends input that is gathered from several places. It returns -1 if it has to be read at exit. */
__noinline int body_capture(struct in_flight *call, struct capture *c)
{
	struct scratch *s = cpu_scratch();
	u64 length;
	u8 *place;

	if (!call || !c || !s)
		return 0;
	s->out.length = 0;
	if (out_capture(&s->out, call, c, 0, 0))
		return -1;
	length = s->out.length;
	opaque(length);
	place = body_place(call);
	if (!place || length > INPUT_LIMIT + sizeof(struct capture_header))
		return -1;
	if (bpf_probe_read_kernel(place, length, s->out.bytes))
		return -1;
	call->body_length += length;
	return 0;
}

/* capture_rows reads the input of a call in one element of syscalls. The two most frequent kinds are handled
 * directly. */
static __always_inline void capture_rows(struct in_flight *call, struct syscall *description, u32 bit)
{
	for (u32 i = 0; i < ROWS; i++) {
		struct capture *c = &description->rows[i];
		u32 kind = c->kind, length = c->length;
		int failed;

		if (kind == CAPTURE_NONE)
			return;
		if (!applies(call, c) || (c->content && call->policy & (WHO_NO_CONTENTS | WHO_FILES_ONLY)))
			continue;
		if (kind == CAPTURE_STRING && !c->part)
			failed = body_string(call, c->arg);
		else if (kind == CAPTURE_IN && length < ARGS_MAX && c->size == 1 && !c->part)
			failed = body_bytes(call, c->arg, call->args[length]);
		else
			failed = is_output(kind) || body_capture(call, c);
		if (failed)
			call->due |= 1 << (bit + i);
	}
}

/* capture_more reads the input of a call that needs several elements. */
__noinline int capture_more(struct in_flight *call, u32 index)
{
	struct syscall *description;

	if (!call)
		return 0;
	for (u32 n = 1; n < CHAIN_MAX; n++) {
		description = bpf_map_lookup_elem(&syscalls, &index);
		if (!description)
			break;
		capture_rows(call, description, n * ROWS);
		index = description->more;
		if (!index)
			break;
	}
	return 0;
}

static __always_inline void capture_input(struct in_flight *call, struct syscall *description)
{
	capture_rows(call, description, 0);
	if (description->more)
		capture_more(call, description->more);
}

/* capture_output reads the output of a call, and input that was not read at enter. */
__noinline int capture_output(struct in_flight *call, s64 result)
{
	struct scratch *s = cpu_scratch();
	struct syscall *description;
	u32 index, due, flags;
	u8 *place;

	if (!call || !s)
		return 0;
	index = call->syscall;
	due = call->due;
	for (u32 n = 0; n < CHAIN_MAX && due; n++) {
		description = bpf_map_lookup_elem(&syscalls, &index);
		if (!description)
			break;
		for (u32 i = 0; i < ROWS; i++) {
			struct capture *c = &description->rows[i];

			if (!(due & 1 << i))
				continue;
			flags = is_output(c->kind) ? CAPTURE_OUTPUT : CAPTURE_LATE;
			if (!out_capture(&s->out, call, c, result, flags))
				continue;
			place = out_place(&s->out);
			if (place)
				out_add(&s->out, place, 0, (c->arg & CAPTURE_ARG_MASK) |
					c->part << CAPTURE_PART_SHIFT | CAPTURE_FAULT << FLAGS_SHIFT);
		}
		due >>= ROWS;
		index = description->more;
		if (!index)
			break;
	}
	return 0;
}

#endif
