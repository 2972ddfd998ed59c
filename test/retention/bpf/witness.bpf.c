// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The witness: what a recording is compared with. It shares no code with the recorder, and keeps no records: it counts
 * every call of the containers, by number and error, and those that name a file or an address also by that. Hashes that
 * are large enough never forget one.
 */
#include "../../../bpf/kernel.h"

char _license[] SEC("license") = "Dual BSD/GPL";

enum {
	NAME_SIZE = 32,		/* of a cgroup's directory */
	TEXT_SIZE = 120,
	TAIL = 1 << 17,		/* calls whose ends are remembered */
	NUMBERS = 512,
	KIND_PATH = 1,		/* the argument is a string */
	KIND_ADDRESS = 2,	/* the argument is a socket address, the next one its length */
	KIND_ENDS = 4,		/* the call does not return */
	KIND_FORKS = 8,		/* the call returns a second time, in the child */
};

struct name {
	char text[NAME_SIZE];
};

/* servers: which containers to watch, by the name of their cgroup's directory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct name);
	__type(value, u32);
} servers SEC(".maps");

/* known: the server of each cgroup that made a call, or 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, u64);
	__type(value, u32);
} known SEC(".maps");

struct kind {
	u8 flags;
	u8 arg;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NUMBERS);
	__type(key, u32);
	__type(value, struct kind);
} kinds SEC(".maps");

struct event {
	u16 server;
	u16 named;	/* 1: the text is what the call names */
	u16 number;
	u16 error;	/* an errno, or 0 */
	char text[TEXT_SIZE];
};

struct times {
	u64 count;
	u64 first;	/* ns of CLOCK_BOOTTIME */
	u64 last;
};

/* events: of calls that name something, what they name; of all calls, with an empty text, how many. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct event);
	__type(value, struct times);
} events SEC(".maps");

struct entered {
	u32 number;
	u32 length;	/* of text; 0: it could not be read */
	u64 from;
	char text[TEXT_SIZE];
};

/* entering: by thread, the call that names something and has not returned. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, u32);
	__type(value, struct entered);
} entering SEC(".maps");

struct tail {
	u64 calls;
	u64 ends[TAIL];	/* ns of CLOCK_BOOTTIME; call n is element n % TAIL */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, struct tail);
} tails SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct event);
} buffer SEC(".maps");

/* server_of returns the server to whose container the task belongs, or 0. */
static __noinline u32 server_of(struct task_struct *task)
{
	struct kernfs_node *node = task->cgroups->dfl_cgrp->kn;
	struct name name = {};
	u64 id = node->id;
	u32 *server, none = 0;

	server = bpf_map_lookup_elem(&known, &id);
	if (server)
		return *server;
	bpf_probe_read_kernel_str(name.text, sizeof(name.text), node->name);
	server = bpf_map_lookup_elem(&servers, &name);
	if (!server)
		server = &none;
	bpf_map_update_elem(&known, &id, server, BPF_ANY);
	return *server;
}

/* is_runtime reports whether the task runs the container runtime: its program is called runc, or is a copy of it. */
static __noinline bool is_runtime(struct task_struct *task)
{
	char name[16] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
	return *(u32 *)name == *(u32 *)"runc" || (*(u64 *)name == *(u64 *)"memfd:ru" && name[8] == 'n');
}

static __always_inline void load_text(struct entered *e, struct kind *kind, u64 length)
{
	long n = -1;

	if (kind->flags & KIND_PATH) {
		n = bpf_probe_read_user_str(e->text, TEXT_SIZE, (void *)e->from);
	} else if (e->from) {
		if (length > TEXT_SIZE)
			length = TEXT_SIZE;
		opaque(length);
		if (length <= TEXT_SIZE && !bpf_probe_read_user(e->text, length, (void *)e->from))
			n = length;
	}
	e->length = n > 0 ? n : 0;
}

static __always_inline u64 argument(struct pt_regs *regs, u32 i)
{
#if defined(__TARGET_ARCH_x86)
	switch (i) {
	case 0: return regs->di;
	case 1: return regs->si;
	case 2: return regs->dx;
	case 3: return regs->r10;
	case 4: return regs->r8;
	default: return regs->r9;
	}
#else
	return i ? regs->regs[i & 7] : regs->orig_x0;
#endif
}

static __always_inline void add(struct event *event, u64 now)
{
	struct times first = {.count = 1, .first = now, .last = now};
	struct times *times = bpf_map_lookup_elem(&events, event);

	if (!times) {
		if (!bpf_map_update_elem(&events, event, &first, BPF_NOEXIST))
			return;
		times = bpf_map_lookup_elem(&events, event);
		if (!times)
			return;
	}
	__sync_fetch_and_add(&times->count, 1);
	times->last = now;
}

static __always_inline struct kind *kind_of(u32 number)
{
	return bpf_map_lookup_elem(&kinds, &number);
}

/* witness counts a call that ended. */
static __always_inline void witness(struct task_struct *task, u32 server, u32 number, s64 result)
{
	u32 zero = 0, thread = task->pid;
	struct event *event = bpf_map_lookup_elem(&buffer, &zero);
	struct kind *kind = kind_of(number);
	struct entered *e = NULL;
	u64 now = bpf_ktime_get_boot_ns(), at;
	struct tail *tail;

	if (!event)
		return;
	if (kind && kind->flags & (KIND_PATH | KIND_ADDRESS))
		e = bpf_map_lookup_elem(&entering, &thread);
	if (is_runtime(task))
		goto out;
	__builtin_memset(event, 0, sizeof(*event));
	event->server = server;
	event->number = number;
	add(event, now);
	if (e && e->number == number) {
		event->named = 1;
		event->error = result < 0 && result > -512 ? -result : 0;
		if (!e->length)
			load_text(e, kind, 0);
		__builtin_memcpy(event->text, e->text, TEXT_SIZE);
		add(event, now);
	} else if (result < 0 && result > -512) {
		event->error = -result;
		add(event, now);
	}
	tail = bpf_map_lookup_elem(&tails, &server);
	if (tail) {
		at = __sync_fetch_and_add(&tail->calls, 1);
		tail->ends[at & (TAIL - 1)] = now;
	}
out:
	if (e)
		bpf_map_delete_elem(&entering, &thread);
}

SEC("tp_btf/sys_enter")
int witness_enter(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u32 server = server_of(task), number = ctx[1], thread = task->pid, arg;
	struct entered e = {.number = number};
	struct kind *kind;

	if (!server)
		return 0;
	kind = kind_of(number);
	if (!kind || !kind->flags)
		return 0;
	if (kind->flags & KIND_ENDS) {
		witness(task, server, number, 0);
	} else if (kind->flags & (KIND_PATH | KIND_ADDRESS)) {
		arg = kind->arg;
		e.from = argument(regs, arg);
		load_text(&e, kind, argument(regs, arg + 1));
		bpf_map_update_elem(&entering, &thread, &e, BPF_ANY);
	}
	return 0;
}

SEC("tp_btf/sys_exit")
int witness_exit(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u32 server = server_of(task), number;
	struct kind *kind;

	if (!server)
		return 0;
#if defined(__TARGET_ARCH_x86)
	number = regs->orig_ax == ~0UL ? 15 : regs->orig_ax; /* rt_sigreturn has restored the registers of before */
#else
	number = regs->syscallno < 0 ? 139 : regs->syscallno;
#endif
	kind = kind_of(number);
	if (kind && kind->flags & KIND_FORKS && !ctx[1])
		return 0;
	witness(task, server, number, ctx[1]);
	return 0;
}
