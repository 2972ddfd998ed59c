/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rings: the lanes of a recording and what is beside them, which recording is whose, and the exec log. */
#ifndef CONTRACT_RECORDINGS_H
#define CONTRACT_RECORDINGS_H

#include "limits.h"

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
	u64 ended;	/* when its container ended; SLOT_UNUSED: it has no recording; 0: it is in use, or kept */
	u64 began;	/* when its container was registered; 0: it ended, or the slot is being taken or released, or is kept */
	u32 pod;	/* element of held; SLOT_KEPT if it is kept */
	u32 namespace;	/* element of held */
};

/*
 * A slot that is kept looks like one that is being taken, so no program of this layout takes it. It does not count in
 * held. At most 1/KEEP_LIMIT of all recordings are kept, and fewer than the identities that a search for a free one
 * looks at: otherwise it would take one that is kept.
 */
enum slot_constants {
	SLOT_UNUSED = 1,
	SLOT_KEPT = 1 << 30,
	KEEP_LIMIT = 4,
	KEEP_MOST = 48,
	IDENTITY_NONE = 0x7fffffff,	/* in the header of a recording that was removed */
};

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

#endif
