// SPDX-License-Identifier: Apache-2.0
#include "oracle/truth.h"

#include <stdlib.h>
#include <sys/syscall.h>

/* asm/sigframe.h: the handler's return address, then struct ucontext; asm/ucontext.h. */
enum { FRAME_UCONTEXT = 8, UCONTEXT_RSP = 160, UCONTEXT_RIP = 168, SYSCALL_BYTES = 2 };

/* A frame of a function, or what alloca and its likes make of it, is no larger. */
enum { GROWTH_MAX = 1 << 20 };

/* How far above the stack pointer a copied return address is looked for. */
enum { COPY_REACH = 4096 };

static struct truth_frame *top_of(const struct truth_stack *stack)
{
	return stack->frames.count ? &stack->frames.at[stack->frames.count - 1] : NULL;
}

static void push(struct truth_stack *stack, struct truth_frame frame)
{
	struct truth_frame *pushed = array_push(&stack->frames);

	if (!pushed)
		abort();
	*pushed = frame;
}

static struct truth_stack *new_stack(struct truth *truth, uint64_t base)
{
	struct truth_stack *stack = calloc(1, sizeof(*stack)), **slot;

	slot = stack ? array_push(&truth->stacks) : NULL;
	if (!slot)
		abort();
	*slot = stack;
	stack->base = base;
	truth->counts[TRUTH_STACKS]++;
	return stack;
}

void truth_begin(struct truth *truth, struct truth_thread *thread, uint64_t sp)
{
	truth_end(thread);
	thread->stack = new_stack(truth, sp);
	thread->came_from = NULL;
}

void truth_end(struct truth_thread *thread)
{
	if (thread->stack)
		thread->stack->dead = true;
	thread->stack = NULL;
}

void truth_fini(struct truth *truth)
{
	for (uint32_t i = 0; i < truth->stacks.count; i++) {
		array_fini(&truth->stacks.at[i]->frames);
		free(truth->stacks.at[i]);
	}
	array_fini(&truth->stacks);
}

static void keep_frames(struct truth_stack *stack, uint32_t left)
{
	stack->frames.count = left;
	if (left < stack->below)
		stack->from = NULL;
}

static void leave_frames(struct truth *truth, struct truth_stack *stack, uint32_t left)
{
	truth->counts[TRUTH_UNWOUND] += stack->frames.count - left;
	keep_frames(stack, left);
}

/* The stack pointer was moved up (or down) within a stack. */
static void move(struct truth *truth, struct truth_stack *stack, uint64_t sp)
{
	uint32_t left = stack->frames.count;

	while (left) {
		const struct truth_frame *frame = &stack->frames.at[left - 1];

		if (frame->slot >= sp || (frame->lifted && frame->slot + 8 >= sp))
			break;
		left--;
		/* What was interrupted may be on another stack: no order to speak of. */
		if (frame->kind == TRUTH_INTERRUPTED)
			break;
	}
	if (left < stack->frames.count)
		leave_frames(truth, stack, left);
}

/*
 * How many frames are left when the stack pointer is set to `to`, which lies in [now, the stack's
 * base]; or, while a signal is handled, in what it has interrupted. UINT32_MAX: in neither.
 */
static uint32_t frames_left(const struct truth_stack *stack, uint64_t now, uint64_t to)
{
	uint32_t at = stack->frames.count;

	for (;;) {
		uint64_t high = now, interrupted_sp = 0;
		uint32_t begin = at;

		while (begin && !interrupted_sp) {
			const struct truth_frame *frame = &stack->frames.at[--begin];

			if (frame->slot > high)
				high = frame->slot;
			if (frame->kind == TRUTH_INTERRUPTED)
				interrupted_sp = frame->sp;
		}
		if (!interrupted_sp && stack->base > high)
			high = stack->base;
		if (to >= now && to <= high) {
			while (at > begin && stack->frames.at[at - 1].slot < to)
				at--;
			return at;
		}
		if (!interrupted_sp)
			return UINT32_MAX;
		now = interrupted_sp;
		at = begin;
	}
}

