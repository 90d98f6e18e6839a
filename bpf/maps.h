/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What samplers keep between two samples, and share with user space and with each other: the CPU
 * sampler's object makes these maps, those of other events take them over (cpu_source_share). Sizes that
 * depend on the target are set by user space before loading.
 */
#pragma once

#include "wire.h"

static __always_inline int walk_read(uint64_t *ret, uint64_t address, void *memory);
static __always_inline uint64_t walk_temporary(uint64_t number, void *memory);
static __always_inline uint64_t walk_signal_stack(void *memory);
static __always_inline uint64_t walk_find(uint32_t table, uint64_t address, void *memory);
static __always_inline uint64_t walk_search(uint64_t from, uint32_t words, uint64_t value,
					    void *memory);

#include "kernel.h"
#include "saved_registers.h"
#include "walk.h"

/*
 * Every body of a loop is a global function: those are verified once by themselves, so that turns cost the
 * verifier little, as they do with bpf_loop, which kernels before 5.17 lack and later ones verify
 * anew wherever it is called (7.3 gave up after minutes).
 */
#define TURNS(turn, most)                                                                          \
	_Pragma("clang loop unroll(disable)") for (uint32_t turn = 0; turn < (most); turn++)

const volatile struct wire_config config;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint32_t);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct wire_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_mapping);
} mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_MAX_TABLES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_MAX_RULES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_rule);
} rules SEC(".maps");

struct chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(uint32_t));
	__uint(value_size, WIRE_CHUNK_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WIRE_MAX_CHUNKS);
	__type(key, uint32_t);
	__array(values, struct chunk_map);
} chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_COUNTERS);
	__type(key, uint32_t);
	__type(value, uint64_t);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct wire_glob);
} comm_filter SEC(".maps");

/* Processes that take each tick, see tick_weight. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint32_t);
} closely SEC(".maps");

/* CPU time since the others' last tick, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} owed_ns SEC(".maps");

/*
 * A copy of user stack under way, page by page, because one page that is not present would fail the
 * whole read. The lowest page may just be faulting in: the copy then begins behind it.
 */
struct stack_copy {
	uint64_t begin, from; /* user addresses: of the first byte that was copied, of the next one */
	uint32_t copied, limit;
};

/*
 * Where a sample is put together, one per CPU: a record in the form in which it is sent. Too large
 * for the BPF stack, and of no fixed size, as a reservation in the ring must be.
 */
enum {
	MAX_ADDRESSES = WIRE_MAX_KERNEL_FRAMES + 1 + WIRE_MAX_FRAMES,
	PAYLOAD_BYTES = MAX_ADDRESSES * 8 + WIRE_STACK_COPY_BYTES + WIRE_OTHER_COPY_BYTES +
			WIRE_FAR_LINES * sizeof(struct wire_far_line),
};

/* Lines that are looked for, see far_stack.h. */
struct far_scan {
	uint64_t from, end, at; /* user addresses of stack; at: the page to look at next */
	uint64_t code, code_size, libraries; /* where return addresses lead to */
	uint64_t deadline_ns;
	uint64_t last; /* the line that was kept last */
	uint32_t offset, lines;
};

struct scratch {
	struct wire_sample sample;
	uint64_t payload[PAYLOAD_BYTES / 8];
	/* Not sent: where the walk stands. */
	struct saved_copy saved;
	struct walk_registers at;
	uint32_t count, limit;
	uint32_t first_mapping, mapping_count;
	uint32_t last_mapping; /* index of the mapping of the frame before; most frames share it */
	uint32_t outcome;
	uint32_t leaf_exact; /* what `at.exact` was when the walk began */
	uint32_t guess; /* user space may guess the caller of the frame where the walk ended */
	struct stack_copy copy;
	uint32_t copy_offset; /* in the payload */
	uint64_t window_at; /* user address of the window, or NO_WINDOW */
	unsigned char window[512];
	struct far_scan far;
	uint64_t far_page[512];
	uint64_t far_paid_ns; /* until then the CPU's share of time for this is used up */
};

#define NO_WINDOW (~0ULL - 4096)

/* One entry per possible CPU, by number: per-CPU maps end at 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* One entry per possible CPU. User space empties it when it takes a table away. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_rule_cache);
} rule_caches SEC(".maps");

/*
 * The user registers and the top of the stacks of watched tasks that have begun to exit: giving
 * their memory back is their CPU time, but by then their own stack can no longer be read.
 */
enum { EXIT_STACK_BYTES = 8192 };

struct exit_stack {
	uint64_t ip, sp, bp, bx, temporaries[WIRE_TEMPORARIES], stack_at, other_at;
	uint32_t exact, stack_bytes, other_bytes;
	struct saved_copy saved;
	unsigned char stack[EXIT_STACK_BYTES], other[EXIT_STACK_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct exit_stack);
} exiting SEC(".maps");

/* What a new entry of `exiting` begins with: too large for the BPF stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct exit_stack);
} empty_exit_stack SEC(".maps");

/* The last tick of a CPU. */
struct last_tick {
	uint64_t time_ns; /* 0: none yet */
	uint64_t busy;
	uint64_t idles; /* how often the CPU's idle task had been left by then */
	uint64_t period_ns; /* of the timer then */
	uint64_t changed_ns; /* the last change of the rate that was reckoned with */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct last_tick);
} last_ticks SEC(".maps");

/*
 * When profd is not in the initial pid namespace: exited tasks that have an entry in `targets`, as
 * the kernel's own pid → their key there. By the time they are freed, no namespace knows them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint32_t);
} exited_targets SEC(".maps");

/* The control group of --cgroup, at index 0. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint32_t);
} cgroup_filter SEC(".maps");

static __always_inline void count_add(uint32_t counter, uint64_t amount)
{
	uint64_t *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		*value += amount;
}
