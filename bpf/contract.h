/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the programs in this directory and the Go code: the layout of the pinned maps. pkg/bpf/abi is
 * generated from it (make generate), so no layout is written twice. If you change a layout here, or that of struct
 * in_flight, or the set of maps, raise ABI_VERSION: programs of one version replace each other while containers run
 * (tracectl load --replace).
 *
 * Times are nanoseconds of CLOCK_BOOTTIME. Strings are NUL-terminated unless they have a length field. Fields are
 * ordered from large to small, without holes.
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

	LEAF_SIZE = 256,	/* of the name of a cgroup directory, which is cut if it is longer */
	PATH_SIZE = 512,	/* the end of a cgroup path that a pending entry expects */
	LABELS_SIZE = 4096,
	SUBJECT_SIZE = 128,	/* a subject of labels: a pod UID or a container ID */
	COMM_SIZE = 16,

	ARGS_MAX = 6,		/* arguments of a system call */
	CAPTURES_MAX = 2,	/* pointer arguments of one call that are followed */
	CAPTURE_LIMIT = 1024,	/* maximum bytes captured of one pointer argument */
	ARGV_LIMIT = 32768,	/* maximum bytes of one argument vector */
	EXEC_PATH_LIMIT = 1024,	/* maximum bytes of the path of an exec */
	EXEC_HEAD_LIMIT = 1280,	/* struct exec, path and padding together */
	ARGS_LIMIT = 256,	/* maximum strings of the vector of a failed exec */
	RECORD_LIMIT = 2304,	/* maximum bytes of one syscall record */

	SYSCALLS_MAX = 512,	/* native numbers; the numbers of the 32-bit ABI follow */
	TORN_MAX = 8,		/* torn ranges that a ring remembers one by one */
	CHILDREN_MAX = 1024,	/* cgroups that are followed below that of a container */
	PENDING_SECONDS = 300,	/* a pending identity older than this is not bound */
};

/* The identity of a container: written at registration, and only copied by the kernel. */
enum who_flags {
	WHO_SANDBOX = 1,		/* a pod's own container ("pause") */
	WHO_RECORD = 2,			/* give it a ring */
	WHO_LABELS_TRUNCATED = 4,	/* labels did not fit LABELS_SIZE */
	WHO_ADOPTED = 8,		/* was running before it was registered */
};