/* Are the innermost `count` frames still where they were, `distance` further up? */
static bool holds(const struct truth *truth, const struct truth_stack *stack, uint32_t from,
		  uint32_t to, uint64_t distance)
{
	for (uint32_t i = from; i < to; i++) {
		const struct truth_frame *frame = &stack->frames.at[i];
		uint64_t word;

		if (frame->kind == TRUTH_INTERRUPTED || frame->lifted ||
		    !truth->read(truth->context, frame->slot + distance, &word) ||
		    word != frame->address)
			return false;
	}
	return true;
}

/* A stack that was left lies where the stack pointer points to now. */
static struct truth_stack *left_there(struct truth *truth, uint64_t sp)
{
	for (uint32_t i = 0; i < truth->stacks.count; i++) {
		struct truth_stack *stack = truth->stacks.at[i];
		uint32_t left;

		if (stack->dead || !stack->left || sp < stack->sp || sp > stack->base)
			continue;
		left = frames_left(stack, stack->sp, sp);
		if (left != UINT32_MAX && holds(truth, stack, 0, left, 0))
			return stack;
		stack->dead = true; /* its memory is used for something else by now */
	}
	return NULL;
}

/*
 * A stack that was left, whole but at another place: its innermost frames must all be found from
 * the stack pointer on. It goes on where it was left, or behind the call that left it.
 */
static struct truth_stack *moved_there(struct truth *truth, uint64_t sp)
{
	struct truth_stack *found = NULL;
	uint64_t distance = 0;
	uint32_t left = 0;

	for (uint32_t i = 0; i < truth->stacks.count; i++) {
		struct truth_stack *stack = truth->stacks.at[i];

		if (stack->dead || !stack->left || (found && found->left > stack->left))
			continue;
		for (uint32_t taken = 0; taken < 2 && taken < stack->frames.count; taken++) {
			uint64_t resumed = taken ? top_of(stack)->slot + 8 : stack->sp;
			uint32_t count = stack->frames.count - taken;

			if (!holds(truth, stack, 0, count, sp - resumed))
				continue;
			found = stack;
			distance = sp - resumed;
			left = count;
		}
	}
	if (!found)
		return NULL;
	for (uint32_t i = 0; i < found->frames.count; i++)
		found->frames.at[i].slot += distance;
	found->base += distance;
	found->frames.count = left;
	truth->counts[TRUTH_MOVED]++;
	return found;
}

/*
 * The innermost frame was left without a return, and alone: has its return address been copied to
 * where the stack pointer went (libffi's calls lie on top of their arguments)? Then it lives on there.
 */
static bool relocate(struct truth *truth, struct truth_stack *stack, uint64_t sp)
{
	struct truth_frame *top = top_of(stack);
	uint64_t limit = stack->frames.count > 1 ? top[-1].slot : stack->base, word;

	if (limit > sp + COPY_REACH)
		limit = sp + COPY_REACH;
	for (uint64_t at = (sp + 7) & ~7ULL; at < limit; at += 8) {
		if (!truth->read(truth->context, at, &word))
			return false;
		if (word == top->address) {
			top->slot = at;
			truth->counts[TRUTH_RELOCATED]++;
			return true;
		}
	}
	return false;
}

static void set_sp(struct truth *truth, struct truth_thread *thread, const struct truth_step *step)
{
	struct truth_stack *stack = thread->stack, *to;
	uint32_t left = frames_left(stack, step->sp, step->to_sp);
	uint64_t planted;

	if (left != UINT32_MAX) {
		if (left + 1 != stack->frames.count || top_of(stack)->kind != TRUTH_CALLED ||
		    !relocate(truth, stack, step->to_sp))
			leave_frames(truth, stack, left);
		return;
	}
	to = left_there(truth, step->to_sp);
	/* A frame whose size was not known when it was compiled. */
	if (!to && step->kind != CODE_LOADS_SP && step->to_sp < step->sp &&
	    step->sp - step->to_sp < GROWTH_MAX)
		return;
	if (!to)
		to = moved_there(truth, step->to_sp);
	if (to) {
		truth->counts[TRUTH_SWITCHES]++;
		move(truth, to, step->to_sp);
	} else {
		to = new_stack(truth, step->to_sp);
		if (truth->read(truth->context, step->to_sp, &planted) &&
		    truth->is_code(truth->context, planted))
			push(to, (struct truth_frame){ .slot = step->to_sp,
						       .address = planted,
						       .kind = TRUTH_PLANTED,
						       .exact = true });
	}
	stack->sp = step->sp;
	stack->left = ++truth->clock;
	to->left = 0;
	thread->stack = to;
	thread->came_from = stack;
	/* Back from where it had switched to. */
	if (stack->from == to) {
		stack->from = NULL;
		thread->came_from = NULL;
	}
}

