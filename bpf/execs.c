// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The exec log: every exec of every container. A failed one is logged when its call returns, in calls.c. The first exec
 * of a container also shows which process is its init. */
#include "exec.h"

static __always_inline void exec_succeeded(struct task_struct *task, struct linux_binprm *bprm)
{
	struct exec_event event = {.cgroup = cgroup_of(task)};
	u64 *binding = bpf_map_lookup_elem(&containers, &event.cgroup);
	struct identity *identity;
	struct scratch *s;
	long n;

	if (!binding)
		return;
	event.binding = *binding;
	identity = identity_of(event.binding);
	s = cpu_scratch();
	if (!identity || !s)
		return;
	if (runtime_exec(task, identity)) {
		event.flags |= EXEC_RUNTIME;
	} else if (!identity->init) {
		identity->init = task->tgid;
		identity->started = boot_time();
		identity->state = STATE_RUNNING;
	}
	/* bprm_change_interp() replaces the pointer for scripts and for binfmt_misc. */
	if (bprm->interp != bprm->filename)
		event.flags |= EXEC_INTERPRETED;
	n = bpf_probe_read_kernel_str(s->path, EXEC_PATH_LIMIT, bprm->filename);
	event.path_length = n > 0 ? n - 1 : 0;
	event.argc = bprm->argc;
	event.argv = task->mm->arg_start;
	event.argv_length = task->mm->arg_end - event.argv;
	write_exec(&event, s);
}

SEC("tp_btf/sched_process_exec")
int on_exec(u64 *ctx)
{
	hold_cpu();
	exec_succeeded((struct task_struct *)ctx[0], (struct linux_binprm *)ctx[2]);
	release_cpu();
	return 0;
}
