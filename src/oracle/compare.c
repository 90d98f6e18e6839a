// SPDX-License-Identifier: Apache-2.0
#include "oracle/compare.h"

#include "unwind/walk.h"

static int read_for_walk(uint64_t *ret, uint64_t address, void *context)
{
	return memory_word(context, address, ret);
}

/* Is the frame that was walked the true one? */
static bool is_same(const struct comparer *c, uint32_t walked, uint32_t truth)
{
	return c->walked[walked] == c->truth_addresses[truth] ||
	       (c->callers[truth].planted && c->walked[walked] == c->truth_addresses[truth] - 1);
}

/* Are the last `count` frames the same? */
static bool is_same_end(const struct comparer *c, const struct disagreement *d, uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++)
		if (!is_same(c, d->walked_count - i, d->truth_count - i))
			return false;
	return d->outcome == WALK_COMPLETE;
}

/* Fills in what the truth is and how far the walk agrees. Returns whether it does in the end. */
static bool judge_walk(struct comparer *c, const struct thread *thread, struct disagreement *d,
		       bool arrived)
{
	c->callers[0] = (struct truth_caller){ .exact = !d->in_syscall };
	d->truth_count = truth_list(c->truth, &thread->truth, c->callers, WIRE_MAX_FRAMES, arrived);
	for (uint32_t i = 1; i < d->truth_count; i++)
		c->truth_addresses[i] = c->callers[i].address;
	d->equal = 0;
	while (d->equal < d->truth_count && d->equal < d->walked_count &&
	       is_same(c, d->equal, d->equal))
		d->equal++;
	return d->equal == d->truth_count && d->equal == d->walked_count &&
	       d->outcome == WALK_COMPLETE;
}

/*
 * Which of the innermost frames' return addresses, or the word below, where functions save rbp first,
 * are no longer what they were at the call: bit i for frame i.
 */
static uint64_t overwritten(struct comparer *c, uint32_t frames)
{
	uint64_t bits = 0, word, below;

	for (uint32_t i = 0; i < frames && i < 64; i++) {
		const struct truth_frame *frame = c->callers[i + 1].frame;

		if (frame && frame->kind == TRUTH_CALLED &&
		    memory_word(c->memory, frame->slot, &word) == 0 &&
		    memory_word(c->memory, frame->slot - 8, &below) == 0 &&
		    (word != frame->address || below != frame->bp))
			bits |= 1ULL << i;
	}
	return bits;
}

/* Behind the first frame that differs, is the walk how the truth ends? */
static bool rejoins(const struct comparer *c, const struct disagreement *d)
{
	uint32_t rest = d->walked_count > d->equal + 1 ? d->walked_count - d->equal - 1 : 0;

	return rest && rest < d->truth_count && is_same_end(c, d, rest);
}

/* Is it only that one frame is missing? */
static bool left_out(const struct comparer *c, const struct disagreement *d)
{
	return d->walked_count + 1 == d->truth_count &&
	       is_same_end(c, d, d->walked_count - d->equal);
}

/* Fills in the rest of a disagreement. */
static void look_closer(struct comparer *c, const struct thread *thread, struct disagreement *d)
{
	const struct truth_caller *culprit = &c->callers[d->equal - 1];

	if (d->equal < d->walked_count)
		d->kind = d->equal < d->truth_count ? DISAGREE_OTHER : DISAGREE_WENT_ON;
	else
		d->kind = d->outcome == WALK_COMPLETE ? DISAGREE_ENDED : DISAGREE_STOPPED;
	c->callers[d->truth_count].frame = NULL;
	d->exact = culprit->exact;
	d->changing = culprit->changing;
	d->at_switch = culprit->last_of_stack;
	d->switching = thread->truth.came_from;
	d->rejoins = rejoins(c, d);
	d->left_out = left_out(c, d);
	d->overwritten = overwritten(c, d->equal);
}

static void report(struct comparer *c, const struct thread *thread, struct disagreement *d)
{
	look_closer(c, thread, d);
	if (report_accepts(c->report, d))
		return;
	/* On another stack already: most is then told of that one. */
	if (d->switching) {
		judge_walk(c, thread, d, true);
		look_closer(c, thread, d);
	}
	report_add(c->report, d);
}

void compare(struct comparer *c, const struct thread *thread, bool in_syscall,
	     uint64_t instructions)
{
	const struct user_regs_struct *regs = &thread->regs;
	const uint64_t temporaries[WIRE_TEMPORARIES] = {
		[TEMPORARY_AX] = regs->rax,
		[TEMPORARY_DX] = regs->rdx,
		/* The instruction keeps where it goes on, and the flags. */
		[TEMPORARY_CX] = in_syscall ? regs->rip + thread->size : regs->rcx,
		[TEMPORARY_SI] = regs->rsi,
		[TEMPORARY_DI] = regs->rdi,
		[TEMPORARY_R8] = regs->r8,
		[TEMPORARY_R9] = regs->r9,
		[TEMPORARY_R10] = regs->r10,
		[TEMPORARY_R11] = in_syscall ? regs->eflags : regs->r11,
	};
	struct walk_input input = {
		.store = c->tables->store,
		.mappings = c->tables->process->wire.at,
		.mapping_count = c->tables->process->wire.count,
		.ip = in_syscall ? regs->rip + thread->size : regs->rip,
		.sp = regs->rsp,
		.bp = regs->rbp,
		.bx = regs->rbx,
		.temporaries = temporaries,
		.exact = !in_syscall,
		.leaf = true,
		.read = read_for_walk,
		.read_context = c->memory,
	};
	struct disagreement d = { .truth = c->truth_addresses,
				  .walked = c->walked,
				  .in_syscall = in_syscall,
				  .instructions = instructions };

	c->truth_addresses[0] = input.ip - in_syscall;
	d.outcome = walk_run(&input, c->walked, WIRE_MAX_FRAMES, &d.walked_count, NULL);
	c->compared++;
	c->in_syscalls += in_syscall;
	if (!judge_walk(c, thread, &d, true) && !judge_walk(c, thread, &d, false))
		report(c, thread, &d);
	c->frames += d.truth_count;
	if (d.truth_count > c->deepest)
		c->deepest = d.truth_count;
}
