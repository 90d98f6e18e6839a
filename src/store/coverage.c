// SPDX-License-Identifier: Apache-2.0
#include "store/coverage.h"

#include <errno.h>
#include <stdlib.h>

#define GAP_NS 1000000000LL

void coverage_fini(struct coverage *coverage)
{
	array_fini(&coverage->stretches);
}

int coverage_add(struct coverage *coverage, struct store_answer *answer,
		 const struct read_slice *slice)
{
	int64_t end_ns = slice->begin_ns + slice->duration_ns;
	struct stretch *stretch = array_push(&coverage->stretches);

	if (!stretch)
		return -ENOMEM;
	*stretch = (struct stretch){ slice->from_ns, slice->until_ns };
	coverage->recorded_ns += (double)(slice->until_ns - slice->from_ns);
	coverage->all_cpu_ns += (double)slice->cpu_ns * slice->part;
	if (!answer->windows || slice->begin_ns < answer->first_ns)
		answer->first_ns = slice->begin_ns;
	if (!answer->windows || end_ns > answer->last_ns)
		answer->last_ns = end_ns;
	answer->windows++;
	if (slice->duration_ns > answer->longest_window_ns)
		answer->longest_window_ns = slice->duration_ns;
	if (slice->cpus > answer->cpus)
		answer->cpus = slice->cpus;
	if (slice->lost > 0)
		answer->lost += (uint64_t)((double)slice->lost * slice->part);
	return 0;
}

static int compare(const void *a_, const void *b_)
{
	const struct stretch *a = a_, *b = b_;

	return a->from_ns < b->from_ns ? -1 : a->from_ns > b->from_ns;
}

void coverage_tell(struct coverage *coverage, struct store_answer *answer,
		   const struct store_query *query)
{
	const struct stretch *at = coverage->stretches.at;
	int64_t until_ns = query->from_ns;

	/* Beyond the range of numbers are only times that somebody has made up. */
	answer->all_cpu_ns = coverage->all_cpu_ns < (double)INT64_MAX
				     ? (int64_t)coverage->all_cpu_ns
				     : INT64_MAX;
	answer->cores =
		coverage->recorded_ns > 0 ? coverage->all_cpu_ns / coverage->recorded_ns : 0;
	answer->covered_ns = 0;
	answer->gaps = 0;
	if (coverage->stretches.count)
		qsort(coverage->stretches.at, coverage->stretches.count, sizeof(*at), compare);
	for (uint32_t i = 0; i < coverage->stretches.count; i++) {
		int64_t from_ns = at[i].from_ns > until_ns ? at[i].from_ns : until_ns;
		int64_t gap_ns;

		if (i &&
		    (__builtin_sub_overflow(at[i].from_ns, until_ns, &gap_ns) || gap_ns >= GAP_NS))
			answer->gaps++;
		if (at[i].until_ns > from_ns) {
			answer->covered_ns =
				profile_sum(answer->covered_ns, at[i].until_ns - from_ns);
			until_ns = at[i].until_ns;
		}
	}
}
