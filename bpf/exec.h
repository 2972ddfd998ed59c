/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of an exec: write_exec writes it into the exec log, exec_failed collects those that fail. */
#ifndef EXEC_H
#define EXEC_H

#include "captures.h"
#include "init.h"
#include "lifecycle.h"
#include "ring.h"

enum { STRINGS_LIMIT = 512 }; /* bytes of the arguments of an exec in its record: the exec log has more */

struct exec_event {
	u64 cgroup;
	u64 binding;
	u64 argv;	/* address of the arguments in user memory; 0: they are in scratch */
	u32 argv_length;
	u32 path_length;	/* of the path in scratch */
	u32 argc;
	s32 result;
	u32 flags;
};

/* share_of returns the share of the exec log that a container's pod has. */
static __always_inline struct exec_share *share_of(struct identity *identity)
{
	u32 pod = identity->who.pod_hash & (HOLDERS - 1);

	return bpf_map_lookup_elem(&exec_shares, &pod);
}

/* within_share takes `bytes` of a share, if that much is left. */
static __always_inline bool within_share(struct exec_share *share, u64 bytes, bool failed)
{
	u64 now = boot_time(), *next = failed ? &share->due[1] : &share->due[0], due = *(volatile u64 *)next, at;

	at = (due < now ? now : due) + (bytes * exec_cost << failed);
	if (at - now > EXEC_SHARE_SECONDS * 1000000000ULL)
		return false;
	return __sync_val_compare_and_swap(next, due, at) == due; /* otherwise, another CPU takes of it */
}

/* beyond is the ring of the exec log that was not used for the longest time. */
struct beyond {
	u32 index;
	u32 used;
};

static long compare_ring(void *map, u32 *index, struct segment *segment, struct beyond *best)
{
	u32 used = segment->ring.used;

	if (*index >= segments && (!best->index || used < best->used)) {
		best->index = *index;
		best->used = used;
	}
	return 0;
}

/* ring_beyond returns the element of exec_log for the execs of a pod that are beyond its share. */
static __always_inline u32 ring_beyond(struct exec_share *share, bool failed)
{
	u16 *own = failed ? &share->rings[1] : &share->rings[0];
	u32 now = boot_time() / 1000000000, index;
	struct segment *segment;
	struct beyond best;

	if (!*own) {
		forget(best);
		bpf_for_each_map_elem(&exec_log, compare_ring, &best, 0);
		*own = best.index;
	}
	index = *own;
	segment = bpf_map_lookup_elem(&exec_log, &index);
	if (segment)
		segment->ring.used = now;
	return index;
}

