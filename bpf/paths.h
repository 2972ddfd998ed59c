/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths as the kernel sees them: of the file that a call opened or executed, and of a new current directory. They are
 * read from the file itself at the exit of the call, so they are whole if the argument is relative, and no other
 * thread can forge them. They begin at the root directory of the task.
 */
#ifndef PATHS_H
#define PATHS_H

#include "captures.h"
#include "seen.h"

enum {
	STEPS = 32,		/* components and mounts of a path that are followed */
	COMPONENT_LIMIT = 256,	/* bytes of one, with its NUL */
	FILE_KEY = 16 + 2 * HASHED_MAX * CAPTURE_WORDS,	/* of the hashes of paths: after those of signatures */
	PATH_LIMIT = CAPTURE_LIMIT - sizeof(struct resolved) - COMPONENT_LIMIT,
};

/* A path whose components are read from its end on, and how far they have been read. */
struct walk {
	struct path at;
	struct path root;
	u64 length;	/* bytes of the capture */
	u32 flags;	/* enum resolved_flags */
	u32 cut;	/* 1: components are missing */
};

/* resolved_path finds the file that a call opened or executed, or the directory that it entered. */
static __always_inline void resolved_path(struct path *path, s64 result, u32 traits, u32 exec)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file;

	if (traits & TRAIT_ENTERS) {
		BPF_CORE_READ_INTO(path, task, fs, pwd);
		return;
	}
	file = exec ? BPF_CORE_READ(task, mm, exe_file) : file_of(task, result);
	if (file)
		BPF_CORE_READ_INTO(path, file, f_path);
}

/*
 * file_hash returns a hash of the file that a call resolved, in 16 bits: of its place, too, because hard links, and the
 * files below /proc/PID/net of all processes, have the same inode.
 */
__noinline u64 file_hash(s64 result, u32 traits, u32 exec)
{
	struct path path = {};
	struct dentry *dentry;
	struct inode *inode;
	u64 word;

	resolved_path(&path, result, traits, exec);
	dentry = path.dentry;
	if (!dentry)
		return 0;
	inode = BPF_CORE_READ(dentry, d_inode);
	word = (u64)dentry ^ BPF_CORE_READ(inode, i_ino) ^ (u64)BPF_CORE_READ(inode, i_sb, s_dev) << 32;
	return hash_word(word, 1) * COMMIT_STEP >> SEEN_FILE_SHIFT;
}

/* out_inode adds struct resolved without a path, for a call whose path is in the record of an earlier one. */
__noinline int out_inode(struct outgoing *out, s64 result, u32 traits, u32 exec)
{
	struct path path = {};
	struct dentry *dentry;
	u8 *place;

	if (!out)
		return 0;
	place = out_place(out);
	resolved_path(&path, result, traits, exec);
	if (!place || !path.dentry)
		return 0;
	dentry = path.dentry;
	set_inode((struct resolved *)(place + sizeof(struct capture_header)), BPF_CORE_READ(dentry, d_inode));
	out_add(out, place, sizeof(struct resolved), result_tag(PART_FILE) | CAPTURE_TRUNCATED << FLAGS_SHIFT);
	return 0;
}

/* walk_up adds one component of a path, or leaves one mount. It returns 1 at the beginning of the path. */
__noinline int walk_up(struct outgoing *out, struct walk *walk)
{
	struct dentry *dentry, *parent;
	struct mount *mount, *above;
	struct vfsmount *mnt;
	u64 length;
	u8 *place;
	long n;

	if (!out || !walk)
		return 1;
	place = out_place(out);
	if (!place)
		return 1;
	dentry = walk->at.dentry;
	mnt = walk->at.mnt;
	if (dentry == walk->root.dentry && mnt == walk->root.mnt)
		return 1;
	if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
		mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount || !above) {
			walk->flags |= RESOLVED_DETACHED;
			return 1;
		}
		walk->at.dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->at.mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	length = walk->length;
	opaque(length);
	if (length > PATH_LIMIT) {
		walk->cut = 1;
		return 1;
	}
	n = bpf_probe_read_kernel_str(place + sizeof(struct capture_header) + length, COMPONENT_LIMIT,
				      BPF_CORE_READ(dentry, d_name.name));
	if (n <= 0)
		return 1;
	walk->length = length + n;
	parent = BPF_CORE_READ(dentry, d_parent);
	walk->at.dentry = parent;
	if (parent != dentry)
		return 0;
	walk->flags |= RESOLVED_DETACHED; /* of a pseudo file system, or not below the root */
	return 1;
}

/* out_components adds struct resolved, and the components of a path from its end to its beginning, each with a NUL. */
__noinline int out_components(struct outgoing *out, struct walk *walk, u32 part)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct resolved *resolved;
	struct dentry *dentry;
	u32 tag_flags = result_tag(part), i;
	u64 length;
	u8 *place;

	if (!out || !walk)
		return 0;
	place = out_place(out);
	dentry = walk->at.dentry;
	if (!place || !dentry)
		return 0;
	BPF_CORE_READ_INTO(&walk->root, task, fs, root);
	walk->length = sizeof(struct resolved);
	resolved = (struct resolved *)(place + sizeof(struct capture_header));
	set_inode(resolved, BPF_CORE_READ(dentry, d_inode));
	/* d_unlinked() of include/linux/dcache.h */
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && dentry != BPF_CORE_READ(dentry, d_parent))
		walk->flags = RESOLVED_DELETED;
	for (i = 0; i < STEPS; i++) {
		if (walk_up(out, walk))
			break;
	}
	if (i == STEPS || walk->cut)
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	resolved->flags = walk->flags;
	length = walk->length;
	opaque(length);
	if (length > CAPTURE_LIMIT)
		return 0;
	out_add(out, place, length, tag_flags);
	return 0;
}

/* out_path adds the file that a call opened or executed, or the directory that it entered, with its path. */
__noinline int out_path(struct outgoing *out, s64 result, u32 traits, u32 exec)
{
	struct walk walk = {};

	resolved_path(&walk.at, result, traits, exec);
	out_components(out, &walk, PART_FILE);
	return 0;
}

/*
 * executed_with adds what a program begins with that was executed from outside: its current directory, and its standard
 * input, output and error.
 */
__noinline int executed_with(struct in_flight *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *s = cpu_scratch();
	struct file *file;

	if (!call || !s)
		return 0;
	for (u32 i = 0; i < 4; i++) {
		struct walk walk = {};

		if (!i) {
			BPF_CORE_READ_INTO(&walk.at, task, fs, pwd);
		} else {
			file = file_of(task, i - 1);
			if (file)
				BPF_CORE_READ_INTO(&walk.at, file, f_path);
		}
		out_components(&s->out, &walk, PART_CWD + i);
	}
	call->due |= CAPTURED_AT_EXIT;
	return 0;
}

#endif
