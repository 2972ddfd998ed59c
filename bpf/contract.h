/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the programs in this folder and everything in Go: what
 * lies in the pinned maps. pkg/bpf/abi is generated from it (make generate), so
 * no layout is ever written down twice. Whoever changes a layout here, or that of
 * struct in_flight, or the set of maps, raises ABI_VERSION: programs of one version
 * take each other's place while containers run (tracectl load --replace).
 *
 * Times are nanoseconds of CLOCK_BOOTTIME. Strings are NUL-terminated unless a
 * length stands beside them. Fields run from large to small, without holes.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;

enum limits {
	ABI_VERSION = 3,

	LEAF_SIZE = 256,	/* NAME_MAX + 1: the name of a cgroup directory */
	PATH_SIZE = 512,	/* the end of a cgroup's path that an identity expects */
	LABELS_SIZE = 4096,
	SUBJECT_SIZE = 128,	/* whose labels they are: a pod's UID, a container's ID */
	COMM_SIZE = 16,

	ARGS_MAX = 6,		/* arguments of a system call */
	CAPTURES_MAX = 2,	/* pointer arguments of one call that are followed */
	CAPTURE_LIMIT = 1024,	/* bytes kept of one pointer argument, at most */
	ARGV_LIMIT = 32768,	/* bytes kept of one argument vector, at most */
	EXEC_PATH_LIMIT = 1024,	/* bytes kept of the path of an exec, at most */
	EXEC_HEAD_LIMIT = 1280,	/* struct exec, path and padding together */
	ARGS_LIMIT = 256,	/* strings kept of the vector of a failed exec */
	RECORD_LIMIT = 2304,	/* bytes of one syscall record, at most */

	SYSCALLS_MAX = 512,	/* native numbers; those of the 32-bit ABI follow */
	TORN_MAX = 8,		/* torn ranges a ring remembers, one by one */
	CHILDREN_MAX = 1024,	/* cgroups below one container's that are followed */
	PENDING_SECONDS = 300,	/* a pending identity older than this is not bound */
};

/* Who a container is: written by whoever registers it, only copied by the kernel. */
enum who_flags {
	WHO_SANDBOX = 1,		/* a pod's own container ("pause") */
	WHO_RECORD = 2,			/* wants a ring */
	WHO_LABELS_TRUNCATED = 4,	/* labels did not fit LABELS_SIZE */
	WHO_ADOPTED = 8,		/* was running before it was registered */
};

struct who {
	u32 flags;		/* enum who_flags */
	u32 mount_namespace;	/* inode of the runtime's own mount namespace; 0: unknown, or the container's too */
	u32 labels_length;	/* bytes of labels in use */
	u32 reserved;
	char engine[16];	/* containerd, cri-o, docker, podman, or empty */
	char id[256];		/* the OCI runtime's ID of the container */
	char sandbox_id[128];	/* the pod's sandbox, or empty */
	char namespace[64];
	char pod[256];
	char pod_uid[64];
	char container[128];	/* the container's name within its pod */
	char image[256];
	char labels[LABELS_SIZE];	/* "key=value\0" one after another */
};

/* pending: key is the leaf name, zero-padded to LEAF_SIZE. */
struct pending {
	u64 time;		/* when it was left here */
	u32 path_length;	/* bytes of path in use, without a NUL */
	u32 reserved;
	char path[PATH_SIZE];	/* the cgroup's path must end so; begins with '/' */
	struct who who;
};

/*
 * containers: cgroup ID -> binding. The low half is the identity's index + 1,
 * the high half the ring's index + 1, or 0 where the container is not recorded.
 */

enum state {
	STATE_FREE = 0,
	STATE_CREATED = 1,	/* its cgroup exists, its program has not been started */
	STATE_RUNNING = 2,
	STATE_EXITED = 3,	/* its init is gone */
	STATE_ENDED = 4,	/* its cgroup is gone; the slot may be used again */
};

