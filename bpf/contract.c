// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names every type of the contract, so that this object has BTF of them all. pkg/bpf/abi is generated from it. */
#include "contract.h"

struct contract {
	enum limits limits;
	enum who_flags who_flags;
	enum state state;
	enum label_source label_source;
	enum labels_flags labels_flags;
	enum writer_constants writer_constants;
	enum number number;
	enum commit commit;
	enum call_flags call_flags;
	enum capture_flags capture_flags;
	enum capture_kind capture_kind;
	enum exec_flags exec_flags;
	enum counter counter;
	struct pending pending;
	struct identity identity;
	struct labels_key labels_key;
	struct labels labels;
	struct ring ring;
	struct writer writer;
	struct call call;
	struct capture_header capture_header;
	struct syscall syscall;
	struct exec exec;
	struct pending_call pending_call;
	struct abi abi;
	struct bind_request bind_request;
} contract;
