// SPDX-License-Identifier: Apache-2.0
/*
 * oracle [OPTION]... PROGRAM [ARGUMENT]...
 *
 * Runs a program one instruction at a time and compares, after each of them, the stack that profd's
 * walker finds from the registers with the true one (truth.h). Where the next instruction is a
 * system call, it also compares what a sample in that call would give. Every thread is followed, no
 * other process is.
 *
 *   --instructions N  stops after so many
 *   --every N         compares after one of N only
 *   --interrupt N     sends a signal after about N, SIGUSR1 or SIGUSR2, once both have handlers
 *   --born            does not follow the first thread
 *   --from-entry      follows from the program's entry on, when the dynamic loader is done
 *   --without-tables  walks by frame pointers alone, to see that this is noticed
 *   --verbose         tells the explained cases, too
 *   --expect WHAT=N   fails unless there were N calls, switches, ... (enum truth_count)
 *
 * Exit status 0: they agree, but for what explained.c knows; 1: not, or the program failed; 2:
 * usage; 77: ptrace is not allowed.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/parse.h"
#include "code.h"
#include "compare.h"
#include "report.h"
#include "tables.h"
#include "tracee.h"
#include "truth.h"

enum {
	SHOWN_CASES = 30,
	/* Above the outermost slot, so that a walk that goes too far finds what is there. */
	ABOVE_BYTES = 512,
	PLAIN_SIGNAL = SIGUSR1,
	OTHER_SIGNAL = SIGUSR2,
	/* One above the other; else handlers would do nothing but be interrupted. */
	HANDLERS_MAX = 3,
};

/* One of so many comparisons may be among the explained. */
enum { EXPLAINED_SHARE = 100 };

static const char *const count_names[] = {
#define COUNT(name, text) text,
	TRUTH_COUNTS(COUNT)
#undef COUNT
};

static struct {
	uint64_t instructions; /* 0: until the program ends */
	uint64_t every;	       /* compares after one of so many */
	uint64_t interrupt;    /* a signal after about so many instructions; 0: none */
	bool born;	       /* follow threads that the first one starts, not the first one */
	bool from_entry;       /* let the dynamic loader run before */
	bool without_tables;
	uint64_t expected[TRUTH_COUNT_COUNT];
} options = { .every = 1 };

static struct {
	struct tracee tracee;
	struct tables tables;
	struct truth truth;
	struct code_cache codes;
	struct report report;
	uint64_t random;
	bool stale;   /* executable mappings may have changed */
	bool catches; /* the program has handlers for both signals */
	struct comparer comparer;
	uint64_t instructions;
} o;

static uint64_t next_random(void)
{
	o.random ^= o.random << 13;
	o.random ^= o.random >> 7;
	o.random ^= o.random << 17;
	return o.random;
}

/* ---- how truth.c, code.c and the walker see the process ---- */

static bool read_for_truth(void *context, uint64_t address, uint64_t *ret)
{
	return memory_word(context, address, ret) == 0;
}

static size_t read_for_code(void *context, uint64_t address, void *ret, size_t size)
{
	return memory_bytes(context, address, ret, size);
}

static void refresh(pid_t tid)
{
	int r = tables_refresh(&o.tables, tid);

	if (r < 0 && r != -ESRCH) {
		fprintf(stderr, "oracle: reading the mappings: %s\n", strerror(-r));
		exit(1);
	}
	code_forget(&o.codes);
	o.stale = false;
}

