/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Containers: who they are, their labels, and users who were refused to be one. */
#ifndef CONTRACT_IDENTITIES_H
#define CONTRACT_IDENTITIES_H

#include "limits.h"

/* The identity of a container: written at registration, and only copied by the kernel. */
enum who_flags {
	WHO_SANDBOX = 1,		/* a pod's own container ("pause") */
	WHO_RECORD = 2,			/* give it a ring */
	WHO_LABELS_TRUNCATED = 4,	/* labels did not fit LABELS_SIZE */
	WHO_ADOPTED = 8,		/* was running before it was registered */
	WHO_NO_CONTENTS = 16,		/* record nothing of what it reads and writes */
	WHO_FILES_ONLY = 32,		/* record only calls that name a file, and events; with WHO_NO_CONTENTS, record all calls,
					 * but only numbers: no memory, path or argument of an exec. Without WHO_RECORD, no exec */
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

#endif
