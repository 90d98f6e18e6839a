// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Samples of what a counter of perf counts, hardware's or the kernel's own: each time it has counted a
 * period, the task that runs becomes one record, which weighs that period. Loaded once for each event, so
 * that a program knows what it counts on any kernel; its maps are those of cpu.bpf.c (cpu_source_share).
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "take_sample.h"
#include "watched.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile uint32_t counted_event; /* enum wire_event */
const volatile uint32_t adapts;	       /* the kernel adapts the period to a frequency */

/* Beside what the counter itself says, it tells how often the program was passed over. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct wire_counted);
} counted SEC(".maps");

/*
 * How much was counted since the last time. A period that the kernel adapts begins anew each time it does so,
 * and is told as it would have been: the sum of those is more than twice what was counted, for page faults.
 */
static __always_inline uint64_t counted_since(struct bpf_perf_event_data *ctx, struct wire_counted *seen)
{
	struct bpf_perf_event_value now = {};
	uint64_t period = ctx->sample_period;

	if (!adapts || bpf_perf_prog_read_value(ctx, &now, sizeof(now)) < 0)
		return period;
	if (now.counter > seen->counter) /* else it is a new one: its CPU came again */
		period = now.counter - seen->counter;
	seen->counter = now.counter;
	return period;
}

SEC("perf_event")
int counted_period(struct bpf_perf_event_data *ctx)
{
	uint64_t begin = bpf_ktime_get_ns(), period = ctx->sample_period, spent;
	struct task_struct *task = current_task();
	int idle = (uint32_t)bpf_get_current_pid_tgid() == 0, outside;
	struct task_ids ids = current_ids(task);
	uint32_t zero = 0;
	struct wire_counted *seen = bpf_map_lookup_elem(&counted, &zero);

	if (seen) {
		period = counted_since(ctx, seen);
		seen->hits++;
		seen->events += period;
		if (seen->largest < period)
			seen->largest = period;
	}
	outside = config.translate_pids && !idle && ids.tgid == 0;
	if ((idle && !config.include_idle) || outside || !is_watched(task, ids)) {
		count_add(COUNT_OUTSIDE, outside);
		count_add(COUNT_RUN_NS, bpf_ktime_get_ns() - begin);
		return 0;
	}
	take_sample(ctx, task, ids,
		    &(struct occasion){ .time_ns = begin, .weight_ns = period, .event = counted_event });
	spent = bpf_ktime_get_ns() - begin;
	count_add(COUNT_RUN_NS, spent);
	count_add(COUNT_SAMPLE_NS, spent);
	return 0;
}
