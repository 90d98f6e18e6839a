// SPDX-License-Identifier: Apache-2.0
/* Lines of /proc/PID/maps: real ones, odd ones, and what no kernel writes. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "proc/maps.h"

struct seen {
	struct maps_line lines[8];
	int count, refuse_at, refusal;
};

static int keep(void *context, const struct maps_line *line)
{
	struct seen *seen = context;

	if (seen->refusal && seen->count == seen->refuse_at)
		return seen->refusal;
	if (seen->count < 8)
		seen->lines[seen->count] = *line;
	seen->count++;
	return 0;
}

/* From a block of exactly that size, so that the sanitizers see a read past the end. */
static int parse(struct seen *seen, const char *text)
{
	size_t size = strlen(text);
	char *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, text, size);
	memset(seen->lines, 0, sizeof(seen->lines));
	seen->count = 0;
	r = maps_parse(copy, size, keep, seen);
	for (int i = 0; i < seen->count && i < 8; i++)
		if (seen->lines[i].path_size == 0)
			seen->lines[i].path = "";
		else
			seen->lines[i].path = text + (seen->lines[i].path - copy);
	free(copy);
	return r;
}

static void assert_path(const struct maps_line *line, const char *path)
{
	assert_int_equal(line->path_size, strlen(path));
	assert_memory_equal(line->path, path, line->path_size);
}

static void a_line_has_its_fields(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(parse(&seen, "7f0c2a628000-7f0c2a7bd000 r-xp 00028000 fd:01 1048602"
				      "                /usr/lib/libc.so.6\n"
				      "7ffd0a1fe000-7ffd0a21f000 rw-p 00000000 00:00 0 [stack]\n"
				      "7f1230000000-7f1230001000 rwxp 00000000 00:00 0 \n"),
			 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.lines[0].start, 0x7f0c2a628000);
	assert_int_equal(seen.lines[0].end, 0x7f0c2a7bd000);
	assert_int_equal(seen.lines[0].file_offset, 0x28000);
	assert_int_equal(seen.lines[0].device_major, 0xfd);
	assert_int_equal(seen.lines[0].device_minor, 1);
	assert_int_equal(seen.lines[0].inode, 1048602);
	assert_true(seen.lines[0].executable);
	assert_path(&seen.lines[0], "/usr/lib/libc.so.6");
	assert_false(seen.lines[1].executable);
	assert_path(&seen.lines[1], "[stack]");
	assert_true(seen.lines[2].executable);
	assert_path(&seen.lines[2], "");
}

static void paths_are_the_rest_of_the_line(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(parse(&seen, "1000-2000 r-xp 0 8:1 7 /a b  c (deleted)\n"
				      "2000-3000 r-xp 0 8:1 8 /new\\012line\n"
				      "3000-4000 r-xp 0 8:1 9 /\x1b[31m\xff\n"),
			 0);
	assert_path(&seen.lines[0], "/a b  c (deleted)");
	assert_path(&seen.lines[1], "/new\\012line");
	assert_path(&seen.lines[2], "/\x1b[31m\xff");
}

static void the_last_line_needs_no_newline(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(parse(&seen, "1000-2000 r-xp 0 8:1 7 /a\n2000-3000 r-xp 0 8:1 8 /b"), 0);
	assert_int_equal(seen.count, 2);
	assert_path(&seen.lines[1], "/b");
	/* Cut inside the inode: still a line, of anonymous memory. */
	assert_int_equal(parse(&seen, "1000-2000 r-xp 0 8:1 7"), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.lines[0].inode, 7);
	assert_int_equal(parse(&seen, ""), 0);
	assert_int_equal(seen.count, 0);
}

static void the_whole_range_of_numbers_is_read(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(parse(&seen, "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
				      "[vsyscall]\n"
				      "0-ffffffffffffffff r-xp ffffffffffffffff "
				      "ffffffff:ffffffff 18446744073709551615 /x\n"),
			 0);
	assert_int_equal(seen.lines[0].start, 0xffffffffff600000);
	assert_int_equal(seen.lines[1].end, UINT64_MAX);
	assert_int_equal(seen.lines[1].file_offset, UINT64_MAX);
	assert_int_equal(seen.lines[1].inode, UINT64_MAX);
	assert_int_equal(seen.lines[1].device_major, UINT32_MAX);
}

