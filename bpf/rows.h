/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rows of the map syscalls: how much memory one describes, and the functions that add it to the buffer of the CPU. */
#ifndef ROWS_H
#define ROWS_H

#include "body.h"
#include "uring.h"

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
			tag_flags |= TAG_MMSGHDR;
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

/* result_tag returns the tag and the flags of a capture of what the kernel made of a call. */
static __always_inline u32 result_tag(u32 part)
{
	return CAPTURE_RESULT | part << CAPTURE_PART_SHIFT | CAPTURE_KERNEL << FLAGS_SHIFT;
}

/* set_inode fills in what a capture of a file has but its path. */
static __always_inline void set_inode(struct resolved *resolved, struct inode *inode)
{
	resolved->inode = BPF_CORE_READ(inode, i_ino);
	resolved->device = BPF_CORE_READ(inode, i_sb, s_dev);
	resolved->mode = BPF_CORE_READ(inode, i_mode);
	resolved->flags = 0;
}

/* out_descriptors adds struct resolved of one or two descriptors that a call made. */
__noinline int out_descriptors(struct outgoing *out, struct in_flight *call, struct capture *c, s64 result)
{
	u32 descriptors[2] = {result, -1};
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file;
	u32 arg;
	u8 *place;

	if (!out || !call || !c)
		return 0;
	arg = c->arg;
	if (arg < ARGS_MAX && bpf_probe_read_user(descriptors, sizeof(descriptors), (void *)call->args[arg]))
		return 0;
	for (u32 i = 0; i < 2 && i < c->size; i++) {
		place = out_place(out);
		file = file_of(task, descriptors[i]);
		if (!place || !file)
			return 0;
		set_inode((struct resolved *)(place + sizeof(struct capture_header)), BPF_CORE_READ(file, f_inode));
		out_add(out, place, sizeof(struct resolved), result_tag(PART_FILE));
	}
	return 0;
}

/* out_blocked adds the set of signals that the task blocks. */
static __always_inline int out_blocked(struct outgoing *out)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u8 *place = out_place(out);

	if (!place)
		return 0;
	*(u64 *)(place + sizeof(struct capture_header)) = BPF_CORE_READ(task, blocked.sig[0]);
	out_add(out, place, sizeof(u64), result_tag(PART_BLOCKED));
	return 0;
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

	if (c->kind == CAPTURE_DESCRIPTORS)
		return out_descriptors(out, call, c, result);
	if (c->kind == CAPTURE_BLOCKED)
		return out_blocked(out);
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

#endif
