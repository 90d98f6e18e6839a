// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "output/escape.h"
#include "output/short_name.h"

static void expect(const char *name, size_t columns, const char *want)
{
	struct bytes got = {};
	size_t used = short_name_add(&got, name, columns);

	assert_non_null(bytes_str(&got));
	assert_string_equal(got.at, want);
	assert_int_equal(used, text_columns(want));
	assert_true(used <= columns);
	bytes_fini(&got);
}

static void step_by_step(void **state)
{
	static const char name[] = "std::map<int, std::vector<a::b> >::insert(std::pair<int, c>&&)";

	(void)state;
	expect(name, 100, name);
	expect(name, 50, "std::map<int, std::vector<a::b> >::insert");
	expect(name, 40, "std::map<>::insert");
	expect(name, 17, "…map<>::insert");
	expect(name, 13, "…insert");
	expect(name, 6, "insert");
	expect(name, 5, "inse…");
	expect(name, 3, "in…");
}

static void other_languages(void **state)
{
	(void)state;
	expect("void ns::each<int>(int)", 20, "void ns::each<int>");
	expect("void ns::each<int>(int)", 13, "…ns::each<>");
	expect("a::(anonymous namespace)::f(int)", 30, "a::(anonymous namespace)::f");
	expect("a::T::operator()(int) const", 24, "a::T::operator() const");
	expect("a::T::operator<< <int>(int)", 20, "a::T::operator<< <>");
	expect("std::operator+<char, std::char_traits<char>, std::allocator<char> >", 20,
	       "std::operator+<>");
	expect("std::operator<< <std::char_traits<char> >(std::ostream&, char const*)", 22,
	       "std::operator<< <>");
	expect("a::operator<=><int>(a::T<int> const&, a::T<int> const&)", 18, "a::operator<=><>");
	expect("a::P<int>::operator-><a::T<int> >() const", 30, "a::P<>::operator-><> const");
	expect("bool a::operator< <a::T<int> >(int)", 16, "…a::operator< <>");
	expect("<alloc::vec::Vec<T> as core::ops::Drop>::drop", 11, "…drop");
	expect("github.com/x/y.(*Server).Serve", 17, "…(*Server).Serve");
	expect("github.com/x/y.(*Server).Serve", 8, "…Serve");
	expect("java.util.HashMap.put", 14, "…HashMap.put");
	expect("memcached+0x18740", 12, "…+0x18740");
	expect("memcached+0x18740", 8, "+0x18740");
	expect("memcached+0x18740", 5, "…8740");
	expect("compute_it.constprop.0", 12, "compute_it.…");
	expect("my worker 3", 9, "my worke…");
	expect("[truncated: no row]", 12, "[truncated:…");
	expect("tcp_sendmsg_locked", 9, "tcp_send…");
}

/* Brackets that do not pair, marks at the ends, wide characters; and a megabyte of any of it. */
static void anything(void **state)
{
	static const char *const units[] = { "<", ">", "(", ")", "::", "operator", "a.", " ", "+0x",
					     "\xe6\xbc\xa2", "<(", "(*" };
	enum { SIZE = 1000000 };
	char *name = malloc(SIZE + 20);

	(void)state;
	expect("<<<<<<<<<<<<", 5, "<<<<…");
	expect("((((((((((((", 5, "((((…");
	expect("::::::::::::", 5, "…::::");
	expect("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 4, "\xe6\xbc\xa2…");
	assert_non_null(name);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		struct bytes got = {};
		size_t size = 0;

		while (size < SIZE)
			size += (size_t)sprintf(name + size, "%s", units[i]);
		assert_in_range(short_name_add(&got, name, 20), 1, 20);
		assert_non_null(bytes_str(&got));
		bytes_fini(&got);
	}
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(step_by_step),
		cmocka_unit_test(other_languages),
		cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
