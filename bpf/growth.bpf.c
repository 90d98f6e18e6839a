// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory that becomes resident: page faults that are over, of which some are taken as samples, by a hash
 * of the page's address. Its programs share the maps of cpu.bpf.c (cpu_source_share).
 *
 * Most faults are not in the sample: they must cost little, so the hash comes first, then the question
 * whether anybody asked for the task. With the kernel's own work, which is most of it, an event on a task
 * adds 0.05 to 0.25 µs to its faults of 1.2 µs (counting alone 0.1 µs), and nothing to those of other tasks;
 * one on a CPU adds that to everybody's (tests/bench/growth, Linux 6.18). How many are taken is settled here, at once: when more came
 * than what user space allows, only every other page of those stays in the sample.
 *
 * A fault may have made a huge page resident, whose hash says nothing of its 2 MiB. No field tells so, and
 * the page tables are out of reach (their addresses are physical, page_offset_base is not exported). What
 * can be huge is the first page seen of its 2 MiB: that becomes a sample anyway, one small page in 512,
 * and user space asks /proc/PID/pagemap.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "page_hash.h"
#include "take_sample.h"
#include "watched.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile uint64_t page_salt;

/* One page of 2^sample_shift is in the sample. User space may raise it, too. */
uint32_t sample_shift;
/* Samples that were taken; how many may be, by user space (grows with time) and each time they got fewer. */
uint64_t taken, allowed, granted;

uint64_t passed; /* faults of tasks that nobody asked for */

enum { GRANT = 1024, PASSES_LIKE_SAMPLE = 16 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} moves SEC(".maps");

/* Counted up by user space about once a second: regions that were seen before are looked at again. */
uint64_t epoch;

/* Where faults were seen lately: (process, 2 MiB, epoch), in slots that others may take. */
enum { REGIONS = 4096 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REGIONS);
	__type(key, uint32_t);
	__type(value, uint64_t);
} regions SEC(".maps");

/* The last fault of this CPU that was looked at: a thread may have inherited the event, and have its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} last_fault SEC(".maps");

static __always_inline int is_first_of_region(struct task_struct *task, uint64_t address)
{
	uint64_t key = ((uint64_t)BPF_CORE_READ(task, tgid) << 32 ^ address >> GROWTH_LARGE_SHIFT) *
			       0x9e3779b97f4a7c15ULL +
		       epoch;
	uint32_t slot = key >> 52;
	uint64_t *seen = bpf_map_lookup_elem(&regions, &slot);

	if (!seen || *seen == key)
		return 0;
	*seen = key;
	return 1;
}

static __always_inline int is_same_fault(struct task_struct *task)
{
	uint64_t key = (uint64_t)BPF_CORE_READ(task, pid) << 32 ^
		       (BPF_CORE_READ(task, min_flt) + BPF_CORE_READ(task, maj_flt));
	uint32_t zero = 0;
	uint64_t *last = bpf_map_lookup_elem(&last_fault, &zero);

	if (!last || *last == key)
		return 1;
	*last = key;
	return 0;
}

/* Keeps the number of samples within what is allowed: N doubles. */
static __always_inline void account(void)
{
	uint64_t before = taken;

	/* Before 5.12 there is no adding that tells what was there before: two at once count as one here. */
	__sync_fetch_and_add(&taken, 1);
	if (before < allowed + granted || sample_shift >= GROWTH_MAX_SHIFT)
		return;
	__sync_fetch_and_add(&granted, GRANT);
	sample_shift++;
}

/* Who has all CPUs watched looks at other tasks' faults, too: that is a part of a sample's work. */
static __always_inline void account_for_others(void)
{
	uint64_t before = passed;

	__sync_fetch_and_add(&passed, 1);
	if (before % PASSES_LIKE_SAMPLE == 0)
		account();
}

static __always_inline int take_fault(struct bpf_perf_event_data *ctx, uint64_t flags)
{
	struct task_struct *task = current_task();
	uint64_t address = ctx->addr, now, spent;
	uint32_t shift = sample_shift;
	struct task_ids ids = ids_of(task);

	count_add(COUNT_FAULTS, 1);
	if (!page_in_sample(page_key(address, ids.tgid), page_salt, shift)) {
		if (!is_first_of_region(task, address))
			return 0;
		flags |= GROWTH_ONLY_LARGE;
	}
	now = bpf_ktime_get_ns();
	if (!is_watched(task, ids)) {
		account_for_others();
		return 0;
	}
	if (is_same_fault(task))
		return 0;
	take_sample(ctx, task, ids,
		    &(struct occasion){ .time_ns = now,
					.address = (address & ~0xfffULL) | flags,
					.size = 4096ULL << (shift & 31),
					.event = EVENT_GROWTH });
	/* Of regions there are as many whatever N is. */
	if (!(flags & GROWTH_ONLY_LARGE))
		account();
	spent = bpf_ktime_get_ns() - now;
	count_add(COUNT_FAULT_SAMPLES, 1);
	count_add(COUNT_RUN_NS, spent);
	count_add(COUNT_SAMPLE_NS, spent);
	return 0;
}

