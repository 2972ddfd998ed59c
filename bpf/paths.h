/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths as the kernel sees them: of the file that a call opened or executed, and of a new current directory. They are
 * read from the file itself at the exit of the call, so they are whole if the argument is relative, and no other
 * thread can forge them. They begin at the root directory of the task.
 */
#ifndef PATHS_H
#define PATHS_H

#include "captures.h"

enum {
	COMPONENTS = 24,	/* of a path */
	COMPONENT_LIMIT = 256,	/* bytes of one, with its NUL */
	PATH_LIMIT = CAPTURE_LIMIT - sizeof(struct resolved) - COMPONENT_LIMIT,
};

/* find_file returns the dentry and the mount of what a call of `exec` or of another kind opened or entered. */
static __always_inline void find_file(struct task_struct *task, u32 exec, s64 result, struct path *found)
{
	struct file *file = NULL;
	struct fdtable *table;
	u32 descriptor = result;

	if (exec) {
		file = task->mm->exe_file;
	} else if (result > 0) {
		table = task->files->fdt;
		if (descriptor < table->max_fds)
			bpf_probe_read_kernel(&file, sizeof(file), table->fd + descriptor);
	} else {
		BPF_CORE_READ_INTO(found, task, fs, pwd);
		return;
	}
	if (file)
		BPF_CORE_READ_INTO(found, file, f_path);
}

/* out_path adds struct resolved, and the components of a path from its end to its beginning, each with a NUL. */
__noinline int out_path(struct outgoing *out, s64 result, u32 exec, u32 tag_flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct path at = {}, root = {};
	struct resolved *resolved;
	struct dentry *parent;
	struct mount *mount, *above;
	const void *name;
	struct inode *inode;
	u64 length = sizeof(*resolved);
	u8 *place;
	long n;

	if (!out)
		return 0;
	place = out_place(out);
	if (!place)
		return 0;
	find_file(task, exec, result, &at);
	if (!at.dentry)
		return 0;
	BPF_CORE_READ_INTO(&root, task, fs, root);
	resolved = (struct resolved *)(place + sizeof(struct capture_header));
	inode = BPF_CORE_READ(at.dentry, d_inode);
	resolved->inode = BPF_CORE_READ(inode, i_ino);
	resolved->device = BPF_CORE_READ(inode, i_sb, s_dev);
	resolved->mode = BPF_CORE_READ(inode, i_mode);
	resolved->reserved = 0;
	for (u32 i = 0; i < COMPONENTS; i++) {
		if (at.dentry == root.dentry && at.mnt == root.mnt)
			break;
		if (at.dentry == BPF_CORE_READ(at.mnt, mnt_root)) {
			mount = (void *)at.mnt - bpf_core_field_offset(struct mount, mnt);
			above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount || !above)
				break;
			at.dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			at.mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		parent = BPF_CORE_READ(at.dentry, d_parent);
		if (parent == at.dentry)
			break; /* of a pseudo file system, or not below the root */
		opaque(length);
		if (length > PATH_LIMIT) {
			tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
			break;
		}
		name = BPF_CORE_READ(at.dentry, d_name.name);
		n = bpf_probe_read_kernel_str(place + sizeof(struct capture_header) + length, COMPONENT_LIMIT, name);
		if (n <= 0)
			break;
		length += n;
		at.dentry = parent;
	}
	out_add(out, place, length, tag_flags | CAPTURE_KERNEL << FLAGS_SHIFT);
	return 0;
}

#endif
