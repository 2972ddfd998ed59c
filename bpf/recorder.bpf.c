// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All programs, in one object because they share their maps. lifecycle.h hooks cgroups, calls.h system calls, execs.h
 * execs and exits. hooks.h has the attached programs that run them.
 */
#include "lifecycle.h"
#include "calls.h"
#include "execs.h"
#include "hooks.h"

char _license[] SEC("license") = "Dual BSD/GPL";