/* Has the kernel written a signal's frame? Then nothing was executed. */
static bool enter_handler(struct truth *truth, struct truth_thread *thread,
			  const struct truth_step *step)
{
	struct truth_stack *stack = thread->stack;
	uint64_t context = step->to_sp + FRAME_UCONTEXT, restorer, ip, sp;

	if (!step->signalled || step->to_sp == step->sp ||
	    !truth->read(truth->context, step->to_sp, &restorer) ||
	    !truth->read(truth->context, context + UCONTEXT_RSP, &sp) ||
	    !truth->read(truth->context, context + UCONTEXT_RIP, &ip) || sp != step->sp ||
	    /* A system call that begins anew afterwards. */
	    (ip != step->ip && ip != step->ip - SYSCALL_BYTES))
		return false;
	push(stack, (struct truth_frame){ .slot = context,
					  .address = ip,
					  .sp = sp,
					  .kind = TRUTH_INTERRUPTED,
					  .exact = true,
					  .came_from = thread->came_from });
	thread->came_from = NULL;
	push(stack,
	     (struct truth_frame){ .slot = step->to_sp, .address = restorer, .exact = true });
	truth->counts[TRUTH_SIGNALS]++;
	return true;
}

/* Has the handler made the interrupted code call something (Go's preemption, Go's panics)? */
static bool calls(const struct truth *truth, const struct truth_frame *interrupted, uint64_t sp)
{
	uint64_t word;

	return sp == interrupted->sp - 8 && truth->read(truth->context, sp, &word) &&
	       word == interrupted->address;
}

static void leave_handler(struct truth *truth, struct truth_thread *thread,
			  const struct truth_step *step)
{
	struct truth_stack *stack = thread->stack;
	struct truth_frame interrupted = {};
	struct truth_step set = *step;

	truth->counts[TRUTH_SIGRETURNS]++;
	while (stack->frames.count && interrupted.kind != TRUTH_INTERRUPTED)
		interrupted = stack->frames.at[--stack->frames.count];
	thread->came_from = interrupted.came_from;
	if (step->to_sp == interrupted.sp)
		return;
	if (calls(truth, &interrupted, step->to_sp)) {
		push(stack, (struct truth_frame){ .slot = step->to_sp,
						  .address = interrupted.address,
						  .exact = true });
		truth->counts[TRUTH_INJECTED]++;
		return;
	}
	set.sp = interrupted.sp;
	set.kind = CODE_LOADS_SP;
	set_sp(truth, thread, &set);
}

static void call(struct truth *truth, struct truth_thread *thread, const struct truth_step *step)
{
	struct truth_stack *stack = thread->stack;

	/* Code that only wants to know where it is. */
	if (step->to_sp != step->sp - 8 || step->to_ip == step->ip + step->size)
		return;
	if (thread->came_from) {
		stack->from = thread->came_from;
		stack->below = stack->frames.count;
	}
	push(stack, (struct truth_frame){ .slot = step->to_sp,
					  .address = step->ip + step->size,
					  .bp = step->bp });
	truth->counts[TRUTH_CALLS]++;
}

/* A return address that was taken off the stack, into a register, is still where it goes on. */
static void follow_lifted(struct truth *truth, struct truth_stack *stack,
			  const struct truth_step *step)
{
	struct truth_frame *top = top_of(stack);
	uint64_t word;

	if (!top || !top->lifted)
		return;
	if (step->to_ip == top->address)
		keep_frames(stack, stack->frames.count - 1);
	else if (step->to_sp == top->slot && step->sp > step->to_sp &&
		 truth->read(truth->context, top->slot, &word) && word == top->address)
		top->lifted = false;
}

