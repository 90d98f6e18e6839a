// SPDX-License-Identifier: Apache-2.0
#include "oracle/oracle.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

enum {
	/* Above the outermost slot, so that a walk that goes too far finds what is there. */
	ABOVE_BYTES = 512,
	PLAIN_SIGNAL = SIGUSR1,
	OTHER_SIGNAL = SIGUSR2,
	/* One above the other; else handlers would do nothing but be interrupted. */
	HANDLERS_MAX = 3,
};

static uint64_t next_random(struct oracle *o)
{
	o->random ^= o->random << 13;
	o->random ^= o->random >> 7;
	o->random ^= o->random << 17;
	return o->random;
}

/* ---- how truth.c, code.c and the walker see the process ---- */

static bool read_for_truth(void *context, uint64_t address, uint64_t *ret)
{
	struct oracle *o = context;

	return memory_word(&o->tracee.memory, address, ret) == 0;
}

static size_t read_for_code(void *context, uint64_t address, void *ret, size_t size)
{
	return memory_bytes(context, address, ret, size);
}

static void refresh(struct oracle *o, pid_t tid)
{
	int r = tables_refresh(&o->tables, tid);

	if (r < 0 && r != -ESRCH)
		o->failure = r;
	code_forget(&o->codes);
	o->stale = false;
}

static bool is_code(void *context, uint64_t address)
{
	struct oracle *o = context;

	if (o->stale)
		refresh(o, o->tracee.memory.pid);
	return tables_is_code(&o->tables, address);
}

/* ---- following ---- */

/* Will the system call that is about to be made change what is executable? */
static bool changes_code(const struct user_regs_struct *regs)
{
	switch (regs->rax) {
	case SYS_munmap:
	case SYS_mremap:
	case SYS_execve:
	case SYS_execveat:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_pkey_mprotect:
		return true;
	case SYS_mmap: /* also over what was executable */
		return regs->rdx & PROT_EXEC || regs->r10 & MAP_FIXED;
	case SYS_mprotect:
		return true;
	default:
		return false;
	}
}

/* Where the true stack of this thread ends in the memory around its stack pointer. */
static uint64_t window_end(const struct thread *thread, uint64_t sp)
{
	const struct truth_stack *stack = thread->truth.stack;
	uint64_t end = sp;

	for (uint32_t i = stack ? stack->frames.count : 0; i > 0; i--) {
		const struct truth_frame *frame = &stack->frames.at[i - 1];

		/* What a signal interrupted on another stack is read when it is asked for. */
		if (frame->slot < sp || frame->slot - sp > MEMORY_WINDOW_BYTES - ABOVE_BYTES)
			break;
		if (frame->slot > end)
			end = frame->slot;
	}
	return end + ABOVE_BYTES;
}

/* An instruction that is repeated stays where it is and counts in rcx. */
static bool same_place(const struct user_regs_struct *a, const struct user_regs_struct *b)
{
	return a->rip == b->rip && a->rsp == b->rsp && a->rcx == b->rcx;
}

/* A followed thread stands still. Returns whether it has done anything. */
static bool look(struct oracle *o, struct thread *thread, enum tracee_stop stop)
{
	struct user_regs_struct regs;
	const struct code *code;
	bool moved;

	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0)
		return false;
	moved = stop == TRACEE_NEW || stop == TRACEE_EXECED || !same_place(&thread->regs, &regs);
	if (!moved)
		return false;
	memory_begin(&o->tracee.memory, regs.rsp, window_end(thread, regs.rsp));
	if (stop == TRACEE_NEW || stop == TRACEE_EXECED) {
		truth_begin(&o->truth, &thread->truth, regs.rsp);
	} else {
		const struct truth_step step = { .kind = thread->kind,
						 .size = thread->size,
						 .ip = thread->regs.rip,
						 .sp = thread->regs.rsp,
						 .bp = thread->regs.rbp,
						 .ax = thread->regs.rax,
						 .to_ip = regs.rip,
						 .to_sp = regs.rsp,
						 .signalled = thread->signalled };

		truth_step(&o->truth, &thread->truth, &step);
		o->instructions++;
	}
	thread->regs = regs;
	thread->stopped_before = true;
	if (o->stale)
		refresh(o, thread->tid);
	code = code_at(&o->codes, regs.rip, read_for_code, &o->tracee.memory);
	thread->kind = code->kind;
	thread->size = code->size;
	if (o->options.every <= 1 || next_random(o) % o->options.every == 0) {
		compare(&o->comparer, thread, false, o->instructions);
		if (code->kind == CODE_SYSCALL)
			compare(&o->comparer, thread, true, o->instructions);
	}
	return true;
}

