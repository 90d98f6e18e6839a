// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The threads of one process, as they are at the moment at which the iterator is read: state, user
 * registers, kernel stack. Nothing is stopped for it, nor even interrupted.
 *
 * A thread that is off the CPU stands still. Whether it did so for as long as somebody read its
 * memory is told by a second look: the number of times that it has left the CPU is the same then.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "saved_registers.h"
#include "wire.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct wire_config config;

#include "pids.h"

const volatile uint32_t wanted_tgid; /* as profd sees it */

/* CLOCK_MONOTONIC - sched_clock. 0: to be found out; set so by user space before each reading. */
uint64_t clock_offset;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL_STRUCT;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL_STRUCT;

/* Only one reads at a time. */
static struct {
	struct wire_thread thread;
	uint64_t kernel[WIRE_MAX_KERNEL_FRAMES];
} record;

static struct saved_copy saved_here;

static __always_inline uint32_t state_of(struct task_struct *task)
{
	struct task_struct___before_514 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return task->__state | task->exit_state;
	return (uint32_t)BPF_CORE_READ(old, state) | task->exit_state;
}

static __always_inline int has_scheduler_clocks(struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info.last_arrival) &&
	       bpf_core_field_exists(task->se.prev_sum_exec_runtime) &&
	       bpf_core_field_exists(task->se.cfs_rq) &&
	       bpf_core_field_exists(((struct cfs_rq *)0)->rq) &&
	       bpf_core_field_exists(((struct rq *)0)->clock);
}

/*
 * When the task left the CPU: when it came, and for how long it then ran. The run queue's clock, by
 * which the kernel notes the first, was brought up to date when this CPU went over to profd.
 * Returns CLOCK_MONOTONIC, or 0: not known, as of real-time tasks, whose CPU time is kept otherwise.
 */
static __always_inline uint64_t off_cpu_since(struct task_struct *task)
{
	enum { NORMAL = 0, BATCH = 3, IDLE = 5 }; /* SCHED_*, include/uapi/linux/sched.h */
	uint64_t now = bpf_ktime_get_ns(), arrival, ran;

	if (!has_scheduler_clocks(task))
		return 0;
	if (!clock_offset)
		clock_offset = now - BPF_CORE_READ(current_task(), se.cfs_rq, rq, clock);
	if (task->policy != NORMAL && task->policy != BATCH && task->policy != IDLE)
		return 0;
	arrival = task->sched_info.last_arrival;
	ran = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	if (!arrival || arrival + clock_offset > now || ran > now - (arrival + clock_offset))
		return 0;
	return arrival + clock_offset + ran;
}

static __always_inline void take_registers(struct wire_thread *thread, struct task_struct *task)
{
	const struct pt_regs___kernel *saved = saved_copy(&saved_here, SAVED_AT(task, bpf_task_pt_regs(task)));
	struct saved_place at;

	if (!saved) {
		thread->flags |= THREAD_KERNEL;
		return;
	}
	if (saved_is_compat(saved))
		thread->flags |= THREAD_COMPAT;
	place_saved_registers(&at, thread->temporaries, task, saved);
	thread->ip = at.ip;
	thread->sp = at.sp;
	thread->bp = at.bp;
	thread->bx = at.bx;
	thread->flags |= at.exact ? THREAD_EXACT : 0;
	thread->system_call = saved_call(saved);
	saved_arguments(thread->arguments, saved);
	thread->result = (int64_t)saved_result(saved);
}

SEC("iter/task")
int each_thread(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct wire_thread *thread = &record.thread;
	struct task_ids ids;
	uint32_t words;
	long bytes;

	if (!task)
		return 0;
	if (config.translate_pids && !own_pid_namespace)
		learn_own_namespace();
	ids = ids_of(task);
	if (ids.tgid != wanted_tgid || !ids.tid)
		return 0;
	__builtin_memset(thread, 0, sizeof(*thread));
	thread->pid = ids.tgid;
	thread->tid = ids.tid;
	thread->system_call = -1;
	thread->switches = task->nvcsw + task->nivcsw;
	thread->state = state_of(task);
	thread->since_ns = off_cpu_since(task);
	bpf_probe_read_kernel(thread->comm, sizeof(thread->comm), task->comm);
	if (task->on_cpu)
		thread->flags |= THREAD_ON_CPU;
	if (!task->mm || task->flags & PF_KTHREAD)
		thread->flags |= THREAD_KERNEL;
	else
		take_registers(thread, task);
	if (config.kernel_stacks && !task->on_cpu) {
		bytes = bpf_get_task_stack(task, record.kernel, sizeof(record.kernel), 0);
		if (bytes > 0 && bytes <= (long)sizeof(record.kernel)) {
			thread->kernel_count = (uint32_t)bytes / 8;
		}
	}
	bpf_seq_write(ctx->meta->seq, thread, sizeof(*thread));
	/* A mask, which verifiers before 6.6 follow, where they lose a limit. */
	words = thread->kernel_count;
	barrier_var(words);
	bpf_seq_write(ctx->meta->seq, record.kernel, (words & WIRE_MAX_KERNEL_FRAMES) * 8);
	return 0;
}