SEC("perf_event")
int minor_fault(struct bpf_perf_event_data *ctx)
{
	return take_fault(ctx, 0);
}

SEC("perf_event")
int major_fault(struct bpf_perf_event_data *ctx)
{
	return take_fault(ctx, GROWTH_MAJOR);
}

/* Numbers of system calls, and a flag of mmap (asm/unistd.h, linux/mman.h). */
#if defined(__TARGET_ARCH_x86)
enum { SYSTEM_CALL_MMAP = 9, SYSTEM_CALL_MREMAP = 25, POPULATE = 0x8000 };
#else
enum { SYSTEM_CALL_MMAP = 222, SYSTEM_CALL_MREMAP = 216, POPULATE = 0x8000 };
#endif

static __always_inline void tell_move(struct task_ids ids, uint64_t from, uint64_t bytes,
				      uint64_t to)
{
	struct wire_move move = { .time_ns = bpf_ktime_get_ns(),
				  .from = from,
				  .to = to,
				  .bytes = bytes,
				  .pid = ids.tgid };

	if (bpf_ringbuf_output(&moves, &move, sizeof(move), BPF_RB_NO_WAKEUP) < 0)
		count_add(COUNT_MOVES_DROPPED, 1);
}

/* Memory that is resident when mmap returns (MAP_POPULATE) has no faults that events would tell of. */
static __always_inline void take_populated(struct task_struct *task, struct task_ids ids,
					   const struct pt_regs___kernel *saved, uint64_t address,
					   uint64_t bytes)
{
	struct occasion why = { .time_ns = bpf_ktime_get_ns(),
				.address = (address & ~0xfffULL) | GROWTH_RANGE,
				.size = bytes,
				.event = EVENT_GROWTH };
	struct scratch *s = sample_begin(ids, &why);
	struct saved_place place;

	if (!s)
		return;
	s->leaf_exact = 0;
	place_saved_registers(&place, s->sample.temporaries, task, saved);
	s->at.ip = place.ip;
	s->at.sp = place.sp;
	s->at.bp = place.bp;
	s->at.bx = place.bx;
	s->at.exact = place.exact;
	sample_walk(s, task, ids.tgid, 0);
	sample_send(s, task, 0);
	account();
	count_add(COUNT_FAULT_SAMPLES, 1);
}

/*
 * The place for a new mapping was found. mremap moves pages there without any fault; what the call is, and
 * of what, is in the registers that the kernel has saved. This tracepoint is passed once per mapping.
 * Tracepoints of single system calls would have every call of every process on the machine take the long
 * way (see tests/bench/growth).
 */
SEC("tp_btf/vm_unmapped_area")
int BPF_PROG(place_found, unsigned long address)
{
	struct task_struct *task = current_task();
	const struct pt_regs___kernel *saved;
	struct task_ids ids;
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s;
	uint64_t arguments[6];
	int64_t call;

	if (!BPF_CORE_READ(task, mm) || address & 0xfff)
		return 0;
	s = bpf_map_lookup_elem(&scratches, &cpu);
	saved = s ? current_saved(&s->saved) : NULL;
	if (!saved || saved_is_compat(saved))
		return 0;
	call = saved_call(saved);
	if (call != SYSTEM_CALL_MREMAP && call != SYSTEM_CALL_MMAP)
		return 0;
	saved_arguments(arguments, saved);
	if (call == SYSTEM_CALL_MMAP && !(arguments[3] & POPULATE))
		return 0;
	ids = ids_of(task);
	if (!is_watched(task, ids))
		return 0;
	if (call == SYSTEM_CALL_MREMAP)
		tell_move(ids, arguments[0], arguments[1], address);
	else if (config.user_stacks)
		take_populated(task, ids, saved, address, (arguments[1] + 4095) & ~4095ULL);
	return 0;
}
