// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The exec log: every exec of every container. A failed one is logged when its call returns, in calls.c. The first exec
 * of a container also shows which process is its init. */
#include "call.h"
#include "exec.h"
#include "hook.h"

/*
 * stage_arguments keeps what the kernel knows of an exec: how many arguments and variables it has and, if its path
 * could not be read at enter, the kernel's own copy.
 */
static __always_inline void stage_arguments(struct in_flight *call, struct linux_binprm *bprm, u32 flags)
{
	u32 arg = strings_arg(call), limit = capture_size < INPUT_LIMIT - 1 ? capture_size : INPUT_LIMIT - 1, cut = 0;
	u8 *place, next;
	long n;

	if (call->due & 1) { /* the path is in the first row */
		place = body_place(call, INPUT_LIMIT);
		if (!place)
			return;
		n = bpf_probe_read_kernel_str(place + sizeof(struct capture_header), limit + 1, bprm->filename);
		if (n <= 0)
			return;
		if (n == limit + 1 && (bpf_probe_read_kernel(&next, 1, bprm->filename + limit) || next))
			cut = CAPTURE_TRUNCATED;
		body_add(call, place, n - 1, arg - 1, CAPTURE_KERNEL | cut);
	}
	body_count(call, arg, bprm->argc, flags);
	body_count(call, arg + 1, bprm->envc, 0);
}

static __always_inline void exec_succeeded(struct task_struct *task, struct linux_binprm *bprm)
{
	struct cgroup *cgrp = task->cgroups->dfl_cgrp;
	struct exec_event event = {.cgroup = bpf_get_current_cgroup_id()};
	u64 *binding = binding_at(cgrp);
	struct in_flight *call = call_of(task);
	struct identity *identity;
	struct scratch *s;
	long n;

	if (!binding)
		return;
	event.binding = *binding;
	event.argv = BPF_CORE_READ(task, mm, arg_start);
	event.argv_length = BPF_CORE_READ(task, mm, arg_end) - event.argv;
	/* It may have been moved into the cgroup during the call. */
	if (!call || call->cgroup != event.cgroup) {
		call = follow(task, event.cgroup, event.binding);
		if (call)
			call->forked = FORKED; /* its call began outside, so its return is not recorded either */
	}
	identity = identity_of(event.binding);
	s = cpu_scratch();
	if (!identity || !s)
		return;
	if (call)
		call->opened = 0;
	if (runtime_exec(task, call, identity)) {
		event.flags |= EXEC_RUNTIME;
	} else {
		if (!identity->init && may_be_init(task, identity))
			start_init(task, call, identity);
		if (call) {
			if (call->entered && call->active)
				call->forked = BEGINS;
			call->budget = call->entered = 0;
			call->policy = policy_of(identity, call->policy & WHO_NO_CONTENTS &&
						 in_runtime_namespace(task, identity));
		}
	}
	/* bprm_change_interp() replaces the pointer for scripts and for binfmt_misc. */
	if (bprm->interp != bprm->filename)
		event.flags |= EXEC_INTERPRETED;
	if (!numbers_only(identity->who.flags)) {
		n = bpf_probe_read_kernel_str(s->path, EXEC_PATH_LIMIT, bprm->filename);
		event.path_length = n > 0 ? n - 1 : 0;
	}
	event.argc = bprm->argc;
	if (call && call->active && call->exec)
		stage_arguments(call, bprm, event.flags & EXEC_INTERPRETED);
	write_exec(&event, s);
}

HOOK(exec, "sched_process_exec", exec_succeeded((struct task_struct *)ctx[0], (struct linux_binprm *)ctx[2]))
