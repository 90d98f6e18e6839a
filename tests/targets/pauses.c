// SPDX-License-Identifier: Apache-2.0
/*
 * pauses [SECONDS]
 *
 * Watches the clock without end and keeps the longest gaps between two looks: what a profiler that
 * stops its target costs that target. Prints the ten longest, in microseconds, with the time since
 * the start (s) at which each ended. Gaps of other causes (other processes on the CPU) are in the
 * list too: compare with a run beside nothing.
 */
#include "target.h"

enum { KEPT = 10 };

int main(int argc, char **argv)
{
	uint64_t gaps[KEPT] = { 0 }, ends[KEPT] = { 0 }, begin, before;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	begin = before = target_clock_ns(CLOCK_MONOTONIC);
	while (!target_stopped) {
		uint64_t now = target_clock_ns(CLOCK_MONOTONIC), gap = now - before;
		int place = KEPT;

		before = now;
		while (place > 0 && gap > gaps[place - 1])
			place--;
		if (place == KEPT)
			continue;
		for (int i = KEPT - 1; i > place; i--) {
			gaps[i] = gaps[i - 1];
			ends[i] = ends[i - 1];
		}
		gaps[place] = gap;
		ends[place] = now - begin;
	}
	printf("{\"gaps\": [");
	for (int i = 0; i < KEPT; i++)
		printf("%s{\"us\": %.1f, \"at_s\": %.3f}", i ? ", " : "", (double)gaps[i] / 1e3,
		       (double)ends[i] / 1e9);
	printf("]}\n");
	return 0;
}
