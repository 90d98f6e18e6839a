// SPDX-License-Identifier: Apache-2.0
/*
 * recurse DEPTH [SECONDS [wide|page [thread]]]
 *
 * True stack of nearly every sample: _start, libc's start functions, main, `recurse` exactly DEPTH
 * times, leaf. With "wide", `recurse_wide` instead, whose frames are 200 KiB each (at most 30), with
 * "page" `recurse_page`, whose frames are 4 KiB. With "thread" all that is not beneath main, but
 * beneath run_thread, in a thread.
 * Linked dynamically, static and static-pie: the stacks are the same.
 */
#include <pthread.h>
#include <string.h>

#include "target.h"

enum { WIDE_BYTES = 200 * 1024, PAGE_BYTES = 4096, WIDE_MAX_DEPTH = 30 };

LEAF uint64_t leaf(uint64_t value);
FUNCTION uint64_t recurse(unsigned int depth, uint64_t value);
FUNCTION uint64_t recurse_wide(unsigned int depth, uint64_t value);
FUNCTION uint64_t recurse_page(unsigned int depth, uint64_t value);
FUNCTION void *run_thread(void *arguments);

uint64_t leaf(uint64_t value)
{
	return target_work(value, 30000);
}

uint64_t recurse(unsigned int depth, uint64_t value)
{
	value = depth > 1 ? recurse(depth - 1, value) : leaf(value);
	NO_TAIL_CALL(value);
	return value + depth;
}

uint64_t recurse_wide(unsigned int depth, uint64_t value)
{
	volatile char room[WIDE_BYTES];

	room[depth] = (char)value;
	value = depth > 1 ? recurse_wide(depth - 1, value) : leaf(value);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[depth];
}

uint64_t recurse_page(unsigned int depth, uint64_t value)
{
	volatile char room[PAGE_BYTES];

	memset((char *)room, (int)value, sizeof(room));
	value = depth > 1 ? recurse_page(depth - 1, value) : leaf(value);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[depth];
}

struct arguments {
	uint64_t (*function)(unsigned int depth, uint64_t value);
	uint64_t value;
	unsigned int depth;
};

void *run_thread(void *arguments)
{
	struct arguments *a = arguments;

	while (!target_stopped)
		a->value = a->function(a->depth, a->value);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int depth = argc > 1 ? (unsigned int)atoi(argv[1]) : 10;
	int wide = argc > 3 && strcmp(argv[3], "wide") == 0;
	uint64_t (*function)(unsigned int, uint64_t) = wide ? recurse_wide : recurse;
	uint64_t value = (uint64_t)getpid();
	struct arguments a;
	pthread_t thread;

	if (depth < 1 || (wide && depth > WIDE_MAX_DEPTH))
		return 2;
	if (argc > 3 && strcmp(argv[3], "page") == 0)
		function = recurse_page;
	target_begin(argc > 2 ? argv[2] : NULL);
	target_ready();
	a = (struct arguments){ function, value, depth };
	if (argc > 4) {
		if (pthread_create(&thread, NULL, run_thread, &a) != 0)
			return 1;
		pthread_join(thread, NULL);
		value = a.value;
	}
	while (!target_stopped)
		value = function(depth, value);
	printf("{\"depth\": %u, \"value\": %llu}\n", depth, (unsigned long long)value);
	return 0;
}
