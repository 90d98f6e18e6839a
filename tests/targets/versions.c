// SPDX-License-Identifier: Apache-2.0
/*
 * version_old [SECONDS], version_new [SECONDS]
 *
 * Two builds of one program: json_decode has DECODE percent of the work, render the rest, in slices of
 * random length. The truth printed is the share of json_decode, measured with the thread's CPU clock
 * around every slice, of its whole CPU time.
 */
#include "target.h"

/* Work that is the function's own: nothing is inlined into it. */
#define WORK(name)                                                                                 \
	LEAF uint64_t name(uint64_t value, uint64_t rounds);                                       \
	uint64_t name(uint64_t value, uint64_t rounds)                                             \
	{                                                                                          \
		for (uint64_t i = 0; i < rounds; i++) {                                            \
			value = value * 6364136223846793005ULL + sizeof(#name);                    \
			__asm__ volatile("" : "+r"(value));                                        \
		}                                                                                  \
		return value;                                                                      \
	}
WORK(json_decode)
WORK(render)

int main(int argc, char **argv)
{
	uint64_t random = 88172645463325252ULL ^ (uint64_t)getpid() << 17;
	uint64_t value = 1, spent = 0, begin, total;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	begin = target_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (!target_stopped) {
		uint64_t rounds = 500 + target_random(&random) % 40000;
		uint64_t before = target_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		value = json_decode(value, rounds * DECODE);
		spent += target_clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
		value = render(value, rounds * (100 - DECODE));
	}
	total = target_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	printf("{\"json_decode\": %.6f, \"value\": %llu}\n", (double)spent / (double)total,
	       (unsigned long long)value);
	return 0;
}
