/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Captures at the exit of a call: the functions add the memory at an address to a buffer of the CPU, and return -1 if
 * it cannot be read. Input that is gathered from several places at enter goes through the same buffer.
 *
 * The verifier checks a function that is not static once, and not on every path to it, which reduces the load time to a
 * tenth. To the verifier, the pointer arguments of such a function may be null.
 */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "in_flight.h"

enum {
	VECTORS = 16,		/* iovecs of one call that are followed */
	MESSAGES = 4,		/* struct msghdr of one call that are followed */
	POINTERS = 8,		/* of an array of pointers, those that are followed */
	VECTOR_LEAST = 32,	/* bytes of each iovec that are captured at least, if capture_size is no less */
	NAME_LIMIT = 128,	/* sizeof(struct sockaddr_storage) */
	FLAGS_SHIFT = 8,	/* enum capture_flags, above the tag of a capture */
	TAG_NARROW = 1 << 16,	/* pointers in memory have 32 bits */
	TAG_NO_DATA = 1 << 17,	/* capture no contents */
	TAG_MORE = 1 << 18,	/* capture as much data as there is room for */
	TAG_MMSGHDR = 1 << 19,	/* a struct msghdr is part of a struct mmsghdr */
};

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

/* fault_limit returns how many bytes lie before the end of an address's page: the rest may be unmapped. */
static __always_inline u64 fault_limit(u64 from)
{
	return 4096 - (from & 4095);
}

__noinline int out_bytes(struct outgoing *out, u64 from, u64 length, u32 limit, u32 tag_flags)
{
	u8 *place;

	if (!out || !from)
		return 0;
	place = out_place(out);
	if (!place)
		return 0;
	if (limit > CAPTURE_LIMIT)
		limit = CAPTURE_LIMIT;
	if (length > limit) {
		length = limit;
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	}
	opaque(length);
	if (length > CAPTURE_LIMIT)
		return 0;
	if (length <= SMALL ? read_small(place + sizeof(struct capture_header), length, (void *)from) :
	    bpf_probe_read_user(place + sizeof(struct capture_header), length, (void *)from)) {
		if (!(tag_flags & (CAPTURE_LATE | CAPTURE_OUTPUT) << FLAGS_SHIFT) || length <= fault_limit(from))
			return -1;
		length = fault_limit(from);
		opaque(length);
		if (length > CAPTURE_LIMIT ||
		    bpf_probe_read_user(place + sizeof(struct capture_header), length, (void *)from))
			return -1;
		tag_flags |= CAPTURE_FAULT << FLAGS_SHIFT;
	}
	out_add(out, place, length, tag_flags);
	return 0;
}

/* out_missing adds a capture without bytes, in place of memory that cannot be read or finds no room. */
static __always_inline void out_missing(struct outgoing *out, u32 tag, u32 flags)
{
	u64 at = out->length;

	opaque(at);
	if (at > OUTGOING_LIMIT + sizeof(struct capture_header) + CAPTURE_LIMIT)
		return;
	out_add(out, out->bytes + at, 0, (tag & 0xff) | flags << FLAGS_SHIFT);
}

static __always_inline u32 tag_part(u32 tag_flags, u32 part)
{
	return (tag_flags & ~(0xff & ~CAPTURE_ARG_MASK)) | part << CAPTURE_PART_SHIFT;
}

/* load_word returns a word of 4 or 8 bytes in memory that was captured. */
static __always_inline u64 load_word(const u8 *from, u32 index, bool narrow)
{
	return narrow ? ((const u32 *)from)[index] : ((const u64 *)from)[index];
}

/* out_piece adds what iovec `i` of an array that was captured at offset `at` points to. It returns 1 after the last. */
__noinline int out_piece(struct outgoing *out, u32 at, u32 i)
{
	struct gather *gather;
	u32 tag_flags, narrow;
	u64 base, length, room;
	u8 *iovec;

	if (!out)
		return 1;
	gather = &out->gather;
	if (!gather->limit)
		return 1;
	tag_flags = gather->tag_flags;
	narrow = tag_flags & TAG_NARROW;
	at += i * (narrow ? 8 : 16);
	if (at > sizeof(out->bytes) - 16)
		return 1;
	iovec = out->bytes + at;
	base = load_word(iovec, 0, narrow);
	length = load_word(iovec, 1, narrow);
	if (length > gather->limit)
		length = gather->limit;
	gather->limit -= length;
	room = gather->left > gather->least ? gather->left : gather->least;
	gather->left -= length < gather->left ? length : gather->left;
	if (!out_bytes(out, base, length, room, tag_flags))
		return 0;
	if (!(tag_flags & (CAPTURE_LATE | CAPTURE_OUTPUT) << FLAGS_SHIFT))
		return -1;
	out_missing(out, tag_flags, CAPTURE_FAULT | (tag_flags >> FLAGS_SHIFT & 0xff));
	return 0;
}

