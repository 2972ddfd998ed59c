/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ring: many CPUs write it. No writer waits, and no reader is woken.
 *
 *	announce	writers[cpu] = (ring, a lower bound of the position)
 *	reserve		position = fetch_add(head, length)	orders all that follows
 *	write		the body, over the bytes of the last lap
 *	commit		xchg(record's commit word)		orders all that came before
 *	check		if a whole lap was written meanwhile, publish the overwritten range
 *	retire		writers[cpu] = idle
 *
 * If a reader copies a range, and afterwards finds no announced writer and no torn range that overlap it, and a head
 * less than a lap ahead, its records are valid.
 */
#ifndef RING_H
#define RING_H

#include "maps.h"

enum { RING_FULL = 1 }; /* no position: these are multiples of 8 */

/* ring_announce claims this CPU's element of writers. It returns NULL if a record is already being written here. */
static __always_inline struct writer *ring_announce(struct ring *ring, u32 index, u32 cpu)
{
	struct writer *writer = bpf_map_lookup_elem(&writers, &cpu);

	if (!writer || writer->ring)
		return NULL;
	*(volatile u64 *)&writer->position = *(volatile u64 *)&ring->head;
	*(volatile u32 *)&writer->ring = index;
	return writer;
}

static __always_inline u64 ring_reserve(struct ring *ring, struct writer *writer, u64 length)
{
	u64 position = __sync_fetch_and_add(&ring->head, length);

	*(volatile u64 *)&writer->position = position | WRITER_EXACT;
	return position;
}

/*
 * ring_reserve_once is ring_reserve for a ring that is written once: it returns RING_FULL if less than `length` bytes
 * of this recording's `size` are left, or if too many CPUs reserve at once.
 */
__noinline u64 ring_reserve_once(struct ring *ring, struct writer *writer, u64 length, u64 size)
{
	if (!ring || !writer)
		return RING_FULL;
	for (u32 i = 0; i < 8; i++) {
		u64 position = *(volatile u64 *)&ring->head;

		if (position - ring->base + length > size)
			return RING_FULL;
		if (__sync_val_compare_and_swap(&ring->head, position, position + length) == position) {
			*(volatile u64 *)&writer->position = position | WRITER_EXACT;
			return position;
		}
	}
	return RING_FULL;
}

/* ring_torn publishes the range that a writer may have overwritten after it was overtaken. */
static __noinline int ring_torn(struct ring *ring, u64 position, u64 length, u64 head)
{
	u64 sequence;
	struct torn *torn;

	if (!ring)
		return 0;
	sequence = __sync_fetch_and_add(&ring->torn_count, 1);
	torn = &ring->torn[sequence & (TORN_MAX - 1)];
	__sync_lock_test_and_set(&torn->sequence, 0);
	torn->position = position;
	torn->length = length;
	torn->head = head;
	__sync_lock_test_and_set(&torn->sequence, sequence + 1);
	count(COUNT_TORN);
	return 0;
}

/* ring_commit makes the record at position visible and releases this CPU's element of writers. */
static __always_inline void ring_commit(struct ring *ring, struct writer *writer, struct entry *entry, u64 position,
					u64 length, u64 size, u32 generation)
{
	u64 head;

	__sync_lock_test_and_set(&entry->commit, (position ^ secret) + generation * (u64)COMMIT_STEP);
	head = *(volatile u64 *)&ring->head;
	if (head - position > size)
		ring_torn(ring, position, length, head);
	*(volatile u32 *)&writer->ring = 0;
}

#endif
