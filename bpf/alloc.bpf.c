// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls that allocate memory, sampled by bytes: the program runs at each call of a probed function, and
 * takes a sample of few of them.
 *
 * The bytes asked for are counted down, from a number of exponential distribution, so that each byte has
 * the same chance to be the one that is sampled, whatever was sampled before: a call for `size` bytes is
 * sampled with the probability 1 - exp(-size / interval), by which user space divides.
 *
 * Nothing here sleeps or waits, but the program can be preempted, by itself, too: the CPU's scratch is
 * claimed, and a sample that finds it taken is dropped and counted.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "allocation.h"
#include "take_sample.h"
#include "watched.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The window that is open, its number; 0: none. Calls outside of one are only counted. */
uint64_t window;
/* Of the exponential distribution its mean, in bytes. */
uint64_t interval = 1;

/* One entry per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct wire_alloc_state);
} alloc_states SEC(".maps");

/* One entry per possible CPU: whether a sample is under way there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint32_t);
} claims SEC(".maps");

static __always_inline void take_call(struct probe_registers *ctx, struct task_struct *task,
				      struct task_ids ids, const struct occasion *why)
{
	struct scratch *s = sample_begin(ids, why);
	struct saved_place place;

	if (!s)
		return;
	s->leaf_exact = 0;
	if (CONTEXT_IS_COMPAT(ctx)) {
		s->outcome = WALK_COMPAT;
	} else if (task->mm && config.user_stacks) {
		CONTEXT_LEAF(&place, s->sample.temporaries, ctx);
		s->at.ip = place.ip;
		s->at.sp = place.sp;
		s->at.bp = place.bp;
		s->at.bx = place.bx;
		s->at.exact = 1;
		sample_walk(s, task, ids.tgid, 0);
	}
	sample_send(s, task, 0);
}

SEC("kprobe")
int alloc_call(struct probe_registers *ctx)
{
	uint32_t zero = 0, cpu, *claim;
	struct wire_alloc_state *state = bpf_map_lookup_elem(&alloc_states, &zero);
	uint64_t open = window, mean = interval, size, begin;
	struct task_struct *task;
	struct task_ids ids;

	if (!state)
		return 0;
	state->hits++;
	if (!open)
		return 0;
	size = bytes_asked(ctx);
	if (!size)
		return 0;
	state->calls++;
	state->bytes += size;
	if (state->window != open) {
		state->window = open;
		state->left = draw(mean);
	}
	state->left -= (int64_t)size;
	if (state->left > 0)
		return 0;
	state->left = draw(mean);
	begin = bpf_ktime_get_ns();
	task = bpf_get_current_task_btf();
	ids = ids_of(task);
	if (!is_watched(task, ids))
		return 0;
	cpu = bpf_get_smp_processor_id();
	claim = bpf_map_lookup_elem(&claims, &cpu);
	if (!claim)
		return 0;
	if (__sync_val_compare_and_swap(claim, 0, 1) != 0) {
		state->dropped++;
		count_add(COUNT_DROPPED, 1);
		return 0;
	}
	take_call(ctx, task, ids,
		  &(struct occasion){ .event = EVENT_ALLOC,
				      .time_ns = begin,
				      .weight_ns = mean,
				      .address = open,
				      .size = size });
	__sync_val_compare_and_swap(claim, 1, 0);
	state->samples++;
	begin = bpf_ktime_get_ns() - begin;
	state->sample_ns += begin;
	count_add(COUNT_RUN_NS, begin);
	count_add(COUNT_SAMPLE_NS, begin);
	return 0;
}
