/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Recordings that people keep, release and remove. A kept slot has neither `ended` nor `began`, as one that is being
 * taken, so no new container takes it, and its own does not release it.
 */
#ifndef KEEP_H
#define KEEP_H

#include "lifecycle.h"
#include "ring.h"

static __always_inline bool slot_kept(struct slot *slot)
{
	return *(volatile u32 *)&slot->pod & SLOT_KEPT;
}

static long count_kept(void *map, u32 *index, struct slot *slot, u32 *kept)
{
	*kept += slot_kept(slot);
	return 0;
}

/* is_of reports whether a recording has a generation, and was not removed. */
static __always_inline bool is_of(struct recording *recording, u32 generation)
{
	return *(volatile u32 *)&recording->lanes[0].generation == generation && generation &&
	       *(volatile u32 *)&recording->lanes[0].identity != IDENTITY_NONE;
}

/*
 * ended_of returns when the container of a recording ended, 0 if it has not. If its identity is another's, it has, but
 * nobody knows when.
 */
static __always_inline u64 ended_of(struct recording *recording)
{
	u32 number = recording->lanes[0].identity;
	struct identity *identity = bpf_map_lookup_elem(&identities, &number);
	u64 ended;

	if (!identity)
		return boot_time();
	ended = __sync_fetch_and_add(&identity->ended, 0);
	return identity->generation == recording->lanes[0].identity_generation ? ended : boot_time();
}

/* offer lets a claimed slot be used again, as that of a running container or of one that ended. */
static __always_inline void offer(struct slot *slot, struct recording *recording)
{
	u64 ended = ended_of(recording), began = boot_time();

	if (ended) {
		__sync_lock_test_and_set(&slot->ended, ended);
		return;
	}
	__sync_lock_test_and_set(&slot->began, began);
	ended = ended_of(recording); /* if it ends after this, it finds `began` */
	if (ended && __sync_val_compare_and_swap(&slot->began, began, 0) == began)
		__sync_lock_test_and_set(&slot->ended, ended);
}

/*
 * claim takes the slot of a recording, so that no other container gets it. If only one that ended is wanted and it
 * runs, claim leaves it alone. Another container may take the slot before, and has another generation then.
 */
static __always_inline u32 claim(struct slot *slot, struct recording *recording, u32 generation, bool ended_only)
{
	u64 ended = *(volatile u64 *)&slot->ended, began = *(volatile u64 *)&slot->began;

	if (!is_of(recording, generation))
		return BIND_GONE;
	if (ended == SLOT_UNUSED || (!ended && !began))
		return BIND_BUSY;
	if (!ended && ended_only)
		return BIND_RUNS;
	if (ended ? __sync_val_compare_and_swap(&slot->ended, ended, 0) != ended :
		    __sync_val_compare_and_swap(&slot->began, began, 0) != began)
		return BIND_BUSY;
	if (!is_of(recording, generation)) {
		offer(slot, recording);
		return BIND_GONE;
	}
	hold(slot->pod, -1);
	hold(slot->namespace, -1);
	__sync_fetch_and_or(&slot->pod, SLOT_KEPT);
	return BIND_DONE;
}

/* unkeep takes back what claim did. */
static __always_inline void unkeep(struct slot *slot, struct recording *recording)
{
	__sync_fetch_and_and(&slot->pod, ~SLOT_KEPT);
	hold(slot->pod, 1);
	hold(slot->namespace, 1);
	offer(slot, recording);
}

/*
 * discard gives a recording whose memory was cleared a generation of which nothing is known, so that nobody takes it
 * for that of its container.
 */
static __always_inline void discard(struct slot *slot, struct recording *recording)
{
	u32 generation = recording->lanes[0].generation + 1;

	for (u32 i = 0; i < LANES; i++) {
		struct ring *lane = &recording->lanes[i];

		lane->identity = IDENTITY_NONE;
		lane->identity_generation = 0;
		lane->generation = generation;
		lane->base = lane->head;
		lane->written = lane->lost = 0;
	}
	__sync_fetch_and_and(&slot->pod, ~SLOT_KEPT);
	__sync_lock_test_and_set(&slot->ended, SLOT_UNUSED);
}