/* identities: every container that was ever bound, until its slot is used again. */
struct identity {
	u64 cgroup;		/* ID of the container's own cgroup (unified hierarchy) */
	u64 created;		/* the cgroup appeared */
	u64 started;		/* the first exec of the container's own program */
	u64 exited;		/* the end of its init */
	u64 ended;		/* the cgroup was removed */
	u32 generation;		/* raised by 2 whenever the slot is used again; odd while it is being written */
	u32 state;		/* enum state */
	u32 ring;		/* index + 1 of its ring, or 0 */
	u32 ring_generation;
	u32 init;		/* PID of the container's init in the initial namespace, or 0 */
	u32 exit_status;	/* of init, as wait(2) gives it; valid once exited is set */
	u32 children;		/* cgroups below its own that are known */
	u32 reserved;
	struct who who;
};

/*
 * labels: what somebody learnt of a pod or a container who is not there when it is created. No program reads or
 * writes it. An element without labels says that there are none; one that is missing, that nobody knows yet.
 */
enum label_source {
	LABELS_AGENT = 1,	/* no labels: the time says when the agent was last alive; the subject is empty */
	LABELS_KUBERNETES = 2,	/* the API server's, of a pod's UID */
	LABELS_CRI = 3,		/* the engine's, of a pod's UID */
	LABELS_DOCKER = 4,	/* Docker's, of a container's ID; with name and image */
};

enum labels_flags {
	LABELS_TRUNCATED = 1,	/* they did not fit LABELS_SIZE */
};

struct labels_key {
	u32 source;		/* enum label_source */
	u32 reserved;
	char subject[SUBJECT_SIZE];	/* zero-padded */
};

struct labels {
	u64 updated;		/* when they were written */
	u32 flags;		/* enum labels_flags */
	u32 length;		/* bytes of text in use */
	char name[256];		/* of the container, or empty */
	char image[256];	/* of the container, or empty */
	char text[LABELS_SIZE];	/* "key=value\0" one after another */
};

/*
 * What a stalled writer may have scribbled over: of every record that was reserved after its
 * own and below head, the bytes that lie where its own lay a lap or more before.
 */
struct torn {
	u64 position;	/* of the stalled record */
	u64 length;
	u64 head;	/* of the ring, once it was written */
	u64 sequence;	/* 1 + the number of ranges published before it; written last, 0 meanwhile */
};

/*
 * rings and exec_log: a header, the data, and behind the data as much slack as
 * the largest record takes, so that no record wraps. A position counts all the
 * bytes ever reserved; a record at position p begins at data[p % size].
 *
 * exec_log is one ring laid over several elements (segments): the header of the
 * first one counts, and position p lies in segment (p / size) % segments.
 */
struct ring {
	u64 head;		/* bytes ever reserved, over all recordings */
	u64 written;		/* records reserved in this recording */
	u32 generation;		/* of the recording; 0: never used */
	u32 identity;		/* index of whose it is */
	u32 identity_generation;
	u32 reserved;
	u64 base;		/* head when this recording began */
	u64 lost;		/* calls that could not be written */
	u64 torn_count;		/* ranges ever published in torn */
	struct torn torn[TORN_MAX];	/* range n is torn[n % TORN_MAX] */
	u8 data[];
};

/*
 * writers: one per CPU. A writer says where it may write before it can, and takes it
 * back when it is done: what a reader needs to see that a stalled writer may be
 * scribbling over records of a later lap right now.
 */
enum writer_constants {
	WRITER_EXACT = 1,		/* bit of position: it is the record's own, not only a lower bound */
	WRITER_EXEC_LOG = 0x7fffffff,	/* ring: the exec log */
};

struct writer {
	u64 position;
	u32 ring;	/* index + 1, WRITER_EXEC_LOG, or 0: idle */
	u32 reserved[13];
};

/*
 * What every record begins with. A record is complete, and begins at position p of
 * a recording of generation g, if and only if commit == (p ^ secret) + g * COMMIT_STEP.
 * The exec log's generation is 0.
 */
enum commit { COMMIT_STEP = 0x9e3779b97f4a7c15ULL };

struct entry {
	u64 commit;
	u64 time;	/* a call's enter; an exec's success or failure */
	u16 words;	/* length of the whole record in units of 8 bytes */
	u16 cpu;
	u16 number;	/* of a call: its number, and above NUMBER_BITS how many arguments follow */
	u16 flags;	/* enum call_flags or enum exec_flags */
};

