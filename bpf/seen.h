/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is new: the signature of a call, and the table of those that a recording has kept.
 *
 * Nobody waits for anybody. A CPU claims an entry by a compare-and-swap of its signature, and publishes the signature
 * after the position. A position is believed only if the lane still holds its record. So a race can make a record
 * appear twice, but never hide a call that is new. pkg/ring tests a model of this protocol.
 */
#ifndef SEEN_H
#define SEEN_H

#include "in_flight.h"

enum { HASHED_MAX = 3 }; /* captures of one call that belong to its signature */
#define POSITION_MASK ((1ULL << SEEN_FILE_SHIFT) - 1)
enum { CAPTURE_WORDS = (CAPTURE_LIMIT + 7) / 8 };

/*
 * Hashes are NH, as in UMAC (RFC 4418): the keys make the hashes of two different inputs equal with a chance of 2^-32,
 * whatever the inputs are. So nobody who does not know the keys can make two calls collide.
 */
static __always_inline u64 hash_pair(u64 word, u64 key)
{
	return (u64)((u32)word + (u32)key) * (u32)((u32)(word >> 32) + (u32)(key >> 32));
}

static __always_inline u64 hash_word(u64 word, u32 key)
{
	return hash_pair(word, keys[key & (KEYS - 1)]);
}

/* hash_words hashes `left` bytes at `words`, at most 8 * `count`. */
static __always_inline u64 hash_words(const u64 *words, u32 left, const volatile u64 *k, u32 count)
{
	u64 hash = 0, rest = left;
	u32 n;

	for (n = 0; n < count && rest >= 8; n++, rest -= 8)
		hash += hash_pair(words[n], k[n]);
	if (n < count && rest)
		hash += hash_pair(words[n] << (64 - rest * 8) >> (64 - rest * 8), k[n]);
	return hash;
}

/*
 * hash_input hashes `left` bytes at an offset in the body of a call, hash_output in what was read at its exit, with
 * the keys from `key` on. Offsets are checked once, because the verifier traces each check back to where its value
 * came from.
 */
__noinline u64 hash_input(struct in_flight *call, u32 from, u32 left, u32 key)
{
	if (!call || left > INPUT_LIMIT || from > BODY_SIZE - INPUT_LIMIT || key > KEYS - CAPTURE_WORDS)
		return 0;
	return hash_words((u64 *)(call->body + from), left, keys + key, INPUT_LIMIT / 8);
}

__noinline u64 hash_output(struct outgoing *out, u32 from, u32 left, u32 key)
{
	if (!out || left > CAPTURE_LIMIT || from > OUTGOING_LIMIT + sizeof(struct capture_header) ||
	    key > KEYS - CAPTURE_WORDS)
		return 0;
	return hash_words((u64 *)(out->bytes + from), left, keys + key, CAPTURE_WORDS);
}

/* late_signature returns the hash of input that was read at the exit of a call, and of the arguments of an exec. */
__noinline u64 late_signature(u32 contents)
{
	struct scratch *s = cpu_scratch();
	struct capture_header *header;
	u64 at = 0, hash = 0;

	if (!s)
		return 0;
	for (u32 i = 0; i < HASHED_MAX; i++) {
		opaque(at);
		if (at >= s->out.length || at > OUTGOING_LIMIT)
			break;
		header = (struct capture_header *)(s->out.bytes + at);
		at += sizeof(*header);
		if (header->flags & (CAPTURE_LATE | CAPTURE_KERNEL) && contents & 1 << (header->tag & CAPTURE_ARG_MASK)) {
			hash += hash_word(header->length | (u64)header->tag << 32, 8 + HASHED_MAX + i);
			hash += hash_output(&s->out, at, header->length, 16 + (HASHED_MAX + i) * CAPTURE_WORDS);
		}
		at += header->length;
	}
	return hash;
}

/* program_signature returns the hash of the name of the current process: that of its first thread. */
static __always_inline u64 program_signature(void)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;

	return hash_word(*(u64 *)&leader->comm[0], 14) + hash_word(*(u64 *)&leader->comm[8], 15);
}

/*
 * signature returns the hash of what a call was, neither 0 nor SEEN_BUSY. `salt` tells lanes and recordings apart.
 * Captures of the arguments whose bits are set in `less` do not count.
 */
__noinline u64 signature(struct in_flight *call, s64 result, u64 salt, u32 less)
{
	u32 index, values = 0, contents = 0;
	struct capture_header *header;
	struct syscall *description;
	u64 word, at, hash;
	s32 error = 0;

	if (!call)
		return 1;
	if (result < 0 || call->flags & CALL_UNFINISHED)
		error = result; /* of the end of a task, its status */
	else if (call->traits & TRAIT_SOCKET_ERROR && (u32)call->args[1] == SOL_SOCKET && (u32)call->args[2] == SO_ERROR)
		bpf_probe_read_user(&error, sizeof(error), (void *)call->args[3]);
	index = call->syscall;
	description = bpf_map_lookup_elem(&syscalls, &index);
	if (index == NO_SYSCALL) {
		values = 1 << SIGNAL_NUMBER | 1 << SIGNAL_CODE | 1 << SIGNAL_ACTION;
	} else if (description) {
		values = description->values;
		contents = description->contents & ~less;
	}
	word = call->number | (u64)(call->flags & (CALL_UNFINISHED | CALL_OOM)) << 16 | (u64)(u32)error << 32;
	hash = hash_word(word, 1);
	if (call->flags & CALL_UNFINISHED || index == NO_SYSCALL)
		hash += program_signature(); /* which one ended, or got the signal */
	for (u32 i = 0; i < ARGS_MAX; i++) {
		word = call->args[i];
		if (!(values & 1 << i))
			word = 0;
		hash += hash_word(word, 2 + i);
	}
	at = call->captures;
	for (u32 i = 0; i < HASHED_MAX; i++) {
		opaque(at);
		if (!contents || at >= call->body_length || at > BODY_SIZE)
			break;
		header = (struct capture_header *)(call->body + at);
		at += sizeof(*header);
		if (contents & 1 << (header->tag & CAPTURE_ARG_MASK)) {
			hash += hash_word(header->length | (u64)header->tag << 32, 8 + i);
			hash += hash_input(call, at, header->length, 16 + i * CAPTURE_WORDS);
		}
		at += header->length;
	}
	if (call->due && contents)
		hash += late_signature(contents);
	hash ^= salt + keys[0];
	return hash > SEEN_BUSY ? hash : SEEN_BUSY + 1;
}

