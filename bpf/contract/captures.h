/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs read of the memory of a task, and how it is in a record. */
#ifndef CONTRACT_CAPTURES_H
#define CONTRACT_CAPTURES_H

#include "limits.h"

enum capture_flags {
	CAPTURE_TRUNCATED = 1,	/* some bytes were not captured */
	CAPTURE_FAULT = 2,	/* the memory after these bytes could not be read */
	CAPTURE_LATE = 4,	/* input that was read at exit, because its page was not present at enter */
	CAPTURE_OUTPUT = 8,	/* read at exit */
	CAPTURE_KERNEL = 16,	/* not from the memory of the task: what the kernel made of the argument */
};

struct capture_header {
	u16 length;	/* bytes that follow */
	u8 tag;		/* the argument, 0..5, and above CAPTURE_PART_SHIFT which part of what it points to */
	u8 flags;	/* enum capture_flags */
};

enum resolved_flags {
	RESOLVED_DELETED = 1,	/* the name has been removed since */
	RESOLVED_DETACHED = 2,	/* the path does not begin at the root of the task */
};

/*
 * The file that a call opened or executed, or the directory that it entered, as the kernel sees it. After this header
 * follow the components of its path, the last one first, each ended by a NUL.
 */
struct resolved {
	u64 inode;
	u32 device;	/* as in the kernel: 12 bits of major, 20 bits of minor number */
	u16 mode;
	u16 flags;	/* enum resolved_flags */
};

enum capture_tag {
	CAPTURE_ARG_MASK = 7,
	CAPTURE_RESULT = 6,	/* in place of an argument: what the call made */
	CAPTURE_PART_SHIFT = 3,
};

/* Parts of what an argument points to. Of one argument, captures with the same part are in the order of the memory. */
enum part {
	PART_WHOLE = 0,		/* a string, a buffer, a struct or an array of structs, from its beginning on */
	PART_VECTOR = 1,	/* an array of struct iovec: after it follows one PART_DATA for each, as far as there is room */
	PART_DATA = 2,		/* what an iovec points to */
	PART_NAME = 3,		/* the address of the struct msghdr that came last as PART_WHOLE */
	PART_CONTROL = 4,	/* its control messages; its PART_VECTOR follows */
	PART_ROOM = 5,		/* at the enter of a call that receives: the array of struct msghdr as it was then */
	PART_INNER = 6,		/* what a pointer in the struct, or one of an array of pointers, points to */
	PART_SENT = 7,		/* at the exit of sendmmsg: the array of struct mmsghdr, with the bytes that were sent */
	PART_STRINGS = 8,	/* of the arguments and the environment of an exec: struct strings */
	PART_SUBMISSION = 9,	/* a struct io_uring_sqe, before the PART_NAME of its path or socket address */
	PART_COMPLETIONS = 10,	/* the struct io_uring_cqe that the program had not taken when its call returned */
	PART_CHILD = 0,		/* of CAPTURE_RESULT: ID of a process or thread in the initial namespace, 4 bytes */
	PART_FILE = 1,		/* of CAPTURE_RESULT: struct resolved, and the path */
	PART_CWD = 2,		/* of CAPTURE_RESULT: the same of the current directory with which a program begins */
	PART_STDIO = 3,		/* of CAPTURE_RESULT: the same of its standard input; output and error have the next parts */
	PART_BLOCKED = 6,	/* of CAPTURE_RESULT: the set of signals that the task blocks after the call, 8 bytes */
};

/* How many arguments, or variables of the environment, an exec has. The arguments themselves are PART_WHOLE. */
struct strings {
	u32 count;
	u32 flags;	/* of the arguments of an exec that succeeded: EXEC_INTERPRETED */
};

/* What the programs read of the memory that a call's arguments point to: a row each. */
enum capture_kind {
	CAPTURE_NONE = 0,
	CAPTURE_STRING = 1,	/* a NUL-terminated string */
	CAPTURE_BYTES = 2,	/* elements of `size` bytes, as many as enum capture_elements says */
	CAPTURE_VECTOR = 3,	/* as many struct iovec, and what they point to, up to the result at exit */
	CAPTURE_MESSAGE = 4,	/* a struct msghdr, and what it points to, up to the result at exit */
	CAPTURE_MESSAGES = 5,	/* as many struct mmsghdr, and what they point to */
	CAPTURE_POINTERS = 6,	/* as many pointers, each to `size` bytes */
	CAPTURE_SUBMISSIONS = 7,	/* operations of the io_uring that is argument 0: as many as are submitted */
	CAPTURE_COMPLETIONS = 8,	/* results of operations of that */
	CAPTURE_DESCRIPTORS = 9,	/* `size` descriptors that the call made: a PART_FILE without a path for each. If `arg` is
				 * CAPTURE_RESULT, the result is the descriptor; otherwise they are where the argument points to */
	CAPTURE_BLOCKED = 10,	/* the set of signals that the task blocks: PART_BLOCKED */
};

