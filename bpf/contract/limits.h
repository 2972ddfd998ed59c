/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Integers, and the limits that several layouts share. */
#ifndef CONTRACT_LIMITS_H
#define CONTRACT_LIMITS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;

enum limits {
	ABI_VERSION = 4,

	LEAF_SIZE = 256,	/* of the name of a cgroup directory, which is cut if it is longer */
	PATH_SIZE = 512,	/* the end of a cgroup path that a pending entry expects */
	LABELS_SIZE = 4096,
	SUBJECT_SIZE = 128,	/* a subject of labels: a pod UID or a container ID */
	COMM_SIZE = 16,

	ARGS_MAX = 6,		/* arguments of a system call */
	CAPTURE_LIMIT = 1024,	/* maximum bytes captured of one pointer argument */
	ARGV_LIMIT = 32768,	/* maximum bytes of one argument vector */
	EXEC_PATH_LIMIT = 1024,	/* maximum bytes of the path of an exec */
	EXEC_HEAD_LIMIT = 1280,	/* struct exec, path and padding together */
	ARGS_LIMIT = 256,	/* maximum strings of the vector of a failed exec */
	RECORD_LIMIT = 2560,	/* maximum bytes of one syscall record */

	SYSCALLS_MAX = 512,	/* native numbers; the numbers of the 32-bit ABI follow */
	TORN_MAX = 8,		/* torn ranges that a ring remembers one by one */
	THREADS_MAX = 16384,	/* threads of one container that are recorded at the same time: 8 MiB of storage */
	THREADS_TOTAL = 65536,	/* threads of all containers; if there are more, each container may have THREADS_SHARE */
	THREADS_SHARE = 1024,
	CHILDREN_MAX = 1024,	/* cgroups below that of a container in containers, on kernels before 6.2 ... */
	CHILDREN_ALL = 8192,	/* ... and of all containers together */
	PENDING_SECONDS = 300,	/* a pending identity older than this is not bound */
	PENDING_MAX = 1024,
	DEPTH_MAX = 16,		/* levels above a new cgroup at which its pending entry is looked for */
};

#endif
