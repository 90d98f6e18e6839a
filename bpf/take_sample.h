/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One sample of the current task: its stacks walked, what the walk could not know yet copied, all of it
 * put into the ring. The same for every event; only the occasion differs.
 *
 * A sample is put together in the CPU's scratch. Programs on perf events exclude each other on a CPU; a
 * program that can be preempted has to see to it that no other one is in the middle of it.
 */
#pragma once

#include "far_stack.h"
#include "kernel.h"
#include "maps.h"
#include "pids.h"
#include "saved_registers.h"
#include "stack_copy.h"
#include "walk_host.h"

/* Fills in the user registers at which the walk begins. Returns 0 when there are none. */
static __always_inline int user_registers(struct bpf_perf_event_data *ctx,
					  struct task_struct *task, struct scratch *s)
{
	struct saved_place place;
	uint64_t *t = s->sample.temporaries;
	int compat;

	CONTEXT_LEAF(&place, t, &ctx->regs);
	place.exact = 1;
	CONTEXT_READ(compat, CONTEXT_IS_COMPAT(&ctx->regs));
	if (!CONTEXT_IS_USER(&ctx->regs)) {
		const struct pt_regs___kernel *saved = current_saved(&s->saved);

		if (!saved)
			return 0;
		compat = saved_is_compat(saved);
		place_saved_registers(&place, t, task, saved);
	}
	s->at.ip = place.ip;
	s->at.sp = place.sp;
	s->at.bp = place.bp;
	s->at.bx = place.bx;
	s->at.exact = place.exact;
	if (compat) { /* other registers, other tables */
		s->outcome = WALK_COMPAT;
		return 0;
	}
	return 1;
}

static __always_inline void walk_user(struct task_struct *task, struct scratch *s, uint32_t tgid)
{
	struct wire_process *process = bpf_map_lookup_elem(&processes, &tgid);
	uint64_t mm = (uint64_t)CURRENT_READ(task, mm);
	uint32_t exec_pages = (uint32_t)CURRENT_READ(task, mm, exec_vm);

	/* In the middle of exec the old stack is gone and the registers are still the old ones. */
	if (BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) && (!process || process->mm != mm))
		return;
	s->at.first = 1;
	s->window_at = NO_WINDOW;
	s->last_mapping = NO_MAPPING;
	s->outcome = WALK_NO_PROCESS;
	if (!process)
		return;
	s->sample.generation = process->generation;
	s->first_mapping = process->first_mapping;
	s->mapping_count = process->mapping_count;
	if (!process->exec_pages) {
		process->exec_pages = exec_pages;
		process->mm = mm;
	} else if (process->exec_pages != exec_pages || process->mm != mm) {
		s->sample.flags |= SAMPLE_MAPPINGS_STALE;
	}
	if (process->flags & PROCESS_REUSES_ADDRESSES)
		s->sample.flags |= SAMPLE_MAPPINGS_STALE;
	s->outcome = WALK_TOO_DEEP;
	TURNS(i, WIRE_MAX_FRAMES + 1)
		if (walk_frame(i))
			break;
}

/* Why a sample is taken. */
struct occasion {
	uint64_t time_ns;
	uint64_t weight_ns;	/* see enum wire_event */
	uint64_t address, size; /* see struct wire_sample */
	uint32_t event;
};

static __always_inline uint32_t kernel_stack(struct bpf_perf_event_data *ctx, struct scratch *s)
{
	long size;

	if (!config.kernel_stacks)
		return 0;
	size = bpf_get_stack(ctx, s->payload, WIRE_MAX_KERNEL_FRAMES * 8, 0);
	return size > 0 ? (uint32_t)size / 8 : 0;
}

/*
 * Nobody is woken for a sample, except when user space should learn something (a process, a
 * mapping, a table: the sooner, the fewer walks are left to it), or when the ring gets full.
 */
#define WAKEUP_PAUSE_NS 5000000ULL

uint64_t last_wakeup_ns;

/* Is more than so many quarters of the ring waiting to be read? */
static __always_inline int ring_fuller_than(uint64_t quarters)
{
	return bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA) * 4 >
	       bpf_ringbuf_query(&samples, BPF_RB_RING_SIZE) * quarters;
}

/*
 * Few stacks are deep. Of the others more find room when those are cut, while user space cannot keep
 * up: with the first samples of all processes, say.
 */
static __always_inline uint32_t copy_limit(void)
{
	return ring_fuller_than(2) ? 8192 : ring_fuller_than(1) ? 24576 : WIRE_STACK_COPY_BYTES;
}

static __always_inline uint64_t wakeup_flags(int urgent, uint64_t now)
{
	if (!urgent)
		urgent = ring_fuller_than(2);
	if (!urgent || now - last_wakeup_ns < WAKEUP_PAUSE_NS)
		return BPF_RB_NO_WAKEUP;
	last_wakeup_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

/*
 * The CPU's scratch with a sample begun in it, whose walk will begin nowhere; NULL: there is none. Until
 * sample_send no other program may take one on this CPU.
 */
static __always_inline struct scratch *sample_begin(struct task_ids ids, const struct occasion *why)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);

	if (!s)
		return NULL;
	__builtin_memset(&s->sample, 0, sizeof(s->sample));
	s->sample.event = why->event;
	s->sample.time_ns = why->time_ns;
	s->sample.weight_ns = why->weight_ns;
	s->sample.address = why->address;
	s->sample.size = why->size;
	s->sample.cgroup = bpf_get_current_cgroup_id();
	s->sample.uid = (uint32_t)bpf_get_current_uid_gid();
	s->sample.pid = ids.tgid;
	s->sample.tid = ids.tid;
	s->sample.cpu = cpu;
	bpf_get_current_comm(s->sample.comm, sizeof(s->sample.comm));
	s->outcome = WALK_NO_USER_STACK;
	s->guess = 0;
	s->at = (struct walk_registers){ .exact = 1 };
	s->count = 0;
	s->limit = config.max_frames;
	return s;
}

