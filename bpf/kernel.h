/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The types of the kernel that these programs use, reduced to the fields that they read. Offsets are relocated at load
 * (CO-RE), so only the names and the nesting must be those of the kernel.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>

#include "contract.h"

typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;
typedef unsigned long size_t;

#define NULL ((void *)0)

/* From include/uapi/linux/bpf.h. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_MAP_TYPE_CGRP_STORAGE = 32,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_MMAPABLE = 1U << 10,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1U << 0,
};

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* include/linux/sched/signal.h */
enum { SIGNAL_GROUP_EXIT = 4 };

/* include/linux/sched.h */
enum { PF_EXITING = 4 };

/* How the kernel deals with a signal that is sent: include/trace/events/signal.h */
enum { TRACE_SIGNAL_DELIVERED = 0, TRACE_SIGNAL_LOSE_INFO = 4 };

/* include/uapi/asm-generic/signal.h and siginfo.h */
enum {
	SIGILL = 4,
	SIGTRAP = 5,
	SIGBUS = 7,
	SIGFPE = 8,
	SIGKILL = 9,
	SIGSEGV = 11,
	SIGSYS = 31,
	SI_USER = 0,
	SI_QUEUE = -1,
	SI_TKILL = -6,
};

/* include/uapi/asm-generic/socket.h */
enum { SOL_SOCKET = 1, SO_ERROR = 4 };

/* include/uapi/asm-generic/errno-base.h and errno.h */
enum {
	ENOENT = 2,
	EINTR = 4,
	EEXIST = 17,
	ENOTDIR = 20,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	const char *name;
	u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct bpf_local_storage;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	int level;
	struct bpf_local_storage *bpf_cgrp_storage; /* since 6.2 */
	struct cgroup *ancestors[1];	/* since 6.1 */
	u64 ancestor_ids[1];		/* before 6.1 */
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

typedef struct {
	int counter;
} atomic_t;

struct file;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
};

struct signal_struct {
	atomic_t live;
	struct mm_struct *oom_mm;
	int group_exit_code;
	unsigned int flags;
};

struct kernel_siginfo {
	int si_signo;
	int si_code;
	union {
		struct {
			int _pid;
			u32 _uid;
		} _kill;
		struct {
			void *_addr;
		} _sigfault;
	} _sifields;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct thread_info {
	unsigned long flags;
	u32 status;	/* x86 only */
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	void *private_data;
	struct path f_path;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct io_uring {
	u32 head;
	u32 tail;
};

struct io_uring_cqe {
	u64 user_data;
};

struct io_rings {
	struct io_uring sq;
	struct io_uring cq;
	struct io_uring_cqe cqes[];
};

struct io_ring_ctx {
	unsigned int flags;
	struct io_rings *rings;
	u32 *sq_array;
	void *sq_sqes;
	unsigned int cached_sq_head;
	unsigned int sq_entries;
	unsigned int cq_entries;
};

struct io_uring_task {
	struct file *registered_rings[1];
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid;
	int tgid;
	int exit_code;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	const struct cred *cred;
	char comm[COMM_SIZE];
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	sigset_t blocked;
	struct mm_struct *mm;
	struct css_set *cgroups;
	struct fs_struct *fs;
	struct files_struct *files;
	struct io_uring_task *io_uring;
	struct bpf_local_storage *bpf_storage;
};

struct linux_binprm {
	int argc;
	int envc;
	const char *filename;
	const char *interp;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long bx, cx, dx, si, di, bp, r8, r9, r10, orig_ax;
};

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};

#else
#error "no syscall convention for this architecture"
#endif

#pragma clang attribute pop

/*
 * BPF_CORE_READ or a plain load? For each pointer that a program loads from a task or a cgroup, the verifier of newer
 * kernels searches the types of the whole kernel, which takes 2 ms. So only frequent code, and what a helper needs the
 * type of, load pointers; all else reads memory.
 */

/* opaque hides the value of x from the optimizer, so that the verifier sees the bounds checks that follow. */
#define opaque(x) asm volatile("" : "+r"(x))

/* task_is_compat reports whether the task is in a call of the 32-bit ABI. */
static __always_inline bool task_is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & 2;		/* TS_COMPAT, arch/x86/include/asm/thread_info.h */
#else
	return task->thread_info.flags & (1UL << 22);	/* _TIF_32BIT, arch/arm64/include/asm/thread_info.h */
#endif
}

/* upid_of returns the address of the struct upid that a struct pid has for a level of PID namespaces, or 0. */
static __always_inline u64 upid_of(struct pid *pid, u64 level)
{
	enum { LIMIT = 32 * 64 }; /* MAX_PID_NS_LEVEL, and more than sizeof(struct upid) */
	u64 offset = level * (u64)bpf_core_type_size(struct upid);

	opaque(offset);
	return offset > LIMIT ? 0 : (u64)pid + bpf_core_field_offset(pid->numbers) + offset;
}

/* namespace_pid returns the ID of a task in its own PID namespace, or 0 if it is not known. */
static __always_inline u32 namespace_pid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *upid;

	if (!pid)
		return 0;
	upid = (struct upid *)upid_of(pid, BPF_CORE_READ(pid, level));
	return BPF_CORE_READ(upid, nr);
}

/*
 * pid_seen_by returns the ID that a process, whose struct pid is at an address, has in the PID namespace of the one at
 * another address, or 0 if that cannot see it.
 */
__noinline u32 pid_seen_by(u64 process, u64 observer)
{
	struct pid *pid = (struct pid *)process, *own = (struct pid *)observer;
	u64 level = BPF_CORE_READ(own, level);
	struct upid *upid = (struct upid *)upid_of(pid, level), *wanted = (struct upid *)upid_of(own, level);

	if (BPF_CORE_READ(pid, level) < level || BPF_CORE_READ(upid, ns) != BPF_CORE_READ(wanted, ns))
		return 0;
	return BPF_CORE_READ(upid, nr);
}

/* first_of_namespace reports whether a task is PID 1 of a PID namespace below the initial one. */
static __always_inline bool first_of_namespace(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_pid, level) && namespace_pid(task) == 1;
}

/* file_of returns an open file of a task, or NULL. */
static __always_inline struct file *file_of(struct task_struct *task, u32 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;

	if (descriptor < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + descriptor);
	return file;
}

/* inode_of returns the address of the inode of an open file of the current task, or 0. */
__noinline u64 inode_of(u32 descriptor)
{
	struct file *file = file_of(bpf_get_current_task_btf(), descriptor);

	return file ? (u64)BPF_CORE_READ(file, f_inode) : 0;
}

/*
 * forget zeroes a variable by a read that fails, so the verifier does not know its value. Kernels before 6.8 verify a
 * callback as if it were called once, and remove what it cannot reach then: it must not know what it begins with.
 */
#define forget(x) bpf_probe_read_kernel(&(x), sizeof(x), NULL)

/* nonzero returns x ? 1 : 0 without a branch, which would make two paths for the verifier. */
static __always_inline u64 nonzero(u64 x)
{
	opaque(x);
	x |= -x;
	opaque(x);
	return x >> 63;
}

/*
 * string_size returns the size of a string, including its NUL, from a result of bpf_probe_read_user_str(). For an empty
 * string, some kernels (6.12, for one) return 0 instead of 1. The function has no branch, because a branch would make
 * two paths for the verifier at every string.
 */
static __always_inline long string_size(long n)
{
	u64 less = n - 1;

	opaque(less);
	return n + (less >> 63);
}

#endif
