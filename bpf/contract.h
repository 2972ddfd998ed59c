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

/* The identity of a container: written at registration, and only copied by the kernel. */
enum who_flags {
	WHO_SANDBOX = 1,		/* a pod's own container ("pause") */
	WHO_RECORD = 2,			/* give it a ring */
	WHO_LABELS_TRUNCATED = 4,	/* labels did not fit LABELS_SIZE */
	WHO_ADOPTED = 8,		/* was running before it was registered */
	WHO_NO_CONTENTS = 16,		/* record nothing of what it reads and writes */
	WHO_FILES_ONLY = 32,		/* record only calls that name a file, and events */
	WHO_RESTORED = 64,		/* its processes are restored from a checkpoint: no exec starts its program */
};

struct who {
	u32 flags;		/* enum who_flags */
	u32 mount_namespace;	/* inode of the runtime's mount namespace; 0 if unknown or the same as the container's */
	u32 labels_length;	/* bytes of labels in use */
	u16 pod_hash;		/* of what tells pods apart, keyed by the secret; below HOLDERS */
	u16 namespace_hash;	/* of the namespace that the engine says, or the engine if it says none; below HOLDERS */
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

/*
 * pending: identities that wait for their cgroup. The ancestor is the deepest cgroup on its path that existed when the
 * entry was written, so the entry means one place, and not all paths that are spelled alike.
 */
struct pending_key {
	u64 ancestor;		/* ID of a cgroup above */
	char leaf[LEAF_SIZE];	/* name of the cgroup's directory, cut and zero-padded */
};

struct pending {
	u64 time;		/* when the entry was written */
	u32 path_length;	/* bytes of path in use, without a NUL */
	u32 levels;		/* of the cgroup below its ancestor; 0: any number */
	char path[PATH_SIZE];	/* of the cgroup below its ancestor, or the end of that; begins with / */
	struct who who;
};

/*
 * containers: cgroup ID -> binding, of the containers' own cgroups. The low half is the identity's index + 1. The high
 * half is the ring's index + 1, or 0 if the container is not recorded. Cgroups below have the same binding.
 *
 * bindings: the binding of each such cgroup, in its own storage. Kernels before 6.2 have no storage for cgroups: there
 * this map is a dummy, and containers has the cgroups below, too, up to CHILDREN_MAX and CHILDREN_ALL of them. The
 * binding of any other cgroup is then that of the highest cgroup above it that is in containers.
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
	u32 candidate;		/* PID of the process that the runtime makes its init */
	u32 heir;		/* PID of the candidate's newest child, which takes its place if it exits */
	u32 exit_status;	/* of init, as in wait(2); valid if exited is set */
	u32 children;		/* cgroups below that of the container whose binding is stored */
	u32 left;		/* how often a process moved to a cgroup outside, or was made in one */
	u32 threads;		/* that have task storage, outside of its cgroups, too */
	u32 refused;		/* times that one of its tasks got no storage */
	u32 nowhere;		/* other cgroups below that of the container: they found no room in containers */
	u32 reserved;
	u64 execs_beyond;	/* execs beyond the share of its pod of the exec log */
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
 * A ring: the header, and the bytes of data elsewhere in the same element. After the data is slack for one record of
 * the largest size, so that no record wraps. A position is the number of bytes that were ever reserved before it. A
 * record at position p begins at data[p % size].
 */
struct ring {
	u64 head;		/* bytes ever reserved, over all recordings */
	u64 base;		/* head at the beginning of this recording */
	u64 written;		/* records reserved in this recording */
	u64 lost;		/* records that could not be written */
	u32 generation;		/* of the recording; 0: never used */
	u32 identity;		/* index of the recorded container */
	u32 identity_generation;
	u32 used;		/* of the exec log: seconds from boot to the last record beyond a share */
	u64 torn_count;		/* number of ranges ever published in torn */
	struct torn torn[TORN_MAX];	/* range n is torn[n % TORN_MAX] */
};

/*
 * The lanes of a recording. Each is a ring of its own, so what fills one pushes nothing out of another:
 *
 *	recent		all calls but those of the runtime: the last ones, without a gap
 *	first		calls that were new at the beginning: it is written once, and nothing overwrites it
 *	files		calls that were new later, and that found a file or found none
 *	distinct	other calls that were new later
 *	said		what the container wrote to the standard output and error of its init
 *	runtime		calls of the container runtime itself, in tasks that came from outside, until their exec
 *
 * A call is new if its signature is not in `seen`. Except for those of the runtime, the records of all lanes are in
 * `recent` too, until that is full. Files have a lane of their own because a search through a disk finds thousands.
 */
enum lane {
	LANE_RECENT = 0,
	LANE_FIRST = 1,
	LANE_DISTINCT = 2,
	LANE_SAID = 3,
	LANE_RUNTIME = 4,
	LANE_FILES = 5,
	LANES = 6,
	LANE_SLOTS = 8,		/* elements of arrays of lanes */
	LANE_SHIFT = 24,	/* a writer's ring: index + 1, and above this the lane */

