// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/stat.h"
#include "symbol/perf_map.h"

static void add(struct perf_map *map, const char *text)
{
	size_t taken;

	assert_ok(perf_map_add(map, text, strlen(text), &taken));
}

static void check(struct perf_map *map, uint64_t address, const char *expected)
{
	const char *name = NULL;

	if (!expected) {
		assert_errno(perf_map_find(map, address, &name), ENOENT);
		return;
	}
	assert_ok(perf_map_find(map, address, &name));
	assert_string_equal(name, expected);
}

static void test_lines(void **state)
{
	cleanup(perf_map_free) struct perf_map *map = perf_map_new();

	(void)state;
	check(map, 0x1000, NULL);
	add(map, "1000 100 LazyCompile:*run /app/x.js:3\n"
		 "0x2000 0x10 java.lang.Object::<init>\n"
		 "3000 10 windows\r\n"
		 "4000 0 empty\n"
		 "5000 10\n"
		 "5000 10 \n"
		 "nonsense\n"
		 "\n"
		 "6000 ffffffffffffffff wraps\n"
		 "123456789abcdef01 10 too many digits\n"
		 "7F00 10 upper case\n"
		 "8000 10 cut off");
	check(map, 0xfff, NULL);
	check(map, 0x1000, "LazyCompile:*run /app/x.js:3");
	check(map, 0x10ff, "LazyCompile:*run /app/x.js:3");
	check(map, 0x1100, NULL);
	check(map, 0x200f, "java.lang.Object::<init>");
	check(map, 0x3000, "windows");
	check(map, 0x4000, NULL);
	check(map, 0x5000, NULL);
	check(map, 0x6000, NULL);
	check(map, 0x7f00, "upper case");
	check(map, 0x8000, NULL);
}

static void test_later_lines_win(void **state)
{
	cleanup(perf_map_free) struct perf_map *map = perf_map_new();

	(void)state;
	add(map, "1000 100 old\n1010 10 new\n");
	check(map, 0x100f, "old");
	check(map, 0x1010, "new");
	check(map, 0x1020, "old");
	add(map, "1000 20 newest\n");
	check(map, 0x1010, "newest");
	check(map, 0x1020, "old");
}

/* Many lines, added and looked up in turns, against asking all lines. */
static void test_many(void **state)
{
	enum { LINES = 3000 };
	cleanup(perf_map_free) struct perf_map *map = perf_map_new();
	static unsigned starts[LINES], sizes[LINES];

	(void)state;
	srandom(5);
	for (int i = 0; i < LINES; i++) {
		unsigned address = (unsigned)random() % 50000;
		char line[64], expected[16] = "";

		starts[i] = (unsigned)random() % 50000;
		sizes[i] = 1 + (unsigned)random() % 60;
		snprintf(line, sizeof(line), "%x %x f%d\n", starts[i], sizes[i], i);
		add(map, line);
		for (int j = i; j >= 0; j--) {
			if (address >= starts[j] && address - starts[j] < sizes[j]) {
				snprintf(expected, sizeof(expected), "f%d", j);
				break;
			}
		}
		check(map, address, *expected ? expected : NULL);
	}
}

static void test_random_bytes(void **state)
{
	static const char alphabet[] = "0123456789abcdefxX \n\r\tzZ";
	cleanup(perf_map_free) struct perf_map *map = perf_map_new();

	(void)state;
	srandom(6);
	for (unsigned round = 0; round < 5000; round++) {
		size_t size = (size_t)random() % 100, taken;
		char *text = malloc(size + 1);
		const char *name;

		for (size_t i = 0; i < size; i++)
			text[i] = alphabet[(size_t)random() % sizeof(alphabet)];
		assert_ok(perf_map_add(map, text, size, &taken));
		assert_true(taken <= size);
		if (perf_map_find(map, (uint64_t)random() % 0x10000, &name) == 0)
			assert_true(*name);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	cmocka_unit_test(test_later_lines_win),
		cmocka_unit_test(test_many),	cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
