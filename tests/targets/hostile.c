// SPDX-License-Identifier: Apache-2.0
/*
 * hostile [SECONDS [COMM]]
 *
 * A process whose name holds what breaks formats: separators, markup, quotes, an escape sequence,
 * a byte that is not UTF-8. True stack: main, hostile_outer, hostile_leaf; a test gives the two
 * functions names of the same kind with objcopy --redefine-sym.
 */
#include <sys/prctl.h>

#include "target.h"

LEAF uint64_t hostile_leaf(uint64_t value);
FUNCTION uint64_t hostile_outer(uint64_t value);

uint64_t hostile_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t hostile_outer(uint64_t value)
{
	value = hostile_leaf(value);
	NO_TAIL_CALL(value);
	return value + 1;
}

int main(int argc, char **argv)
{
	uint64_t value = 1;

	prctl(PR_SET_NAME, argc > 2 ? argv[2] : "a;b\n\x1b[3<&\">\xff 7");
	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		value = hostile_outer(value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
