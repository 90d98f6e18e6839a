// SPDX-License-Identifier: Apache-2.0
/*
 * altstack WAY [SECONDS]
 *
 * Handlers on alternate stacks. True stacks, libc's frames and signal frames left out, by WAY:
 *   overflow  main, attempt, `sink` about a hundred times until the stack is full (each time as
 *             often), then on the alternate stack on_overflow, work; it is left by siglongjmp
 *   nested    main, attempt, first (alternate), second (same one, above it), third (SA_ONSTACK not
 *             asked for, so the same one again), work
 *   again     main, attempt, `again` 8 times over itself (SA_NODEFER, alternate), work
 *   in_place  the same on the program's own stack
 */
#include <setjmp.h>
#include <string.h>
#include <sys/resource.h>

#include "target.h"

enum { SINK_BYTES = 8192, STACK_BYTES = 1 << 20, AGAIN_DEPTH = 8, ALTERNATE_BYTES = 256 * 1024 };

LEAF uint64_t work(uint64_t value);
FUNCTION uint64_t sink(uint64_t value);
FUNCTION void on_overflow(int signal);
FUNCTION void first(int signal);
FUNCTION void second(int signal);
FUNCTION void third(int signal);
FUNCTION void again(int signal);
FUNCTION void attempt(int way);

static sigjmp_buf back;
static volatile uint64_t result;
static volatile int depth;

uint64_t work(uint64_t value)
{
	return target_work(value, 100000);
}

uint64_t sink(uint64_t value)
{
	volatile char room[SINK_BYTES];

	room[value % SINK_BYTES] = (char)value;
	if (value) /* always: a compiler warns of recursion without an end */
		value = sink(value + 1);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[0];
}

void on_overflow(int signal)
{
	result = work((uint64_t)signal);
	siglongjmp(back, 1);
}

void first(int signal)
{
	raise(SIGUSR2);
	result = result + (uint64_t)signal;
}

void second(int signal)
{
	raise(SIGPROF);
	result = result + (uint64_t)signal;
}

void third(int signal)
{
	result = work((uint64_t)signal);
}

void again(int signal)
{
	if (++depth < AGAIN_DEPTH)
		raise(signal);
	else
		result = work((uint64_t)signal);
	depth--;
	result = result + 1;
}

void attempt(int way)
{
	if (sigsetjmp(back, 1) == 0) {
		if (way == SIGSEGV)
			result = sink(1);
		else
			raise(way);
	}
	result = result + 1;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

int main(int argc, char **argv)
{
	static char alternate[ALTERNATE_BYTES];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct rlimit limit = { STACK_BYTES, RLIM_INFINITY };
	const char *name = argc > 1 ? argv[1] : "";
	int way = SIGUSR1;

	target_begin(argc > 2 ? argv[2] : NULL);
	sigaltstack(&stack, NULL);
	handle(SIGUSR2, second, SA_ONSTACK);
	handle(SIGPROF, third, 0);
	if (strcmp(name, "overflow") == 0) {
		setrlimit(RLIMIT_STACK, &limit);
		handle(SIGSEGV, on_overflow, SA_ONSTACK);
		way = SIGSEGV;
	} else if (strcmp(name, "nested") == 0) {
		handle(SIGUSR1, first, SA_ONSTACK);
	} else if (strcmp(name, "again") == 0) {
		handle(SIGUSR1, again, SA_ONSTACK | SA_NODEFER);
	} else if (strcmp(name, "in_place") == 0) {
		handle(SIGUSR1, again, SA_NODEFER);
	} else {
		return 2;
	}
	target_ready();
	while (!target_stopped)
		attempt(way);
	printf("{\"result\": %llu}\n", (unsigned long long)result);
	return 0;
}
