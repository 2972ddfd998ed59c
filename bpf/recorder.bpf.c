// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* All programs in one object, because they share their maps. Each file has one family of programs. */
#include "lifecycle.c"
#include "calls.c"
#include "execs.c"
#include "tasks.c"
#include "signals.c"
#include "clock.c"

char _license[] SEC("license") = "Dual BSD/GPL";