__noinline int write_exec(struct exec_event *event, struct scratch *s)
{
	struct task_struct *task = bpf_get_current_task_btf(), *parent = BPF_CORE_READ(task, real_parent);
	u32 uid = BPF_CORE_READ(task, cred, uid.val), cpu = bpf_get_smp_processor_id();
	u32 zero = 0, index, flags, own = 0, number = 0;
	u64 position, length, argv, path, sequence, size = (u64)segment_size * segments;
	struct segment *first, *segment;
	struct ring *log, *numbers;
	struct exec_share *share;
	struct identity *identity;
	struct writer *writer;
	struct exec *record;
	long failed = 0;

	if (!event || !s)
		return 0;
	first = bpf_map_lookup_elem(&exec_log, &zero);
	identity = identity_of(event->binding);
	share = identity ? share_of(identity) : NULL;
	if (!first || !identity || !share)
		return 0;
	numbers = &first->ring;
	flags = event->flags;
	argv = event->argv_length;
	path = event->path_length;
	if (numbers_only(identity->who.flags)) {
		if (!(identity->who.flags & WHO_RECORD))
			return 0;
		argv = path = 0;
		flags |= EXEC_TRUNCATED;
	}
	opaque(argv);
	opaque(path);
	if (argv > argv_size) {
		argv = argv_size;
		flags |= EXEC_TRUNCATED;
	}
	if (path > EXEC_PATH_LIMIT)
		path = EXEC_PATH_LIMIT;
	length = (sizeof(struct exec) + path + argv + 7) & ~7ULL;
	if (!within_share(share, length, event->result < 0)) {
		__sync_fetch_and_add(&identity->execs_beyond, 1);
		own = ring_beyond(share, event->result < 0);
		number = 1 + own - segments;
		size = segment_size;
		first = bpf_map_lookup_elem(&exec_log, &own);
		if (!first)
			return 0;
	}
	log = &first->ring;
	writer = ring_announce(log, WRITER_EXEC_LOG + number, cpu);
	if (!writer) {
		__sync_fetch_and_add(&numbers->lost, 1);
		count(COUNT_BUSY);
		return 0;
	}
	position = ring_reserve(log, writer, length);
	sequence = __sync_fetch_and_add(&numbers->written, 1);

	index = own ? own : (position >> segment_shift) & (segments - 1);
	segment = bpf_map_lookup_elem(&exec_log, &index);
	if (!segment) { /* never, but the verifier does not know */
		writer->ring = 0;
		return 0;
	}
	record = (struct exec *)(segment->data + (position & (segment_size - 8)));
	record->entry.time = boot_time();
	record->entry.length = length;
	record->entry.cpu = cpu;
	record->entry.number = 0;
	record->sequence = sequence;
	record->cgroup = event->cgroup;
	record->identity = (u32)event->binding - 1;
	record->generation = identity->generation;
	record->pid = task->tgid;
	record->tid = task->pid;
	record->ppid = BPF_CORE_READ(parent, tgid);
	record->uid = uid;
	record->result = event->result;
	record->argc = event->argc;
	record->argv_length = argv;
	record->path_length = path;
	*(u64 *)&record->comm[0] = *(u64 *)&task->comm[0];
	*(u64 *)&record->comm[8] = *(u64 *)&task->comm[8];
	BPF_CORE_READ_INTO(&record->parent_comm, parent, comm);
	if (path)
		bpf_probe_read_kernel((u8 *)(record + 1), path, s->path);
	if (argv) {
		if (event->argv)
			failed = bpf_probe_read_user((u8 *)(record + 1) + path, argv, (void *)event->argv);
		else
			failed = bpf_probe_read_kernel((u8 *)(record + 1) + path, argv, s->argv);
	}
	if (failed)
		flags |= EXEC_FAULT;
	record->entry.flags = flags;
	ring_commit(log, writer, &record->entry, position, length, size, 0);
	return 0;
}

/* out_kernel adds strings that were collected in a buffer. */
static __always_inline void out_kernel(struct outgoing *out, const void *from, u64 length, u32 tag_flags)
{
	u8 *place = out_place(out);

	if (!place)
		return;
	if (length > STRINGS_LIMIT) {
		length = STRINGS_LIMIT;
		tag_flags |= CAPTURE_TRUNCATED << FLAGS_SHIFT;
	}
	opaque(length);
	if (length > STRINGS_LIMIT || bpf_probe_read_kernel(place + sizeof(struct capture_header), length, from))
		return;
	out_add(out, place, length, tag_flags);
}

/* strings_arg returns which argument of an exec has its arguments; its environment is the next one. */
static __always_inline u32 strings_arg(struct in_flight *call)
{
	return call->exec == 2 ? 2 : 1; /* the first argument of execveat is a directory */
}

/* out_count adds how many strings an argument points to. */
static __always_inline void out_count(struct outgoing *out, u32 arg, u32 count, u32 flags)
{
	struct strings *strings;
	u8 *place = out_place(out);

	if (!place)
		return;
	strings = (struct strings *)(place + sizeof(struct capture_header));
	strings->count = count;
	strings->flags = 0;
	out_add(out, place, sizeof(*strings), arg | PART_STRINGS << CAPTURE_PART_SHIFT | flags << FLAGS_SHIFT);
}