enum number {
	NUMBER_BITS = 13,
	NUMBER_MASK = 0x1fff,
	NUMBER_NONE = 0x1fff,	/* not a call: the task was killed by a signal outside of any */
	NUMBER_OTHER = 0x1ffe,	/* a number from here on: a capture of argument 0 has it, in 4 bytes */
};

/*
 * One system call. Behind the header stand, without padding between them:
 *   the second half of comm (8 bytes) if CALL_LONG_COMM,
 *   the whole result (8 bytes) if CALL_WIDE_RESULT,
 *   every argument: 4 bytes, sign-extended, or 8 where its bit among CALL_WIDE_ARGS is set,
 *   the captured pointer arguments (CALL_CAPTURES_SHIFT tells how many): struct capture_header, then its bytes.
 * What remains up to the record's length, fewer than 8 bytes, means nothing.
 */
enum call_flags {
	CALL_WIDE_ARGS = 0x003f,	/* one bit an argument */
	CALL_WIDE_RESULT = 0x0040,
	CALL_LONG_COMM = 0x0080,
	CALL_UNFINISHED = 0x0100,	/* the task ended in it: result is the task's exit status, as wait(2) gives it */
	CALL_NO_ENTER = 0x0200,		/* seen at its exit only (denied by seccomp): time is its exit's */
	CALL_COMPAT = 0x0400,		/* a number of the 32-bit ABI (ia32, arm) */
	CALL_X32 = 0x0800,		/* a number of the x32 ABI, its bit cleared */
	CALL_UNIT_SHIFT = 12,		/* two bits: duration counts ns, us, ms or s */
	CALL_UNIT_MASK = 0x3000,
	CALL_CAPTURES_SHIFT = 14,	/* two bits: how many captured arguments follow */
};

struct call {
	struct entry entry;
	u32 tid;
	u32 pid;
	u32 duration;	/* in the unit that flags name */
	u32 result;	/* to be sign-extended, unless CALL_WIDE_RESULT */
	char comm[8];	/* first half */
};

enum capture_flags {
	CAPTURE_TRUNCATED = 1,	/* there was more than was kept */
	CAPTURE_FAULT = 2,	/* the memory could not be read: no bytes follow */
	CAPTURE_LATE = 4,	/* input read at the call's exit, its page was not present at enter */
};

struct capture_header {
	u16 length;	/* bytes that follow */
	u8 arg;		/* which argument, 0..5 */
	u8 flags;	/* enum capture_flags */
};

/* syscalls: by number, and by SYSCALLS_MAX + number for the 32-bit ABI: what to read of a call. */
enum capture_kind {
	CAPTURE_NONE = 0,
	CAPTURE_STRING = 1,	/* a NUL-terminated string, at enter */
	CAPTURE_IN = 2,		/* a buffer whose length is argument `length`, at enter */
	CAPTURE_OUT = 3,	/* a buffer whose length is the result, but at most argument `length`, at exit */
	CAPTURE_FIXED_IN = 4,	/* `length` bytes, at enter */
	CAPTURE_FIXED_OUT = 5,	/* `length` bytes, at the exit of a call that succeeded */
	CAPTURE_VECTOR_IN = 6,	/* struct iovec[argument `length`], at enter */
	CAPTURE_VECTOR_OUT = 7,	/* the same, as much of it as the result says, at exit */
	CAPTURE_MESSAGE_IN = 8,	/* the iovecs of a struct msghdr, at enter */
	CAPTURE_MESSAGE_OUT = 9,	/* the same, as much of it as the result says, at exit */
};

struct capture {
	u8 kind;	/* enum capture_kind */
	u8 arg;		/* the pointer: 0..5 */
	u8 length;	/* as the kind says */
	u8 reserved;
};

struct syscall {
	u8 args;	/* how many it takes: 0..6 */
	u8 exec;	/* 1: execve, 2: execveat */
	u8 reserved[2];
	struct capture captures[CAPTURES_MAX];
};

