// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/kernel.h"

static struct kernel_symbols *parse(const char *text)
{
	struct kernel_symbols *symbols = kernel_symbols_new();
	size_t taken;

	assert_non_null(symbols);
	assert_ok(kernel_symbols_add(symbols, text, strlen(text), &taken));
	kernel_symbols_sort(symbols);
	return symbols;
}

static void check(const struct kernel_symbols *symbols, uint64_t address, const char *expected_name,
		  const char *expected_module)
{
	const char *name, *module;

	if (!expected_name) {
		assert_errno(kernel_symbols_find(symbols, address, &name, &module), ENOENT);
		return;
	}
	assert_ok(kernel_symbols_find(symbols, address, &name, &module));
	assert_string_equal(name, expected_name);
	assert_string_equal(module, expected_module);
}

static void test_names(void **state)
{
	cleanup(kernel_symbols_free) struct kernel_symbols *symbols =
		parse("0000000000000000 A fixed_percpu_data\n"
		      "ffffffff81000000 T _stext\n"
		      "ffffffff81000000 T _text\n"
		      "ffffffff81000000 t startup\n"
		      "ffffffff81000100 t local\n"
		      "ffffffff81000200 W weak\n"
		      "ffffffff81000300 D data\n"
		      "ffffffffc0a02000 t nft_later\t[nf_tables]\n"
		      "ffffffffc0a01000 t nft_do_chain\t[nf_tables]\n"
		      "ffffffffc0b00000 t bpf_prog_6deef7357e7b4530_x\t[bpf]\n"
		      "ffffffffc0c00000 t in_ext4\t[ext4]\n"
		      "ffffffff82000000 T without newline");

	(void)state;
	assert_false(kernel_symbols_hidden(symbols));
	check(symbols, 0, NULL, NULL);
	check(symbols, 0xffffffff80ffffff, NULL, NULL);
	check(symbols, 0xffffffff81000000, "_text", ""); /* exported, and the shorter of two */
	check(symbols, 0xffffffff810001ff, "local", "");
	check(symbols, 0xffffffff81000305, "weak", "");
	check(symbols, 0xffffffff82000000, NULL, NULL); /* too far from any beginning */
	check(symbols, 0xffffffffc0a01fff, "nft_do_chain", "nf_tables");
	check(symbols, 0xffffffffc0a02000, "nft_later", "nf_tables");
	check(symbols, 0xffffffffc0b00010, "bpf_prog_6deef7357e7b4530_x", "bpf");
	check(symbols, 0xffffffffc0c00000, "in_ext4", "ext4");
}

static void test_hidden(void **state)
{
	cleanup(kernel_symbols_free) struct kernel_symbols *symbols =
		parse("0000000000000000 T _text\n0000000000000000 t local\t[ext4]\n");

	(void)state;
	assert_true(kernel_symbols_hidden(symbols));
	check(symbols, 0xffffffff81000000, NULL, NULL);
}

static void test_nothing(void **state)
{
	cleanup(kernel_symbols_free) struct kernel_symbols *symbols = parse("");

	(void)state;
	assert_false(kernel_symbols_hidden(symbols));
	check(symbols, UINT64_MAX, NULL, NULL);
}

static void test_in_pieces(void **state)
{
	static const char text[] = "ffffffff81000000 T one\nffffffff81000010 T two\n";
	cleanup(kernel_symbols_free) struct kernel_symbols *symbols = kernel_symbols_new();
	size_t taken = 0, first;

	(void)state;
	assert_ok(kernel_symbols_add(symbols, text, 30, &first));
	assert_int_equal(first, 23);
	assert_ok(kernel_symbols_add(symbols, text + first, sizeof(text) - 1 - first, &taken));
	assert_int_equal(first + taken, sizeof(text) - 1);
	kernel_symbols_sort(symbols);
	check(symbols, 0xffffffff81000000, "one", "");
	check(symbols, 0xffffffff81000010, "two", "");
}

static void test_odd_lines(void **state)
{
	static const char alphabet[] = "0f8T t[]\t\n aA\r";

	(void)state;
	srandom(4);
	for (unsigned round = 0; round < 5000; round++) {
		cleanup(kernel_symbols_free) struct kernel_symbols *symbols = kernel_symbols_new();
		size_t size = (size_t)random() % 200, taken;
		char *text = malloc(size + 1); /* exact, so that reading past it is noticed */
		const char *name, *module;

		for (size_t i = 0; i < size; i++)
			text[i] = alphabet[(size_t)random() % sizeof(alphabet)]; /* and NUL */
		assert_ok(kernel_symbols_add(symbols, text, size, &taken));
		assert_true(taken <= size);
		kernel_symbols_sort(symbols);
		if (kernel_symbols_find(symbols, (uint64_t)random(), &name, &module) == 0)
			assert_true(strlen(name) < 200 && strlen(module) < 200);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_nothing),	  cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_odd_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