	SEEN_WAYS = 16,		/* entries of one set: their signatures are two cache lines */
	SEEN_DISTINCT = 1,	/* or-ed to a position: it is one of the lane distinct */
	SEEN_FIRST = 2,		/* the same for the lane first, */
	SEEN_FILES = 4,		/* and for the lane files; without all three, it is one of the lane runtime */
	SEEN_FILE_SHIFT = 48,	/* above it: a hash of the file that the call resolved */
	GROUPS = 256,		/* calls with the same number and error are one group */
	GROUP_COST = 4,		/* a group may fill a third of the lane distinct at once, and never has more than a half */
	FIRST_LIMIT = 64,	/* calls of one group that the lane first takes */
	FIRST_OPENED = 64,	/* files that a thread of one program opened, and that it takes beyond that limit */
	RUNTIME_BUDGET = 2048,	/* calls of one task that go into the lane runtime */
	SEEN_BUSY = 1,		/* in place of a signature: its entry is being written */
};

/*
 * The lane first has parts, so that neither a search through a disk nor a program of many files fills it. Of 16 parts,
 * four are for calls with the name of a file that failed, five for the first files that each program opens (its
 * libraries and its configuration; one of these only for the program of the init), and one for other calls with such a
 * name. Execs, and all other calls, have six, and execs no more than three of these.
 */
enum first_shares {
	FIRST_FAILED = 0,
	FIRST_OF_PROGRAM = 1,
	FIRST_OTHERS = 2,
	FIRST_PLAIN = 3,
	FIRST_SHARES = 4,
};

/* totals: of all calls of one number in this recording, whether their records are kept or not. */
struct total {
	u64 count;
	u64 failed;	/* of these, calls that returned an error */
	u64 time;	/* ns from enter to exit, of all of them together */
};

/*
 * seen: which calls are in the lanes first, files, distinct and runtime. A signature is a hash of what a call was: its
 * number, its error or the status with which its task ended in it, and those arguments that tell; if the same name
 * leads to another file than before, also of the path of that. It is keyed by the secret and the generation, so an
 * entry of an earlier recording is never found, and nobody can make two calls collide on purpose. Signature i belongs
 * to entry i.
 */
struct seen {
	u64 position;	/* of the record in its lane; below the lane's base or a lap ago: it is gone */
	u64 count;	/* how often the call came in all; a race may make it wrong by one */
	u64 last;	/* when it came last */
};

struct seen_set {
	u64 signatures[SEEN_WAYS];
	struct seen entries[SEEN_WAYS];
};

/* refusals: users other than root who made a cgroup at the place of a container's, the last REFUSALS_MAX. */
enum refusal_constants { REFUSALS_MAX = 8 };

struct refusal {
	u64 time;	/* 0: none */
	u32 uid;	/* in the initial user namespace */
	u32 pid;	/* of the process, in the initial PID namespace; 0: not known, it made the cgroup earlier */
	char comm[16];
	char path[256];	/* the beginning of the cgroup's path */
};

struct refusals {
	u64 written;	/* how many there were; the next one takes the place of this number modulo REFUSALS_MAX */
	struct refusal last[REFUSALS_MAX];
};

/*
 * slots: which recordings may be used again. If there is no unused one, a new container gets
 *
 *	1. the recording of a container that ended, in its own namespace or in one that has more recordings,
 *	2. one that ended in a namespace that has more than its part, 1/KEPT_PART of all recordings,
 *	3. one of a running container, in its own namespace if the pod of that has two more recordings than its own, or in
 *	   another namespace that has two more than its own: so many containers leave room for those of others,
 *
 * of several that of the pod with the most recordings, then of the namespace with the most, then the oldest. So a pod
 * that crashes all the time, or a namespace that makes pods all the time, pushes out its own recordings.
 *
 * held: how many recordings the pods (the first HOLDERS elements) and namespaces (as many again) with a hash have, and
 * how many threads of all containers have storage.
 */
enum holders {
	HOLDERS = 16384,
	HELD_THREADS = 2 * HOLDERS,	/* element of held */
	HELD_CHILDREN,	/* element of held: cgroups in containers that are below that of a container */
	HELD_NOWHERE,	/* element of held: those that found no room there */
	HELD,		/* elements of held */
	KEPT_PART = 8,
};

struct slot {
	u64 ended;	/* when its container ended; SLOT_UNUSED: it was never used; 0: it is in use */
	u64 began;	/* when its container was registered; 0: it ended, or the slot is being taken or released */
	u32 pod;	/* element of held */
	u32 namespace;	/* element of held */
};

enum slot_constants { SLOT_UNUSED = 1 };

/* rings: one recording each. After this header follow seen_set[sets], and the data of the lanes with their slack. */
struct recording {
	struct ring lanes[LANE_SLOTS];
	struct total totals[2 * SYSCALLS_MAX];	/* indexes as in syscalls; of a number beyond: the last one */
	struct total runtime;			/* of the runtime's own calls, which are not in totals */
	u16 first_groups[GROUPS];		/* calls in the lane first, by a hash of number and error */
	u64 distinct_groups[GROUPS];		/* when they have their part of the lane distinct again: its head then */
	u64 first_bytes[FIRST_SHARES];		/* of the lane first, in each of its parts */
	u64 stdio[2];				/* inodes of the init's standard output and error */
	u64 stdio_descriptors[4];		/* those that may be them, modulo 256, a bit each */
	struct seen_set seen[];
};

/*
 * exec_log: the first half of the elements (segments) is one ring for the execs of all containers within the shares of
 * their pods: position p is in segment (p / size) % segments, and only the header of the first one is used. Each other
 * element is a ring for the execs of a pod beyond its share, those that succeeded or those that failed. A pod that
 * needs one takes the one that was not used for the longest time. So a pod that executes programs all the time pushes
 * out its own execs, and only those that failed with those that fail. The sequence numbers of all rings count
 * `written` of the first one.
 */
enum exec_shares {
	EXEC_PARTS = 2,
	EXEC_SHARE = 8,			/* a pod may fill this part of the first ring, ... */
	EXEC_SHARE_SECONDS = 600,	/* ... and again in this time; with execs that fail, half of that */
};

/*
 * exec_shares: what each pod has used of its share, by the hash of the pod. The next run of a container has an identity
 * of its own, but no new share.
 */
struct exec_share {
	u64 due[2];	/* when it is unused again: of execs that succeeded and failed */
	u16 rings[2];	/* element of exec_log for the execs beyond it, that succeeded and failed; or 0 */
	u32 reserved;
};

struct segment {
	struct ring ring;
	u8 data[];
};

/*
 * writers: one per CPU. A writer announces the place where it may write before it writes, and withdraws the
 * announcement afterwards. From these, a reader knows that a stalled writer may be overwriting records of a later lap.
 */
enum writer_constants {
	WRITER_EXACT = 1,		/* the position is the record's own, not only a lower bound */
	WRITER_EXEC_LOG = 0x7fff0000,	/* ring: of the exec log, the first; the others follow */
};

struct writer {
	u64 position;
	u32 ring;	/* index + 1 and the lane, WRITER_EXEC_LOG, or 0: idle */
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
};

/* When a row is read. If input cannot be read at enter, it is read at exit. */
enum capture_moment {
	AT_ENTER = 0,
	AT_SUCCESS = 1,		/* at exit, if the result is not negative */
	AT_POSITIVE = 2,	/* at exit, if the result is positive */
	AT_INTERRUPT = 3,	/* at exit, if a signal interrupted the call */
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
	u32 lane;		/* LANE_RUNTIME: of the runtime itself; otherwise LANE_RECENT */
	struct call call;
};

/*
 * counters: per CPU, one u64 for each reason for a drop. counters.h lists the reasons. The map has room for more: one
 * can be added without a new layout, and other builds of this version show it by its number.
 */
enum counter {
#define COUNTER(id, name, text, remedy) COUNT_##id,
#include "counters.h"
#undef COUNTER
	COUNTERS,
	COUNTERS_MAX = 64,
};

/* abi: the parameters of the loaded programs. Readers and the shim refuse an unknown version. */
struct abi {
	u64 secret;		/* mixed into commit words; never shown */
	u64 loaded;		/* when */
	u32 version;		/* ABI_VERSION; 0: loading has not finished. Its offset is the same in every version */
	u32 rings;
	u32 ring_size;		/* bytes of data of all lanes, a power of two */
	u32 ring_stride;	/* bytes from one recording to the next */
	u32 lane_sizes[LANE_SLOTS];	/* bytes of data of each lane, powers of two */
	u32 lane_offsets[LANE_SLOTS];	/* of the lane's data in a recording */
	u32 seen_sets;		/* of one recording, a power of two */
	u32 spare;
	u32 identities;
	u32 exec_segments;	/* of each ring of the exec log, a power of two */
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
	u32 init;	/* 1 + the caller's descriptor of the /proc/PID directory of its init; 0: not known */
	u16 waits;	/* 1: the init has not executed the container's program */
	u16 removed;	/* 1: forget the cgroup */
	u32 owner;	/* user of its directory. If that is not root, the request is refused */
	u32 reserved;
	struct pending_key pending;	/* the entry to bind */
	char path[256];	/* the beginning of its path, for a refusal */
};

#endif