static bool is_code(void *context, uint64_t address)
{
	if (o.stale)
		refresh(((const struct memory *)context)->pid);
	return tables_is_code(&o.tables, address);
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
static bool look(struct thread *thread, enum tracee_stop stop)
{
	struct user_regs_struct regs;
	const struct code *code;
	bool moved;

	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0)
		return false;
	moved = stop == TRACEE_NEW || stop == TRACEE_EXECED || !same_place(&thread->regs, &regs);
	if (!moved)
		return false;
	memory_begin(&o.tracee.memory, regs.rsp, window_end(thread, regs.rsp));
	if (stop == TRACEE_NEW || stop == TRACEE_EXECED) {
		truth_begin(&o.truth, &thread->truth, regs.rsp);
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

		truth_step(&o.truth, &thread->truth, &step);
		o.instructions++;
	}
	thread->regs = regs;
	thread->stopped_before = true;
	if (o.stale)
		refresh(thread->tid);
	code = code_at(&o.codes, regs.rip, read_for_code, &o.tracee.memory);
	thread->kind = code->kind;
	thread->size = code->size;
	if (options.every <= 1 || next_random() % options.every == 0) {
		compare(&o.comparer, thread, false, o.instructions);
		if (code->kind == CODE_SYSCALL)
			compare(&o.comparer, thread, true, o.instructions);
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
static int interruption(const struct thread *thread)
{
	if (!options.interrupt || next_random() % options.interrupt ||
	    handlers(thread) >= HANDLERS_MAX)
		return 0;
	if (!o.catches)
		o.catches = tracee_catches(&o.tracee, PLAIN_SIGNAL, OTHER_SIGNAL);
	if (!o.catches)
		return 0;
	return next_random() & 1024 ? PLAIN_SIGNAL : OTHER_SIGNAL;
}

/* Returns the program's status as of waitpid, 0 when it was stopped at the limit, or below 0. */
static int follow(void)
{
	enum tracee_stop stop;
	struct thread *thread;
	int signal, r;

	for (;;) {
		r = tracee_wait(&o.tracee, &stop, &thread, &signal);
		if (r < 0)
			return r;
		if (stop == TRACEE_GONE)
			return signal;
		if (stop == TRACEE_THREAD_GONE)
			continue;
		if (stop == TRACEE_EXECED) {
			o.stale = true;
			r = options.from_entry ? tracee_run_to_entry(thread) : 0;
			if (r < 0)
				return r;
		}
		thread->followed = !options.born || thread->tid != o.tracee.pid;
		if (thread->followed) {
			if (look(thread, stop) && !signal && stop == TRACEE_STEPPED)
				signal = interruption(thread);
			if (options.instructions && o.instructions >= options.instructions)
				return 0;
			if (thread->kind == CODE_SYSCALL && changes_code(&thread->regs))
				o.stale = true;
		}
		r = tracee_resume(thread, signal);
		if (r < 0)
			return r;
	}
}

/* ---- verdict ---- */

static bool meets_expectations(void)
{
	bool all = true;

	for (unsigned i = 0; i < TRUTH_COUNT_COUNT; i++) {
		if (o.truth.counts[i] >= options.expected[i])
			continue;
		printf("only %llu %s, expected were %llu\n", (unsigned long long)o.truth.counts[i],
		       count_names[i], (unsigned long long)options.expected[i]);
		all = false;
	}
	return all;
}

static bool judge(int status, uint64_t took_ns)
{
	const struct comparer *c = &o.comparer;
	uint64_t explained = o.report.explained, unexplained = o.report.unexplained;

	report_print(&o.report, SHOWN_CASES);
	printf("%llu instructions in %.1f s (%.0f/s), %llu comparisons (%llu in system calls), "
	       "%.1f frames each, at most %llu\n",
	       (unsigned long long)o.instructions, (double)took_ns / 1e9,
	       (double)o.instructions * 1e9 / (double)took_ns, (unsigned long long)c->compared,
	       (unsigned long long)c->in_syscalls, (double)c->frames / (double)(c->compared ?: 1),
	       (unsigned long long)c->deepest);
	for (unsigned i = 0; i < TRUTH_COUNT_COUNT; i++)
		printf("%s%llu %s", i ? ", " : "", (unsigned long long)o.truth.counts[i],
		       count_names[i]);
	printf("\nagreement %.4f %%: %llu disagree; %llu more do, which is explained\n",
	       100.0 * (double)(c->compared - explained - unexplained) /
		       (double)(c->compared - explained ?: 1),
	       (unsigned long long)unexplained, (unsigned long long)explained);
	if (status < 0)
		printf("following failed: %s\n", strerror(-status));
	else if (status)
		printf("the program %s %d\n",
		       WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return meets_expectations() && status == 0 && c->compared > 0 && unexplained == 0 &&
	       explained * EXPLAINED_SHARE <= c->compared;
}

static int usage(void)
{
	fprintf(stderr, "usage: oracle [--instructions N] [--every N] [--interrupt N] [--born] "
			"[--from-entry] [--without-tables] [--verbose] [--expect WHAT=N]... "
			"PROGRAM [ARGUMENT]...\n");
	return 2;
}

static bool expect(char *text)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = '\0';
	for (unsigned i = 0; i < TRUTH_COUNT_COUNT; i++)
		if (strcmp(text, count_names[i]) == 0)
			return parse_u64(&options.expected[i], equals + 1, UINT64_MAX) == 0;
	return false;
}

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "instructions", required_argument, NULL, 'n' },
		{ "every", required_argument, NULL, 'e' },
		{ "interrupt", required_argument, NULL, 'i' },
		{ "born", no_argument, NULL, 'b' },
		{ "from-entry", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "without-tables", no_argument, NULL, 'w' },
		{ "expect", required_argument, NULL, 'x' },
		{},
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		switch (option) {
		case 'n':
			good = parse_u64(&options.instructions, optarg, UINT64_MAX) == 0;
			break;
		case 'e':
			good = parse_u64(&options.every, optarg, UINT64_MAX) == 0;
			break;
		case 'i':
			good = parse_u64(&options.interrupt, optarg, UINT64_MAX) == 0;
			break;
		case 'b':
			options.born = true;
			break;
		case 'f':
			options.from_entry = true;
			break;
		case 'v':
			o.report.verbose = true;
			break;
		case 'w':
			options.without_tables = true;
			break;
		case 'x':
			good = expect(optarg);
			break;
		default:
			good = false;
		}
	}
	return good && optind < argc;
}

int main(int argc, char **argv)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	int r, status;
	bool good;

	if (!parse_options(argc, argv))
		return usage();
	o.random = 88172645463325252ULL;
	o.truth.read = read_for_truth;
	o.truth.is_code = is_code;
	o.truth.context = &o.tracee.memory;
	o.report.tables = &o.tables;
	o.comparer.tables = &o.tables;
	o.comparer.truth = &o.truth;
	o.comparer.memory = &o.tracee.memory;
	o.comparer.report = &o.report;
	r = tracee_start(&o.tracee, argv + optind);
	if (r == 0)
		r = tables_init(&o.tables, o.tracee.pid, options.without_tables);
	if (r < 0) {
		fprintf(stderr, "oracle: %s: %s\n", argv[optind], strerror(-r));
		tracee_end(&o.tracee);
		return r == -EPERM ? 77 : 1;
	}
	status = follow();
	good = judge(status, clock_ns(CLOCK_MONOTONIC) - begin);
	tracee_end(&o.tracee);
	report_fini(&o.report);
	tables_fini(&o.tables);
	truth_fini(&o.truth);
	code_forget(&o.codes);
	return good ? 0 : 1;
}
