// SPDX-License-Identifier: Apache-2.0
#include "preload/gap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "preload/region.h"

static void follows_the_logarithm(void **state)
{
	static const uint64_t means[] = { 1, HEAP_INTERVAL_MIN, HEAP_INTERVAL_BYTES,
					  (uint64_t)HEAP_INTERVAL_MAX << 10 };
	uint64_t random = 1;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t x = gap_random(&random) >> (i % 64) | 1;
		uint64_t mean = means[i % 4];
		double want = (64 * log(2) - log((double)x)) * (double)mean;
		double got = (double)gap_of(x, mean);

		assert_true(fabs(got - want) <= 1 + 1e-7 * (double)mean + 1e-9 * want);
	}
	assert_true(gap_of(UINT64_MAX, HEAP_INTERVAL_BYTES) <= 1);
	assert_true(gap_of(0, HEAP_INTERVAL_BYTES) > 44ULL * HEAP_INTERVAL_BYTES);
}

/* Of all gaps the share exp(-n / mean) is n or more: what one sampled object stands for hangs on it. */
static void is_exponential(void **state)
{
	enum { DRAWS = 400000, MEAN = 4096 };
	static const uint64_t lengths[] = { 1, 16, 512, 4096, 16384, 40960 };
	unsigned reach[6] = {};
	uint64_t random = 42;
	double sum = 0;

	(void)state;
	for (unsigned i = 0; i < DRAWS; i++) {
		uint64_t gap = gap_of(gap_random(&random), MEAN);

		sum += (double)gap;
		for (unsigned j = 0; j < 6; j++)
			reach[j] += gap >= lengths[j];
	}
	for (unsigned j = 0; j < 6; j++) {
		double share = exp(-(double)lengths[j] / MEAN);
		double deviation = sqrt(DRAWS * share * (1 - share));

		assert_true(fabs(reach[j] - DRAWS * share) < 5 * deviation + 1);
	}
	/* Half a byte is cut off on average. */
	assert_true(fabs(sum / DRAWS + 0.5 - MEAN) < 5 * MEAN / sqrt(DRAWS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_logarithm),
		cmocka_unit_test(is_exponential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