struct who {
	u32 flags;		/* enum who_flags */
	u32 mount_namespace;	/* inode of the runtime's mount namespace; 0 if unknown or the same as the container's */
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

/* pending: key is the leaf name, cut and zero-padded to LEAF_SIZE. */
struct pending {
	u64 time;		/* when the entry was written */
	u32 path_length;	/* bytes of path in use, without a NUL */
	u32 reserved;
	char path[PATH_SIZE];	/* required end of the path of the cgroup; begins with / */
	struct who who;
};

/*
 * containers: cgroup ID -> binding. The low half is the identity's index + 1. The high half is the ring's index + 1, or
 * 0 if the container is not recorded.
 */

enum state {
	STATE_FREE = 0,
	STATE_CREATED = 1,	/* its cgroup exists; its program has not been started */
	STATE_RUNNING = 2,
	STATE_EXITED = 3,	/* its init has exited */
	STATE_ENDED = 4,	/* its cgroup was removed; the slot may be reused */
};

/* identities: every container that was ever bound, until its slot is reused. */
struct identity {
	u64 cgroup;		/* ID of the container's own cgroup (unified hierarchy) */
	u64 created;		/* when the cgroup was made */
	u64 started;		/* when the program of the container was first executed */
	u64 exited;		/* when its init exited */
	u64 ended;		/* when the cgroup was removed */
	u32 generation;		/* incremented by 2 when the slot is reused; odd while it is being written */
	u32 state;		/* enum state */
	u32 ring;		/* index + 1 of its ring, or 0 */
	u32 ring_generation;
	u32 init;		/* PID of the container's init in the initial namespace, or 0 */
	u32 exit_status;	/* of init, as in wait(2); valid if exited is set */
	u32 children;		/* known cgroups below that of the container */
	u32 reserved;
	struct who who;
};

/*
 * labels: labels of a pod or a container that are not available when the container is created. No program reads or
 * writes this map. An element without labels means that the subject has no labels; a missing element means that its
 * labels are not known yet.
 */
enum label_source {
	LABELS_AGENT = 1,	/* no labels; its time is when the agent was last alive, and its subject is empty */
	LABELS_KUBERNETES = 2,	/* from the API server, by pod UID */
	LABELS_CRI = 3,		/* from the engine, by pod UID */
	LABELS_DOCKER = 4,	/* from Docker, by container ID; with name and image */
};

enum labels_flags {
	LABELS_TRUNCATED = 1,	/* some labels did not fit LABELS_SIZE */
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
 * A range that a stalled writer may have overwritten. It affects each record that was reserved after the writer's own
 * and below head: the bytes at the place that the writer's record had, a lap or more before.
 */
struct torn {
	u64 position;	/* of the stalled record */
	u64 length;
	u64 head;	/* of the ring, after the stalled record was written */
	u64 sequence;	/* 1 + the number of ranges published before; written last, 0 meanwhile */
};

/*
 * rings and exec_log: a header, the data, and after the data slack for one record of the largest size, so that no
 * record wraps. A position is the number of bytes that were ever reserved before it. A record at position p begins at
 * data[p % size].
 *
 * exec_log is one ring across several elements (segments): only the header of the first one is used, and position p is
 * in segment (p / size) % segments.
 */
struct ring {
	u64 head;		/* bytes ever reserved, over all recordings */
	u64 written;		/* records reserved in this recording */
	u32 generation;		/* of the recording; 0: never used */
	u32 identity;		/* index of the recorded container */
	u32 identity_generation;
	u32 reserved;
	u64 base;		/* head at the beginning of this recording */
	u64 lost;		/* records that could not be written */
	u64 torn_count;		/* number of ranges ever published in torn */
	struct torn torn[TORN_MAX];	/* range n is torn[n % TORN_MAX] */
	u8 data[];
};

/*
 * writers: one per CPU. A writer announces the place where it may write before it writes, and withdraws the
 * announcement afterwards. From these, a reader knows that a stalled writer may be overwriting records of a later lap.
 */
enum writer_constants {
	WRITER_EXACT = 1,		/* the position is the record's own, not only a lower bound */
	WRITER_EXEC_LOG = 0x7fffffff,	/* ring: the exec log */
};

struct writer {
	u64 position;
	u32 ring;	/* index + 1, WRITER_EXEC_LOG, or 0: idle */
	u32 reserved[13];
};

/*
 * The beginning of every record. A record is complete, and begins at position p of a recording of generation g, if and
 * only if commit == (p ^ secret) + g * COMMIT_STEP. The generation of the exec log is 0.
 */
enum commit { COMMIT_STEP = 0x9e3779b97f4a7c15ULL };

struct entry {
	u64 commit;
	u64 time;	/* of the enter of a call, or of the success or failure of an exec */
	u16 words;	/* length of the whole record in units of 8 bytes */
	u16 cpu;
	u16 number;	/* of a call: the number, and above NUMBER_BITS the number of arguments that follow */
	u16 flags;	/* enum call_flags or enum exec_flags */
};

enum number {
	NUMBER_BITS = 13,
	NUMBER_MASK = 0x1fff,
	NUMBER_NONE = 0x1fff,	/* not a call: a signal killed the task outside of any call */
	NUMBER_OTHER = 0x1ffe,	/* this or a larger number, which is in a capture of argument 0, in 4 bytes */
};

/*
 * One system call. After the header follow, without padding:
 *   the second half of comm (8 bytes) if CALL_LONG_COMM,
 *   the whole result (8 bytes) if CALL_WIDE_RESULT,
 *   every argument: 8 bytes if its bit in CALL_WIDE_ARGS is set, otherwise 4 bytes, sign-extended,
 *   the captured pointer arguments (CALL_CAPTURES_SHIFT has their number): struct capture_header, then its bytes.
 * The remaining bytes of the record, at most 7, are undefined.
 */
enum call_flags {
	CALL_WIDE_ARGS = 0x003f,	/* one bit for each argument */
	CALL_WIDE_RESULT = 0x0040,
	CALL_LONG_COMM = 0x0080,
	CALL_UNFINISHED = 0x0100,	/* the task ended in the call: result is its exit status, as in wait(2) */
	CALL_NO_ENTER = 0x0200,		/* seen only at its exit (denied by seccomp), whose time it has */
	CALL_COMPAT = 0x0400,		/* a number of the 32-bit ABI (ia32, arm) */
	CALL_X32 = 0x0800,		/* a number of the x32 ABI, without its bit 30 */
	CALL_UNIT_SHIFT = 12,		/* two bits: the unit of duration is ns, us, ms or s */
	CALL_UNIT_MASK = 0x3000,
	CALL_CAPTURES_SHIFT = 14,	/* two bits: number of captured arguments that follow */
};

struct call {
	struct entry entry;
	u32 tid;
	u32 pid;
	u32 duration;	/* in the unit that CALL_UNIT_MASK selects */
	u32 result;	/* sign-extend it, unless CALL_WIDE_RESULT */
	char comm[8];	/* first half */
};

enum capture_flags {
	CAPTURE_TRUNCATED = 1,	/* some bytes were not captured */
	CAPTURE_FAULT = 2,	/* the memory could not be read: no bytes follow */
	CAPTURE_LATE = 4,	/* input that was read at exit, because its page was not present at enter */
};

struct capture_header {
	u16 length;	/* bytes that follow */
	u8 arg;		/* index of the argument, 0..5 */
	u8 flags;	/* enum capture_flags */
};

/* syscalls: the captures of each call, by number; of the 32-bit ABI, by SYSCALLS_MAX + number. */
enum capture_kind {
	CAPTURE_NONE = 0,
	CAPTURE_STRING = 1,	/* a NUL-terminated string, at enter */
	CAPTURE_IN = 2,		/* a buffer whose length is argument `length`, at enter */
	CAPTURE_OUT = 3,	/* a buffer whose length is the result, at most argument `length`, at exit */
	CAPTURE_FIXED_IN = 4,	/* `length` bytes, at enter */
	CAPTURE_FIXED_OUT = 5,	/* `length` bytes, at the exit of a call that succeeded */
	CAPTURE_VECTOR_IN = 6,	/* struct iovec[argument `length`], at enter */
	CAPTURE_VECTOR_OUT = 7,	/* the same, up to the result, at exit */
	CAPTURE_MESSAGE_IN = 8,	/* the iovecs of a struct msghdr, at enter */
	CAPTURE_MESSAGE_OUT = 9,	/* the same, up to the result, at exit */
};

struct capture {
	u8 kind;	/* enum capture_kind */
	u8 arg;		/* the pointer: 0..5 */
	u8 length;	/* depends on kind */
	u8 reserved;
};

struct syscall {
	u8 args;	/* number of arguments, 0..6 */
	u8 exec;	/* 1: execve, 2: execveat */
	u8 reserved[2];
	struct capture captures[CAPTURES_MAX];
};

/* One exec, successful or failed. After the header follow the path (path_length bytes) and the arguments, each ended by
 * a NUL (argv_length bytes in total). */
enum exec_flags {
	EXEC_TRUNCATED = 1,	/* some arguments, or bytes of them, were not recorded */
	EXEC_FAULT = 2,		/* part of the path or the arguments could not be read */
	EXEC_RUNTIME = 4,	/* of the container runtime, in its own mount namespace, before the program of the container */
	EXEC_INTERPRETED = 8,	/* the kernel runs an interpreter, and has put it before the arguments */
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
	u32 reserved;
	struct call call;
};

/* counters: per CPU, one u64 for each reason for a drop. */
enum counter {
	COUNT_PENDING_STALE,	/* a pending entry was too old to be bound */
	COUNT_PENDING_ELSEWHERE,	/* a directory of its name was made at another path */
	COUNT_NO_IDENTITY,	/* a container could not be registered: no slot was free */
	COUNT_NO_RING,		/* a container is registered but not recorded: no ring was free */
	COUNT_NO_BINDING,	/* a cgroup could not be added to containers */
	COUNT_CHILDREN,		/* a cgroup is not followed: its container has CHILDREN_MAX already */
	COUNT_NO_STORAGE,	/* a call was not recorded: no memory for the storage of its task */
	COUNT_BUSY,		/* a record was not written: another one was being written on this CPU */
	COUNT_STALE_RING,	/* a record was not written: the call ended after its recording had */
	COUNT_TORN,		/* ranges that stalled writers published as torn */
	COUNTERS,
};

/* abi: the parameters of the loaded programs. Readers and the shim refuse an unknown version. */
struct abi {
	u64 secret;		/* mixed into commit words; never shown */
	u64 loaded;		/* when */
	u32 version;		/* ABI_VERSION; 0: loading has not finished. Its offset is the same in every version */
	u32 rings;
	u32 ring_size;		/* bytes of data, a power of two */
	u32 ring_stride;	/* bytes from one ring to the next */
	u32 identities;
	u32 exec_segments;	/* a power of two */
	u32 exec_segment_size;	/* bytes of data of one segment, a power of two */
	u32 exec_stride;
	u32 capture_size;	/* bytes kept of one pointer argument */
	u32 argv_size;		/* bytes kept of one argument vector */
	u32 writers;		/* used elements of writers */
	u32 reserved;
	u64 build;		/* the build of the running programs; 0: a replacement has not finished */
	u64 replaced;		/* when the programs were last replaced; 0: never */
};

/*
 * The argument of the program bind. It requests one of three things: register an existing cgroup with a pending entry,
 * add a cgroup below that of a container, or forget a cgroup that was removed while it was being registered.
 */
struct bind_request {
	u64 cgroup;
	u64 parent;	/* a known cgroup above it; 0 otherwise */
	u64 created;	/* when its init was started; 0: now */
	u32 init;	/* 1 + the caller's descriptor of the /proc/PID directory of its init; 0: its program has not been started */
	u32 removed;	/* 1: forget the cgroup */
	char leaf[LEAF_SIZE];	/* the pending entry to bind */
};

#endif
