// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * On-CPU samples: each timer tick of a watched task becomes one record with its kernel stack and
 * its user stack, walked here from unwind tables.
 *
 * The order is: count the tick, find out whether the task is watched, only then walk. What the walk
 * cannot know yet (a process, a table) goes into the record as registers and a piece of stack, so
 * that user space can finish it. fork, exec and exit keep the set of watched processes right
 * without waiting for user space.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "maps.h"
#include "pids.h"
#include "saved_registers.h"
#include "stack_copy.h"
#include "take_sample.h"
#include "watched.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* When user space last changed the timers' phase: the gap around that says nothing. */
uint64_t rephased_ns;

/*
 * When user space last changed the timers' rate. They begin a new period at once: what had passed of the
 * old one is told by the first tick after that, so that no time is left out.
 */
uint64_t rate_changed_ns;

/* What the timers run at, where that is not config.period_ns any more; 0: it is. */
uint64_t tick_period_ns;

/*
 * Some are looked at more closely than the others, for a while: those take each tick, the others as
 * many as at their own period, whoever runs; 0: all are alike.
 */
uint64_t others_period_ns;
uint32_t all_closely;

static __always_inline uint64_t tick_period(void)
{
	uint64_t changed = tick_period_ns;

	return changed ? changed : config.period_ns;
}

/*
 * The time that this tick stands for: the timer's period, and what was cut off the one before. Longer
 * gaps are no part of that: then ticks have been missed.
 */
static __always_inline uint64_t tick_span(void)
{
	uint64_t period = tick_period(), changed = rate_changed_ns;
	uint32_t zero = 0;
	struct last_tick *last = bpf_map_lookup_elem(&last_ticks, &zero);

	if (!last || !changed || last->changed_ns == changed)
		return period;
	last->changed_ns = changed;
	if (last->time_ns && last->time_ns < changed && changed - last->time_ns <= last->period_ns + last->period_ns / 8)
		return period + changed - last->time_ns;
	return period;
}

/* What a sample of this tick weighs; 0: the task takes none. span: of time, see tick_span. */
static __always_inline uint64_t tick_weight(struct task_ids ids, uint64_t span)
{
	uint64_t others = others_period_ns;
	uint32_t zero = 0;
	uint64_t *owed;
	int due = 0;

	if (!others)
		return span;
	owed = bpf_map_lookup_elem(&owed_ns, &zero);
	if (owed) {
		*owed += span;
		due = *owed >= others;
		if (due)
			*owed = *owed < 2 * others ? *owed - others : 0;
	}
	if (all_closely || bpf_map_lookup_elem(&closely, &ids.tgid))
		return span;
	return due ? others : 0;
}

/* How often this CPU's idle task has been left; always 0 where that cannot be read. */
static __always_inline uint64_t idle_exits(struct task_struct *task)
{
	struct task_struct *idle;

	if (!bpf_core_field_exists(task->se.cfs_rq) ||
	    !bpf_core_field_exists(((struct cfs_rq *)0)->rq))
		return 0;
	if (CURRENT_IS_TYPED) {
		idle = bpf_get_current_task_btf()->se.cfs_rq->rq->idle;
		return idle->nvcsw + idle->nivcsw;
	}
	idle = BPF_CORE_READ(task, se.cfs_rq, rq, idle);
	return BPF_CORE_READ(idle, nvcsw) + BPF_CORE_READ(idle, nivcsw);
}

/*
 * The kernel skips a BPF program without a word when another one runs on the CPU, and a virtual
 * machine that does not run misses its timers: then the next tick comes whole periods late. An idle
 * CPU's timers may be late for good reasons, so only gaps between two busy ticks count, and only
 * when the CPU did not idle between them.
 * Returns how many ticks are missing before this one.
 */
static __always_inline uint64_t missed_ticks(struct task_struct *task, uint64_t now, int busy)
{
	uint32_t zero = 0;
	struct last_tick *last = bpf_map_lookup_elem(&last_ticks, &zero);
	uint64_t idles = idle_exits(task), missed = 0;

	if (!last)
		return 0;
	if (last->time_ns > rephased_ns && last->busy && busy && last->idles == idles) {
		uint64_t period_ns = tick_period();
		uint64_t periods = (now - last->time_ns + period_ns / 2) / period_ns;

		missed = periods > 1 ? periods - 1 : 0;
	}
	last->time_ns = now;
	last->period_ns = tick_period();
	last->busy = busy;
	last->idles = idles;
	return missed;
}

SEC("perf_event")
int cpu_tick(struct bpf_perf_event_data *ctx)
{
	uint64_t begin = bpf_ktime_get_ns(), spent;
	struct task_struct *task = current_task();
	int idle = (uint32_t)bpf_get_current_pid_tgid() == 0, outside;
	struct task_ids ids = current_ids(task);
	uint64_t span = tick_span(); /* before the tick is noted */
	uint64_t missed = missed_ticks(task, begin, !idle), weight_ns = tick_weight(ids, span);

	count_add(COUNT_TICKS, 1);
	if (idle) {
		count_add(COUNT_IDLE, 1);
		if (!config.include_idle) {
			count_add(COUNT_RUN_NS, bpf_ktime_get_ns() - begin);
			return 0;
		}
	}
	outside = config.translate_pids && !idle && ids.tgid == 0;
	if (!weight_ns) {
		count_add(COUNT_PASSED, 1);
		count_add(COUNT_RUN_NS, bpf_ktime_get_ns() - begin);
		return 0;
	}
	if (outside || !is_watched(task, ids)) {
		count_add(COUNT_FILTERED, 1);
		count_add(COUNT_OUTSIDE, outside);
		count_add(COUNT_RUN_NS, bpf_ktime_get_ns() - begin);
		return 0;
	}
	if (missed)
		count_add(COUNT_MISSED, missed);
	take_sample(ctx, task, ids, &(struct occasion){ .time_ns = begin, .weight_ns = weight_ns });
	spent = bpf_ktime_get_ns() - begin;
	count_add(COUNT_RUN_NS, spent);
	count_add(COUNT_SAMPLE_NS, spent);
	return 0;
}

