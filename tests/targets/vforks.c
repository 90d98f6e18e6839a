// SPDX-License-Identifier: Apache-2.0
/*
 * vforks MILLISECONDS [PROGRAM ARGUMENT...]
 *
 * A thread that again and again calls vfork; the child works for MILLISECONDS of CPU time in the
 * memory and on the stack of its parent, which sleeps meanwhile (uninterruptibly), then ends, or
 * executes PROGRAM. True stacks: main, begin_child, borrowed, borrowed_leaf in the children;
 * start_thread, beside, beside_leaf in the parent's other thread, which goes on.
 *
 * Prints how many children there were.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "target.h"

FUNCTION uint64_t begin_child(uint64_t limit_ns, char **program);
FUNCTION uint64_t borrowed(uint64_t limit_ns);
LEAF uint64_t borrowed_leaf(uint64_t value);
FUNCTION void *beside(void *argument);
LEAF uint64_t beside_leaf(uint64_t value);

uint64_t borrowed_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t borrowed(uint64_t limit_ns)
{
	uint64_t value = 1;

	while (target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < limit_ns)
		value = borrowed_leaf(value);
	NO_TAIL_CALL(value);
	return value;
}

uint64_t begin_child(uint64_t limit_ns, char **program)
{
	uint64_t value = 1;
	pid_t pid = vfork();

	if (pid == 0) {
		value = borrowed(limit_ns);
		if (program[0])
			execv(program[0], program);
		_exit(value == 0);
	}
	if (pid < 0)
		exit(1);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	NO_TAIL_CALL(value);
	return value;
}

uint64_t beside_leaf(uint64_t value)
{
	return target_work(value, 200000);
}

void *beside(void *argument)
{
	uint64_t value = 1;

	(void)argument;
	while (!target_stopped) {
		value = beside_leaf(value);
		usleep(1000);
	}
	return (void *)(uintptr_t)(value == 0);
}

int main(int argc, char **argv)
{
	uint64_t limit_ns, children = 0;
	pthread_t thread;

	if (argc < 2)
		return 2;
	limit_ns = (uint64_t)atol(argv[1]) * 1000000u;
	target_begin(NULL);
	if (pthread_create(&thread, NULL, beside, NULL) != 0)
		return 1;
	target_ready();
	while (!target_stopped) {
		(void)begin_child(limit_ns, argv + 2);
		children++;
	}
	pthread_join(thread, NULL);
	printf("{\"children\": %llu}\n", (unsigned long long)children);
	return 0;
}
