// SPDX-License-Identifier: Apache-2.0
#include "profile/sequences.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

/* Of `runs` as the rest of the world would compare them. */
static int compare(const struct sequences *sequences, uint32_t a, uint32_t b)
{
	struct profile_run x = sequences->runs[a], y = sequences->runs[b];

	for (uint32_t i = 0; i < x.count && i < y.count; i++) {
		uint32_t at = sequences->from_end ? x.first + x.count - 1 - i : x.first + i;
		uint32_t other = sequences->from_end ? y.first + y.count - 1 - i : y.first + i;

		if (sequences->words[at] != sequences->words[other])
			return sequences->words[at] < sequences->words[other] ? -1 : 1;
	}
	return x.count < y.count ? -1 : x.count > y.count;
}

static void assert_sorted(const struct sequences *sequences, uint32_t count)
{
	uint32_t *order = malloc((count + 1) * sizeof(*order));
	bool *seen = calloc(count + 1, sizeof(*seen));

	assert_true(order && seen);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	assert_ok(sequences_sort(sequences, order, count));
	for (uint32_t i = 0; i < count; i++) {
		assert_true(order[i] < count && !seen[order[i]]);
		seen[order[i]] = true;
		if (i)
			assert_true(compare(sequences, order[i - 1], order[i]) <= 0);
	}
	free(order);
	free(seen);
}

static void few_are_sorted(void **state)
{
	static const uint32_t words[] = { 3, 1, 2, 3, 1, 2, 9, 0, 4294967294 };
	static const struct profile_run runs[] = {
		{ 0, 3 }, { 0, 2 }, { 0, 0 }, { 3, 3 }, { 1, 3 },
		{ 6, 1 }, { 7, 2 }, { 8, 1 }, { 0, 9 },
	};

	(void)state;
	for (unsigned from_end = 0; from_end < 2; from_end++) {
		const struct sequences sequences = { words, runs, from_end };

		for (uint32_t count = 0; count <= sizeof(runs) / sizeof(*runs); count++)
			assert_sorted(&sequences, count);
	}
}

/* Of all lengths, with much and little in common, equal ones among them. */
static void many_are_sorted(void **state)
{
	enum { WORDS = 20000, RUNS = 5000 };
	uint32_t *words = malloc(WORDS * sizeof(*words));
	struct profile_run *runs = malloc(RUNS * sizeof(*runs));

	(void)state;
	assert_true(words && runs);
	srand(1);
	for (int spread = 1; spread < 100000; spread = spread * 7 + 1)
		for (int longest = 1; longest < 3000; longest *= 9) {
			struct sequences sequences = { words, runs, longest % 2 };

			for (int i = 0; i < WORDS; i++)
				words[i] = (uint32_t)(rand() % spread) * 3000017U % UINT32_MAX;
			for (int i = 0; i < RUNS; i++) {
				runs[i].count = (uint32_t)(rand() % (longest + 1));
				runs[i].first = (uint32_t)rand() % (WORDS - runs[i].count);
			}
			assert_sorted(&sequences, RUNS);
			sequences.from_end = !sequences.from_end;
			assert_sorted(&sequences, 300);
		}
	free(words);
	free(runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_sorted),
		cmocka_unit_test(many_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
