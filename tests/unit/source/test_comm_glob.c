// SPDX-License-Identifier: Apache-2.0
/* The globs of --comm, with fnmatch(3) as the oracle. */
#include "test.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "source/comm_glob.h"

/* As the kernel hands names over: 16 bytes, zeros behind. */
static int matches(const char *pattern, const char *name)
{
	struct wire_glob glob;
	char comm[WIRE_COMM_BYTES] = {};

	assert_ok(comm_glob_compile(&glob, pattern));
	memcpy(comm, name, strnlen(name, sizeof(comm)));
	return comm_glob_matches(&glob, comm);
}

static void patterns_do_what_people_expect(void **state)
{
	static const struct {
		const char *pattern, *yes, *no;
	} cases[] = {
		{ "node", "node", "node2" },
		{ "node*", "node", "nod" },
		{ "*worker", "my-worker", "worker2" },
		{ "kworker/?:?", "kworker/0:1", "kworker/10:1" },
		{ "[a-c]x", "bx", "dx" },
		{ "[!a-c]x", "dx", "bx" },
		{ "[^a-c]x", "dx", "bx" },
		{ "[]]", "]", "x" },
		{ "[a-]", "-", "b" },
		{ "\\*", "*", "x" },
		{ "a\\,b", "a,b", "b" },
		{ "[,]", ",", "" },
		{ "nginx,postgres", "postgres", "nginx,postgres" },
		{ "a,b*,c", "bcd", "cd" },
		{ "a,", "", "b" },
		{ "**a**", "bab", "b" },
		{ "*a*b*c*", "xaybzc", "xcybza" },
		{ "?", "\xff", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!matches(cases[i].pattern, cases[i].yes) ||
		    matches(cases[i].pattern, cases[i].no))
			fail_msg("'%s'", cases[i].pattern);
}

static void a_name_may_fill_its_field(void **state)
{
	(void)state;
	assert_true(matches("0123456789abcdef", "0123456789abcdef"));
	assert_true(matches("*f", "0123456789abcdef"));
	assert_false(matches("*e", "0123456789abcdef"));
}

static void what_cannot_be_compiled_is_refused(void **state)
{
	static const char *const open[] = { "[",   "[]",    "[!",   "[!]", "[a",
					    "[a-", "a[b-c", "[\\]", "[\\" };
	struct wire_glob glob;
	char pattern[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_errno(comm_glob_compile(&glob, open[i]), EINVAL);
	memset(pattern, 'a', sizeof(pattern));
	pattern[63] = '\0';
	assert_ok(comm_glob_compile(&glob, pattern));
	pattern[63] = 'a';
	pattern[64] = '\0';
	assert_errno(comm_glob_compile(&glob, pattern), E2BIG);
	memset(pattern, ',', sizeof(pattern));
	pattern[63] = '\0';
	assert_ok(comm_glob_compile(&glob, pattern));
	pattern[63] = ',';
	pattern[64] = '\0';
	assert_errno(comm_glob_compile(&glob, pattern), E2BIG);
	memset(pattern, '*', sizeof(pattern));
	pattern[63] = '\0';
	assert_true(matches(pattern, "x"));
}

static uint32_t random_state = 1;

static uint32_t pick(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static void make_pattern(char *text, size_t size)
{
	static const char letters[] = "abc-!^";
	size_t used = 0;

	while (used + 8 < size && pick(8)) {
		switch (pick(6)) {
		case 0:
			text[used++] = '*';
			break;
		case 1:
			text[used++] = '?';
			break;
		case 2:
			text[used++] = '[';
			if (pick(3) == 0)
				text[used++] = "!^"[pick(2)];
			if (pick(4) == 0)
				text[used++] = ']';
			text[used++] = "abc"[pick(3)];
			if (pick(2)) {
				text[used++] = '-';
				text[used++] = "abc"[pick(3)];
			}
			text[used++] = ']';
			break;
		case 3:
			text[used++] = '\\';
			text[used++] = "abc*?[]\\"[pick(8)];
			break;
		default:
			text[used++] = letters[pick(sizeof(letters) - 1)];
		}
	}
	text[used] = '\0';
}

static void make_name(char *text, size_t size)
{
	size_t length = pick((uint32_t)size);

	for (size_t i = 0; i < length; i++)
		text[i] = "aaabbbccc-!^*?[]\\"[pick(17)];
	text[length] = '\0';
}

static void fnmatch_agrees(void **state)
{
	uint32_t hits = 0, misses = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char pattern[32], name[8];
		struct wire_glob glob;

		make_pattern(pattern, sizeof(pattern));
		assert_ok(comm_glob_compile(&glob, pattern));
		for (int k = 0; k < 4; k++) {
			char comm[WIRE_COMM_BYTES] = {};
			int expected;

			make_name(name, sizeof(name));
			memcpy(comm, name, strlen(name));
			expected = fnmatch(pattern, name, 0) == 0;
			if (comm_glob_matches(&glob, comm) != expected)
				fail_msg("pattern '%s' name '%s': fnmatch says %d", pattern, name,
					 expected);
			hits += (uint32_t)expected;
			misses += (uint32_t)!expected;
		}
	}
	assert_true(hits > 1000 && misses > 1000);
}

/* Patterns side by side are the same as each by itself. */
static void a_list_is_the_sum_of_its_patterns(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		char patterns[3][16], all[64], name[8], comm[WIRE_COMM_BYTES] = {};
		struct wire_glob glob;
		int expected = 0;

		for (int k = 0; k < 3; k++)
			make_pattern(patterns[k], sizeof(patterns[k]));
		snprintf(all, sizeof(all), "%s,%s,%s", patterns[0], patterns[1], patterns[2]);
		assert_ok(comm_glob_compile(&glob, all));
		make_name(name, sizeof(name));
		memcpy(comm, name, strlen(name));
		for (int k = 0; k < 3; k++)
			expected |= fnmatch(patterns[k], name, 0) == 0;
		if (comm_glob_matches(&glob, comm) != expected)
			fail_msg("pattern '%s' name '%s': fnmatch says %d", all, name, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_do_what_people_expect),
		cmocka_unit_test(a_name_may_fill_its_field),
		cmocka_unit_test(what_cannot_be_compiled_is_refused),
		cmocka_unit_test(fnmatch_agrees),
		cmocka_unit_test(a_list_is_the_sum_of_its_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
