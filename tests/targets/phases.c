// SPDX-License-Identifier: Apache-2.0
/*
 * phases MILLISECONDS [SECONDS]
 *
 * Works in phase_first for MILLISECONDS (by the wall clock), in phase_second from then on: what a
 * profiler that was asked to wait must not see, and what it must.
 */
#include "target.h"

LEAF uint64_t phase_first(uint64_t value);
LEAF uint64_t phase_second(uint64_t value);

uint64_t phase_first(uint64_t value)
{
	return target_work(value + 1, 20000);
}

uint64_t phase_second(uint64_t value)
{
	return target_work(value + 2, 20000);
}

int main(int argc, char **argv)
{
	uint64_t value = 1, end_ns;

	if (argc < 2)
		return 2;
	target_begin(argc > 2 ? argv[2] : NULL);
	target_ready();
	end_ns = target_clock_ns(CLOCK_MONOTONIC) + (uint64_t)atol(argv[1]) * 1000000u;
	while (!target_stopped && target_clock_ns(CLOCK_MONOTONIC) < end_ns)
		value = phase_first(value);
	while (!target_stopped)
		value = phase_second(value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
