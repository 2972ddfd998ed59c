/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A system call in the storage of its task: describe_call stages it at its enter, in the form of its record. */
#ifndef CALL_H
#define CALL_H

#include "captures.h"

enum { NO_CALL = ~0U }; /* in place of the number of a call */

static __always_inline void load_args(u64 *args, struct pt_regs *regs, bool compat)
{
#if defined(__TARGET_ARCH_x86)
	if (compat) {
		args[0] = (u32)regs->bx;
		args[1] = (u32)regs->cx;
		args[2] = (u32)regs->dx;
		args[3] = (u32)regs->si;
		args[4] = (u32)regs->di;
		args[5] = (u32)regs->bp;
		return;
	}
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
#else
	args[0] = regs->orig_x0;
	args[1] = regs->regs[1];
	args[2] = regs->regs[2];
	args[3] = regs->regs[3];
	args[4] = regs->regs[4];
	args[5] = regs->regs[5];
#endif
}

/* number_of returns the number of a call, of which the kernel looks at 32 bits only. */
static __always_inline s32 number_of(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

/* put_arg appends an argument, in 4 bytes if it is a sign-extended 32-bit value. It has no branches, because six of
 * these would make 64 paths for the verifier. */
static __always_inline u32 put_arg(struct in_flight *call, u32 at, u32 i, u32 *wide_args)
{
	s64 value = call->args[i];
	u32 wide = nonzero((value >> 31) ^ (value >> 63));

	*(u64 *)(call->body + at) = value;
	*wide_args |= wide << i;
	return at + 4 + wide * 4;
}

/* is_kept reports whether the policy of the container lets a call be recorded. */
static __always_inline bool is_kept(struct in_flight *call)
{
	return !(call->policy & WHO_FILES_ONLY) || call->policy & WHO_NO_CONTENTS || call->traits & TRAIT_PATH;
}

/* traits_of returns the traits of a call, of which it may not be TRAIT_HOT. It has no branches, as put_arg. */
static __always_inline u8 traits_of(struct in_flight *call, struct syscall *description)
{
	u64 excluded = nonzero(call->args[description->hot_arg & 7] & description->hot_mask);

	return description->traits & ~(TRAIT_HOT * excluded);
}

/* describe_call stores a call in the storage of its task. */
static __always_inline void describe_call(struct in_flight *call, struct task_struct *task, struct pt_regs *regs,
	u64 number)
{
	bool compat = task_is_compat(task);
	u32 at = 0, args = ARGS_MAX, wide = 0, abi = NUMBER_NATIVE, index;
	struct syscall *description;

	number = (u32)number;
	index = number;
#if defined(__TARGET_ARCH_x86)
	if (number & 0x40000000 && !compat && number != (u32)-1) {
		abi = NUMBER_X32;
		number &= ~0x40000000;
		index = number;
		if (number >= X32_FIRST)
			index = number < X32_FIRST + X32_MAX ? SYSCALLS_X32 + number - X32_FIRST : SYSCALLS_NONE;
	} else
#endif
	if (compat) {
		abi = NUMBER_COMPAT;
		index = number < SYSCALLS_MAX ? SYSCALLS_MAX + number : SYSCALLS_NONE;
	} else if (number >= SYSCALLS_MAX) {
		index = SYSCALLS_NONE;
	}
	load_args(call->args, regs, compat);
	call->due = 0;
	call->exec = 0;
	call->traits = 0;
	call->syscall = index;
	description = bpf_map_lookup_elem(&syscalls, &index);
	if (description) {
		args = description->args;
		call->exec = description->exec;
		call->traits = traits_of(call, description);
	}
	if (args > 0) {
		at = put_arg(call, at, 0, &wide);
		if (args > 1)
			at = put_arg(call, at, 1, &wide);
		if (args > 2)
			at = put_arg(call, at, 2, &wide);
		if (args > 3)
			at = put_arg(call, at, 3, &wide);
		if (args > 4)
			at = put_arg(call, at, 4, &wide);
		if (args > 5)
			at = put_arg(call, at, 5, &wide);
	}
	call->number = (number < NUMBER_OTHER ? number : NUMBER_OTHER) | args << NUMBER_ARGS_SHIFT | abi << NUMBER_ABI_SHIFT;
	call->flags = wide;
	call->captures = call->body_length = at;
	if (number >= NUMBER_OTHER)
		body_word(call, number, 0, 0);
	else if (description && description->rows[0].kind && is_kept(call))
		capture_input(call, description);
}

/* begin_event makes an event of a task look like a call with `args` arguments, which the caller has set. */
static __always_inline void begin_event(struct in_flight *call, u32 number, u32 args)
{
	call->active = 1;
	call->due = 0;
	call->exec = 0;
	call->traits = 0;
	call->flags = 0;
	call->syscall = NO_SYSCALL;
	call->number = number | args << NUMBER_ARGS_SHIFT;
	call->captures = call->body_length = 0;
	call->time = boot_time();
}

#endif