/* One exec, or one that failed. Behind the header: the path (path_length bytes), then the arguments,
 * each ended by a NUL (argv_length bytes). */
enum exec_flags {
	EXEC_TRUNCATED = 1,	/* arguments were longer or more than what was kept */
	EXEC_FAULT = 2,		/* some of path or arguments could not be read */
	EXEC_RUNTIME = 4,	/* the container runtime's own, in its own mount namespace, before the container's program */
	EXEC_INTERPRETED = 8,	/* the kernel runs an interpreter, and has put it in front of the arguments */
};

struct exec {
	struct entry entry;
	u64 sequence;		/* execs written before it: a gap tells how many were lost */
	u64 cgroup;		/* the task's, which may lie below the container's */
	u32 identity;		/* index */
	u32 generation;		/* of the identity */
	u32 pid;
	u32 tid;
	u32 ppid;
	u32 uid;
	s32 result;		/* 0, or a negative errno */
	u32 argc;		/* of a success: all of them, kept or not */
	u32 argv_length;
	u32 path_length;
	char comm[COMM_SIZE];		/* of the task: after a success, the new one */
	char parent_comm[COMM_SIZE];
};

/*
 * A call that has not returned, as reading the pinned iterator prints it: this header (its
 * call without a commit), body_length bytes as they stand behind a record's header, and
 * eight bytes that repeat call.entry.time: where they differ, the call returned meanwhile.
 */
struct pending_call {
	u64 cgroup;
	u32 ring;		/* index */
	u32 ring_generation;
	u32 body_length;
	u32 reserved;
	struct call call;
};

/* counters: per CPU, one u64 each, what was dropped and why. */
enum counter {
	COUNT_PENDING_STALE,	/* a pending entry was too old to be bound */
	COUNT_PENDING_ELSEWHERE,	/* a directory of its name appeared at another path */
	COUNT_NO_IDENTITY,	/* a container could not be registered: no slot was free */
	COUNT_NO_RING,		/* a container is registered but not recorded: no ring was free */
	COUNT_NO_BINDING,	/* a cgroup could not be added to containers */
	COUNT_CHILDREN,		/* a container has more than CHILDREN_MAX cgroups: not followed */
	COUNT_NO_STORAGE,	/* a call was not recorded: no memory for its task */
	COUNT_BUSY,		/* a record was not written: another was being written on this CPU */
	COUNT_STALE_RING,	/* a call ended after its recording had: not written */
	COUNT_TORN,		/* ranges that stalled writers published as torn */
	COUNTERS,
};

/* abi: what was loaded. Readers and the shim refuse a version they do not know. */
struct abi {
	u64 secret;		/* never shown: what commit words are mixed with */
	u64 loaded;		/* when */
	u32 version;		/* ABI_VERSION; 0: loading has not finished. It stands here in every version */
	u32 rings;
	u32 ring_size;		/* bytes of data, a power of two */
	u32 ring_stride;	/* bytes from one ring to the next */
	u32 identities;
	u32 exec_segments;	/* a power of two */
	u32 exec_segment_size;	/* bytes of data of one segment, a power of two */
	u32 exec_stride;
	u32 capture_size;	/* bytes kept of one pointer argument */
	u32 argv_size;		/* bytes kept of one argument vector */
	u32 writers;		/* elements of writers in use */
	u32 reserved;
	u64 build;		/* which programs run; 0: replacing them has not finished */
	u64 replaced;		/* when they took the place of others; 0: they were loaded with the maps */
};

/*
 * What the program bind is handed the address of. One of three things is asked for: that a cgroup that exists already is
 * registered under a pending entry, that it is known as one below a container's, or that it is known no more, since it
 * was removed before it was registered.
 */
struct bind_request {
	u64 cgroup;
	u64 parent;	/* a known cgroup, which it lies below; 0 otherwise */
	u64 created;	/* when its init was started; 0: now */
	u32 init;	/* 1 + the caller's descriptor of the directory /proc/PID of its init; 0: its program has not been started */
	u32 removed;	/* 1: it is known no more */
	char leaf[LEAF_SIZE];	/* the pending entry to bind */
};

#endif