/* keep is BIND_KEEP for a slot that is not kept. It takes one before it counts, so there are never more than `most`. */
static __always_inline u32 keep(struct slot *slot, struct recording *recording, u32 generation, u32 most)
{
	u32 kept = 0, result = claim(slot, recording, generation, false);

	if (result != BIND_DONE)
		return result;
	bpf_for_each_map_elem(&slots, count_kept, &kept, 0);
	if (kept <= most)
		return BIND_DONE;
	unkeep(slot, recording);
	return BIND_LIMIT;
}

/*
 * erase_exec erases the strings of an exec. It writes to the place of the record, so it announces itself as the writer
 * of that would: if the ring comes around meanwhile, readers know which bytes are not to be trusted.
 */
static __noinline u32 erase_exec(u64 position, u32 number, u32 identity, u32 generation)
{
	u32 index = number ? number - 1 + segments : 0, cpu = bpf_get_smp_processor_id();
	u64 size = number ? segment_size : (u64)segment_size * segments, head, length;
	struct segment *segment = bpf_map_lookup_elem(&exec_log, &index);
	struct writer *writer;
	struct exec *record;
	struct ring *log;

	if (!segment)
		return BIND_GONE;
	log = &segment->ring;
	writer = ring_announce(log, WRITER_EXEC_LOG + number, cpu);
	if (!writer)
		return BIND_BUSY;
	*(volatile u64 *)&writer->position = position | WRITER_EXACT;
	head = __sync_fetch_and_add(&log->head, 0); /* orders what follows, as a reservation does */
	if (!number) {
		index = (position >> segment_shift) & (segments - 1);
		segment = bpf_map_lookup_elem(&exec_log, &index);
	}
	if (!segment || head - position > size) {
		*(volatile u32 *)&writer->ring = 0;
		return BIND_GONE;
	}
	record = (struct exec *)(segment->data + (position & (segment_size - 8)));
	length = record->entry.length;
	if (record->entry.commit != (position ^ secret) || record->identity != identity ||
	    record->generation != generation || length < sizeof(struct exec)) {
		*(volatile u32 *)&writer->ring = 0;
		return BIND_GONE;
	}
	record->entry.flags |= EXEC_ERASED;
	__builtin_memset(record->comm, 0, sizeof(record->comm));
	__builtin_memset(record->parent_comm, 0, sizeof(record->parent_comm));
	length -= sizeof(struct exec);
	opaque(length);
	if (length && length <= EXEC_PATH_LIMIT + argv_size)
		bpf_probe_read_kernel((u8 *)(record + 1), length, NULL); /* it fails, and zeroes its buffer */
	ring_commit(log, writer, &record->entry, position, length + sizeof(struct exec), size, 0);
	return BIND_DONE;
}

/* keeping does what is asked for a recording: see enum bind_action. */
static __noinline u32 keeping(u32 action, u32 index, u32 generation, u32 most)
{
	struct recording *recording = bpf_map_lookup_elem(&rings, &index);
	struct slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (!slot || !recording || !is_of(recording, generation))
		return BIND_GONE;
	if (!slot_kept(slot)) {
		if (action == BIND_KEEP)
			return keep(slot, recording, generation, most);
		if (action == BIND_CLAIM)
			return claim(slot, recording, generation, true);
	} else if (action == BIND_RELEASE) {
		unkeep(slot, recording);
	} else if (action == BIND_CLAIM) {
		return ended_of(recording) ? BIND_DONE : BIND_RUNS;
	} else if (action == BIND_DISCARD) {
		discard(slot, recording);
	}
	return BIND_DONE;
}

#endif
