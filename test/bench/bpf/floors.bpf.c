// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The minimum cost of any tracer of all system calls: empty programs at both hooks, and programs that look up the
 * cgroup in a hash. */
#include "../../../bpf/kernel.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u64);
} containers SEC(".maps");

static __always_inline int look_up(void)
{
	u64 cgroup = bpf_get_current_cgroup_id();

	return bpf_map_lookup_elem(&containers, &cgroup) ? 1 : 0;
}

SEC("tp_btf/sys_enter") int empty_enter(void *ctx) { return 0; }
SEC("tp_btf/sys_exit") int empty_exit(void *ctx) { return 0; }
SEC("tp_btf/sys_enter") int hash_enter(void *ctx) { look_up(); return 0; }
SEC("tp_btf/sys_exit") int hash_exit(void *ctx) { look_up(); return 0; }
