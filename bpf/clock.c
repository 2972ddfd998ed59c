// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The clock of all records is CLOCK_BOOTTIME: CLOCK_MONOTONIC, and the time for which the machine was suspended. */
#include "hook.h"

/* set_clock measures `suspended`. It ignores small differences: they come from reading one clock after the other. */
static __noinline int set_clock(void)
{
	enum { ATTEMPTS = 4, NEAR = 10000, SAME = 1000000 }; /* ns */
	u64 before, boot, after, ahead;

	for (u32 i = 0; i < ATTEMPTS; i++) {
		before = bpf_ktime_get_ns();
		boot = bpf_ktime_get_boot_ns();
		after = bpf_ktime_get_ns();
		if (after - before > NEAR)
			continue; /* an interrupt came between */
		ahead = boot - before - (after - before) / 2;
		if (ahead - suspended + SAME > 2 * SAME)
			suspended = ahead;
		break;
	}
	return 0;
}

/* Events of a suspend come until its length is known, and before any task of a user runs again. */
HOOK(suspend_resume, "suspend_resume", set_clock())
