/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a reader finds in a ring: calls, signals and execs. */
#ifndef CONTRACT_RECORDS_H
#define CONTRACT_RECORDS_H

#include "limits.h"

/*
 * The beginning of every record. A record is complete, and begins at position p of a recording of generation g, if and
 * only if commit == (p ^ secret) + g * COMMIT_STEP. The generation of the exec log is 0.
 */
enum commit { COMMIT_STEP = 0x9e3779b97f4a7c15ULL };

struct entry {
	u64 commit;
	u64 time;	/* of the enter of a call, or of the success or failure of an exec */
	u16 length;	/* bytes of the whole record; the next one begins at the next multiple of 8 */
	u16 cpu;
	u16 number;	/* of a call: enum number */
	u16 flags;	/* enum call_flags or enum exec_flags */
};

/* The field number of a call: its number, how many arguments follow, and whose number it is. Bit 15 is spare. */
enum number {
	NUMBER_MASK = 0x3ff,
	NUMBER_NONE = 0x3ff,	/* not a call: the task ended outside of any call */
	NUMBER_SIGNAL = 0x3fe,	/* not a call: a signal was delivered to the task; its arguments are enum signal_args */
	NUMBER_OTHER = 0x3f0,	/* this or a larger number, which is in a capture of argument 0, in 4 bytes */
	NUMBER_ARGS_SHIFT = 10,	/* three bits: number of arguments */
	NUMBER_ABI_SHIFT = 13,	/* two bits: enum number_abi */
};

enum signal_args {
	SIGNAL_NUMBER = 0,	/* a capture has the struct siginfo that the task got, flagged CAPTURE_KERNEL */
	SIGNAL_CODE = 1,	/* si_code */
	SIGNAL_ADDRESS = 2,	/* si_addr of a fault, otherwise 0 */
	SIGNAL_SENDER = 3,	/* si_pid, otherwise 0; if a task sent it, a capture has struct sender, flagged CAPTURE_KERNEL */
	SIGNAL_ACTION = 4,	/* 0: the default one; 1: a handler */
	SIGNAL_ARGS = 5,
};

struct sender {
	u64 cgroup;		/* ID */
	u32 pid;		/* in the initial PID namespace */
	u32 inner_pid;		/* si_pid: in the PID namespace of the target, or 0 if it is not there */
	u32 user;		/* si_uid: in the user namespace of the target */
	u16 signal;
	u16 code;		/* si_code: sign-extend it */
	char comm[COMM_SIZE];
};

enum number_abi {
	NUMBER_NATIVE = 0,
	NUMBER_COMPAT = 1,	/* of the 32-bit ABI (ia32, arm) */
	NUMBER_X32 = 2,		/* of the x32 ABI, without its bit 30 */
};

/*
 * One system call. After the header follow, without padding:
 *   the second half of comm (8 bytes) if CALL_LONG_COMM,
 *   struct inner_pids if CALL_PIDS,
 *   the whole result (8 bytes) if CALL_WIDE_RESULT,
 *   every argument: 8 bytes if its bit in CALL_WIDE_ARGS is set, otherwise 4 bytes, sign-extended,
 *   captures up to the end of the record, each struct capture_header and then its bytes.
 */
enum call_flags {
	CALL_WIDE_ARGS = 0x003f,	/* one bit for each argument */
	CALL_WIDE_RESULT = 0x0040,
	CALL_LONG_COMM = 0x0080,
	CALL_UNFINISHED = 0x0100,	/* the task ended in the call: result is its exit status, as in wait(2) */
	CALL_NO_ENTER = 0x0200,		/* seen only at its exit (denied by seccomp), whose time it has */
	CALL_PIDS = 0x0400,		/* the IDs in the PID namespace of the task follow */
	CALL_OOM = 0x0800,		/* with CALL_UNFINISHED: the kernel killed the task because memory ran out */
	CALL_UNIT_SHIFT = 12,		/* two bits: the unit of duration is ns, us, ms or s; 0xc000 are spare */
	CALL_UNIT_MASK = 0x3000,
};

struct call {
	struct entry entry;
	u32 tid;
	u32 pid;
	u32 duration;	/* in the unit that CALL_UNIT_MASK selects */
	u32 result;	/* sign-extend it, unless CALL_WIDE_RESULT */
	char comm[8];	/* first half */
};

struct inner_pids {
	u32 tid;
	u32 pid;
};

/* One exec, successful or failed. After the header follow the path (path_length bytes) and the arguments, each ended by
 * a NUL (argv_length bytes in total). */
enum exec_flags {
	EXEC_TRUNCATED = 1,	/* some arguments, or bytes of them, were not recorded */
	EXEC_FAULT = 2,		/* part of the path or the arguments could not be read */
	EXEC_RUNTIME = 4,	/* of the container runtime, in its own mount namespace, before the program of the container */
	EXEC_INTERPRETED = 8,	/* the kernel runs an interpreter, and has put it before the arguments */
	EXEC_ERASED = 16,	/* its strings were erased: readers leave it out */
};

struct exec {
	struct entry entry;
	u64 sequence;		/* number of execs written before; a gap is the number of lost execs */
	u64 cgroup;		/* of the task; may be below that of the container */
	u32 identity;		/* index */
	u32 generation;		/* of the identity */
	u32 pid;
	u32 tid;
	u32 ppid;
	u32 uid;
	s32 result;		/* 0, or a negative errno */
	u32 argc;		/* of a success: all arguments, recorded or not */
	u32 argv_length;
	u32 path_length;
	char comm[COMM_SIZE];		/* of the task; after a success, the new one */
	char parent_comm[COMM_SIZE];
};

/*
 * A call that has not returned, as the pinned iterator prints it: this header (whose call has no commit word),
 * body_length bytes as they follow the header of a record, and eight bytes that repeat call.entry.time. If the two
 * times differ, the call returned meanwhile.
 */
struct pending_call {
	u64 cgroup;
	u32 ring;		/* index */
	u32 ring_generation;
	u32 body_length;
	u32 lane;		/* LANE_RUNTIME: of the runtime itself; otherwise LANE_RECENT */
	struct call call;
};

#endif