static void what_is_not_a_line_is_counted(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x\n",
		"1000\n",
		"1000-\n",
		"1000-2000\n",
		"1000-2000 \n",
		"1000-2000 r-x\n",
		"1000-2000 r-xp\n",
		"1000-2000 r-xp 0\n",
		"1000-2000 r-xp 0 8\n",
		"1000-2000 r-xp 0 8:1\n",
		"1000-2000 r-xp 0 8:1 \n",
		"1000-2000 r-xp 0 8:1 z\n",
		"-1000-2000 r-xp 0 8:1 7 /a\n",
		"2000-1000 r-xp 0 8:1 7 /a\n",		 /* backwards */
		"1000-1000 r-xp 0 8:1 7 /a\n",		 /* empty */
		"10000000000000000-2 r-xp 0 8:1 7 /a\n", /* 2^64 */
		"1000-10000000000000000 r-xp 0 8:1 7 /a\n",
		"1000-2000 r-xp 10000000000000000 8:1 7 /a\n",
		"1000-2000 r-xp 0 100000000:1 7 /a\n", /* 2^32 */
		"1000-2000 r-xp 0 8:1 18446744073709551616 /a\n",
		"1000-2000 r-xp 0 8:1 18446744073709551625 /a\n",
		"A000-B000 r-xp 0 8:1 7 /a\n", /* the kernel writes lower case */
	};
	struct seen seen = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(&seen, bad[i]) != 1 || seen.count != 0)
			fail_msg("taken for a line: %s", bad[i]);
	}
	/* The good ones around it are kept. */
	assert_int_equal(parse(&seen, "1000-2000 r-xp 0 8:1 7 /a\ngarbage\n"
				      "2000-3000 r-xp 0 8:1 8 /b\n"),
			 1);
	assert_int_equal(seen.count, 2);
}

static void a_refusal_ends_it(void **state)
{
	struct seen seen = { .refuse_at = 1, .refusal = -ENOMEM };

	(void)state;
	assert_errno(parse(&seen, "1000-2000 r-xp 0 8:1 7 /a\n2000-3000 r-xp 0 8:1 8 /b\n"
				  "3000-4000 r-xp 0 8:1 9 /c\n"),
		     ENOMEM);
	assert_int_equal(seen.count, 1);
}

struct found {
	uint64_t address, last_end;
	int executable, here, lines;
};

static int look(void *context, const struct maps_line *line)
{
	struct found *found = context;

	assert_true(line->start >= found->last_end);
	found->last_end = line->end;
	found->lines++;
	found->executable += line->executable;
	if (found->address >= line->start && found->address < line->end)
		found->here += line->executable && line->path[0] == '/';
	return 0;
}

static void our_own_maps_are_understood(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct found found = { .address = (uint64_t)(uintptr_t)our_own_maps_are_understood };
	int newlines = 0;

	(void)state;
	assert_ok(fs_read(&text, AT_FDCWD, "/proc/self/maps", 1 << 24));
	assert_int_equal(maps_parse(text.at, text.size, look, &found), 0);
	for (size_t i = 0; i < text.size; i++)
		newlines += text.at[i] == '\n';
	assert_int_equal(found.lines, newlines);
	assert_int_equal(found.here, 1);
	assert_true(found.executable >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_its_fields),
		cmocka_unit_test(paths_are_the_rest_of_the_line),
		cmocka_unit_test(the_last_line_needs_no_newline),
		cmocka_unit_test(the_whole_range_of_numbers_is_read),
		cmocka_unit_test(what_is_not_a_line_is_counted),
		cmocka_unit_test(a_refusal_ends_it),
		cmocka_unit_test(our_own_maps_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