/* When a row is read. If input cannot be read at enter, it is read at exit. */
enum capture_moment {
	AT_ENTER = 0,
	AT_SUCCESS = 1,		/* at exit, if the result is not negative */
	AT_POSITIVE = 2,	/* at exit, if the result is positive */
	AT_INTERRUPT = 3,	/* at exit, if a signal interrupted the call */
	AT_EXIT = 4,		/* at exit */
};

enum capture_elements {
	ELEMENTS_ONE = 0,
	ELEMENTS_ARGUMENT = 1,	/* argument `length` */
	ELEMENTS_RESULT = 2,	/* the result, at most argument `length` */
	ELEMENTS_POINTED = 3,	/* bytes: the u32 at offset `size` of what argument `length` points to; at exit, no more than it
				 * was at enter: the row that captures it then comes first */
	ELEMENTS_BITS = 4,		/* bytes of a set of as many bits as argument `length` says */
	ELEMENTS_COMMAND = 5,	/* bytes: as many as the number of an ioctl, argument `length`, says */
	ELEMENTS_PAGES = 6,	/* as many bytes as argument `length` bytes have pages */
};

enum row_flags {
	ROW_CONTENT = 1,	/* what the program reads or writes, not what the call means */
	ROW_STRUCT = 2,		/* structs: capture_size does not limit them, but STRUCTS_LIMIT */
	ROW_FOLLOW = 4,		/* a pointer is at `offset`, which is followed */
	ROW_NARROW = 8,		/* pointers in memory have 32 bits */
	ROW_INT = 16,		/* argument `length` has 32 bits */
	ROW_UNLESS = 32,	/* the row applies if the condition does not hold */
	ROW_ADDRESS = 64,	/* a socket address: what follows a path or an IPv4 address is left out */
};

enum captures {
	ROWS = 4,		/* of one element of syscalls */
	CHAIN_MAX = 7,		/* elements for one call */
	CHAINED_MAX = 128,	/* elements for calls that need more than one */
	X32_FIRST = 512,	/* number of the first call that only x32 has */
	X32_MAX = 64,		/* such calls */
	SYSCALLS_X32 = 2 * SYSCALLS_MAX + CHAINED_MAX,	/* index of the element of the first of them */
	SYSCALLS_NONE = SYSCALLS_X32 + X32_MAX,	/* index of no element */
	STRUCTS_LIMIT = 512,	/* bytes captured of one struct, or of one array of structs */
};

/* A row applies if (argument `when_arg` & mask) == value. */
struct capture {
	u32 mask;
	u32 value;
	u16 size;	/* bytes; depends on kind */
	u16 offset;	/* in what the argument points to */
	u8 kind;	/* enum capture_kind */
	u8 arg;		/* the pointer: 0..5 */
	u8 part;	/* of the capture's tag */
	u8 moment;	/* enum capture_moment */
	u8 count;	/* enum capture_elements */
	u8 length;	/* an argument; depends on count */
	u8 when_arg;
	u8 flags;	/* enum row_flags */
};

enum traits {
	TRAIT_HOT = 1,		/* of those that succeed with (args[hot_arg] & hot_mask) == 0, only the first is new */
	TRAIT_PATH = 2,		/* it names a file: see enum first_shares */
	TRAIT_WRITE = 4,	/* writes to the descriptor that is argument 0 */
	TRAIT_RESOLVE = 8,	/* opens or executes a file, or enters a directory */
	TRAIT_ENTERS = 16,	/* the last of these */
	TRAIT_COPIES = 32,	/* copies a descriptor; its result is the copy */
	TRAIT_SOCKET_ERROR = 64,	/* getsockopt: with SO_ERROR, its output is why a connect failed */
};

/*
 * syscalls: by number; of the 32-bit ABI, by SYSCALLS_MAX + number. Elements after these have the rows of calls that
 * need more than one element, and those from SYSCALLS_X32 on are the calls that only x32 has.
 */
struct syscall {
	u32 hot_mask;
	u16 more;	/* element with more rows; 0: none */
	u8 args;	/* number of arguments, 0..6 */
	u8 exec;	/* 1: execve, 2: execveat */
	u8 traits;	/* enum traits */
	u8 values;	/* one bit for each argument whose value belongs to the signature */
	u8 contents;	/* one bit for each argument whose capture belongs to the signature */
	u8 hot_arg;
	struct capture rows[ROWS];	/* the used ones come first */
};

#endif
