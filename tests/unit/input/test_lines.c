// SPDX-License-Identifier: Apache-2.0
#include "input/read.h"

#include <errno.h>
#include <unistd.h>

static void assert_line(struct lines *lines, const char *want)
{
	const char *line;
	size_t size;

	assert_ok(lines_next(lines, &line, &size));
	assert_int_equal(size, strlen(want));
	assert_memory_equal(line, want, size);
}

static void lines_end_in_every_way(void **state)
{
	static const char text[] = "one\ntwo\r\n\n\r\nthree";
	int fd = text_file(text, strlen(text));
	struct lines lines = lines_of(fd);
	const char *line;
	size_t size;

	(void)state;
	assert_ok(lines_peek(&lines, &line, &size, 3));
	assert_true(size >= 3 && memcmp(line, "one", 3) == 0);
	assert_line(&lines, "one");
	assert_line(&lines, "two");
	assert_line(&lines, "");
	assert_line(&lines, "");
	assert_line(&lines, "three");
	assert_int_equal(lines.number, 5);
	assert_int_equal(lines_next(&lines, &line, &size), LINES_END);
	assert_int_equal(lines_next(&lines, &line, &size), LINES_END);
	lines_fini(&lines);
	close(fd);
}

/* Longer ones than any buffer, a piece at a time. */
static void pipes_are_read(void **state)
{
	char *text = malloc(1 << 20), want[16];
	int ends[2];
	struct lines lines;
	const char *line;
	size_t size;

	(void)state;
	assert_non_null(text);
	assert_ok(pipe(ends));
	if (fork() == 0) {
		memset(text, 'x', 1 << 20);
		text[(1 << 20) - 1] = '\n';
		for (int i = 0; i < 3; i++) {
			dprintf(ends[1], "line %d\n", i);
			(void)fs_write_all(ends[1], text, 1 << 20);
		}
		_exit(0);
	}
	close(ends[1]);
	lines = lines_of(ends[0]);
	for (int i = 0; i < 3; i++) {
		snprintf(want, sizeof(want), "line %d", i);
		assert_line(&lines, want);
		assert_ok(lines_next(&lines, &line, &size));
		assert_int_equal(size, (1 << 20) - 1);
		assert_true(line[0] == 'x' && line[size - 1] == 'x');
	}
	assert_int_equal(lines_next(&lines, &line, &size), LINES_END);
	lines_fini(&lines);
	close(ends[0]);
	free(text);
}

static void what_is_too_long_is_refused(void **state)
{
	size_t length = LINES_MAX_BYTES + 1;
	char *text = malloc(length);
	const char *line;
	struct lines lines;
	size_t size;
	int fd;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', length);
	text[1] = '\n';
	fd = text_file(text, length);
	lines = lines_of(fd);
	assert_line(&lines, "x");
	assert_ok(lines_next(&lines, &line, &size));
	assert_int_equal(size, length - 2);
	lines_fini(&lines);
	text[1] = 'x';
	assert_int_equal(pwrite(fd, text, 2, 0), 2);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	lines = lines_of(fd);
	assert_int_equal(lines_next(&lines, &line, &size), LINES_TOO_LONG);
	assert_int_equal(lines.number, 1);
	lines_fini(&lines);
	close(fd);
	free(text);
}

static void errors_are_handed_up(void **state)
{
	struct lines lines = lines_of(-1);
	const char *line;
	size_t size;

	(void)state;
	assert_errno(lines_next(&lines, &line, &size), EBADF);
	lines_fini(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_every_way),
		cmocka_unit_test(pipes_are_read),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(errors_are_handed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