static __always_inline struct seen_set *seen_set(struct recording *recording, u64 signature)
{
	u64 at = (signature ^ signature >> 32) & (seen_sets - 1);

	at *= sizeof(struct seen_set);
	opaque(at);
	if (at > seen_end)
		return NULL;
	return (struct seen_set *)((u8 *)recording->seen + at);
}

/* seen_valid reports whether the lane still has the record of an entry. */
static __always_inline bool seen_valid(struct recording *recording, u64 position)
{
	u32 lane = LANE_RUNTIME;
	struct ring *ring;
	u64 size;

	if (position & SEEN_DISTINCT)
		lane = LANE_DISTINCT;
	if (position & SEEN_FILES)
		lane = LANE_FILES;
	opaque(lane);
	ring = &recording->lanes[lane & (LANE_SLOTS - 1)];
	size = lanes[lane & (LANE_SLOTS - 1)].size;
	position &= POSITION_MASK;
	if (position & SEEN_FIRST)
		ring = &recording->lanes[LANE_FIRST];
	else if (*(volatile u64 *)&ring->head - position > size)
		return false;
	return position >= ring->base;
}

/* seen_way returns which entry of a set has a signature, or SEEN_WAYS if none has. */
__noinline u64 seen_way(struct seen_set *set, u64 signature)
{
	if (!set)
		return SEEN_WAYS;
	for (u32 i = 0; i < SEEN_WAYS; i++) {
		if (*(volatile u64 *)&set->signatures[i] == signature)
			return i;
	}
	return SEEN_WAYS;
}

/*
 * seen_again counts a call that came again, and reports whether it is one whose record the lane still has. If the call
 * is one of the first of its program (`early`), a record in the lane files does not count: it may be gone soon. The
 * atomic addition keeps the order of the loads: the position belongs to the signature if that is the same before and
 * after.
 */
__noinline bool seen_again(struct seen_set *set, struct recording *recording, u64 signature, u64 now, bool early)
{
	u64 way = seen_way(set, signature), position;
	struct seen *entry;

	if (!set || !recording || way >= SEEN_WAYS)
		return false;
	entry = &set->entries[way];
	position = *(volatile u64 *)&entry->position;
	if (!seen_valid(recording, position) || (early && position & SEEN_FILES))
		return false;
	if (!__sync_fetch_and_add(&entry->count, 1))
		return false; /* it is being written */
	if (*(volatile u64 *)&set->signatures[way] != signature)
		return false;
	entry->last = now;
	return true;
}

/* seen_file reports whether a call that came again resolved the same file as the one whose record is kept. */
__noinline bool seen_file(struct seen_set *set, u64 signature, u64 file)
{
	u64 way = seen_way(set, signature), position;

	if (!set || way >= SEEN_WAYS)
		return false;
	position = *(volatile u64 *)&set->entries[way].position;
	return position >> SEEN_FILE_SHIFT == file && *(volatile u64 *)&set->signatures[way] == signature;
}

/*
 * seen_put replaces the entry of the same signature, an unused one, or else the one that came last the longest ago. It
 * replaces those of the lane distinct only if there are none of files and runtime, and those of the lane first only if
 * there are no others: these count as later than all times. If another CPU is replacing the chosen entry, this call is
 * not remembered, so its record may appear twice. The choice has no branches, because those of each way would double
 * the paths for the verifier. So would a mask of all bits or none, on new kernels.
 */
__noinline int seen_put(struct seen_set *set, u64 signature, u64 position, u64 now)
{
	u64 oldest = ~0ULL >> 1, way = 0, known, last, older;
	struct seen *entry;

	if (!set)
		return 0;
	for (u64 i = 0; i < SEEN_WAYS; i++) {
		known = *(volatile u64 *)&set->signatures[i];
		last = set->entries[i].last + ((set->entries[i].position & (SEEN_FIRST | SEEN_DISTINCT)) << 60);
		older = nonzero(known) & nonzero(known ^ signature);
		opaque(older);
		last *= older;
		last |= (nonzero(known ^ SEEN_BUSY) - 1) >> 1;
		older = (last - oldest) >> 63;
		opaque(older);
		oldest += (last - oldest) * older;
		way += (i - way) * older;
	}
	way &= SEEN_WAYS - 1;
	known = *(volatile u64 *)&set->signatures[way];
	if (known == SEEN_BUSY || __sync_val_compare_and_swap(&set->signatures[way], known, SEEN_BUSY) != known)
		return 0;
	entry = &set->entries[way];
	*(volatile u64 *)&entry->position = position;
	*(volatile u64 *)&entry->count = known == signature ? entry->count + 1 : 1;
	*(volatile u64 *)&entry->last = now;
	__sync_lock_test_and_set(&set->signatures[way], signature);
	return 0;
}

#endif
