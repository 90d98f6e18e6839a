// SPDX-License-Identifier: Apache-2.0
/*
 * children COUNT MILLISECONDS [PARALLEL [exec]]
 *
 * COUNT children that use MILLISECONDS of CPU time each, PARALLEL of them at once (default 1).
 * True stack of a forked child: _start, …, main, child, child_leaf. With "exec" each child executes
 * this program again ("children burn MILLISECONDS", comm "exe"): _start, …, main, burn, child_leaf.
 *
 * Prints how many there were and the CPU time of all, its own included, as rusage has it: a
 * profiler of the whole tree must see that time multiplied by its rate.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "target.h"

LEAF uint64_t child_leaf(uint64_t value);
FUNCTION uint64_t burn(uint64_t limit_ns);
FUNCTION void child(uint64_t limit_ns);

uint64_t child_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t burn(uint64_t limit_ns)
{
	uint64_t value = 1;

	while (target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < limit_ns)
		value = child_leaf(value);
	NO_TAIL_CALL(value);
	return value;
}

void child(uint64_t limit_ns)
{
	uint64_t value = 1;

	while (target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < limit_ns)
		value = child_leaf(value);
	_exit(value == 0);
}

static inline double seconds_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	long count, parallel, running = 0;
	uint64_t limit_ns;
	int exec;

	if (argc < 3)
		return 2;
	limit_ns = (uint64_t)atol(argv[2]) * 1000000u;
	if (strcmp(argv[1], "burn") == 0)
		return burn(limit_ns) == 0;
	count = atol(argv[1]);
	parallel = argc > 3 ? atol(argv[3]) : 1;
	exec = argc > 4 && strcmp(argv[4], "exec") == 0;
	if (count < 1 || parallel < 1)
		return 2;
	target_ready();
	for (long i = 0; i < count; i++) {
		pid_t pid;

		while (running >= parallel && wait(NULL) > 0)
			running--;
		pid = fork();
		if (pid < 0)
			return 1;
		if (pid == 0 && exec) {
			execl("/proc/self/exe", "children", "burn", argv[2], (char *)NULL);
			_exit(127);
		}
		if (pid == 0)
			child(limit_ns);
		running++;
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	printf("{\"children\": %ld, \"cpu_s\": %.6f, \"own_cpu_s\": %.6f}\n", count,
	       seconds_of(RUSAGE_CHILDREN) + seconds_of(RUSAGE_SELF), seconds_of(RUSAGE_SELF));
	return 0;
}