/* ---- fork, exec, exit ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	uint32_t parent_tgid = ids_of(parent).tgid, child_tgid, *flags, inherited;

	if (parent->tgid == child->tgid)
		return 0; /* a thread: its process is watched already */
	flags = bpf_map_lookup_elem(&targets, &parent_tgid);
	if (!flags || !(*flags & TARGET_INHERIT) || !(*flags & TARGET_WATCHED))
		return 0;
	inherited = *flags;
	child_tgid = ids_of(child).tgid;
	bpf_map_update_elem(&targets, &child_tgid, &inherited, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	uint32_t tgid = ids_of(task).tgid, *flags;

	bpf_map_delete_elem(&processes, &tgid);
	flags = bpf_map_lookup_elem(&targets, &tgid);
	if (!flags)
		return 0;
	if (*flags & TARGET_AT_EXEC)
		*flags = (*flags & ~TARGET_AT_EXEC) | TARGET_WATCHED;
	/* Too short to be a sample: only to wake user space, which now has code to learn. */
	bpf_ringbuf_output(&samples, &tgid, sizeof(tgid), wakeup_flags(1, bpf_ktime_get_ns()));
	return 0;
}

/* Where the kernel tells of an exit after the memory is gone (before 6.16), nothing is kept. */
static __always_inline void keep_exit_stack(struct task_struct *task, struct task_ids ids)
{
	uint32_t tid = task->pid, zero = 0;
	const struct pt_regs___kernel *saved;
	struct saved_place place;
	struct exit_stack *kept;
	struct stack_copy copy;
	uint64_t at;
	void *empty;

	if (!task->mm || task->flags & PF_KTHREAD || !is_watched(task, ids))
		return;
	empty = bpf_map_lookup_elem(&empty_exit_stack, &zero);
	if (!empty || bpf_map_update_elem(&exiting, &tid, empty, BPF_ANY) < 0)
		return;
	kept = bpf_map_lookup_elem(&exiting, &tid);
	saved = kept ? current_saved(&kept->saved) : NULL;
	if (!saved || saved_is_compat(saved)) {
		bpf_map_delete_elem(&exiting, &tid);
		return;
	}
	saved_leaf(&place, kept->temporaries, saved);
	kept->ip = place.ip;
	kept->sp = place.sp;
	kept->bp = place.bp;
	kept->bx = place.bx;
	kept->exact = saved_call(saved) < 0;
	copy = stack_copy_begin(kept->sp, EXIT_STACK_BYTES);
	for (uint32_t i = 0; i <= EXIT_STACK_BYTES / 4096; i++)
		if (copy_page(&copy, i, kept->stack, EXIT_STACK_BYTES, copy.copied))
			break;
	kept->stack_at = copy.begin;
	kept->stack_bytes = copy.copied;
	at = find_other_stack(kept->sp, kept->bp, EXIT_STACK_BYTES);
	if (!at)
		return;
	copy = (struct stack_copy){ at, at, 0, EXIT_STACK_BYTES };
	for (uint32_t i = 0; i <= EXIT_STACK_BYTES / 4096; i++)
		if (copy_page(&copy, i, kept->other, EXIT_STACK_BYTES, copy.copied))
			break;
	kept->other_at = copy.begin;
	kept->other_bytes = copy.copied;
}

/* For on_free, to which no namespace tells the pids any more. */
static __always_inline void keep_target_key(struct task_struct *task, struct task_ids ids)
{
	uint32_t pid = task->pid, key = config.by_tid ? ids.tid : ids.tgid;

	if (!config.by_tid && task->pid != task->tgid)
		return;
	if (bpf_map_lookup_elem(&targets, &key))
		bpf_map_update_elem(&exited_targets, &pid, &key, BPF_ANY);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct task_ids ids = ids_of(task);

	keep_exit_stack(task, ids);
	if (config.translate_pids)
		keep_target_key(task, ids);
	if (task->signal->live.counter == 0)
		bpf_map_delete_elem(&processes, &ids.tgid);
	return 0;
}

/* Not at exit: giving the memory back afterwards is CPU time of the task, too. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	uint32_t pid = task->pid, *key;

	bpf_map_delete_elem(&exiting, &pid);
	if (config.translate_pids) {
		key = bpf_map_lookup_elem(&exited_targets, &pid);
		if (key) {
			bpf_map_delete_elem(&targets, key);
			bpf_map_delete_elem(&exited_targets, &pid);
		}
	} else if (config.by_tid || task->pid == task->tgid) {
		bpf_map_delete_elem(&targets, &pid);
	}
	return 0;
}

/* ---- set-up ---- */

/* Run by profd, never attached: kernels before 5.14 have no programs of the type that is meant for this. */
SEC("raw_tp")
int learn_namespace(void *ctx)
{
	learn_own_namespace();
	return 0;
}
