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

#include "contract/captures.h"
#include "contract/identities.h"
#include "contract/recordings.h"
#include "contract/records.h"

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
	u32 whole_structs;	/* 1: the map syscalls says that structs are kept whole */
	u64 build;		/* the build of the running programs; 0: a replacement has not finished */
	u64 replaced;		/* when the programs were last replaced; 0: never */
};

/*
 * What the program bind is asked for. BIND_CGROUP is one of three things: register an existing cgroup with a pending
 * entry, add a cgroup below that of a container, or forget a cgroup that was removed while it was being registered.
 * The others are about the recording whose index is `init`, if its generation is `owner`. Nobody else may ask for them
 * at the same time.
 */
enum bind_action {
	BIND_CGROUP = 0,
	BIND_KEEP = 1,		/* do not use the recording again, at most `waits` of them */
	BIND_RELEASE = 2,	/* use it again if its container has ended */
	BIND_CLAIM = 3,		/* if its container has ended, keep it, to remove it */
	BIND_DISCARD = 4,	/* let a claimed recording, whose memory was cleared, be used again */
	BIND_ERASE = 5,		/* erase the exec at the position `cgroup` of the ring `waits` of the exec log, if it is one of
				 * the identity `init` with the generation `owner` */
};

/* The answer to all of them but BIND_CGROUP. Earlier builds of this layout answer with the number of a counter. */
enum bind_answer {
	BIND_DONE = 1000,
	BIND_GONE = 1001,	/* the recording is another container's, or was removed */
	BIND_LIMIT = 1002,	/* too many are kept */
	BIND_RUNS = 1003,	/* its container has not ended */
	BIND_BUSY = 1004,	/* it is being taken or released: try again */
};

/* The argument of the program bind. */
struct bind_request {
	u64 cgroup;
	u64 parent;	/* a known cgroup above it; 0 otherwise */
	u64 created;	/* when its init was started; 0: now */
	u32 init;	/* 1 + the caller's descriptor of the /proc/PID directory of its init; 0: not known */
	u16 waits;	/* 1: the init has not executed the container's program */
	u16 removed;	/* 1: forget the cgroup */
	u32 owner;	/* user of its directory. If that is not root, the request is refused */
	u32 action;	/* enum bind_action */
	struct pending_key pending;	/* the entry to bind */
	char path[256];	/* the beginning of its path, for a refusal */
};

#endif