void truth_step(struct truth *truth, struct truth_thread *thread, const struct truth_step *step)
{
	struct truth_stack *stack = thread->stack;
	struct truth_frame *top = top_of(stack);
	uint64_t word;

	if (enter_handler(truth, thread, step))
		return;
	if (step->kind == CODE_SYSCALL && step->ax == SYS_rt_sigreturn) {
		leave_handler(truth, thread, step);
		return;
	}
	if (step->kind == CODE_CALL)
		call(truth, thread, step);
	if (step->kind == CODE_CALL) {
		thread->came_from = NULL;
	} else if (thread->came_from && (step->kind == CODE_RETURN || step->kind == CODE_JUMP)) {
		/* It was left for good, or until somebody goes on there. */
		thread->came_from->from = NULL;
		thread->came_from = NULL;
	}
	if (step->kind == CODE_RETURN && top && top->slot == step->sp && step->to_sp != step->sp &&
	    !top->lifted) {
		truth->counts[step->to_ip == top->address ? TRUTH_RETURNS : TRUTH_ELSEWHERE]++;
		keep_frames(stack, stack->frames.count - 1);
	} else if (step->kind == CODE_POP && top && top->slot == step->sp &&
		   step->to_sp == step->sp + 8 && truth->read(truth->context, top->slot, &word) &&
		   word == top->address) {
		top->lifted = true;
		truth->counts[TRUTH_LIFTED]++;
	} else if (step->to_sp != step->sp) {
		if (step->kind == CODE_SETS_SP || step->kind == CODE_LOADS_SP)
			set_sp(truth, thread, step);
		else
			move(truth, stack, step->to_sp);
	}
	follow_lifted(truth, thread->stack, step);
}

/* ---- what there is ---- */

struct lister {
	struct truth_caller *callers;
	uint32_t limit, count;
};

static void add_caller(struct lister *lister, const struct truth_frame *frame, uint64_t address,
		       bool exact)
{
	if (lister->count < lister->limit)
		lister->callers[lister->count++] = (struct truth_caller){
			.address = address - !exact,
			.exact = exact,
			.planted = frame->kind == TRUTH_PLANTED,
			.frame = frame,
		};
}

/* Where it goes on after the signal, which the handler may have changed. */
static void add_interrupted(const struct truth *truth, struct lister *lister,
			    const struct truth_frame *frame)
{
	uint64_t ip, sp;

	if (!truth->read(truth->context, frame->slot + UCONTEXT_RIP, &ip) ||
	    !truth->read(truth->context, frame->slot + UCONTEXT_RSP, &sp)) {
		ip = frame->address;
		sp = frame->sp;
	}
	add_caller(lister, frame, ip, true);
	lister->callers[lister->count - 1].changing = (ip == frame->address) != (sp == frame->sp);
	if (calls(truth, frame, sp))
		add_caller(lister, frame, frame->address, true);
}

uint32_t truth_list(const struct truth *truth, const struct truth_thread *thread,
		    struct truth_caller *callers, uint32_t limit, bool arrived)
{
	const struct truth_stack *stack = thread->stack;
	struct lister lister = { callers, limit, 1 };

	if (thread->came_from && !arrived) {
		stack = thread->came_from;
		callers[0].last_of_stack = true;
	}
	while (stack) {
		const struct truth_stack *next = stack->from;
		uint32_t below = next ? stack->below : 0;

		for (uint32_t i = stack->frames.count; i > below; i--) {
			const struct truth_frame *frame = &stack->frames.at[i - 1];

			if (frame->kind != TRUTH_INTERRUPTED) {
				add_caller(&lister, frame, frame->address, frame->exact);
				continue;
			}
			add_interrupted(truth, &lister, frame);
			if (frame->came_from && !arrived) {
				next = frame->came_from;
				break;
			}
		}
		if (next)
			callers[lister.count - 1].last_of_stack = true;
		stack = next;
	}
	return lister.count;
}
