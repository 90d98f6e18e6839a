// SPDX-License-Identifier: Apache-2.0
/*
 * exec_even LEFT MILLISECONDS [OTHER [thread]]   (and exec_odd: the same source, other functions)
 *
 * One process that works for MILLISECONDS of CPU time, then executes OTHER with LEFT - 1, which
 * executes this one again, and so on: the same pid, ever new programs at other addresses. With
 * "thread" it is another thread that calls exec, while the first one sleeps. True
 * stacks: _start, …, main, even_stage, even_leaf in exec_even; …, main, odd_stage, odd_outer,
 * odd_leaf in exec_odd, with frames of another size so that the wrong program's table shows.
 * Prints no "ready": it is run as a profiler's command.
 */
#include <pthread.h>
#include <string.h>

#include "target.h"

struct next {
	char left[24], self[4096];
	char **argv;
	const char *how;
};

#ifdef ODD
FUNCTION uint64_t odd_stage(uint64_t limit_ns);
FUNCTION uint64_t odd_outer(uint64_t value);
LEAF uint64_t odd_leaf(uint64_t value);
LEAF void odd_filler(volatile char *room);
#define stage odd_stage

/* Moves everything behind it away from where the other program has its functions. */
void odd_filler(volatile char *room)
{
	for (int i = 0; i < 64; i++)
		room[i] = (char)(room[i] * 3 + i);
}

uint64_t odd_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t odd_outer(uint64_t value)
{
	volatile char room[776] = { (char)value };

	odd_filler(room);
	value = odd_leaf(value);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[0];
}

uint64_t odd_stage(uint64_t limit_ns)
{
	uint64_t value = 1;

	while (target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < limit_ns)
		value = odd_outer(value);
	NO_TAIL_CALL(value);
	return value;
}
#else
FUNCTION uint64_t even_stage(uint64_t limit_ns);
LEAF uint64_t even_leaf(uint64_t value);
#define stage even_stage

uint64_t even_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t even_stage(uint64_t limit_ns)
{
	uint64_t value = 1;

	while (target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < limit_ns)
		value = even_leaf(value);
	NO_TAIL_CALL(value);
	return value;
}
#endif

static void *execute(void *argument)
{
	struct next *next = argument;

	execl(next->argv[3], next->argv[3], next->left, next->argv[2], next->self, next->how,
	      (char *)NULL);
	exit(1);
}

int main(int argc, char **argv)
{
	struct next next = { .argv = argv, .how = argc > 4 ? argv[4] : "" };
	uint64_t limit_ns;
	pthread_t thread;
	ssize_t size;

	if (argc < 4)
		return 2;
	/* The CPU clock goes on over exec: every stage adds its own share. */
	limit_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + (uint64_t)atol(argv[2]) * 1000000u;
	if (stage(limit_ns) == 0)
		return 1;
	if (atoi(argv[1]) <= 0) {
		printf("{\"cpu_ns\": %llu}\n",
		       (unsigned long long)target_clock_ns(CLOCK_PROCESS_CPUTIME_ID));
		return 0;
	}
	snprintf(next.left, sizeof(next.left), "%d", atoi(argv[1]) - 1);
	size = readlink("/proc/self/exe", next.self, sizeof(next.self) - 1);
	if (size < 0)
		return 1;
	next.self[size] = '\0';
	if (strcmp(next.how, "thread") != 0)
		execute(&next);
	if (pthread_create(&thread, NULL, execute, &next) != 0)
		return 1;
	for (;;)
		pause();
}
