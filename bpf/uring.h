/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io_uring: the operations that a call submits, and the results that it leaves in the ring. The functions add them to
 * the buffer of the CPU. They read the kernel's own view of the ring, which the program shares.
 */
#ifndef URING_H
#define URING_H

#include "outgoing.h"

enum {
	SUBMISSIONS = 4,	/* of one call that are read */
	COMPLETIONS = 8,
	SQE_SIZE = 64,
	CQE_SIZE = 16,
	ANON_INODE_FS_MAGIC = 0x09041934,	/* include/uapi/linux/magic.h */
	REGISTERED_RING = 16,			/* IORING_ENTER_REGISTERED_RING */
	REGISTERED_RINGS = 16,			/* IO_RINGFD_REG_MAX */
	SETUP_SQE128 = 1 << 10,			/* IORING_SETUP_SQE128 */
	SETUP_CQE32 = 1 << 11,			/* IORING_SETUP_CQE32 */
};

/* Operations of enum io_uring_op in include/uapi/linux/io_uring.h, a bit each, that name a file or an address. */
enum {
	OP_CONNECT = 16,	/* the address is at the field addr; its size is in the field off */
};
/* OPENAT, STATX, OPENAT2, UNLINKAT and MKDIRAT: a path is at the field addr. */
#define OP_PATH (1ULL << 18 | 1ULL << 21 | 1ULL << 28 | 1ULL << 36 | 1ULL << 37)
/* RENAMEAT, SYMLINKAT and LINKAT: another path is at the field off. */
#define OP_PATHS (1ULL << 35 | 1ULL << 38 | 1ULL << 39)

struct sqe {
	u8 opcode;
	u8 flags;
	u16 priority;
	u32 fd;
	u64 off;
	u64 addr;
	u8 rest[SQE_SIZE - 24];
};

/* ring_of returns the ring of a call of io_uring_enter, or NULL. */
static __always_inline struct io_ring_ctx *ring_of(u32 fd, u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = NULL;
	struct io_uring_task *own;
	struct inode *inode;
	char name[11] = {};

	if (!bpf_core_type_exists(struct io_ring_ctx))
		return NULL;
	if (flags & REGISTERED_RING) {
		own = BPF_CORE_READ(task, io_uring);
		if (!own || fd >= REGISTERED_RINGS)
			return NULL;
		bpf_probe_read_kernel(&file, sizeof(file), (u8 *)own +
				      bpf_core_field_offset(own->registered_rings) + fd * sizeof(file));
	} else {
		file = file_of(task, fd);
	}
	if (!file)
		return NULL;
	inode = BPF_CORE_READ(file, f_inode);
	if (BPF_CORE_READ(inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return NULL;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (*(u64 *)name != 0x6e6972755f6f695bULL) /* "[io_urin" */
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

/* out_submission adds one operation, and the path or socket address that it names. */
__noinline int out_submission(struct outgoing *out, u64 from, u32 tag_flags)
{
	struct sqe *sqe;
	u64 addr, off, bit;
	u32 opcode;
	u8 *place;

	if (!out)
		return 0;
	place = out_place(out);
	if (!place || bpf_probe_read_kernel(place + sizeof(struct capture_header), SQE_SIZE, (void *)from))
		return -1;
	sqe = (struct sqe *)(place + sizeof(struct capture_header));
	opcode = sqe->opcode;
	addr = sqe->addr;
	off = sqe->off;
	out_add(out, place, SQE_SIZE, tag_flags | CAPTURE_KERNEL << FLAGS_SHIFT);
	tag_flags = tag_part(tag_flags, PART_NAME);
	if (opcode == OP_CONNECT)
		return out_bytes(out, addr, off, NAME_LIMIT, tag_flags);
	bit = opcode < 64 ? 1ULL << opcode : 0;
	if (bit & (OP_PATH | OP_PATHS) && out_string(out, addr, tag_flags))
		return -1;
	return bit & OP_PATHS ? out_string(out, off, tag_flags) : 0;
}

/*
 * out_submissions adds the operations that a call is about to submit or, if flags has CAPTURE_LATE, has submitted:
 * `count` of them.
 */
__noinline int out_submissions(struct outgoing *out, u64 fd, u64 enter_flags, u64 count, u32 tag_flags)
{
	struct io_ring_ctx *ring = ring_of(fd, enter_flags);
	u32 head, entries, shift, index;
	u64 array, sqes;

	if (!out || !ring || !bpf_core_type_exists(struct io_ring_ctx))
		return 0;
	head = BPF_CORE_READ(ring, cached_sq_head);
	if (tag_flags & CAPTURE_LATE << FLAGS_SHIFT)
		head -= count;
	entries = BPF_CORE_READ(ring, sq_entries);
	array = (u64)BPF_CORE_READ(ring, sq_array);
	sqes = (u64)BPF_CORE_READ(ring, sq_sqes);
	shift = BPF_CORE_READ(ring, flags) & SETUP_SQE128 ? 7 : 6;
	for (u32 i = 0; i < SUBMISSIONS && i < count; i++) {
		index = (head + i) & (entries - 1);
		if (array && bpf_probe_read_kernel(&index, sizeof(index), (void *)(array + index * 4)))
			return -1;
		if (index >= entries)
			return 0;
		if (out_submission(out, sqes + ((u64)index << shift), tag_flags))
			return -1;
	}
	return 0;
}

/* out_completions adds the results that are in a ring and that the program has not taken. */
__noinline int out_completions(struct outgoing *out, u64 fd, u64 enter_flags, u32 tag_flags)
{
	struct io_ring_ctx *ring = ring_of(fd, enter_flags);
	struct io_rings *rings;
	u32 head, count, entries, shift, i;
	u64 cqes;
	u8 *place;

	if (!out || !ring || !bpf_core_type_exists(struct io_ring_ctx))
		return 0;
	place = out_place(out);
	rings = BPF_CORE_READ(ring, rings);
	if (!place || !rings)
		return 0;
	head = BPF_CORE_READ(rings, cq.head);
	count = BPF_CORE_READ(rings, cq.tail) - head;
	entries = BPF_CORE_READ(ring, cq_entries);
	shift = BPF_CORE_READ(ring, flags) & SETUP_CQE32 ? 5 : 4;
	cqes = (u64)rings + bpf_core_field_offset(rings->cqes);
	if (count > COMPLETIONS) {
		count = COMPLETIONS;
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	}
	for (i = 0; i < COMPLETIONS && i < count; i++) {
		if (bpf_probe_read_kernel(place + sizeof(struct capture_header) + i * CQE_SIZE, CQE_SIZE,
					  (void *)(cqes + ((u64)((head + i) & (entries - 1)) << shift))))
			break;
	}
	if (i)
		out_add(out, place, i * CQE_SIZE, tag_flags | CAPTURE_KERNEL << FLAGS_SHIFT);
	return 0;
}

#endif