/* out_vector adds an array of iovecs, and `limit` bytes of what they point to. */
__noinline int out_vector(struct outgoing *out, u64 from, u64 count, u64 limit, u32 tag_flags)
{
	u32 size = tag_flags & TAG_NARROW ? 8 : 16, at;
	int state = 0;

	if (!out || !from)
		return 0;
	at = out->length + sizeof(struct capture_header);
	out->gather.limit = limit;
	out->gather.left = tag_flags & TAG_MORE ? CAPTURE_LIMIT : capture_size;
	out->gather.least = capture_size < VECTOR_LEAST ? capture_size : VECTOR_LEAST;
	out->gather.tag_flags = tag_part(tag_flags, PART_DATA);
	if (count > CAPTURE_LIMIT)
		count = CAPTURE_LIMIT;
	if (out_bytes(out, from, count * size, VECTORS * size, tag_part(tag_flags, PART_VECTOR)))
		return -1;
	if (tag_flags & TAG_NO_DATA || out->length < at)
		return 0;
	for (u32 i = 0; i < VECTORS && i < count && !state; i++)
		state = out_piece(out, at, i);
	return state < 0 ? -1 : 0;
}

/*
 * out_message adds a struct msghdr, or mmsghdr, and what it points to: its address, at most `room` bytes, its control
 * messages, and `limit` bytes of data.
 */
__noinline int out_message(struct outgoing *out, u64 from, u64 room, u64 limit, u32 tag_flags)
{
	bool narrow = tag_flags & TAG_NARROW, late = tag_flags & (CAPTURE_LATE | CAPTURE_OUTPUT) << FLAGS_SHIFT;
	u64 name, vector, vectors, control, controls;
	u32 part, named, size = narrow ? 28 : 56;
	u8 *m;

	if (!out || !from)
		return 0;
	m = out_place(out);
	if (!m)
		return 0;
	if (tag_flags & TAG_MMSGHDR)
		size += narrow ? 4 : 8;
	if (out_bytes(out, from, size, STRUCTS_LIMIT, tag_part(tag_flags, PART_WHOLE)))
		return -1;
	m += sizeof(struct capture_header);
	name = load_word(m, 0, narrow);
	named = narrow ? *(u32 *)(m + 4) : *(u32 *)(m + 8);
	vector = load_word(m, 2, narrow);
	vectors = load_word(m, 3, narrow);
	control = load_word(m, 4, narrow);
	controls = load_word(m, 5, narrow);
	if (named > room)
		named = room;
	if (named) {
		part = tag_part(tag_flags, PART_NAME);
		if (out_bytes(out, name, named, NAME_LIMIT, part)) {
			if (!late)
				return -1;
			out_missing(out, part, CAPTURE_FAULT | (part >> FLAGS_SHIFT & 0xff));
		}
	}
	if (controls && !(tag_flags & TAG_NO_DATA)) {
		part = tag_part(tag_flags, PART_CONTROL);
		if (out_bytes(out, control, controls, STRUCTS_LIMIT, part)) {
			if (!late)
				return -1;
			out_missing(out, part, CAPTURE_FAULT | (part >> FLAGS_SHIFT & 0xff));
		}
	}
	return out_vector(out, vector, vectors, limit, tag_flags);
}

/* out_pointers adds what the pointers of an array point to. */
__noinline int out_pointers(struct outgoing *out, u64 from, u64 count, u32 size, u32 tag_flags)
{
	u32 step = tag_flags & TAG_NARROW ? 4 : 8;
	u64 pointer;

	if (!out || !from)
		return 0;
	for (u32 i = 0; i < POINTERS && i < count; i++) {
		pointer = 0;
		if (bpf_probe_read_user(&pointer, step, (void *)(from + i * step)) ||
		    out_bytes(out, pointer, size, STRUCTS_LIMIT, tag_part(tag_flags, PART_INNER)))
			return -1;
	}
	return 0;
}

#endif