/* Walks from the registers in s->at on, behind the kernel's frames that are there already. */
static __always_inline void sample_walk(struct scratch *s, struct task_struct *task, uint32_t tgid,
					uint32_t kernel_count)
{
	s->sample.ip = s->at.ip;
	s->sample.sp = s->at.sp;
	s->sample.bp = s->at.bp;
	s->sample.bx = s->at.bx;
	s->leaf_exact = s->at.exact;
	walk_user(task, s, tgid);
	count_add(COUNT_WALKS, 1);
	count_add(COUNT_FRAMES, s->count - kernel_count);
}

/* Adds what user space needs to go on where the walk has ended, and hands the sample over. */
static __always_inline void sample_send(struct scratch *s, struct task_struct *task,
					uint32_t kernel_count)
{
	uint32_t addresses = s->count, size, exact = s->leaf_exact, far_lines = 0;

	if (addresses > MAX_ADDRESSES)
		addresses = MAX_ADDRESSES;
	s->sample.kernel_count = kernel_count;
	s->sample.user_count = addresses - kernel_count;
	if (!(s->sample.flags & SAMPLE_MAPPINGS_STALE)) {
		s->sample.ip = s->at.ip;
		s->sample.sp = s->at.sp;
		s->sample.bp = s->at.bp;
		/* The copy begins at sp; where rbx was saved lies below, in frames that are done. */
		if (s->outcome != WALK_COMPLETE && walk_fetch_bx(&s->at, s) < 0)
			s->at.bx = 0;
		s->sample.bx = s->at.bx;
		if (s->at.interrupted)
			__builtin_memset(s->sample.temporaries, 0, sizeof(s->sample.temporaries));
		exact = s->at.exact;
		if (s->at.loose)
			s->sample.flags |= SAMPLE_SP_LOOSE;
	}
	size = addresses * 8;
	if (s->sample.flags & SAMPLE_MAPPINGS_STALE || s->outcome == WALK_NO_PROCESS ||
	    s->outcome == WALK_NO_MAPPING || s->outcome == WALK_NO_TABLE || s->guess) {
		/* When profd cannot keep up, many samples without are better than few with. */
		if (!ring_fuller_than(3)) {
			s->sample.stack_bytes = copy_stack(s, size, copy_limit());
			s->sample.other_bytes =
				copy_other_stack(s, size + s->sample.stack_bytes);
		}
		size += s->sample.stack_bytes + s->sample.other_bytes;
		/* Also if nothing was copied: a large frame may just have been begun. */
		if (s->sample.stack_at && s->outcome != WALK_COMPLETE && !s->guess)
			far_lines = copy_far_lines(s->sample.stack_at + s->sample.stack_bytes,
						   size);
		if (far_lines <= WIRE_FAR_LINES) {
			s->sample.far_lines = far_lines;
			size += far_lines * sizeof(struct wire_far_line);
		}
		count_add(COUNT_COPIES, 1);
	} else if (!BPF_CORE_READ(task, mm) && !(BPF_CORE_READ(task, flags) & PF_KTHREAD) &&
		   config.user_stacks) {
		size += copy_exit_stack(s, size, BPF_CORE_READ(task, pid), &exact);
	}
	if (exact)
		s->sample.flags |= SAMPLE_NEXT_IS_EXACT;
	s->sample.outcome = s->outcome;
	if (size > PAYLOAD_BYTES)
		return;
	if (bpf_ringbuf_output(&samples, &s->sample, sizeof(s->sample) + size,
			       wakeup_flags(s->sample.stack_bytes && s->outcome != WALK_COMPLETE,
					    s->sample.time_ns)) < 0)
		count_add(COUNT_DROPPED, 1);
	else
		count_add(COUNT_SENT, 1);
}

/* The sample of a program on a perf event, whose registers may be the kernel's. */
static __always_inline void take_sample(struct bpf_perf_event_data *ctx, struct task_struct *task,
					struct task_ids ids, const struct occasion *why)
{
	struct scratch *s = sample_begin(ids, why);
	uint32_t kernel_count = 0;

	if (!s)
		return;
	if (!CONTEXT_IS_USER(&ctx->regs)) {
		s->sample.flags |= SAMPLE_KERNEL_MODE;
		kernel_count = kernel_stack(ctx, s);
		if (kernel_count > WIRE_MAX_KERNEL_FRAMES)
			kernel_count = WIRE_MAX_KERNEL_FRAMES;
	}
	s->count = kernel_count;
	s->limit = kernel_count + config.max_frames;
	s->leaf_exact = 0;
	if (CURRENT_READ(task, flags) & PF_KTHREAD)
		s->sample.flags |= SAMPLE_KTHREAD;
	else if (CURRENT_READ(task, mm) && config.user_stacks && user_registers(ctx, task, s))
		sample_walk(s, task, ids.tgid, kernel_count);
	sample_send(s, task, kernel_count);
}
