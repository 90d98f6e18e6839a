// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbol/demangle.h"

static void check(const char *name, const char *expected)
{
	cleanup(bytes_fini) struct bytes text = {};

	bytes_add_str(&text, "before ");
	if (expected) {
		assert_ok(demangle(&text, name));
		assert_string_equal(bytes_str(&text) + 7, expected);
	} else {
		assert_int_equal(demangle(&text, name), DEMANGLE_NOT);
		assert_string_equal(bytes_str(&text), "before ");
	}
}

static void test_names(void **state)
{
	(void)state;
	check("_ZNK2ns1S1mEi", "ns::S::m");
	check("_ZN2ns5twiceIiEET_S1_", "ns::twice<int>");
	check("_ZNSt6vectorIiSaIiEE9push_backEOi",
	      "std::vector<int, std::allocator<int> >::push_back");
	check("_ZN3fooC2Ev", "foo::foo");
	check("_ZN3fooC2Ev@plt", "foo::foo@plt");
	check("_ZN3foo3barEv.isra.0", "foo::bar"); /* a clone: as the function it came from */
	/* Rust legacy: without its hash; v0. */
	check("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
	check("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar");
}

static void test_other_names(void **state)
{
	(void)state;
	check("main", NULL);
	check("", NULL);
	check("_Z", NULL);
	check("@plt", NULL);
	check("_Z@plt", NULL);
	check("malloc@plt", NULL);
	check("_ZN", NULL);
	check("_R", NULL);
	check("_Zzzzz", NULL);
	check("_RZZZZ", NULL);
	check("_start", NULL);
}

/*
 * Each pair doubles the text. Substitutions (Itanium C++ ABI 5.1.9): S_ is f, S0_ is ABCD, S1_ is
 * std::pair, S2_ the first pair of two, S3_ a pair of S2_, and so on.
 */
static void test_bomb(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	char name[1024] = "_Z1fI4ABCDSt4pairIS0_S0_E";
	size_t at = strlen(name);

	(void)state;
	for (char digit = '2'; digit <= '7'; digit++)
		at += (size_t)sprintf(name + at, "S1_IS%c_S%c_E", digit, digit);
	strcpy(name + at, "EvT_");
	/* Some kilobytes of it are still told. */
	assert_ok(demangle(&text, name));
	assert_true(text.size > 1000);
	at += (size_t)sprintf(name + at, "S1_IS8_S8_ES1_IS9_S9_E");
	for (char digit = 'A'; digit < 'Z'; digit++)
		at += (size_t)sprintf(name + at, "S1_IS%c_S%c_E", digit, digit);
	strcpy(name + at, "EvT_");
	check(name, NULL);
}

static void test_long(void **state)
{
	static char name[100000];

	(void)state;
	memset(name, 'P', sizeof(name) - 1);
	memcpy(name, "_Z1f", 4);
	check(name, NULL);
	name[4000] = '\0';
	(void)demangle(&(struct bytes){ .failed = true }, name);
}

/* Pieces of real names in any order. */
static void test_random(void **state)
{
	static const char *const pieces[] = {
		"_Z",  "_R", "N",  "K",	 "3foo", "St", "S_",
		"S0_", "T_", "I",  "E",	 "P",	 "F",  "v",
		"i",   "L",  "Dp", "J",	 "Ul",	 "X",  "17h0123456789abcdef",
		"Nv",  "C",  "B",  "_",	 "u",	 "0",  "Y",
		"M",   "cl", "sr", "1x", "lE_",	 "dn", "Dv4_"
	};

	(void)state;
	srandom(3);
	for (unsigned round = 0; round < 20000; round++) {
		cleanup(bytes_fini) struct bytes text = {};
		char name[512];
		unsigned count = (unsigned)random() % 30;
		int r;

		strcpy(name, random() % 2 ? "_Z" : "_RNvC");
		for (unsigned i = 0; i < count; i++)
			strcat(name, pieces[(unsigned)random() % ARRAY_SIZE(pieces)]);
		r = demangle(&text, name);
		assert_true(r == 0 || r == DEMANGLE_NOT);
		assert_true((r == 0) == (text.size > 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_bomb),   cmocka_unit_test(test_long),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
