// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names every type of the contract, so that this object has BTF of them all, and has the texts of counters.h.
 * pkg/bpf/abi is generated from it. */
#include "contract.h"

struct contract {
	enum limits limits;
	enum who_flags who_flags;
	enum state state;
	enum label_source label_source;
	enum labels_flags labels_flags;
	enum lane lane;
	enum exec_shares exec_shares;
	enum holders holders;
	enum slot_constants slot_constants;
	enum bind_action bind_action;
	enum bind_answer bind_answer;
	enum refusal_constants refusal_constants;
	enum writer_constants writer_constants;
	enum number number;
	enum number_abi number_abi;
	enum signal_args signal_args;
	enum commit commit;
	enum call_flags call_flags;
	enum capture_flags capture_flags;
	enum capture_tag capture_tag;
	enum capture_kind capture_kind;
	enum part part;
	enum capture_moment capture_moment;
	enum capture_elements capture_elements;
	enum row_flags row_flags;
	enum resolved_flags resolved_flags;
	enum captures captures;
	enum exec_flags exec_flags;
	enum traits traits;
	enum counter counter;
	struct pending_key pending_key;
	struct pending pending;
	struct identity identity;
	struct refusal refusal;
	struct refusals refusals;
	struct labels_key labels_key;
	struct labels labels;
	struct ring ring;
	struct recording recording;
	struct seen_set seen_set;
	struct slot slot;
	struct writer writer;
	struct call call;
	struct inner_pids inner_pids;
	struct sender sender;
	struct resolved resolved;
	struct strings strings;
	struct capture_header capture_header;
	struct capture capture;
	struct syscall syscall;
	struct exec exec;
	struct pending_call pending_call;
	struct abi abi;
	struct bind_request bind_request;
} contract;

#define RELOAD " in the configuration, then run tracectl unload and tracectl load"
#define IF_GROWS "ignore if it stays low; otherwise "
#define COUNTER(id, name, text, remedy) name "\0" text "\0" remedy "\0"

/* Name, text and remedy of each counter, in their order. */
const char counter_texts[] __attribute__((section("counters"), used)) =
#include "counters.h"
	;