/* executed_arguments adds the arguments of an exec that succeeded, as the kernel has copied them. */
__noinline int executed_arguments(struct in_flight *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *s = cpu_scratch();
	u64 from;

	if (!call || !s)
		return 0;
	from = BPF_CORE_READ(task, mm, arg_start);
	if (!out_bytes(&s->out, from, BPF_CORE_READ(task, mm, arg_end) - from, STRINGS_LIMIT,
		       strings_arg(call) | (CAPTURE_KERNEL | CAPTURE_OUTPUT) << FLAGS_SHIFT))
		call->due |= CAPTURED_AT_EXIT;
	return 0;
}

/* out_environment adds how many variables an environment has, as far as it looks and can read it. */
__noinline int out_environment(struct outgoing *out, u64 envp, u32 arg, u32 size)
{
	u32 i, flags = CAPTURE_LATE;
	u64 pointer;

	if (!out)
		return 0;
	for (i = 0; i < ARGS_LIMIT && envp; i++) {
		pointer = 0;
		if (bpf_probe_read_user(&pointer, size > 4 ? 8 : 4, (void *)(envp + i * size))) {
			flags |= CAPTURE_FAULT;
			break;
		}
		if (!pointer)
			break;
	}
	out_count(out, arg, i, flags);
	return 0;
}

/* next_argument appends the string at a pointer in user memory to the arguments. It returns 1 after the last one. */
__noinline int next_argument(struct exec_event *event, u64 at, u32 size)
{
	struct scratch *s = cpu_scratch();
	u64 pointer = 0, length;
	long n;

	if (!event || !s)
		return 1;
	if (bpf_probe_read_user(&pointer, size > 4 ? 8 : 4, (void *)at)) {
		event->flags |= EXEC_FAULT;
		return 1;
	}
	if (!pointer)
		return 1;
	length = event->argv_length;
	opaque(length);
	if (length >= argv_size || length >= ARGV_LIMIT) {
		event->flags |= EXEC_TRUNCATED;
		return 1;
	}
	s->argv[length] = '\0';
	n = bpf_probe_read_user_str(&s->argv[length], argv_size, (void *)pointer);
	if (n < 0) {
		event->flags |= EXEC_FAULT;
		return 1;
	}
	n = string_size(n);
	if (n == argv_size)
		event->flags |= EXEC_TRUNCATED;
	event->argv_length += n;
	event->argc++;
	return 0;
}

/* exec_failed logs an exec that returned. The memory is still the caller's, so the strings are read from there. */
__noinline int exec_failed(struct in_flight *call, s64 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct exec_event event = {.result = result};
	struct scratch *s = cpu_scratch();
	struct identity *identity;
	u32 i, first, size, flags = CAPTURE_LATE;
	bool withheld;
	u64 path, argv;
	long n;

	if (!call || !s)
		return 0;
	withheld = numbers_only(call->policy);
	event.cgroup = call->cgroup;
	event.binding = (u64)call->ring << 32 | call->identity;
	identity = identity_of(event.binding);
	if (identity && runtime_exec(task, call, identity))
		event.flags |= EXEC_RUNTIME;
	first = strings_arg(call);
	path = call->args[first - 1];
	argv = withheld ? 0 : call->args[first];
	size = number_abi(call) == NUMBER_NATIVE ? 8 : 4;
	for (i = 0; i < ARGS_LIMIT && argv; i++) {
		if (next_argument(&event, argv + i * size, size))
			break;
	}
	if (i == ARGS_LIMIT)
		event.flags |= EXEC_TRUNCATED;
	if (event.flags & EXEC_FAULT)
		flags |= CAPTURE_FAULT;
	if (!withheld) {
		n = bpf_probe_read_user_str(s->path, EXEC_PATH_LIMIT, (void *)path);
		if (n < 0)
			event.flags |= EXEC_FAULT;
		else
			event.path_length = string_size(n) - 1;
	}
	write_exec(&event, s);
	if (!call->ring)
		return 0;
	if (!withheld) {
		out_kernel(&s->out, s->argv, event.argv_length, first | flags << FLAGS_SHIFT);
		out_count(&s->out, first, event.argc, flags);
	}
	out_environment(&s->out, call->args[first + 1], first + 1, size);
	call->due |= CAPTURED_AT_EXIT;
	return 0;
}

#endif
