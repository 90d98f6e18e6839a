// SPDX-License-Identifier: Apache-2.0
/*
 * split [SECONDS]
 *
 * Four leaf functions use about 10, 20, 30 and 40 % of the CPU time, in slices of random order and
 * length (10 to 600 µs) so that no sampling timer can fall into step with them. The truth printed
 * is measured around every slice with the thread's CPU clock, on its own samples: shares of the
 * thread's whole CPU time, reading the clock included (a few percent that no leaf has). "work" are the
 * shares of the same rounds of work, which no other program and no emulation can change.
 */
#include "target.h"

LEAF uint64_t share_10(uint64_t value, unsigned int rounds);
LEAF uint64_t share_20(uint64_t value, unsigned int rounds);
LEAF uint64_t share_30(uint64_t value, unsigned int rounds);
LEAF uint64_t share_40(uint64_t value, unsigned int rounds);

/* The constants keep the four from being folded into one function. */
#define SHARE(percent)                                                                             \
	uint64_t share_##percent(uint64_t value, unsigned int rounds)                              \
	{                                                                                          \
		return target_work(value + (percent), rounds);                                     \
	}
SHARE(10)
SHARE(20)
SHARE(30)
SHARE(40)

static uint64_t (*const parts[])(uint64_t, unsigned int) = { share_10, share_20, share_30,
							     share_40 };

int main(int argc, char **argv)
{
	uint64_t random = 88172645463325252ULL ^ (uint64_t)getpid() << 17;
	uint64_t value = 1, spent[4] = { 0 }, work[4] = { 0 }, all = 0, begin, total, before, after;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	begin = before = target_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (!target_stopped) {
		uint64_t dice = target_random(&random) >> 16;
		unsigned int part = dice % 4;
		/* Mean 75 µs for each percent point of ten, uniform from nearly 0 to double. */
		unsigned int rounds = (part + 1) * (10000 + (unsigned int)(dice / 4 % 130000));

		before = target_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		value = parts[part](value, rounds);
		after = target_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		spent[part] += after - before;
		work[part] += rounds;
		all += rounds;
	}
	total = target_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	printf("{\"share_10\": %.6f, \"share_20\": %.6f, \"share_30\": %.6f, \"share_40\": %.6f, "
	       "\"work\": [%.6f, %.6f, %.6f, %.6f], \"cpu_ns\": %llu, \"value\": %llu}\n",
	       (double)spent[0] / (double)total, (double)spent[1] / (double)total,
	       (double)spent[2] / (double)total, (double)spent[3] / (double)total,
	       (double)work[0] / (double)all, (double)work[1] / (double)all,
	       (double)work[2] / (double)all, (double)work[3] / (double)all,
	       (unsigned long long)total, (unsigned long long)value);
	return 0;
}