/* How many signals are being handled. */
static unsigned handlers(const struct thread *thread)
{
	const struct truth_stack *stack = thread->truth.stack;
	unsigned count = 0;

	for (uint32_t i = 0; i < stack->frames.count; i++)
		count += stack->frames.at[i].kind == TRUTH_INTERRUPTED;
	return count;
}

/* A signal of our own for now and then, or 0. */
static int interruption(struct oracle *o, const struct thread *thread)
{
	if (!o->options.interrupt || next_random(o) % o->options.interrupt ||
	    handlers(thread) >= HANDLERS_MAX)
		return 0;
	if (!o->catches)
		o->catches = tracee_catches(&o->tracee, PLAIN_SIGNAL, OTHER_SIGNAL);
	if (!o->catches)
		return 0;
	return next_random(o) & 1024 ? PLAIN_SIGNAL : OTHER_SIGNAL;
}

int oracle_follow(struct oracle *o)
{
	enum tracee_stop stop;
	struct thread *thread;
	int signal, r;

	for (;;) {
		r = tracee_wait(&o->tracee, &stop, &thread, &signal);
		if (r == 0)
			r = o->failure;
		if (r < 0)
			return r;
		if (stop == TRACEE_GONE)
			return signal;
		if (stop == TRACEE_THREAD_GONE)
			continue;
		if (stop == TRACEE_EXECED) {
			o->stale = true;
			r = o->options.from_entry ? tracee_run_to_entry(thread) : 0;
			if (r < 0)
				return r;
		}
		thread->followed = !o->options.born || thread->tid != o->tracee.pid;
		if (thread->followed) {
			if (look(o, thread, stop) && !signal && stop == TRACEE_STEPPED)
				signal = interruption(o, thread);
			if (o->options.instructions && o->instructions >= o->options.instructions)
				return 0;
			if (thread->kind == CODE_SYSCALL && changes_code(&thread->regs))
				o->stale = true;
		}
		r = tracee_resume(thread, signal);
		if (r < 0)
			return r;
	}
}

struct oracle *oracle_new(const struct oracle_options *options, char **argv, int *error)
{
	struct oracle *o = calloc(1, sizeof(*o));

	if (!o) {
		*error = -ENOMEM;
		return NULL;
	}
	o->options = *options;
	o->random = 88172645463325252ULL;
	o->truth.read = read_for_truth;
	o->truth.is_code = is_code;
	o->truth.context = o;
	o->report.tables = &o->tables;
	o->comparer.tables = &o->tables;
	o->comparer.truth = &o->truth;
	o->comparer.memory = &o->tracee.memory;
	o->comparer.report = &o->report;
	*error = tracee_start(&o->tracee, argv, options->silent);
	if (*error == 0)
		o->has_tables = true;
	if (*error == 0)
		*error = tables_init(&o->tables, o->tracee.pid, options->without_tables,
				     options->in_process);
	if (*error == 0)
		return o;
	oracle_free(o);
	return NULL;
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	tracee_end(&o->tracee);
	report_fini(&o->report);
	if (o->has_tables)
		tables_fini(&o->tables);
	truth_fini(&o->truth);
	code_forget(&o->codes);
	free(o);
}
