// SPDX-License-Identifier: Apache-2.0
/*
 * DEPTH [SECONDS]
 *
 * True stack of nearly every sample: _start, libc's start functions, main, then DEPTH times
 * `outer` of the program and `between` of the library it is linked to, then `inner` of the program.
 * Both are built many times over, with other linkers and other layouts in file and memory. With
 * LAYOUT_ALONE the library's part is in the program too.
 */
#include "layout.h"

#include "target.h"

FUNCTION uint64_t outer(unsigned int left, uint64_t value);
LEAF uint64_t inner(unsigned int left, uint64_t value);

uint64_t inner(unsigned int left, uint64_t value)
{
	return target_work(value + left, 30000);
}

uint64_t outer(unsigned int left, uint64_t value)
{
	value = between(left > 1 ? outer : inner, left - 1, value);
	NO_TAIL_CALL(value);
	return value + left;
}

#ifdef LAYOUT_ALONE
#include "layout_library.c"
#endif

int main(int argc, char **argv)
{
	unsigned int depth = argc > 1 ? (unsigned int)atoi(argv[1]) : 3;
	uint64_t value = (uint64_t)getpid();

	target_begin(argc > 2 ? argv[2] : NULL);
	target_ready();
	while (!target_stopped)
		value = outer(depth, value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
